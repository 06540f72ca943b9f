"""What has ended in the engine in memory, into events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contract.engines.memory_world import MemoryWorld
from durun.engine.ledger import Ledger
from durun.engine.polling import Given, what_is_said
from durun.engine.targets import Targets
from durun.engine.tasks import Tasks
from durun.errors import DurunError
from durun.language.outputs import OutputError, collect_outputs
from durun.language.targets import TargetError
from durun.model import event as ev
from durun.model.outcome import Exit, ExitCodes, answer_of, final_codes, judge
from durun.model.runbook import Call
from durun.model.task import TaskKey


@dataclass(frozen=True)
class Flight:
    key: TaskKey
    kind: str
    nonce: str
    argv: tuple[str, ...] = ()
    how: Any = "ran"


class Landing:
    """`probe`: have a question asked."""

    def __init__(
        self,
        ledger: Ledger,
        tasks: Tasks,
        targets: Targets,
        world: MemoryWorld,
        probe: Callable[[TaskKey, Any, Call], None],
    ) -> None:
        self._ledger = ledger
        self._tasks = tasks
        self._targets = targets
        self._world = world
        self._probe = probe

    def land(self, flight: Flight) -> None:
        """Emit what the end of a process means."""
        ended = self._world.played[flight.nonce].end
        assert ended is not None
        match flight.kind:
            case "attempt":
                self._attempt(flight, ended)
            case "targets":
                self._listed(flight, ended)
            case "poll":
                self._polled(flight, ended)
            case _:
                self._answered(flight, ended)

    def _attempt(self, flight: Flight, ended: Exit) -> None:
        key, step = flight.key, self._tasks.step(flight.key)
        codes = ExitCodes(step.ok_exit_codes, step.ambiguous_exit_codes, final_codes(step))
        event = judge(key, self._ledger.plan.node(key.step), codes, ended, flight.how)
        if event is not None:
            self._ledger.emit(event)
        elif step.verify is not None and step.verify.after:
            self._probe(key, "after", step.verify.call)
        else:
            self._succeeded(flight, ended)

    def _succeeded(self, flight: Flight, ended: Exit) -> None:
        about: Mapping[str, Any] = {**flight.key._asdict(), "how": flight.how, "exit_code": ended.exit_code}
        try:
            self._ledger.emit(ev.TaskSucceeded(**about, outputs=self._outputs(flight)))
        except OutputError as error:
            self._ledger.emit(ev.TaskFailed(**about, code="outputs", reason=error.message, retryable=False))

    def _outputs(self, flight: Flight) -> dict[str, Any]:
        does = self._world.played[flight.nonce].does
        declared = self._tasks.step(flight.key).outputs
        return collect_outputs(declared, does.written.encode(), does.stdout.encode())

    def _answered(self, flight: Flight, ended: Exit) -> None:
        key, verify = flight.key, self._tasks.step(flight.key).verify
        assert verify is not None
        answer, reason = answer_of(ended, verify.done_on, verify.not_done_on)
        purpose: Any = flight.kind
        outputs: dict[str, Any] = {}
        if answer == "done" and purpose != "after":
            try:
                outputs = self._outputs(flight)
            except OutputError as error:
                answer, reason = "unknown", error.message
        self._ledger.emit(ev.ProbeAnswered(**key._asdict(), purpose=purpose, answer=answer, reason=reason))
        if purpose == "after":
            self._after(flight, answer, reason)
        elif answer == "done":
            how: Any = "found" if purpose == "before" else "verified"
            self._ledger.emit(ev.TaskSucceeded(**key._asdict(), how=how, outputs=outputs, reason=reason))

    def _polled(self, flight: Flight, ended: Exit) -> None:
        key, task = flight.key, self._ledger.state.tasks[flight.key]
        poll, does = self._tasks.step(key).poll, self._world.played[flight.nonce].does
        assert poll is not None and task.waiting is not None
        said = what_is_said(poll, ended, Given(does.stdout.encode()), self._tasks.scope(key))
        about: Any = {**key._asdict(), "reason": said.reason, "exit_code": ended.exit_code}
        match said.answer:
            case "done":
                self._succeeded(flight, ended)
            case "failed":
                self._ledger.emit(ev.TaskFailed(**about, code="wait_for", retryable=False))
            case answer:
                asked = task.waiting.times + 1
                self._ledger.emit(ev.ProbeAnswered(**about, purpose="poll", answer=answer, times=asked))

    def _after(self, flight: Flight, answer: str, reason: str) -> None:
        key = flight.key
        attempt = self._ledger.state.tasks[key].attempt
        assert attempt is not None
        if answer == "done":
            ended = self._world.played[attempt.nonce].end or Exit("exit")
            self._succeeded(replace(flight, nonce=attempt.nonce), ended)
        elif answer == "not_done":
            self._ledger.emit(ev.TaskFailed(**key._asdict(), code="verify", reason=reason, how="ran"))
        else:
            self._ledger.emit(ev.TaskInDoubt(**key._asdict(), reason=reason))

    def _listed(self, flight: Flight, ended: Exit) -> None:
        answer, reason = answer_of(ended, (0,), ())
        try:
            if answer != "done":
                raise TargetError(f"the targets can't be listed: {reason}")
            self._targets.from_stdout(flight.key, self._world.played[flight.nonce].does.stdout.encode())
        except DurunError as error:
            self._ledger.emit(ev.TaskFailed(**flight.key._asdict(), code="targets", reason=error.message))
