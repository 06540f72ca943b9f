"""An action that a plugin brings, as its author sees it: an entry point of the group `durun.actions`.

    [project.entry-points."durun.actions"]
    "vendor.create_ticket" = "vendor_durun:CreateTicket"

A runbook names it by the entry point: `uses: vendor.create_ticket`, with its values under `with`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from durun.model.values import Json


class Output(NamedTuple):
    """An output that the action gives. A `secret` one is sealed, and never shown or journalled."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"] = "string"
    secret: bool = False


class Call(NamedTuple):
    """One call of an action: an attempt of a step, or the question whether an earlier one is done.

    `with_` is what stands under `with`, all expressions evaluated, and it fits the action's schema. The
    `idempotency_key` is the same for every attempt of one step and target in one run: hand it to the other side.
    `target` is the target's key in a fan-out. `folder` is the working folder, `env` the step's variables. `log` writes
    a line to the step's log. What `run` leaves in `evidence_folder` is evidence of the attempt, under its path there;
    None: of this call nothing is kept, as where a step says `redact: true` or has secret outputs.
    """

    with_: Mapping[str, Json]
    idempotency_key: str
    run_id: str
    step: str
    target: str | None
    attempt: int
    folder: str
    env: Mapping[str, str]
    log: Callable[[str], None]
    evidence_folder: Path | None = None


class Done(NamedTuple):
    """It is done, and these are the outputs that the step has of it: all that are declared, or nothing is known."""

    outputs: Mapping[str, Json] = {}
    why: str = ""


class NotDone(NamedTuple):
    """It is certain that it is not done, and will not be by what was begun: it may be done now."""

    why: str = ""


class Unknown(NamedTuple):
    """It can't be told."""

    why: str = ""


Answer: TypeAlias = Done | NotDone | Unknown


class Failed(Exception):
    """The step has failed, and whoever reads `why` knows all there is to know.

    Not `retryable`: it would fail again, whatever the step's `retry` says.
    """

    def __init__(self, why: str, *, retryable: bool = True) -> None:
        super().__init__(why)
        self.retryable = retryable


class NothingHappened(Exception):
    """The step has failed before it had any effect: it may be tried again at any time."""


class InDoubt(Exception):
    """Nobody can tell from here whether it had its effect, as when a request was sent and no answer came."""


class Action(ABC):
    """What a plugin does for a step. Made once in each process, without arguments.

    Each call has a process of its own, with nobody to ask anything. What is printed stands in the step's log. The
    process may be killed at any moment, or live on when durun is killed; it ends when `run` has returned.
    """

    schema: ClassVar[Mapping[str, Json]]
    """A JSON Schema (2020-12) of `with`, of type object. `description`s are shown in errors. A secret may stand only
    where it says `writeOnly: true`."""

    outputs: ClassVar[Mapping[str, Output]] = {}
    """Every output, by its name: letters, digits and `_`."""

    idempotent: ClassVar[bool] = False
    """Done twice with the same idempotency key, it has one effect. A step may say otherwise."""

    @abstractmethod
    def run(self, call: Call) -> Mapping[str, Json]:
        """Do it, and give a value for each declared output.

        Raises Failed, NothingHappened or InDoubt. Any other exception fails the step, as if a command had ended with
        exit code 1: who catches a timeout of a request that was sent should raise InDoubt.
        """

    def verify(self, call: Call) -> Answer:  # noqa: ARG002  (for those who can tell)
        """Look whether what an earlier attempt with the same key was to do is done; change nothing.

        It is asked when a step is in doubt whose runbook has no `verify` of its own. Any exception means Unknown.
        """
        return Unknown(f"{type(self).__name__} can't tell")
