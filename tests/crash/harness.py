"""durun as a real process that can be killed, and effects counted by what the steps themselves did.

A step has its effect by `$MARK`: a line that it appends to a file, with one write and O_APPEND.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from durun.audit.history import History, prove
from durun.cli.verify import own_keys
from durun.config import Config
from durun.journal.reading import read_state
from durun.journal.sqlite import open_journal
from durun.model.state import RunState

ROOT = Path(__file__).resolve().parents[2]
CRASHPOINT = Path(__file__).resolve().with_name("crashpoint.py")
PATIENCE = 40.0

_RUNNER = [f"{point}.{when}" for point in ("append", "send", "reply", "land") for when in ("before", "after")]
_SUPERVISOR = ["gate.before", "link.after", "spawn.before", "process.after", "exit.before", "exit.after", "ended.after"]
POINTS_OF_A_STEP = [*(f"runner {point}" for point in _RUNNER), *(f"supervisor {point}" for point in _SUPERVISOR)]
"""Where durun is killed around a step that a worker does: all that matter to its effect, each at every hit."""

MARK = """
env:
  MARK: 'echo "$DURUN_STEP_ID${DURUN_TARGET_KEY+/$DURUN_TARGET_KEY}" >> "$EFFECTS"'
  EFFECTS: ${{ inputs.effects }}
inputs:
  effects: {type: string, required: true}
"""
"""What a runbook has at its top, so that `eval "$MARK"` in a script is the step's effect."""


class Ran(NamedTuple):
    """How a process ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]


def wait_until(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait for a condition of the outside world, looking every few milliseconds; its value."""
    until = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        select.select([], [], [], 0.01)
    return value


def wait_for_end(pid: int, patience: float) -> bool:
    """Wait for the end of a process, at most so many seconds; whether it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience)[0])
    finally:
        os.close(descriptor)


def lives(pid: int) -> bool:
    """Whether a process works: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _variables(process: Path) -> list[bytes]:
    """The environment of a process. In the middle of an `exec` the kernel shows neither that nor arguments: look again.

    Raises OSError for a process that has ended, and for one of the kernel's own.
    """
    while not (text := (process / "environ").read_bytes()) and not (process / "cmdline").read_bytes():
        (process / "exe").readlink()
        select.select([], [], [], 0.001)
    return text.split(b"\0")


