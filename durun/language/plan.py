"""From a checked runbook and its inputs to the plan: the graph and its numbers, with nothing left to render.

The same runbook and inputs always give the same plan; a resume derives it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durun.errors import InvalidInput
from durun.language.expressions import ExpressionError, expressions_in, render
from durun.language.frames import Frame, Frames
from durun.language.plain import kind_of
from durun.language.planned_approvals import with_approvals
from durun.language.planned_privileges import with_needed
from durun.model.duration import parse_duration
from durun.model.plan import FanOutPolicy, Node, Plan, Retry, Share, VerifyPolicy
from durun.model.runbook import FanOut, RetrySpec, Rollback, Runbook, Step, Verify
from durun.model.values import Json, Value

_WITHOUT = frozenset({"assert", "generate", "wait", "wait_for", "approval", "runbook"})
"""Actions that change nothing outside of the run."""

MAX_PARALLEL = 1000
MAX_ATTEMPTS = 1000
MAX_TARGETS = 1_000_000


def make_plan(runbook: Runbook, inputs: Mapping[str, Json], env: Mapping[str, str], run_id: str | None = None) -> Plan:
    """The plan of a run of this runbook with these inputs.

    `env` is the caller's environment, `run_id` the run's id where there is one. The `finally` steps are a
    chain: each needs the one before. Raises InvalidInput, with the step's line, when an expression gives a
    number or a duration that can't be used.
    """
    planner = _Planner(Frames(runbook), inputs, env, {} if run_id is None else {"id": run_id})
    max_parallel = planner.whole(runbook.max_parallel, "max_parallel", 1, MAX_PARALLEL)
    for step in runbook.steps:
        planner.add(step, None, None, False)
    before: tuple[str, ...] = ()
    for step in runbook.finally_steps:
        planner.add(step._replace(needs=before), None, None, True)
        before = (step.id,)
    return Plan(
        nodes=with_approvals(planner.nodes, runbook),
        roots=tuple(step.id for step in runbook.steps),
        finals=tuple(step.id for step in runbook.finally_steps),
        max_parallel=max_parallel,
        undo=with_needed(planner.undo, planner.nodes, runbook),
        roll_back=runbook.on_failure == "rollback",
    )


class _Planner:
    """Collects the nodes; `_step` is the one being read, in `_frame`."""

    def __init__(
        self, frames: Frames, inputs: Mapping[str, Json], env: Mapping[str, str], run: Mapping[str, Json]
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self.undo: dict[str, Node] = {}
        self._frames = frames
        self._frame = frames.root
        self._known = inputs, env, run
        self._scopes: dict[Frame, Mapping[str, Any]] = {}
        self._step: Step | None = None

    def add(self, step: Step, parent: str | None, fan: str | None, final: bool) -> None:
        """Add a step and all that is in it."""
        self._step, self._frame = step, self._frames.of[step.id]
        fan = step.id if step.fan_out is not None else fan
        self.nodes[step.id] = Node(
            id=step.id,
            needs=step.needs,
            parent=parent,
            children=tuple(inner.id for inner in step.steps),
            fan=fan,
            fan_out=None if step.fan_out is None else self._fan_out(step.fan_out, step.continue_on_error),
            final=final,
            retry=self._retry(step.retry),
            verify=None if step.verify is None else self._verify(step.verify),
            idempotent=step.idempotent,
            idempotent_ttl=step.idempotent_ttl,
            on_in_doubt=step.on_in_doubt,
            continue_on_error=step.continue_on_error,
            effect=_has_effect(step),
        )
        if step.rollback is not None:
            self.undo[step.id] = self._undoing(step.id, step.rollback, fan)
        for inner in step.steps:
            self.add(inner, step.id, fan, final)

    def _undoing(self, undoes: str, rollback: Rollback, fan: str | None) -> Node:
        step = self._step = rollback.step
        return Node(
            id=step.id,
            fan=fan,
            retry=self._retry(step.retry),
            verify=None if step.verify is None else self._verify(step.verify),
            idempotent=step.idempotent,
            idempotent_ttl=step.idempotent_ttl,
            on_in_doubt=step.on_in_doubt,
            undoes=undoes,
            when=rollback.when,
            until=rollback.until,
            most=0.0 if rollback.until is None else self._seconds(rollback.most, "privileged.max"),
        )

    def _retry(self, spec: RetrySpec) -> Retry:
        return Retry(
            max_attempts=self.whole(spec.max_attempts, "retry.max_attempts", 1, MAX_ATTEMPTS),
            delay=self._seconds(spec.delay, "retry.delay"),
            backoff=self._number(spec.backoff, "retry.backoff", 1, 100),
            max_delay=self._seconds(spec.max_delay, "retry.max_delay"),
            jitter=self._number(spec.jitter, "retry.jitter", 0, 1),
            on_exit_codes=spec.on_exit_codes,
        )

    def _verify(self, verify: Verify) -> VerifyPolicy:
        settle = None if verify.settle is None else self._seconds(verify.settle, "verify.settle")
        return VerifyPolicy(before=verify.before, after=verify.after, settle=settle)

    def _fan_out(self, fan_out: FanOut, forgiving: bool) -> FanOutPolicy:
        return FanOutPolicy(
            max_parallel=self.whole(fan_out.max_parallel, "max_parallel", 1, MAX_PARALLEL),
            max_failures=self._max_failures(fan_out.max_failures, forgiving),
            serial=() if fan_out.serial is None else self._serial(fan_out.serial),
        )

    def _max_failures(self, value: Value | None, forgiving: bool) -> Share:
        """None where the runbook says nothing; all where the run goes on without them anyway."""
        if value is None:
            return Share(100, percent=True) if forgiving else Share(0)
        return self._share(self._rendered(value), value, "max_failures", 0)

    def _serial(self, value: Value) -> tuple[Share, ...]:
        waves = self._rendered(value)
        if isinstance(waves, list):
            if not waves:
                raise self._wrong("serial", value, "wants at least one wave")
            return tuple(self._share(wave, value, "serial", 1) for wave in waves)
        return (self._share(waves, value, "serial", 1),)

    def _share(self, found: Json, written: Value, name: str, least: int) -> Share:
        if isinstance(found, str) and found.strip().endswith("%"):
            percent = _as_number(found.strip().removesuffix("%"))
            if percent is None or not 0 <= percent <= 100 or (least and not percent):
                raise self._wrong(name, written, f"wants a percentage between {least}% and 100%, not {_told(found)}")
            return Share(percent, percent=True)
        count = _as_number(found)
        if count is None or count != int(count) or not least <= count <= MAX_TARGETS:
            wanted = f"wants a whole number from {least} on or a percentage such as 10%"
            raise self._wrong(name, written, f"{wanted}, not {_told(found)}")
        return Share(int(count))

    def whole(self, value: Value, name: str, least: int, most: int) -> int:
        """A whole number in bounds. A text that is one counts, for an `env.X` is always text."""
        found = self._rendered(value)
        number = _as_number(found)
        if number is None or number != int(number) or not least <= number <= most:
            raise self._wrong(name, value, f"wants a whole number from {least} to {most}, not {_told(found)}")
        return int(number)

    def _number(self, value: Value, name: str, least: float, most: float) -> float:
        found = self._rendered(value)
        number = _as_number(found)
        if number is None or not least <= number <= most:
            raise self._wrong(name, value, f"wants a number from {least} to {most}, not {_told(found)}")
        return float(number)

    def _seconds(self, value: Value, name: str) -> float:
        found = self._rendered(value)
        if not isinstance(found, str):
            raise self._wrong(name, value, f"wants a duration such as 30s, not {_told(found)}")
        try:
            return parse_duration(found)
        except ValueError as error:
            raise self._wrong(name, value, f"is {_told(found)}: {error}") from error

    def _rendered(self, value: Value) -> Json:
        if not any(expressions_in(value)):
            return render(value, {})
        try:
            return render(value, self._scope())
        except ExpressionError as error:
            raise InvalidInput(f"{self._place()}: {error.message}", error.hint) from error

    def _scope(self) -> Mapping[str, Any]:
        """What the file knows that the step stands in. Raises ExpressionError."""
        if self._frame not in self._scopes:
            inputs, env, run = self._known
            self._scopes[self._frame] = {"inputs": self._frame.early(inputs, env, run), "env": env, "run": run}
        return self._scopes[self._frame]

    def _wrong(self, name: str, written: Value, why: str) -> InvalidInput:
        sources = [found.source for found in expressions_in(written)]
        hint = f"it comes from `{sources[0]}`: give an input that fits" if sources else ""
        return InvalidInput(f"{self._place()}: `{name}` {why}", hint)

    def _place(self) -> str:
        if self._step is None:
            return "the runbook"
        file = f"{self._frame.holds.file}, " if self._frame.outer is not None else ""
        return f"{file}line {self._step.line}, step `{self._step.id}`"


def _has_effect(step: Step) -> bool:
    """Whether a step changes anything outside of the run, as far as it can be told."""
    if step.call is None or step.collects:
        return False
    action = step.call.action
    return action.kind not in _WITHOUT and not (action.kind == "http" and action.spec["kind"] == "safe")


def _as_number(value: Json) -> float | None:
    """A number, or a text that is one; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return value


def _told(value: Json) -> str:
    """A short value as it is, anything else by its kind."""
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return f"`{text}`" if text.isprintable() and 0 < len(text) <= 40 else f"a value of type {kind_of(value)}"
