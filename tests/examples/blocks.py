"""What stands between fences in the READMEs: the runbooks, the commands, and what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "runbooks/README.md", "durun/README.md", "tests/README.md")
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """One fenced block. `kind` is what stands after its fence, `heading` the nearest one above it."""

    page: str
    heading: str
    kind: str
    text: str

    @property
    def name(self) -> str:
        """Of a runbook: its name."""
        found = re.search(r"^name: (.+)$", self.text, re.MULTILINE)
        return found[1] if found else ""

    @property
    def file(self) -> str:
        """Of a runbook: the file that others include, if its first line names one."""
        found = re.match(r"# (\S+\.yaml)\n", self.text)
        return found[1] if found else "example.yaml"


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page, from its top."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        above = _HEADING.findall(_FENCE.sub("", text[: found.start()]))
        yield Block(page, above[-1], found[1], found[2])


ALL = tuple(block for page in PAGES for block in blocks(page))
RUNBOOKS = {block.name: block for block in ALL if block.kind == "yaml"}
INCLUDED = {block.file: block for block in RUNBOOKS.values() if block.file != "example.yaml"}
WRONG = tuple(pair for pair in pairwise(ALL) if pair[0].kind == "yaml wrong")
"""Each wrong runbook with what durun says of it."""
