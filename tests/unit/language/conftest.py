from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durun.errors import InvalidRunbook
from durun.language.load import load
from durun.model.runbook import Runbook

from . import included

HEAD = "durun: 1\nname: test\n"


class Found(NamedTuple):
    """One problem as the report shows it. `under` is what the caret line underlines."""

    line: int
    column: int
    message: str
    under: str
    hint: str


def parse_report(report: str) -> list[Found]:
    found = []
    for block in report.split("\n\n"):
        first, *rest = block.split("\n")
        place = re.fullmatch(r"book\.yaml:(\d+):(\d+): (.*)", first)
        if place is None:
            assert block.startswith("… and "), block
            continue
        under, hint = "", ""
        if len(rest) > 1 and " | " in rest[0]:
            caret = rest[1]
            start = caret.index("^")
            under = rest[0][start : start + caret.count("^")]
        if "\n  hint: " in block:
            hint = re.sub(r"\n {8}", "\n", block.split("\n  hint: ", 1)[1])
        found.append(Found(int(place[1]), int(place[2]), place[3], under, hint))
    return found


@pytest.fixture
def problems() -> Callable[[str | bytes], list[Found]]:
    """Everything that is wrong with a whole file, as an operator sees it."""

    def read(text: str | bytes) -> list[Found]:
        with pytest.raises(InvalidRunbook) as caught:
            load(text.encode() if isinstance(text, str) else text, "book.yaml")
        assert "\n" not in caught.value.message
        return parse_report(caught.value.report)

    return read


@pytest.fixture
def one_problem(problems: Callable[[str | bytes], list[Found]]) -> Callable[[str | bytes], Found]:
    """The only problem of a file."""

    def read(text: str | bytes) -> Found:
        found = problems(text)
        assert len(found) == 1, found
        return found[0]

    return read


@pytest.fixture
def step_problem(one_problem: Callable[[str | bytes], Found]) -> Callable[[str], Found]:
    """The only problem of a runbook with these steps (YAML, from line 4 on)."""
    return lambda steps: one_problem(f"{HEAD}steps:\n{steps}")


@pytest.fixture
def runbook() -> Callable[[str], Runbook]:
    """A runbook with these lines after `durun` and `name`."""
    return lambda text: load((HEAD + text).encode(), "book.yaml").runbook


@pytest.fixture
def warnings() -> Callable[..., list[str]]:
    """The warnings of a runbook with these lines after `durun` and `name`."""
    return lambda text, folder=None: list(load((HEAD + text).encode(), "book.yaml", folder).warnings)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """folder({path: text}): these files; without a text they are runbooks of one step."""

    def make(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "ops" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text or included.LEAF, encoding="utf-8")
        return tmp_path / "ops"

    return make


@pytest.fixture
def read(folder: Any) -> Callable[..., Runbook]:
    """read(steps, head, **files): a checked runbook `main.yaml` that has these steps."""

    def make(steps: str, head: str = "", files: Mapping[str, str] | None = None) -> Runbook:
        place = folder(files or {})
        return load(f"{included.HEAD}{head}steps:\n{steps}".encode(), "ops/main.yaml", str(place)).runbook

    return make


@pytest.fixture
def wrong(read: Any) -> Callable[..., list[str]]:
    """wrong(steps, head, files): the report of what is wrong, a line for each problem, then its hint."""

    def make(steps: str, head: str = "", files: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(InvalidRunbook) as caught:
            read(steps, head, files)
        blocks = [block.split("\n") for block in caught.value.report.split("\n\n")]
        return [line.strip() for block in blocks for line in (block[0], *block[3:])]

    return make
