"""No form of any secret is seen anywhere, whatever steps print and whoever is killed; and none is issued twice.

The runbooks, the values, the views and the points of the kills come from a seed. `DURUN_SOAK=N` tries N times as many,
`DURUN_SOAK_SEED` others.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from crash.harness import Bench, Ran, wait_until
from crash.secret_books import HOSTILE, KILLS, Trial, make
from crash.secret_forms import clues, seen, written

FACTOR = int(os.environ.get("DURUN_SOAK", "1"))
SEED = int(os.environ.get("DURUN_SOAK_SEED", "1"))
TRIALS = 8 * FACTOR
MOST_KILLS = 3
VIEWS: list[list[str]] = [[], ["--json"], ["-q"], ["terminal"]]


class Watched:
    """A trial under watch: whatever it says and writes is looked at."""

    def __init__(self, bench: Bench, trial: Trial, dice: random.Random) -> None:
        self._bench = bench
        self._trial = trial
        self._dice = dice
        self.memories = [bench.folder / name for name in ("given", "got", "made")]
        lines = [json.dumps({"name": name, "value": value, "task": ""}) for name, value in trial.values.items()]
        self.memories[0].write_text("".join(f"{line}\n" for line in lines))
        self._said: list[tuple[str, bytes]] = []
        watch = [sys.executable, str(Path(__file__).with_name("secret_watch.py")), str(bench.home)]
        self._watch = subprocess.Popen(
            [*watch, *map(str, self.memories)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def remembered(self, memory: str) -> list[dict[str, str]]:
        path = self._bench.folder / memory
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def call(self, *argv: str, view: list[str], crash: str | None = None, stdin: Path | None = None) -> int:
        """Call durun, killed at a point or not; its exit code."""
        options: dict[str, Any] = {"env": self._trial.env}
        command = self._bench
        with contextlib.ExitStack() as stack:
            if stdin is not None:
                options["stdin"] = stack.enter_context(stdin.open())
            if view == ["terminal"]:
                said = stack.enter_context(terminal())
                options |= {"stdout": said.slave, "stderr": said.slave, "text": None}
                options["env"] = {**self._trial.env, "TERM": "xterm"}
                view = []
            ran: Ran = (
                command.crash(*argv, *view, at=crash, **options)[1] if crash else command(*argv, *view, **options)
            )
        if "stdout" in options:
            self._said.append((f"the terminal of {argv}", said.content))
        self._said.append((str(argv), f"{ran.out}\0{ran.err}".encode()))
        return ran.code

    def start(self, crash: str | None) -> int:
        """Start the run, its secret inputs by a file of one's own or by a pipe."""
        file = self._bench.folder / "inputs.json"
        file.write_text(json.dumps(self._trial.inputs))
        file.chmod(0o600)
        by_pipe = self._dice.random() < 0.5
        place = "-" if by_pipe else str(file)
        view = self._dice.choice(VIEWS)
        return self.call(
            "run", self._trial.book, "--inputs", place, view=view, crash=crash, stdin=file if by_pipe else None
        )

    def go_on(self, crash: str | None) -> int:
        run = self._bench.last()
        if run is None:
            return self.start(crash)
        return self.call("resume", run, view=self._dice.choice(VIEWS), crash=crash)

    def settle(self) -> None:
        """As an operator would: by what the other side knows."""
        wait_until(lambda: not self._bench.steps())
        for step, target in self._bench.in_doubt():
            task = step if target is None else f"{step}/{target}"
            made = next((one["value"] for one in self.remembered("made") if one["name"] == task), None)
            issues = step in ("issue", "each")
            done = made is not None if issues else self._bench.effects()[task] > 0
            which = [] if target is None else ["--target", target]
            how = ["--done" if done else "--not-done", "--reason", "looked"]
            how += ["--output", "token"] if done and issues else []
            how += ["--output", "open=nothing"] if done and step == "exposes" else []
            stdin = self._bench.folder / "stdin"
            stdin.write_text(f"{made}\n")
            assert self.call("settle", self._bench.last() or "", step, *which, *how, view=[], stdin=stdin) == 0

    def look_back(self) -> None:
        """Everything that shows a run."""
        run = self._bench.last() or ""
        for more in (["show", run], ["show", run, "--events", "--json"], ["show", run, "--json"], ["logs", run]):
            assert self.call(*more, view=[]) == 0
        assert self.call("history", "--json", view=[]) == 0
        page = self._bench.folder / "report.html"
        assert self.call("report", run, "-o", str(page), view=[]) == 0
        self._said.append((str(page), page.read_bytes()))
        bundle = self._bench.folder / "bundle.tar.gz"
        assert self.call("export", run, "-o", str(bundle), view=[]) == 0
        self._said.append((str(bundle), gzip.decompress(bundle.read_bytes())))
        with tarfile.open(bundle) as files:
            envelope = json.load(files.extractfile(f"durun-{run}/attestation.json") or io.BytesIO())
        self._said.append(("attestation.json", base64.b64decode(envelope["payload"])))
        assert self.call("verify", str(bundle), view=[]) == 0

    def end(self) -> None:
        """Nothing was seen, nowhere."""
        out, _ = self._watch.communicate(input="\n", timeout=50)
        watched = json.loads(out)
        assert watched["looks"] >= 2
        assert not watched["found"]
        known = {
            clue for memory in self.memories for one in self.remembered(memory.name) for clue in clues(one["value"])
        }
        for name, content in self._said:
            assert seen(content, known) is None, (name, content)

    def close(self) -> None:
        self._watch.kill()
        self._watch.communicate()


class _Terminal:
    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.content = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while chunk := os.read(self.master, 1 << 16):
                self.content += chunk

    def close(self) -> None:
        os.close(self.slave)
        self._thread.join()
        os.close(self.master)


