"""Which targets a fan-out will have, where that can be told without running anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from durun.engine.local.files import read_targets
from durun.errors import DurunError
from durun.language.expressions import PathPart, expressions_in, references, render
from durun.language.frames import Frame, Frames
from durun.language.targets import TargetError, as_targets, listed
from durun.model.runbook import FanOut, Runbook, TargetsFile, TargetsMatrix, TargetsRun, TargetsValue
from durun.model.values import Json, Value


class Listed(NamedTuple):
    """A fan-out's targets by their keys, or why they are not known; `wrong`: why it can't be resolved."""

    targets: Mapping[str, Json] | None
    why: str = ""
    wrong: bool = False

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The keys alone."""
        return None if self.targets is None else tuple(self.targets)


def list_targets(
    runbook: Runbook, scope: Mapping[str, Any], place: str, only: tuple[str, ...] = ()
) -> dict[str, Listed]:
    """For each step with targets. `scope`: inputs and env; `place`: the runbook's folder; `only`: the chosen keys."""
    fanned = [(step.id, step.fan_out) for step in runbook.every_step() if step.fan_out is not None]
    frames = Frames(runbook)
    found = {name: _listed(name, fan_out, frames.of[name], scope, place) for name, fan_out in fanned}
    if only:
        chosen = {name: entry.targets for name, entry in found.items() if entry.targets is not None}
        for name, targets in chosen.items():
            found[name] = Listed({key: value for key, value in targets.items() if key in only})
    return found


def _listed(step: str, fan_out: FanOut, frame: Frame, scope: Mapping[str, Any], place: str) -> Listed:
    source, scope, place = fan_out.source, frame.foreseen(scope), frame.place(place)
    if isinstance(source, TargetsRun):
        return Listed(None, "a command lists its targets when it is reached")
    written = source.value if isinstance(source, TargetsValue) else _written(source)
    if later := _later(written, None if frame.outer is None else scope["inputs"]):
        return Listed(None, f"its targets depend on {later}")
    if missing := _not_given(written, scope["inputs"]):
        return Listed(None, f"input `{missing}` is not given")
    try:
        values = listed(source, scope, lambda name: _read(place, name, bool(fan_out.secret_fields)))
        targets = as_targets(values, fan_out.target_key, step, lambda value, more: render(value, {**scope, **more}))
    except DurunError as error:
        return Listed(None, error.message, True)
    return Listed({target.key: target.value for target in targets})


def _written(source: TargetsFile | TargetsMatrix) -> Value:
    return source.path if isinstance(source, TargetsFile) else source.axes


def _later(value: Value, inputs: Mapping[str, Json] | None) -> str:
    """What of it is not known before the run, or nothing. `inputs`: those that are, of an included file."""
    paths = sorted({reference.path[:2] for one in expressions_in(value) for reference in references(one)})
    late = (path for path in paths if path[0] not in ("inputs", "env") or _is_late(path, inputs))
    return next((".".join(map(str, path)) for path in late), "")


def _not_given(value: Value, inputs: Mapping[str, Json]) -> str:
    """The first input that it names and that is not there."""
    paths = (reference.path for one in expressions_in(value) for reference in references(one) if not reference.optional)
    return next((str(path[1]) for path in paths if path[0] == "inputs" and path[1:] and path[1] not in inputs), "")


def _is_late(path: Sequence[PathPart], inputs: Mapping[str, Json] | None) -> bool:
    return inputs is not None and path[0] == "inputs" and (len(path) == 1 or path[1] not in inputs)


def _read(place: str, name: str, private: bool) -> bytes:
    try:
        return read_targets(Path(place) / name, private)
    except OSError as error:
        raise TargetError(f"{name} can't be read: {error.strerror}") from error
