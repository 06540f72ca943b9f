"""runbooks/README.md is true: its examples are valid, its errors are durun's words, and no key is missing."""

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

ROOT = Path(__file__).parents[2]
README = (ROOT / "runbooks" / "README.md").read_text()
FRONT = (ROOT / "README.md").read_text()
SCHEMA = json.loads((ROOT / "durun" / "language" / "runbook.schema.json").read_text())

VALID = re.findall(r"^```yaml\n(?:# \S+\n)?(durun: 1\n.*?)^```$", README, re.DOTALL | re.MULTILINE)
NAMED = dict(re.findall(r"^```yaml\n# (\S+)\n(durun: 1\n.*?)^```$", README, re.DOTALL | re.MULTILINE))
"""Those that others include, by the names of their files."""
WRONG = re.findall(r"^```yaml wrong\n(.*?)^```\n```text\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
FIRST = re.findall(r"^```yaml\n(durun: 1\n.*?)^```$", FRONT, re.DOTALL | re.MULTILINE)
SHIPPED = sorted((ROOT / "runbooks").glob("*.yaml"))


def _name(text: Any) -> str | None:
    found = re.search(r"^name: (.*)$", text, re.MULTILINE) if isinstance(text, str) else None
    return found.group(1) if found else None


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


def test_every_block_is_seen_by_these_tests() -> None:
    assert len(VALID) + len(WRONG) == README.count("```yaml")
    assert len(VALID) > 10 and len(WRONG) > 3
    assert len(FIRST) == FRONT.count("```yaml") > 0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The folder of the runbooks, with the examples in it that others include."""
    for path in (ROOT / "runbooks").iterdir():
        (tmp_path / path.name).symlink_to(path)
    for name, text in NAMED.items():
        (tmp_path / name).write_text(text)
    return str(tmp_path)


@pytest.mark.parametrize("text", [*VALID, *FIRST], ids=_name)
def test_example_is_valid(text: str, folder: str) -> None:
    assert load(text.encode(), "example.yaml", folder).warnings == ()


@pytest.mark.parametrize(("text", "said"), WRONG, ids=_name)
def test_error_is_in_the_words_of_durun(text: str, said: str) -> None:
    with pytest.raises(InvalidRunbook) as caught:
        load(text.encode(), "example.yaml", str(ROOT / "runbooks"))
    assert caught.value.report.rstrip() == said.rstrip()


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
    shown = {key for text in VALID for key in _keys_of(yaml.safe_load(text))}
    assert [key for key in KEYS if key not in shown] == []