@contextlib.contextmanager
def terminal() -> Iterator[_Terminal]:
    """A pseudo-terminal, all that is shown on which is read."""
    made = _Terminal()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def watched(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Watched]:
    dice = random.Random(f"{SEED}/{request.node.callspec.params['number']}")
    made = Watched(bench, make(bench, dice), dice)
    yield made
    made.close()


def each_once(watched: Watched) -> None:
    """No secret was issued twice, and all that read one got the same."""
    made = Counter(one["name"] for one in watched.remembered("made"))
    assert set(made) == {"issue", "each/db0", "each/db1", "each/db2"}
    assert set(made.values()) == {1}
    issued = {one["value"] for one in watched.remembered("made") if one["name"] == "issue"}
    got: Mapping[str, set[str]] = {}
    for one in watched.remembered("got"):
        if one["name"] not in ("dsn", "each"):
            got = {**got, one["name"]: {*got.get(one["name"], ()), one["value"]}}
    assert {name: len(values) for name, values in got.items()} == dict.fromkeys(got, 1)
    assert got["token"] == issued
    given = {one["name"]: one["value"] for one in watched.remembered("given")}
    assert {name: got[name] for name in given} == {name: {value} for name, value in given.items()}


def nothing_left_behind(bench: Bench) -> None:
    """No file in memory, and nothing sealed once the run has succeeded."""
    gates = b"".join(path.read_bytes() for path in bench.home.glob("runs/*/attempts/*/gate"))
    there = [path.name.removeprefix("durun-") for path in Path("/dev/shm").glob("durun-*")]
    assert not [nonce for nonce in there if nonce.encode() in gates]
    assert not [*bench.home.glob("runs/*/sealed/*"), *bench.home.glob("runs/*/attempts/*/sealed")]


@pytest.mark.fault(31, 33)
@pytest.mark.parametrize("number", range(TRIALS))
@pytest.mark.timeout(240)
def test_no_secret_is_seen_and_none_is_issued_twice(bench: Bench, watched: Watched, number: int) -> None:
    dice = random.Random(f"kills/{SEED}/{number}")
    kills = [f"{dice.choice(KILLS)} {dice.randint(1, 25)}" for _ in range(dice.randint(0, MOST_KILLS))]
    code = watched.start(kills.pop() if kills else None)
    for _ in range(20):
        if code == 0 and bench.last():
            break
        if code == 3:
            watched.settle()
        code = watched.go_on(kills.pop() if kills else None)
    assert code == 0
    watched.look_back()
    bench.quiet()
    each_once(watched)
    watched.end()
    nothing_left_behind(bench)
    bench.check()


INTERNAL_ERROR = """
import os, sys
from durun.engine.local.landing import Landing

def land(*_):
    raise ValueError(f"it was {os.environ['TRIAL_SECRET']} and more " + "x" * 300)

Landing.land = land
from durun.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.fault(31)
@pytest.mark.parametrize(
    ("kind", "view"), [(kind, ["--json"] if number % 2 else []) for number, kind in enumerate(sorted(HOSTILE))]
)
def test_an_internal_error_shows_no_secret(bench: Bench, kind: str, view: list[str]) -> None:
    """The line on the terminal, and the traceback that is kept."""
    value = HOSTILE[kind](random.Random(kind))
    steps = "steps:\n  - {id: one, run: 'true', env: {ONE: '${{ secrets.one }}'}}\n"
    book = bench.write(steps, head="secrets: {one: {env: TRIAL_SECRET}}\n")
    command = [sys.executable, "-c", INTERNAL_ERROR, "run", str(book), "-i", f"effects={bench.effects_file}", *view]
    ran = subprocess.run(
        command, env=bench.environment({"TRIAL_SECRET": value}), capture_output=True, check=False, cwd=bench.book
    )
    assert ran.returncode == 70
    kept = [path.read_bytes() for path in bench.home.glob("errors/*.txt")]
    assert len(kept) == 1 and b"Traceback" in kept[0]
    assert b"ValueError: it was ***" in ran.stderr
    for content in (ran.stdout, ran.stderr, *kept):
        assert seen(content, clues(value)) is None


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_the_watch_sees_every_form(kind: str) -> None:
    """Else nothing would be shown by the tests above."""
    value = HOSTILE[kind](random.Random(kind))
    for text in written(value):
        if len(value) >= 8 or value in text:
            assert seen(f"before {text} after".encode(), clues(value)), text


@pytest.mark.parametrize("place", ["state/runs/a/attempts/1/log", "state/journal.db-wal", "arguments"])
def test_the_watch_sees_every_place(tmp_path: Path, place: str) -> None:
    made, value = tmp_path / "made", "tok-4711-tok-4711"
    made.write_text(json.dumps({"value": value}) + "\n")
    (tmp_path / "state").mkdir()
    program = "import sys; sys.stdin.read()"
    arguments = [sys.executable, "-c", program, value if place == "arguments" else "nothing"]
    if place != "arguments":
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        halves = [json.dumps({"stream": "stdout", "text": part}) for part in (value[:9], value[9:])]
        path.write_text(
            "".join(f"{half}\n" for half in halves) if path.name == "log" else f"\0\1{value.encode().hex()}"
        )
    with subprocess.Popen(arguments, stdin=subprocess.PIPE) as other:
        watch = [sys.executable, str(Path(__file__).with_name("secret_watch.py")), str(tmp_path / "state"), str(made)]
        ran = subprocess.run(watch, input="\n", capture_output=True, text=True, check=True)
        other.communicate()
    assert len(json.loads(ran.stdout)["found"]) == 1
