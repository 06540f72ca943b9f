"""The local engine's world: real processes of one small script, which plays what it finds in files."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract.engines.script import Does, with_acts
from durun.engine.local.hands import Hands

PATIENCE = 20.0

_ACT = """\
kind=$1
shift
name=$DURUN_STEP_ID${DURUN_TARGET_KEY:+.$DURUN_TARGET_KEY}.$kind
echo $$ >> "count.$name"
echo "$name${1:+ $*}" >> calls
count=$(($(wc -l < "count.$name")))
while [ $count -gt 1 ] && [ ! -e "does.$name.$count" ]; do count=$((count - 1)); done
[ ! -e "does.$name.$count" ] || . "./does.$name.$count"
"""


def wait_until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition of the outside world, looking every few milliseconds."""
    until = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < until, "waited in vain"
        select.select([], [], [], 0.005)
    return value


class LocalWorld:
    """See `contract.engines.script.World`. The runbook stands in the folder of the script."""

    def __init__(self, folder: Path, hands: list[Hands]) -> None:
        self.folder = folder
        self._hands = hands
        folder.mkdir()
        (folder / "act").write_text(_ACT)
        os.mkfifo(folder / "gate")

    def text(self, steps: str) -> str:
        return with_acts(steps, ["sh", "act"])

    def will(self, name: str, *does: Does) -> None:
        for number, one in enumerate(does, 1):
            (self.folder / f"does.{name}.{number}").write_text(_shell(one))

    def calls(self) -> list[str]:
        try:
            return (self.folder / "calls").read_text().splitlines()
        except FileNotFoundError:
            return []

    def let_go(self) -> None:
        def opened() -> int | None:
            with contextlib.suppress(OSError):
                return os.open(self.folder / "gate", os.O_WRONLY | os.O_NONBLOCK)
            return None

        os.close(wait_until(opened))

    def lose(self) -> None:
        for hands in self._hands:
            reap(hands, kill=True)
        pids = [int(pid) for path in self.folder.glob("count.*") for pid in path.read_text().split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(_lives, pids)))


def reap(hands: Hands, *, kill: bool = False) -> None:
    """Wait for the end of a supervisor, or make an end of it."""
    if hands._reaped:
        return
    if kill:
        os.kill(hands.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(hands.pid, 0)
    hands._reaped = True


def _lives(pid: int) -> bool:
    """Whether a process works: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _shell(does: Does) -> str:
    lines = ["read -r _ < gate || true"] if does.waits else []
    lines += [f"printf %s '{does.stdout}'"] if does.stdout else []
    lines += [f"printf %s '{does.written}' >> \"$DURUN_OUTPUT\""] if does.written else []
    lines.append(f"kill -{does.signal} $$" if does.signal else f"exit {does.exit_code}")
    return "\n".join(lines) + "\n"
