"""From a task to what its step asks for: conditions, rendered call, idempotency key. The same in every engine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from durun.actions.api import Work
from durun.actions.table import ACTIONS
from durun.engine.secrecy import NO_SECRETS, Secrecy, render_discreetly
from durun.engine.values import Values
from durun.errors import Changed
from durun.language.expressions import ExpressionError, evaluate_condition, references
from durun.language.fitting import faults
from durun.language.inputs import fitting_inputs
from durun.model.clock import Clock
from durun.model.plan import Plan
from durun.model.retry import UNANSWERED
from durun.model.runbook import Action, Call, Input, Runbook, Step
from durun.model.state import RunState
from durun.model.task import TaskKey
from durun.model.values import Expression, Json, Value


class Tasks:
    """The tasks of one run. It reads the state and changes nothing."""

    def __init__(
        self, state: RunState, plan: Plan, runbook: Runbook, clock: Clock, secrecy: Secrecy = NO_SECRETS
    ) -> None:
        self.values = Values(state, plan, runbook, secrecy)
        self.secrecy = secrecy
        self._plan = plan
        self._clock = clock
        self._definitions: dict[str, str] = {}
        # It is asked for several times in a row for the same task.
        self._last_key: tuple[TaskKey | None, str] = (None, "")

    def step(self, key: TaskKey) -> Step:
        """The step of a task."""
        return self.values.steps[key.step]

    def unmet(self, key: TaskKey) -> str | None:
        """Why the task is to be skipped: the `if` of its step, or of a group around it, that is false.

        Raises ExpressionError.
        """
        for name in self._around(key.step):
            condition = self.values.steps[name].condition
            if condition is not None and not evaluate_condition(condition, self._scope_at(key, name)):
                where = "" if name == key.step else f" of {name}"
                return f"if{where} is false: {condition.source}"
        return None

    def unmet_without_target(self, key: TaskKey) -> str | None:
        """Like `unmet`, for a fan-out whose targets are not known: only the `if`s that do not ask the target."""
        outside = TaskKey(key.step, None, key.round)
        for name in self._around(key.step):
            condition = self.values.steps[name].condition
            if condition is None or any(ref.path[0] == "target" for ref in references(condition)):
                continue
            if not evaluate_condition(condition, self._scope_at(outside, name)):
                return f"if is false: {condition.source}"
        return None

    def _scope_at(self, key: TaskKey, step_id: str) -> dict[str, Any]:
        """The names that a task has in the file in which a step around it stands."""
        return self.values.scope(key, frame=self.values.frame(step_id))

    def _around(self, step_id: str) -> list[str]:
        """The step and the groups around it, the outermost first."""
        names = [step_id]
        while (parent := self._plan.node(names[0]).parent) is not None:
            names.insert(0, parent)
        return names

    def scope(self, key: TaskKey) -> dict[str, Any]:
        """The names that the call of a task may use."""
        return self.values.scope(key, {"step": {"idempotency_key": self.idempotency_key(key)}})

    def work(self, key: TaskKey, call: Call) -> Work:
        """What the call's action says is to be done. Raises ExpressionError."""
        plugins = self.values.state.created.plugins
        return prepared(call, self.scope(key), self._clock, self.secrecy, plugins)

    def plugin_code(self, action: Action) -> str:
        """The package and version of the plugin that an action comes from, as this session has found it; else ""."""
        if action.kind not in ("uses", "uses_check"):
            return ""
        from durun.model.plugin import plugin_of  # few runs use plugins

        return plugin_of(self.values.state.created.plugins[action.spec["uses"]]).code

    def idempotency_key(self, key: TaskKey) -> str:
        """The same for every attempt of the task in this run, as long as its step stays the same: 32 hex digits."""
        if self._last_key[0] == key:
            return self._last_key[1]
        definition = self._definitions.get(key.step)
        if definition is None:
            definition = self._definitions[key.step] = definition_of(self.step(key))
        task = self.values.state.tasks.get(key)
        name = [self.values.state.record.id, key.step, key.target, key.round, definition]
        name += [task.generation] if task is not None and task.generation else []
        self._last_key = key, hashlib.sha256(json.dumps(name).encode()).hexdigest()[:32]
        return self._last_key[1]

    def refuse_other(self, key: TaskKey, request: str) -> None:
        """Raise Changed for a repeat that asks for something else (`request` is a digest) under the same key.

        One idempotency key must never carry two requests: the other side may have seen the first.
        """
        task = self.values.state.tasks.get(key)
        call = self.step(key).call
        codes = (UNANSWERED,) if call is not None and call.action.kind == "http" else ()
        doubts = [
            attempt
            for attempt in (task.attempts if task is not None else ())
            if attempt.status == "in_doubt" or attempt.exit_code in codes
        ]
        if not any(doubt.request != request for doubt in doubts):
            return
        name = self.idempotency_key(key)
        found = next((doubt for doubt in doubts if doubt.key == name and doubt.request != request), None)
        if found is not None:
            if found.plugin and call is not None and found.plugin != (code := self.plugin_code(call.action)):
                raise Changed(
                    f"{key} is in doubt by {found.plugin}, and {code} would do it again under the same idempotency key",
                    f"install {found.plugin.replace(' ', '==')} again, or settle it: "
                    f"durun show {self.values.state.record.id} --step {key.step}",
                )
            raise Changed(
                f"{key}: the request differs from that of the attempt that was in doubt",
                "restore what its values are made of, or settle it: "
                f"durun show {self.values.state.record.id} --step {key.step}",
            )


def prepared(
    call: Call,
    scope: Mapping[str, Any],
    clock: Clock,
    secrecy: Secrecy,
    plugins: Mapping[str, Mapping[str, Json]] = {},
) -> Work:
    """What the call's action says is to be done, where these names are known. Raises ExpressionError."""
    return ACTIONS[call.action.kind](call.action.spec, call.shell, _Context(scope, clock, secrecy, plugins))


class _Context:
    """What actions may ask (`durun.actions.api.Context`)."""

    def __init__(
        self, scope: Mapping[str, Any], clock: Clock, secrecy: Secrecy, plugins: Mapping[str, Mapping[str, Json]]
    ) -> None:
        self._scope = scope
        self._plugins = plugins
        self._clock = clock
        self._secrecy = secrecy

    def render(self, value: Value) -> Json:
        return render_discreetly(value, self._scope, self._secrecy).value

    def holds(self, expression: Expression) -> bool:
        return evaluate_condition(expression, self._scope)

    def fitting(self, values: Mapping[str, Json], declared: Mapping[str, Input]) -> Mapping[str, Json]:
        return fitting_inputs(values, declared)

    def fitting_plugin(self, name: str, given: Json) -> Json:
        if wrong := faults(self._plugins[name]["schema"], given):
            raise ExpressionError(f"`with` of {name} {'; '.join(wrong)}")
        return given

    def now(self) -> float:
        return self._clock.now()

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)


def definition_of(step: Step) -> str:
    """A digest of what a step does: equal as long as nothing that matters to its effect was changed."""
    return hashlib.sha256(f"{step.call!r}{step.collects}".encode(errors="surrogatepass")).hexdigest()
