"""runbooks/README.md is whole and true: its errors are durun's words, no key is missing, no runbook beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from durun.errors import InvalidRunbook
from durun.language.load import load
from examples.blocks import ROOT, RUNBOOKS, WRONG, Block

README = (ROOT / "runbooks" / "README.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "durun" / "language" / "runbook.schema.json").read_text(encoding="utf-8"))
SHIPPED = sorted((ROOT / "runbooks").glob("*.yaml"))


def _keys_of_schema(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        properties = node.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for inner in node.values():
            yield from _keys_of_schema(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _keys_of_schema(inner)


def _keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(key) for key in value)
        for inner in value.values():
            yield from _keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys_of(inner)


KEYS = sorted(set(_keys_of_schema(SCHEMA)))


@pytest.mark.parametrize(("wrong", "said"), WRONG, ids=lambda block: block.name or "said")
def test_error_is_in_the_words_of_durun(wrong: Block, said: Block) -> None:
    assert said.kind == "text"
    with pytest.raises(InvalidRunbook) as caught:
        load(wrong.text.encode(), "example.yaml", str(ROOT / "runbooks"))
    assert caught.value.report.rstrip() == said.text.rstrip()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_runbook_is_valid(path: Path) -> None:
    assert load(path.read_bytes(), path.name, str(path.parent)).warnings == ()


def test_every_shipped_runbook_is_named_in_the_readme() -> None:
    assert [path.name for path in SHIPPED if f"]({path.name})" not in README] == []


def test_every_key_is_documented() -> None:
    cells = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    documented = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    assert [key for key in KEYS if key not in documented] == []


def test_every_key_has_an_example() -> None:
    shown = {key for block in RUNBOOKS.values() for key in _keys_of(yaml.safe_load(block.text))}
    assert [key for key in KEYS if key not in shown] == []
