"""durun, with a trap: `python crashpoint.py ARGV…` is `durun ARGV…`, but kills itself at a named point.

Run by `harness.py`, never imported by product code. What the trap is stands in the environment, so that the supervisor,
which gets the runner's environment, finds it as well:

- `CRASH_AT=SIDE POINT.WHEN HIT`, for example `runner append.before 3`: SIGKILL to this process when it comes to the
  point for the third time. SIDE is `runner` or `supervisor`. Several are joined by `;`, one for each side at most.
- `CRASH_TOKEN=FILE`: only whoever can remove `FILE.SIDE` is killed. So a supervisor that takes the place of a killed
  one is not killed as well; and whether the point was reached can be seen afterwards. Without it, all that reach it.
- `CRASH_BOOT_ID=TEXT`: the boot id that both see: the machine has been restarted since.
- `CRASH_CLOCK=SECONDS`: the runner's wall clock is so many seconds ahead of the machine's.
- `CRASH_PATIENT=1`: an attempt's timeout counts from the first word that it says, however long its start has taken.
- `CRASH_UPTIME=SECONDS`: so many seconds have passed, by what the machine counts since its start.

Standard library only: the supervisor loads this file with `python -I -S`.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_LOCAL = "durun.engine.local"

RUNNER = {
    "folder": f"{_LOCAL}.engine:make_run_folder",
    "lock": "durun.journal.claim:RunLock.acquire",
    "supervise": f"{_LOCAL}.hands:Hands.start",
    "open": f"{_LOCAL}.hands:Hands.open",
    "append": "durun.journal.sqlite:SqliteJournal.append",
    "script": f"{_LOCAL}.prepare:Preparer._write_script",
    "send": f"{_LOCAL}.hands:Hands.send",
    "half": f"{_LOCAL}.hands:Hands.send",
    "reply": f"{_LOCAL}.runner:Runner._take",
    "land": f"{_LOCAL}.landing:Landing.land",
    "take_over": f"{_LOCAL}.recovery:Recovery.take_over",
    "settle": f"{_LOCAL}.recovery:Recovery._settled",
    "fence": f"{_LOCAL}.examine:fence",
    "sync": f"{_LOCAL}.examine:sync_results",
    "close": f"{_LOCAL}.hands:Hands.close",
    "put": f"{_LOCAL}.vault:Vault.put",
    "shown": f"{_LOCAL}.sealed_results:SealedResults._show",
    "destroy": f"{_LOCAL}.vault:Vault.destroy",
    "unmark": f"{_LOCAL}.vault:Vault.unmark",
    "begin_to_sign": f"{_LOCAL}.signing:Signing.begin",
    "key": "durun.secrets.places:InFile.keep",
    "sign": "durun.journal.sqlite:SqliteJournal.sign",
    "prune": "durun.journal.sqlite:SqliteJournal.prune",
}
SUPERVISOR = {
    "open": f"{_LOCAL}.supervisor.loop:open_run",
    "gate": f"{_LOCAL}.folder:make_gate",
    "link": "os:link",
    "spawn": f"{_LOCAL}.supervisor.child:spawn",
    "process": f"{_LOCAL}.folder:write_process",
    "exit": f"{_LOCAL}.supervisor.ending:write_exit",
    "sync": f"{_LOCAL}.supervisor.ending:sync",
    "ahead": f"{_LOCAL}.supervisor.ahead:Ahead.sync",
    "ended": f"{_LOCAL}.wire:Channel.send",
    "durable": f"{_LOCAL}.supervisor.ending:Ending.make_durable",
    "taken": f"{_LOCAL}.supervisor.taking:_Stdout.finish",
    "capture": f"{_LOCAL}.supervisor.taking:_fork",
    "captured": f"{_LOCAL}.supervisor.taking:Taking.captured",
    "piece": f"{_LOCAL}.supervisor.capture:Capture._take",
    "clear": f"{_LOCAL}.supervisor.capture:Capture._clear",
    "files": f"{_LOCAL}.supervisor.child:write_secret_files",
    "seal": f"{_LOCAL}.supervisor.ending:Ending.seal",
    "sealed": "durun.durable:write_durably",
}
"""Where each point is: `before` and `after` a call of it."""


def _counts(point: str, arguments: tuple[Any, ...]) -> bool:
    """Whether this call is one of the point's: what is sent may be of another kind, or nothing."""
    if point in ("send", "half"):
        return len(arguments[1]) > 0
    if point == "ended":
        return any(type(message).__name__ == "Ended" for message in arguments[1])
    return True


