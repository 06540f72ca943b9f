"""What expressions see: `inputs`, `env`, `steps`, `target`, `run`, `step`, read from a run's state when asked for.

A step of an included runbook sees what that file has, under the names that it gives. Everything is a Mapping that
looks things up lazily: with 100,000 targets, building a plain dict for every task would cost more than the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from durun.engine.secrecy import NO_SECRETS, Secrecy
from durun.language.expressions import render
from durun.language.frames import Frame, Frames
from durun.model.clock import to_iso
from durun.model.plan import Plan
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.status import WORST_FIRST, TaskStatus
from durun.model.task import TaskKey
from durun.model.values import Json


class _View(Mapping[str, Any]):
    """A mapping over fixed names whose values are looked up when asked for."""

    __slots__ = ()

    def names(self) -> tuple[str, ...]:
        raise KeyError

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())


class Values:
    """The values of one run, for any of its tasks. `evidence_place` is the folder of its evidence, if there is one."""

    def __init__(self, state: RunState, plan: Plan, runbook: Runbook, secrecy: Secrecy = NO_SECRETS) -> None:
        self.state = state
        self.plan = plan
        self.runbook = runbook
        self.secrecy = secrecy
        self.evidence_place = ""
        self.steps: Mapping[str, Step] = {step.id: step for step in (*runbook.every_step(), *runbook.rollbacks())}
        self.frames = Frames(runbook)

    def frame(self, step: str | None) -> Frame:
        """The file that a step stands in; None: the run's own."""
        return self.frames.root if step is None else self.frames.of[step]

    def scope(
        self, key: TaskKey | None, extra: Mapping[str, Json] | None = None, frame: Frame | None = None
    ) -> dict[str, Any]:
        """The names that expressions of this task may use; None: the run's own (`outputs`).

        `frame`: as they are in another file than the one that its step stands in.
        """
        frame = frame or self.frame(key.step if key is not None else None)
        scope: dict[str, Any] = {
            "inputs": self.inputs(key, frame),
            "env": self.state.created.surroundings["env"],
            "steps": _Steps(self, key, frame),
            "run": _Run(self),
        }
        if key is not None and key.target is not None:
            scope["target"] = self._whole_target(key)
        if frame.holds.secrets:
            scope["secrets"] = _Secrets(self, frame, dict(scope))
        return {**scope, **(extra or {})}

    def early_scope(self, frame: Frame) -> dict[str, Any]:
        """What a file knows before anything has been done: where its secrets are found. Raises ExpressionError."""
        env, run = self.state.created.surroundings["env"], _Run(self)
        inputs = self.inputs(None, frame) if frame.outer is None else frame.early(self.state.created.inputs, env, run)
        return {"inputs": inputs, "env": env, "run": run}

    def inputs(self, key: TaskKey | None, frame: Frame) -> Mapping[str, Json]:
        """The inputs of the file that this frame is, for a task in it."""
        plain, sealed = self.given(key, frame)
        return _Sealed(self, plain, sealed) if sealed else plain

    def given(self, key: TaskKey | None, frame: Frame) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """The plain inputs of the same, and the seals of the secret ones."""
        if frame.outer is None:
            return self.state.created.inputs, self.state.created.sealed
        if key is None or not frame.holds.inputs:
            return {}, {}
        target = key.target if self.plan.nodes[frame.inputs_step].fan is not None else None
        fixed = self.state.tasks.get(TaskKey(frame.inputs_step, target, key.round))
        if fixed is not None and fixed.status == "succeeded":
            return fixed.outputs, fixed.sealed
        # Targets are had before an approval that comes before the file: of what is known by then.
        return frame.early(self.state.created.inputs, self.state.created.surroundings["env"], _Run(self)), {}

    def target(self, key: TaskKey) -> Json:
        """The value of a task's target, without its secret fields."""
        fan = self.plan.node(key.step).fan
        targets = self.target_index(str(fan), key.round)
        return targets[str(key.target)]

    def _whole_target(self, key: TaskKey) -> Any:
        target = self.target(key)
        resolved = self.state.resolved[str(self.plan.node(key.step).fan), key.round]
        if resolved.sealed is None:
            return target
        return _SealedFields(self, target, resolved.sealed, str(key.target))

    def target_index(self, fan: str, round_: int) -> Mapping[str, Json]:
        """Key → value of a fan-out's targets; nothing while they are not resolved."""
        resolved = self.state.resolved.get((fan, round_))
        return resolved.index if resolved is not None else {}

    def status(self, step_id: str, target: str | None, round_: int) -> TaskStatus:
        """The status of a step: of a task itself; of several, the one that needs most attention."""
        node = self.plan.nodes[step_id]
        if node.leaf and (node.fan is None or target is not None):
            task = self.state.tasks.get(TaskKey(step_id, target, round_))
            return task.status if task is not None else "pending"
        if node.fan is not None and target is None:
            stand_in = self.state.tasks.get(TaskKey(node.fan, None, round_))
            keys = tuple(self.target_index(node.fan, round_))
            resolved = self.state.resolved.get((node.fan, round_))
            if resolved is None:
                return stand_in.status if stand_in is not None else "pending"
            if stand_in is not None and stand_in.status in ("waiting", "failed", "cancelled"):
                return stand_in.status  # people were asked about these targets
            found = {self.status(leaf, key, round_) for leaf in self.plan.leaves(step_id) for key in keys}
        else:
            found = {self.status(child, target, round_) for child in node.children}
        return next((status for status in WORST_FIRST if status in found), "skipped")

    def outputs(self, step_id: str, target: str | None, round_: int) -> Mapping[str, Json]:
        """The outputs of a step, so far: a group's are rendered from what is in it."""
        step = self.steps[step_id]
        if step.steps:
            return _GroupOutputs(self, step, TaskKey(step_id, target, round_))
        task = self.state.tasks.get(TaskKey(step_id, target, round_))
        if task is None:
            return {}
        return _Sealed(self, task.outputs, task.sealed) if task.sealed else task.outputs

    def evidence(self, step_id: str, target: str | None, round_: int) -> Mapping[str, Json]:
        """The evidence of the newest attempt of a task that left any, by name."""
        task = self.state.tasks.get(TaskKey(step_id, target, round_))
        taken = [attempt.evidence for attempt in task.attempts if attempt.evidence] if task is not None else []
        items = taken[-1]["items"] if taken else {}
        return {
            name: {"path": f"{self.evidence_place}/{item['sha256']}", "sha256": item["sha256"]}
            for name, item in items.items()
        }

    def failed_steps(self) -> list[str]:
        """The ids of the steps that stand failed, in doubt or cancelled, in file order."""
        bad = {
            key.step
            for key, task in self.state.tasks.items()
            if key.round == 0 and task.status in ("failed", "in_doubt", "cancelled")
        }
        return [step_id for step_id in self.steps if step_id in bad]


