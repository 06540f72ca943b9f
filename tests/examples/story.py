"""Typing the commands of a block of a README, and comparing what they print with what it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from daemons.people import Person
from examples.blocks import Block
from examples.stage import Stage

_DIFFERS = (
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\b[a-hjkmnp-tv-z][2-9a-hjkmnp-tv-z]{9}\b", "RUN"),
    (r"\b(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\b", "TIME"),
    (r"^\d{4}-\d\d-\d\d\n", ""),  # a line at midnight
    (r"\b(in|after) [\d.]+ ?(ms|s|m|h)\b", r"\1 1s"),
    # So it is told where a process was seen that could not be looked into, which may be anybody's.
    (r"(?<=was killed); its process has ended, and left no record of how$", ""),
)
"""What is another in every run."""


class Typed(NamedTuple):
    """A line that is typed, and what the README shows below it (None: nothing)."""

    line: str
    output: str | None


def lines(block: Block) -> Iterator[Typed]:
    """The commands of a block: without a comment, or the times of cron.

    Where it begins with `$ `, each command does, and the rest is what they print.
    """
    if block.text.startswith("$ "):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            yield Typed(line, output)
        return
    for line in block.text.splitlines():
        yield Typed(re.sub(r"^([*/\d]+ +){5}|\s+# .*$", "", line), None)


def alike(text: str) -> str:
    for pattern, stand_in in _DIFFERS:
        text = re.sub(pattern, stand_in, text, flags=re.MULTILINE)
    return text


class Story:
    """The lines of one block, typed one after the other; `words` are those that stand for something of this run."""

    def __init__(self, stage: Stage, block: Block) -> None:
        self.stage = stage
        self._rest = list(lines(block))
        self.words: dict[str, str] = {}

    def next(self, code: int = 0, stdin: str = "", by: Person | None = None, *, again: bool = False) -> str:
        """Type the next line; the test fails unless it ends with `code`, and prints what is shown.

        `again`: somebody else types the same line after that.
        """
        line, shown = self._rest[0] if again else self._rest.pop(0)
        line = self._meant(line)
        ended, said = self._as(by, line) if by else self.stage.shell(line, stdin)
        assert ended == code, f"{line}\nexit {ended}\n{said}"
        assert shown is None or alike(said) == alike(self._meant(shown)), f"{line} prints\n{said}"
        return said

    def take(self) -> Typed:
        """The next line, which the story types in a way of its own."""
        return self._rest.pop(0)

    def over(self) -> bool:
        return not self._rest

    def run(self, command: str, code: int = 0) -> str:
        """Something that is not in the block: a durun command, before or between its lines."""
        ended, said = self.stage.shell(f"durun {command}")
        assert ended == code, f"{command}\nexit {ended}\n{said}"
        return said

    def newest(self) -> str:
        return str(self.stage.json("history")[0]["id"])

    def _meant(self, text: str) -> str:
        for word, meant in self.words.items():
            text = re.sub(rf"(?<![\w/-]){re.escape(word)}(?![\w-])", meant, text)
        return text

    def _as(self, colleague: Person, line: str) -> tuple[int, str]:
        words = re.sub(r"^(DURUN_HOME=\S+ )?durun ", "", line).split()
        done = colleague.durun(self.stage.place / "state", *words)
        return done.returncode, done.stdout + done.stderr