class Bench:
    """A state directory and everything that works on it."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.folder = folder
        self.home = home or folder / "state"
        self.book = folder / "book"
        self.book.mkdir(exist_ok=True)
        self.effects_file = folder / "effects"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("DURUN_", "CRASH_"))}
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.env |= {"DURUN_HOME": str(self.home), "PYTHONPATH": path, "DURUN_STOP_GRACE": "0.2", "DURUN_SYSLOG": ""}
        self.sign = f"DURUN_HOME={self.home}"
        """A variable by which its processes are known."""
        self._started: list[subprocess.Popen[str]] = []

    # -- runbooks -----------------------------------------------------------------------------------------------

    def write(self, steps: str, name: str = "trial", head: str = "") -> Path:
        """A runbook whose steps can `eval "$MARK"`."""
        path = self.book / f"{name}.yaml"
        path.write_text(f"durun: 1\nname: {name}\n{MARK}{head}\n{steps}")
        return path

    def effects(self) -> Counter[str]:
        """How often each task has had its effect."""
        try:
            return Counter(self.effects_file.read_text().split())
        except FileNotFoundError:
            return Counter()

    def fifo(self, name: str = "fifo") -> Path:
        """A pipe with a name: opening one end waits for the other."""
        path = self.folder / name
        os.mkfifo(path)
        return path

    def let_go(self, fifo: Path) -> None:
        """Let the one who waits for reading from this pipe go on; waits until there is one."""

        def opened() -> int | None:
            with contextlib.suppress(OSError):
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            return None

        os.close(wait_until(opened))

    # -- processes ----------------------------------------------------------------------------------------------

    def command(self, *argv: str) -> list[str]:
        """How durun is called; a `run` gets the place of the effects."""
        given = ["-i", f"effects={self.effects_file}"] if argv and argv[0] == "run" else []
        return [sys.executable, str(CRASHPOINT), *argv, *given]

    def environment(self, env: Mapping[str, str | None] | None = None, **traps: str) -> dict[str, str]:
        """The environment that durun gets; None unsets."""
        merged = {**self.env, **(env or {}), **traps}
        return {name: value for name, value in merged.items() if value is not None}

    def start(
        self,
        *argv: str,
        prefix: Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        crash: str | None = None,
        **options: Any,
    ) -> subprocess.Popen[str]:
        """Start durun. `crash`: see `crashpoint.py`."""
        traps = {} if crash is None else {"CRASH_AT": crash}
        pipes: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": self.book,
        }
        process = subprocess.Popen(
            [*prefix, *self.command(*argv)], env=self.environment(env, **traps), **{**pipes, **options}
        )
        self._started.append(process)
        return process

    def __call__(self, *argv: str, **options: Any) -> Ran:
        """Run durun to its end."""
        return self.finish(self.start(*argv, **options))

    def finish(self, process: subprocess.Popen[str], patience: float = PATIENCE) -> Ran:
        """Wait for a started durun."""
        out, err = process.communicate(timeout=patience)
        assert "Traceback" not in (err or ""), err
        assert not self.complaints(), self.complaints()
        return Ran(process.returncode, out or "", err or "")

    def crash(self, *argv: str, at: str, **options: Any) -> tuple[bool, Ran]:
        """Run durun with traps, each of which springs once; whether all of them did."""
        sides, ran = self.crash_sides(*argv, at=at, **options)
        return len(sides) == len(at.split(";")), ran

    def crash_sides(self, *argv: str, at: str, **options: Any) -> tuple[set[str], Ran]:
        """Run durun with traps, each of which springs once; the sides of those that did."""
        tokens = {trap.split()[0]: self.folder / f"token.{trap.split()[0]}" for trap in at.split(";")}
        for token in tokens.values():
            token.touch()
        env = {**options.pop("env", {}), "CRASH_TOKEN": str(self.folder / "token")}
        ran = self(*argv, crash=at, env=env, **options)
        if "supervisor" in at:
            # It may come to its trap only when it has seen that the runner is gone, or has all that it needs.
            wait_until(lambda: not self.supervisors())
        sprung = {side for side, token in tokens.items() if not token.exists()}
        assert ("runner" in sprung) == (ran.code == -signal.SIGKILL), ran
        for token in tokens.values():
            token.unlink(missing_ok=True)
        return sprung, ran

    def processes(self) -> dict[int, str]:
        """All that works for this state directory: each pid, and what it is (`durun`, `supervisor`, `step`)."""
        wanted = self.sign.encode()
        inside = f"DURUN_OUTPUT={self.home}/".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                variables = _variables(entry)
                kind = (
                    "step" if any(v.startswith(inside) for v in variables) else "durun" if wanted in variables else ""
                )
                if kind == "durun" and b"supervisor.main" in (entry / "cmdline").read_bytes():
                    kind = "supervisor"
                if kind and lives(int(entry.name)):
                    found[int(entry.name)] = kind
        return found

    def supervisors(self) -> list[int]:
        """The supervisors that live."""
        return [pid for pid, kind in self.processes().items() if kind == "supervisor"]

    def steps(self) -> list[int]:
        """The processes of steps that live."""
        return [pid for pid, kind in self.processes().items() if kind == "step"]

    def complaints(self) -> str:
        """What supervisors wrote to stderr: nothing, if all is well."""
        return "".join(path.read_text() for path in self.home.glob("runs/*/supervisor-*.err"))

    def kill(self, *pids: int) -> None:
        """kill -9, and wait for the end."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            assert wait_for_end(pid, PATIENCE)

    def quiet(self) -> None:
        """Wait until nothing works for this state directory any more."""
        wait_until(lambda: not self.processes())

    def close(self) -> None:
        """Leave nothing behind."""
        while found := self.processes():
            self.kill(*found)
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    # -- what the journal says ----------------------------------------------------------------------------------

    def last(self) -> str | None:
        """The id of the newest run, None if there is none."""
        ids = [path.name for path in self.home.glob("runs/*")]
        if not (self.home / "journal.db").exists():
            return None
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            known = [run_id for run_id in ids if _knows(journal, run_id)]
        assert len(known) < 2, "one run was meant"
        return known[0] if known else None

    def show(self, run: str | None = None) -> dict[str, Any]:
        """`durun show --json`."""
        shown = self("show", run or self.last() or "", "--json")
        assert shown.code == 0, shown.err
        return dict(json.loads(shown.out))

    def state(self) -> RunState:
        """How the run stands, by the journal."""
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            return read_state(journal, self.last() or "")

    def task(self, step: str, target: str | None = None, run: str | None = None) -> dict[str, Any]:
        """One task of `show --json`, of the newest round."""
        found = [t for t in self.show(run)["tasks"] if t["step"] == step and t["target"] == target]
        return dict(found[-1])

    def check(self, run: str | None = None) -> None:
        """The chain of hashes is whole, the events fold to the projections, and the register has every run as it is."""
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            prove(History(journal, self.home / "runs"), run or self.last() or "", own_keys(Config(self.home)), [])

    def events(self, kind: str, run: str | None = None) -> list[dict[str, Any]]:
        """The events of one stored type."""
        shown = self("show", run or self.last() or "", "--events", "--json")
        return [line for line in shown.lines if line["event"] == kind]

    def in_doubt(self) -> list[tuple[str, str | None]]:
        """The tasks in doubt."""
        run = self.last()
        if run is None:
            return []
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            tasks = journal.tasks(run)
        return [(key.step, key.target) for key, task in tasks.items() if task.status == "in_doubt"]

    def settle_honestly(self, outputs: Callable[[str, str | None], Sequence[str]] = lambda *_: ()) -> int:
        """Settle every doubt by what the effects say, as an operator would; how many there were.

        `outputs` are those that a task that is done must have had.
        """
        run, doubts = self.last() or "", self.in_doubt()
        if doubts:
            wait_until(lambda: not self.steps())
        for step, target in doubts:
            name = step if target is None else f"{step}/{target}"
            done = self.effects()[name] > 0
            how = ["--done", *(f"--output={pair}" for pair in outputs(step, target))] if done else ["--not-done"]
            which = [] if target is None else ["--target", target]
            settled = self("settle", run, step, *which, *how, "--reason", "the effects were looked at")
            assert settled.code == 0, settled.err
        return len(doubts)


def _knows(journal: Any, run_id: str) -> bool:
    from durun.errors import NoSuchRun

    try:
        journal.head(run_id)
    except NoSuchRun:
        return False
    return True
