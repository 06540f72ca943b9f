"""What the steps of a test do, whichever engine drives them: said once, played by processes or by a simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

HEAD = "durun: 1\nname: trial\n"


class Crash(BaseException):
    """The process that drives is gone, in the middle of whatever it did."""


@dataclass(frozen=True)
class Does:
    """One call of a step: what it prints and gives, and how it ends. `waits`: first until it is let go."""

    exit_code: int = 0
    signal: int | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    stdout: str = ""
    waits: bool = False

    @property
    def written(self) -> str:
        """What it writes to `$DURUN_OUTPUT`."""
        return "".join(f"{name}={value}\n" for name, value in self.outputs.items())


class World(Protocol):
    """Where the steps happen. A call is named `STEP.KIND` or `STEP.TARGET.KIND`; an unscripted one succeeds."""

    def text(self, steps: str) -> str:
        """A runbook in which `[ACT, KIND, …]` is a call of the script."""

    def will(self, name: str, *does: Does) -> None:
        """What the calls of this name do, one after the other; the last one is repeated."""

    def calls(self) -> list[str]:
        """Every call that has begun, in order: its name, then its arguments."""

    def let_go(self) -> None:
        """Let the one call that waits go on, and wait until it has ended."""

    def lose(self) -> None:
        """Take away whatever runs, and whoever could tell how it ended."""


def with_acts(steps: str, program: Sequence[str]) -> str:
    """The steps as a runbook, with the program that plays a call put in."""
    return HEAD + re.sub(r"\[ACT\b", "[" + ", ".join(program), steps)
