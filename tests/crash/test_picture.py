"""The live picture of a run on a terminal: what is painted, and what must not be."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until
from crash.terminal import Terminal


@pytest.fixture
def calm(bench: Bench, book: str) -> Iterator[Terminal]:
    """As `terminal`, without colours."""
    made = Terminal(bench, "run", book, NO_COLOR="1")
    made.read_until("0 of 2 tasks  1 running")
    yield made
    made.close()


UP, OVER = r"\x1b\[\d+F", r"\x1b\[J"
"""What a picture that is painted over another begins with, and what it ends with."""


def lines_of(said: str) -> list[str]:
    """The lines, without what moves the cursor or colours."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said).splitlines()


def test_the_picture_follows_the_size_of_the_terminal(bench: Bench, calm: Terminal, fifo: Path) -> None:
    for columns, rows in ((40, 10), (200, 60), (40, 15), (80, 24)):
        calm.said = ""
        calm.resize(columns, rows)
        anew = calm.read_for(f"{UP}{OVER}(.*0 of 2 tasks)")
        assert max(map(len, lines_of(anew[1]))) < columns
    calm.said = ""
    bench.let_go(fifo)
    assert calm.end() == 0
    assert "succeeded after" in calm.said
    assert "2 of 2 tasks" not in calm.said.rsplit("\x1b[J", 1)[1], "how far it is is not told of a run that is over"


def test_a_run_that_only_waits_writes_little(bench: Bench, calm: Terminal, fifo: Path) -> None:
    calm.said = ""
    calm.read_for(r"\n  ([4-9]\.\d|\d\d)s")
    assert len(calm.said) < 4 * 500
    assert "F\x1b[J" not in calm.said, "nothing is wiped and then written again"
    bench.let_go(fifo)
    assert calm.end() == 0


def test_after_a_stop_the_picture_begins_below_what_the_shell_wrote(
    bench: Bench, terminal: Terminal, fifo: Path
) -> None:
    terminal.read_for(f"0 of 2 tasks.*{OVER}")
    os.kill(terminal.process.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{terminal.process.pid}/stat")
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T")
    terminal.take()
    terminal.said = re.split(OVER, terminal.said)[-1]  # one that was held up in the middle
    os.kill(terminal.process.pid, signal.SIGCONT)
    terminal.read_for(rf"(?:^|{OVER})(?:(?!{OVER}|{UP}).)*0 of 2 tasks")
    bench.let_go(fifo)
    assert terminal.end() == 0


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"TERM": ""}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_can_not_show_a_picture_has_plain_lines(bench: Bench, book: str, fifo: Path, env) -> None:
    terminal = Terminal(bench, "run", book, **env)
    terminal.read_until("one started")
    bench.let_go(fifo)
    assert terminal.end() == 0
    assert "\x1b" not in terminal.said
    assert "\\u" not in terminal.said
    assert re.search(r"^\d\d:\d\d:\d\d two succeeded", terminal.said, re.MULTILINE)
    terminal.close()


def test_no_colour(bench: Bench, book: str, fifo: Path) -> None:
    terminal = Terminal(bench, "run", book, NO_COLOR="1")
    terminal.read_until("one running")
    bench.let_go(fifo)
    assert terminal.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.said)
    terminal.close()


def test_what_a_step_wrote_is_not_obeyed_by_the_terminal(bench: Bench) -> None:
    script = "printf 'DURUN_REASON=a\\033[2J\\033]0;title\\007b\\n' >> \"$DURUN_OUTPUT\"; printf '\\033[2J'; exit 3"
    terminal = Terminal(bench, "run", str(bench.write(f"\nsteps:\n  - id: one\n    run: |\n      {script}\n")))
    assert terminal.end() == 1
    assert "one FAILED: " in terminal.said
    assert "\x1b[2J" not in terminal.said
    assert "\x1b]" not in terminal.said
    terminal.close()


UNDONE = """
on_failure: rollback
steps:
  - id: each
    targets: [a, b]
    run: eval "$MARK"
    rollback: {run: 'true'}
  - id: bad
    run: |
      echo "DURUN_REASON=there is no route to the host that it wants, and so it can do nothing" >> "$DURUN_OUTPUT"
      exit 2
"""


def test_a_rollback_has_a_bar_and_what_is_read_is_broken_between_words(bench: Bench) -> None:
    terminal = Terminal(bench, "run", str(bench.write(UNDONE)), size=(60, 24), NO_COLOR="1")
    assert terminal.end() == 1
    lines = lines_of(terminal.said)
    assert any(re.match("✔ each@rollback ━+ 2/2 ", line) for line in lines)
    assert any(re.match("↺ each +━+ 2/2  2 rolled back ", line) for line in lines)
    assert "bad FAILED: there is no route to the host that it wants," in lines
    assert re.match(
        r"  and so it can do nothing \(after \d",
        lines[lines.index("bad FAILED: there is no route to the host that it wants,") + 1],
    )
    assert "  bad failed: there is no route to the host that it wants," in lines
    terminal.close()