class _Secrets(_View):
    """The secrets that a file declares: each is had anew whenever it is read."""

    __slots__ = ("_frame", "_scope", "_values")

    def __init__(self, values: Values, frame: Frame, scope: Mapping[str, Any]) -> None:
        self._values = values
        self._frame = frame
        self._scope = scope

    def names(self) -> tuple[str, ...]:
        return self._frame.holds.secrets

    def __getitem__(self, name: str) -> str:
        if name not in self._frame.holds.secrets:
            raise KeyError(name)
        return self._values.secrecy.declared(self._frame.prefix + name, self._scope)


class _Sealed(_View):
    """Values of which some are sealed."""

    __slots__ = ("_plain", "_seals", "_values")

    def __init__(self, values: Values, plain: Mapping[str, Json], seals: Mapping[str, Json]) -> None:
        self._values = values
        self._plain = plain
        self._seals = seals

    def names(self) -> tuple[str, ...]:
        return (*self._plain, *self._seals)

    def __getitem__(self, name: str) -> Json:
        if name in self._seals:
            return self._values.secrecy.sealed(self._seals[name], name)
        return self._plain[name]


class _SealedFields(_View):
    """A target with secret fields: those of all targets are under one seal, by the target's key."""

    __slots__ = ("_key", "_plain", "_seal", "_values")

    def __init__(self, values: Values, plain: Mapping[str, Json], seal: Json, key: str) -> None:
        self._values = values
        self._plain = plain
        self._seal = seal
        self._key = key

    def names(self) -> tuple[str, ...]:
        return (*self._plain, *self._seal["fields"])

    def __getitem__(self, name: str) -> Json:
        if name in self._seal["fields"]:
            return self._values.secrecy.sealed(self._seal, self._key)[name]
        return self._plain[name]


