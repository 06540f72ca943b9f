"""A test's own JSON for everything that crosses the seam: it knows plain data, and fails on anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from durun.actions import api as actions
from durun.engine import api
from durun.engine.api import Engine, Observer, Outcome
from durun.model import event, plan, runbook, state, task, values
from durun.model.slotted import Slotted

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for module in (values, runbook, task, event, plan, state, actions, api)
    for kind in vars(module).values()
    if isinstance(kind, type) and (hasattr(kind, "_fields") or (issubclass(kind, Slotted) and kind.__slots__))
}


def post(value: Any) -> Any:
    """The value as it arrives at the other side of a wire."""
    return load(json.loads(json.dumps(dump(value), allow_nan=False)))


def dump(value: Any) -> Any:
    """Only what JSON has. Raises TypeError for anything that is no plain data."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = type(value).__name__
    if _KINDS.get(kind) is type(value):
        names = value._fields if isinstance(value, tuple) else value.__slots__
        return {"is": kind, "of": {name: dump(getattr(value, name)) for name in names}}
    if isinstance(value, Mapping):
        return {"is": "map", "of": [[dump(key), dump(item)] for key, item in value.items()]}
    if isinstance(value, set | frozenset):
        return {"is": "set", "of": [dump(item) for item in sorted(value)]}
    if type(value) is list:
        return [dump(item) for item in value]
    if hasattr(value, "__getitem__") and hasattr(value, "__len__"):
        return {"is": "tuple", "of": [dump(item) for item in value]}
    raise TypeError(f"{kind} can't cross the seam")


def load(value: Any) -> Any:
    """What `dump` took apart."""
    if isinstance(value, list):
        return [load(item) for item in value]
    if not isinstance(value, dict):
        return value
    parts = value["of"]
    match value["is"]:
        case "map":
            return {load(key): load(item) for key, item in parts}
        case "set":
            return {load(item) for item in parts}
        case "tuple":
            return tuple(load(item) for item in parts)
        case kind:
            return _KINDS[kind](**{name: load(item) for name, item in parts.items()})


class Posted:
    """An engine at the other end of a wire: requests and outcomes arrive as JSON."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, verb: str) -> Any:
        def call(request: Any, observer: Observer) -> Outcome:
            arrived = post(request)
            assert arrived == request
            outcome = getattr(self._engine, verb)(arrived, observer)
            returned: Outcome = post(outcome)
            assert returned == outcome
            return returned

        return call
