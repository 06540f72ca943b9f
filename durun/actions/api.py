"""The door for actions, built-in or from a plugin: from what a runbook says to data that an engine carries out.

An action never does anything itself, so that timeouts, cancelling, logs, redaction, retries and doubt exist once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeAlias

from durun.model.runbook import Input, Shell
from durun.model.values import Expression, Json, Value


class Process(NamedTuple):
    """A command to start: `argv`, or a `script` for `shell` (exactly one of the two).

    `stdin` is what it reads (None: what the step says), `env` variables beside the step's own, and `inherit` the
    names of variables of the caller that it must see, wherever it is started. `reads` are files whose content is part
    of what is asked. With a `grace`, it keeps the step's timeout itself, and is stopped so many seconds after it.
    """

    argv: tuple[str, ...] = ()
    script: str | None = None
    shell: Shell | None = None
    stdin: str | None = None
    env: Mapping[str, str] = {}
    inherit: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    grace: float = 0.0
    globs: tuple[str, ...] = ()


class Done(NamedTuple):
    """Nothing is to be started: the step is done, with these outputs, of which `secret` must be sealed."""

    outputs: Mapping[str, Json]
    secret: frozenset[str] = frozenset()


class Failed(NamedTuple):
    """Nothing is to be started: the step fails."""

    code: str
    reason: str


class Pause(NamedTuple):
    """Nothing is to be started, and the step is done when a time has come.

    `seconds` from when it is reached, or `at`, seconds since the epoch. With `every`, seconds, it is done when its
    poll, asked so often, says so, and has failed when the time has come (neither of the two: never).
    """

    seconds: float | None = None
    at: float | None = None
    every: float | None = None

    def until(self, now: float) -> float | None:
        """When it is over, for a step that is reached `now`; seconds since the epoch."""
        return now + self.seconds if self.seconds is not None else self.at


class Question(NamedTuple):
    """Nothing is to be started: people are asked, and the step is over when enough of them have answered.

    `asked` is what they are told (see `durun.engine.people`). After `seconds` it is too late; None: never.
    """

    kind: Literal["approval", "manual"]
    asked: Mapping[str, Json]
    seconds: float | None = None


Work: TypeAlias = Process | Done | Failed | Pause | Question


class Context(Protocol):
    """What an action may ask while it prepares its work."""

    def render(self, value: Value) -> Json:
        """The value with its expressions evaluated. Raises ExpressionError."""

    def holds(self, expression: Expression) -> bool:
        """Whether a condition is true. Raises ExpressionError, also for anything but a boolean."""

    def fitting(self, values: Mapping[str, Json], declared: Mapping[str, Input]) -> Mapping[str, Json]:
        """The values of declared inputs, with defaults. Raises InvalidInput if one does not fit."""

    def fitting_plugin(self, name: str, given: Json) -> Json:
        """What is given to a plugin's action, if it fits the schema of that. Raises ExpressionError."""

    def now(self) -> float:
        """The time: seconds since the epoch."""

    def random_bytes(self, count: int) -> bytes:
        """Bytes that nobody can guess."""


Action: TypeAlias = Callable[[Value, Shell, Context], Work]
"""Describe the work of one attempt: what stands under the action's name, the step's shell, whom to ask."""
