"""Every case of every `case.yaml`, as `conftest.py` describes them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
KEYS = frozenset("durun exit env stdin says says_not silent json events error files write remove".split())  # noqa: SIM905


def cases() -> list[Any]:
    return list(_cases())


def _cases() -> Iterator[Any]:
    for path in sorted(HERE.glob("*/case.yaml")):
        for name, entries in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            rows = [row for entry in entries for row in entry.get("fault", ())]
            marks = [pytest.mark.fault(*rows)] if rows else []
            typed = [entry for entry in entries if "fault" not in entry]
            yield pytest.param(path.parent, typed, id=f"{path.parent.name}: {name}", marks=marks)


@pytest.mark.parametrize(("folder", "entries"), cases())
def test_case(folder, entries, new_operator):
    operator = new_operator(folder)
    for entry in entries:
        unknown = set(entry) - KEYS
        assert not unknown, f"{folder.name}/case.yaml: no such key: {unknown}"
        for name, text in entry.get("write", {}).items():
            (operator.place / name).write_text(text, encoding="utf-8")
        for name in entry.get("remove", ()):
            (operator.place / name).unlink()
        if "durun" in entry:
            check_said(entry, type_it(operator, entry))
        for name, expected in entry.get("files", {}).items():
            check_file(operator.place / name, expected)


def type_it(operator, entry):
    typed = entry["durun"]
    arguments = shlex.split(typed) if isinstance(typed, str) else typed
    return operator(*arguments, code=entry.get("exit", 0), env=entry.get("env"), stdin=entry.get("stdin"))


def check_said(entry, said):
    both = said.out + said.err
    place = 0
    for part in entry.get("says", ()):
        found = both.find(part, place)
        assert found >= 0, f"{part!r} is not said (in this order):\n{both}"
        place = found + len(part)
    for part in entry.get("says_not", ()):
        assert part not in both
    if entry.get("silent"):
        assert both == ""
    if "json" in entry:
        assert not (why := differs(said.json, entry["json"])), f"{why}\n{said.out}"
    if "error" in entry:
        assert not (why := differs(json.loads(said.err)["error"], entry["error"])), f"{why}\n{said.err}"
    rest = iter(said.lines if "events" in entry else ())
    for expected in entry.get("events", ()):
        assert any(not differs(line, expected) for line in rest), f"no (further) {expected}:\n{said.out}"


def check_file(path, expected):
    if expected is None:
        assert not path.exists()
        return
    text = path.read_text(encoding="utf-8") if path.exists() else None
    if isinstance(expected, list):
        assert text is not None
        assert sorted(text.splitlines()) == sorted(map(str, expected))
    else:
        assert text == expected


def differs(value: Any, expected: Any, where: str = "") -> str:
    """Where `value` isn't as expected; nothing if it is. A mapping may have more keys, a list has the same length."""
    if isinstance(expected, dict) and isinstance(value, dict):
        for key, item in expected.items():
            if key not in value:
                return f"{where}.{key} is not there"
            if why := differs(value[key], item, f"{where}.{key}"):
                return why
        return ""
    if isinstance(expected, list) and isinstance(value, list):
        if len(value) != len(expected):
            return f"{where} has {len(value)} items, not {len(expected)}: {value}"
        pairs = enumerate(zip(value, expected, strict=True))
        return next((why for at, (left, right) in pairs if (why := differs(left, right, f"{where}[{at}]"))), "")
    same = value == expected and isinstance(value, bool) == isinstance(expected, bool)
    return "" if same else f"{where} is {value!r}, not {expected!r}"
