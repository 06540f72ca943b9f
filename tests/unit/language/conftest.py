from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from durun.errors import InvalidRunbook
from durun.language.load import load
from durun.model.runbook import Runbook

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
