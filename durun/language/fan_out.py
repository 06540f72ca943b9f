"""Reads `targets` and what goes with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from durun.errors import DurunError
from durun.language.calls import read_targets
from durun.language.diagnostics import Path
from durun.language.expressions import expressions_in, references, render
from durun.language.targets import KEY_FIELDS, as_targets, matrix
from durun.language.values import Reader
from durun.model.runbook import FanOut, Shell, TargetsFile, TargetsMatrix, TargetSource, TargetsRun, TargetsValue
from durun.model.values import Json

_BESIDE: Final = ("target_key", "max_parallel", "serial", "max_failures", "secret_fields")
_FEW: Final = 1000


def read_fan_out(
    reader: Reader, item: Mapping[str, Json], raw: Mapping[str, Json], path: Path, shell: Shell, *, inside: bool
) -> FanOut | None:
    """The fan-out of a step, None if it has none; `raw` is the step with its invalid parts.

    `inside`: it stands in another one.
    """
    if "targets" not in raw:
        for key in _BESIDE:
            if key in raw:
                reader.problem(f"`{key}` needs `targets` beside it", (*path, key), at_key=True)
        return None
    if inside:
        message = "a fan-out inside a fan-out: the group around this step has `targets` too"
        hint = "one level is possible; `targets: {matrix: {A: […], B: […]}}` makes every combination"
        reader.problem(message, (*path, "targets"), hint, at_key=True)
    fan_out = FanOut(read_targets(reader, item.get("targets", []), (*path, "targets"), shell))
    given = {key: reader.value(item[key], (*path, key)) for key in _BESIDE if key in item}
    fan_out = fan_out._replace(**given)
    _check_written_out(reader, fan_out, item.get("id", ""), (*path, "targets"))
    _check_secret_fields(reader, fan_out, (*path, "secret_fields"))
    return fan_out


def _check_secret_fields(reader: Reader, fan_out: FanOut, path: Path) -> None:
    """What the runbook, an input or an output holds is journalled already; and a key is never secret."""
    if fan_out.secret_fields and not isinstance(fan_out.source, TargetsFile | TargetsRun):
        hint = "list the targets in a `file:` or by a `run:`, which are not"
        reader.problem("what these `targets` are made of is journalled", path, hint, at_key=True)
    if named := [name for name in KEY_FIELDS if name in fan_out.secret_fields and fan_out.target_key is None]:
        hint = "write `target_key:` with a field that is no secret"
        reader.problem(f"`{named[0]}` can be a target's key, which is shown", path, hint, at_key=True)


def _check_written_out(reader: Reader, fan_out: FanOut, step_id: str, path: Path) -> None:
    """Targets that are written out are known now, and so is what is wrong with their keys."""
    asked = (name for one in expressions_in(fan_out.target_key) for name in references(one))
    if any(reference.path[0] != "target" for reference in asked):
        return
    try:
        as_targets(_written_out(fan_out.source), fan_out.target_key, step_id, render)
    except DurunError as error:
        reader.problem(error.message, path, error.hint, at_key=True)


def _written_out(source: TargetSource) -> list[Json]:
    """The targets, if the file itself names them, and they are few enough to be looked at each time it is read."""
    match source:
        case TargetsValue(value) if isinstance(value, tuple) and not any(expressions_in(value)):
            return list(value) if len(value) <= _FEW else []
        case TargetsMatrix(axes) if axes and not any(expressions_in(axes)):
            lists = [axis for axis in axes.values() if isinstance(axis, tuple)]
            return matrix(axes) if math.prod(map(len, lists)) <= _FEW else []
        case _:
            return []
