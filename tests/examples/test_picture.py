"""The picture in the README shows what durun shows: the same run is made once more, and compared."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from examples.blocks import ROOT
from picture import DEMO, draw, record, words

PICTURE = (ROOT / "runbooks" / "run.svg").read_text(encoding="utf-8")

_DIFFERS = (
    (r"\b[0-9a-f]{64}\b", "HEAD"),
    (r"(?<=^run )\w{10}\b", "RUN"),
    (r"^[^\w\s$]+ (?=\w+ )", "* "),
    (r"[━─]+", "BAR"),
    (r"\b\d+/20\b", "N/20"),
    (r"\b\d+ of 102 tasks.*", "N of 102 tasks"),
    (r" +\d+ running| +wave \d of \d| +[\d.]+/(s|min)\b| ~[\dhms. ]+ left", ""),
    (r"(?<! after) +[\d.]+(ms|s|m)( |$)", " "),
    (r" after \S+:", " after TIME:"),
    (r" +", " "),
    (r" $", ""),
)
"""What is another in every run, and what depends on the moment at which it was killed."""


def alike(shown: str) -> list[str]:
    for pattern, stand_in in _DIFFERS:
        shown = re.sub(pattern, stand_in, shown, flags=re.MULTILINE)
    return shown.splitlines()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_a_terminal_shows_the_same_today() -> None:
    demo = Path(tempfile.mkdtemp(prefix="tls-"))  # short enough for the terminal's width
    demo.rmdir()
    shown = words(draw(record(demo, adopting=False)))
    assert alike(shown.replace(str(demo), str(DEMO))) == alike(words(PICTURE)), "python tests/picture.py draws it anew"


def test_its_words_are_those_of_a_run_that_was_killed_and_resumed() -> None:
    shown = words(PICTURE)
    assert "Killed\n$ durun resume\n" in shown
    assert shown.endswith("  20 total")
