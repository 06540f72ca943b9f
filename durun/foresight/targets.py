"""Which targets a fan-out will have, where that can be told without running anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from durun.errors import DurunError
from durun.language.expressions import expressions_in, references, render
from durun.language.plain import to_text
from durun.language.targets import TargetError, as_targets, matrix, parse_targets_file
from durun.model.runbook import FanOut, Runbook, TargetsFile, TargetsMatrix, TargetsRun, TargetsValue
from durun.model.values import Json, Value


class Listed(NamedTuple):
    """The keys of a fan-out's targets, or why they are not known; `wrong`: why it can't be resolved."""

    keys: tuple[str, ...] | None
    why: str = ""
    wrong: bool = False


def list_targets(
    runbook: Runbook, scope: Mapping[str, Any], place: str, only: tuple[str, ...] = ()
) -> dict[str, Listed]:
    """For each step with targets. `scope`: inputs and env; `place`: the runbook's folder; `only`: the chosen keys."""
    found = {step.id: _listed(step.id, step.fan_out, scope, place) for step in runbook.every_step() if step.fan_out}
    if only:
        chosen = {name: entry.keys for name, entry in found.items() if entry.keys is not None}
        for name, keys in chosen.items():
            found[name] = Listed(tuple(key for key in keys if key in only))
    return found


def _listed(step: str, fan_out: FanOut, scope: Mapping[str, Any], place: str) -> Listed:
    source = fan_out.source
    if isinstance(source, TargetsRun):
        return Listed(None, "a command lists its targets when it is reached")
    if later := _later(source.value if isinstance(source, TargetsValue) else _written(source)):
        return Listed(None, f"its targets depend on {later}")
    try:
        values = _values(source, scope, place)
        targets = as_targets(values, fan_out.target_key, step, lambda value, more: render(value, {**scope, **more}))
    except DurunError as error:
        return Listed(None, error.message, True)
    return Listed(tuple(target.key for target in targets))


def _written(source: TargetsFile | TargetsMatrix) -> Value:
    return source.path if isinstance(source, TargetsFile) else source.axes


def _later(value: Value) -> str:
    """What of it is not known before the run, or nothing."""
    paths = sorted({reference.path[:2] for one in expressions_in(value) for reference in references(one)})
    return next((".".join(map(str, path)) for path in paths if path[0] not in ("inputs", "env")), "")


def _values(source: TargetsValue | TargetsFile | TargetsMatrix, scope: Mapping[str, Any], place: str) -> Json:
    match source:
        case TargetsValue(value):
            return render(value, scope)
        case TargetsMatrix(axes):
            return matrix({name: render(values, scope) for name, values in axes.items()})
        case TargetsFile(path):
            name = to_text(render(path, scope))
            try:
                return parse_targets_file((Path(place) / name).read_bytes(), name)
            except OSError as error:
                raise TargetError(f"{name} can't be read: {error.strerror}") from error