class _Steps(_View):
    """The steps of a file, by the ids that it gives them."""

    __slots__ = ("_frame", "_key", "_values")

    def __init__(self, values: Values, key: TaskKey | None, frame: Frame) -> None:
        self._values = values
        self._key = key
        self._frame = frame

    def names(self) -> tuple[str, ...]:
        return tuple(self._frame.names)

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        step_id = self._frame.prefix + name
        node = self._values.plan.nodes[step_id]
        key = self._key
        round_ = key.round if key is not None and node.final else 0
        if node.fan is None:
            return _Step(self._values, step_id, None, round_)
        if key is not None and key.target is not None and self._values.plan.node(key.step).fan == node.fan:
            return _Step(self._values, step_id, key.target, round_)
        return _FannedStep(self._values, step_id, round_)


class _Step(_View):
    """`outputs`, `evidence` and `status` of one task, or of a group for one target."""

    __slots__ = ("_round", "_step", "_target", "_values")

    def __init__(self, values: Values, step: str, target: str | None, round_: int) -> None:
        self._values = values
        self._step = step
        self._target = target
        self._round = round_

    def names(self) -> tuple[str, ...]:
        return ("evidence", "outputs", "status")

    def __getitem__(self, name: str) -> Any:
        if name == "evidence":
            return self._values.evidence(self._step, self._target, self._round)
        if name == "outputs":
            return self._values.outputs(self._step, self._target, self._round)
        if name == "status":
            return self._values.status(self._step, self._target, self._round)
        raise KeyError(name)


class _FannedStep(_Step):
    """A step of a fan-out seen from outside: it has `targets`, and no outputs or evidence of its own."""

    __slots__ = ()

    def __init__(self, values: Values, step: str, round_: int) -> None:
        super().__init__(values, step, None, round_)

    def names(self) -> tuple[str, ...]:
        return ("evidence", "outputs", "status", "targets")

    def __getitem__(self, name: str) -> Any:
        if name in ("evidence", "outputs"):
            return {}
        if name == "targets":
            return _Targets(self._values, self._step, self._round)
        return super().__getitem__(name)


class _Targets(_View):
    __slots__ = ("_index", "_round", "_step", "_values")

    def __init__(self, values: Values, step: str, round_: int) -> None:
        self._values = values
        self._step = step
        self._round = round_
        self._index = values.target_index(str(values.plan.nodes[step].fan), round_)

    def names(self) -> tuple[str, ...]:
        return tuple(self._index)

    def __getitem__(self, key: str) -> Mapping[str, Any]:
        if key not in self._index:
            raise KeyError(key)
        return _Step(self._values, self._step, key, self._round)


class _GroupOutputs(_View):
    __slots__ = ("_key", "_step", "_values")

    def __init__(self, values: Values, step: Step, key: TaskKey) -> None:
        self._values = values
        self._step = step
        self._key = key

    def names(self) -> tuple[str, ...]:
        return tuple(self._step.group_outputs)

    def __getitem__(self, name: str) -> Json:
        inside = self._values.frames.inside.get(self._step.id)
        return render(self._step.group_outputs[name], self._values.scope(self._key, frame=inside))


class _Run(_View):
    __slots__ = ("_values",)

    def __init__(self, values: Values) -> None:
        self._values = values

    def names(self) -> tuple[str, ...]:
        return ("failed_steps", "id", "started_at", "status")

    def __getitem__(self, name: str) -> Any:
        record = self._values.state.record
        match name:
            case "id":
                return record.id
            case "started_at":
                return to_iso(record.created_at)
            case "status":
                return record.final_status or record.status
            case "failed_steps":
                return self._values.failed_steps()
            case _:
                raise KeyError(name)