class _Trap:
    def __init__(self, when: str, hit: int, token: str | None) -> None:
        self._when = when
        self._left = hit
        self._token = token

    def step(self, when: str) -> None:
        if when != self._when:
            return
        self._left -= 1
        if self._left == 0:
            self.spring()

    def spring(self) -> None:
        if self._token is not None:
            try:
                Path(self._token).unlink()
            except FileNotFoundError:
                return
        os.kill(os.getpid(), signal.SIGKILL)


def _wrapped(call: Callable[..., Any], point: str, trap: _Trap) -> Callable[..., Any]:
    @functools.wraps(call)
    def trapped(*arguments: Any, **named: Any) -> Any:
        if not _counts(point, arguments):
            return call(*arguments, **named)
        trap.step("before")
        if point == "half":
            # Half of the orders reach the socket; the last one of them, perhaps, only in part.
            hands, orders = arguments
            call(hands, orders[: len(orders) // 2])
            trap.step("middle")
            return call(hands, orders[len(orders) // 2 :])
        found = call(*arguments, **named)
        trap.step("after")
        return found

    return trapped


def _arm(side: str, points: dict[str, str]) -> None:
    for text in os.environ.get("CRASH_AT", "").split(";"):
        wanted = text.split()
        if wanted and wanted[0] == side:
            _set(side, wanted, points)


def _set(side: str, wanted: list[str], points: dict[str, str]) -> None:
    point, _, when = wanted[1].partition(".")
    module, _, path = points[point].partition(":")
    owner: Any = importlib.import_module(module)
    *around, name = path.split(".")
    for part in around:
        owner = getattr(owner, part)
    token = os.environ.get("CRASH_TOKEN")
    trap = _Trap(when, int(wanted[2]), None if token is None else f"{token}.{side}")
    there = vars(owner)[name]
    if isinstance(there, classmethod):
        setattr(owner, name, classmethod(_wrapped(there.__func__, point, trap)))
    else:
        setattr(owner, name, _wrapped(there, point, trap))


def _restart_the_machine() -> None:
    """Before anything else of durun is loaded, for it takes the function by name."""
    pretended = os.environ.get("CRASH_BOOT_ID")
    if pretended is not None:
        procs = importlib.import_module(f"{_LOCAL}.procs")
        procs.boot_id = lambda: pretended


def _set_the_clock() -> None:
    ahead = os.environ.get("CRASH_CLOCK")
    if ahead is not None:
        system = importlib.import_module("durun.model.clock").SystemClock
        now = system.now
        system.now = lambda clock: now(clock) + float(ahead)
    passed = os.environ.get("CRASH_UPTIME")
    if passed is not None:
        elapsed = importlib.import_module(f"{_LOCAL}.elapsed")
        uptime = elapsed._uptime
        elapsed._uptime = lambda: uptime() + float(passed)


def _wait_for_the_first_word() -> None:
    if "CRASH_PATIENT" not in os.environ:
        return
    child = importlib.import_module(f"{_LOCAL}.supervisor.child")
    start, write = child.Child.start, child.AttemptLog.write
    waiting: dict[Any, Any] = {}

    def start_without_a_deadline(attempt: Any) -> bool:
        started: bool = start(attempt)
        attempt.deadline = None
        waiting[attempt.log] = attempt
        return started

    def begin_to_count(log: Any, stream: str, chunk: bytes) -> None:
        attempt = waiting.pop(log, None)
        if attempt is not None and attempt.order.timeout is not None:
            attempt.deadline = child.time.monotonic() + attempt.order.timeout
        write(log, stream, chunk)

    child.Child.start, child.AttemptLog.write = start_without_a_deadline, begin_to_count


def arm_supervisor() -> None:
    """Called in the supervisor, before its own program."""
    _restart_the_machine()
    _wait_for_the_first_word()
    _arm("supervisor", SUPERVISOR)


def main() -> None:
    """Run durun."""
    sys.path.insert(0, str(_ROOT))
    _restart_the_machine()
    _set_the_clock()
    hands = importlib.import_module(f"{_LOCAL}.hands")
    first = (
        f"import sys\nsys.path += [{str(_ROOT)!r}, {str(_HERE)!r}]\nimport crashpoint\ncrashpoint.arm_supervisor()\n"
    )
    hands._PROGRAM = first.replace("{", "{{").replace("}", "}}") + hands._PROGRAM
    _arm("runner", RUNNER)
    from durun.__main__ import main as durun

    sys.argv[0] = "durun"
    durun()


if __name__ == "__main__":
    sys.path[0] = str(_ROOT)
    main()
