"""Draws the picture of the README, from what a terminal really showed: `python tests/picture.py runbooks/run.svg`.

The rotation of the certificates is run in tmux as somebody would type it, killed with SIGKILL when half of the services
are done, and resumed. Whatever the terminal shows then is drawn, colours and all; nothing is put in or taken out.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from crash.harness import PATIENCE, wait_for_end, wait_until

ROOT = Path(__file__).parents[1]
DEMO = Path("/tmp/tls-demo")
DURUN = Path(sys.executable).with_name("durun")
WIDTH, HEIGHT = 84, 40

# A terminal of its own on every page, light or dark: each colour has a contrast of more than 4.5 with the background.
THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        (139, 148, 158),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)
CELL = 12.2  # the width of a letter, of a height of 20
PIECE = re.compile(
    r'<text (?P<kind>class="[^"]*") x="(?P<x>[^"]*)" (?P<y>y="[^"]*") textLength="(?P<length>[^"]*)" (?P<clip>[^>]*)>'
    r"(?P<blanks>(?:&#160;)*)(?P<letters>[^<]*)</text>"
)
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>A run of durun, killed and resumed</title>
<style>
.{unique_id}-matrix {{
font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
.{unique_id}-title {{ font: 16px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, home: Path) -> None:
        self._tmux = ["tmux", "-S", str(home / "tmux"), "-f", "/dev/null"]
        self._env = {"HOME": str(home), "DURUN_HOME": f"{home}/state", "LANG": "C.UTF-8", "HISTFILE": "/dev/null"}
        self._env["PATH"] = f"{DURUN.parent}:/usr/bin:/bin"
        given = " ".join(f"{name}={value}" for name, value in self._env.items())
        shell = f"env -i {given} TERM=tmux-256color PS1='$ ' bash --norc --noprofile"
        self._do("new-session", "-d", "-x", str(WIDTH), "-y", str(HEIGHT), "-c", str(ROOT), shell)

    def _do(self, *words: str) -> str:
        return subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True).stdout

    def adopted(self) -> bool:
        """Whether the resume took over what went on without the first durun: so the README says."""
        shown = subprocess.run([DURUN, "show", "@last", "--json"], env=self._env, check=True, capture_output=True)
        return any(task["how"] == "adopted" for task in json.loads(shown.stdout)["tasks"])

    def type(self, line: str) -> None:
        self._do("send-keys", "-l", line)
        self._do("send-keys", "Enter")

    def shows(self, pattern: str) -> bool:
        return re.search(pattern, self._do("capture-pane", "-p"), re.MULTILINE) is not None

    def colours(self) -> str:
        return self._do("capture-pane", "-p", "-e").rstrip()

    def kill_what_runs(self) -> None:
        subprocess.run(["pkill", "-KILL", "-P", self._shell()], check=True)

    def close(self) -> None:
        shell = self._shell()
        self._do("kill-server")
        wait_for_end(int(shell), PATIENCE)

    def _shell(self) -> str:
        return self._do("display-message", "-p", "#{pane_pid}").strip()


@contextmanager
def terminal(demo: Path) -> Iterator[Terminal]:
    if demo.exists():
        raise SystemExit(f"{demo} is there already: the picture would show another run. Remove it first.")
    home = Path(tempfile.mkdtemp(prefix="durun-picture-"))
    shown = Terminal(home)
    try:
        yield shown
    finally:
        shown.close()
        shutil.rmtree(home)
        shutil.rmtree(demo, ignore_errors=True)


def record(demo: Path = DEMO, *, adopting: bool = True) -> str:
    """What the terminal shows in the end, with its colours. `demo`: where the certificates are made.

    `adopting`: not unless the resume took over what went on without the first durun.
    """
    with terminal(demo) as shown:
        wait_until(lambda: shown.shows(r"^\$"))
        shown.type(f"durun run runbooks/rotate-tls-certificates.yaml -i root={demo}")
        wait_until(lambda: len(list(demo.glob("*/*/reload.log"))) >= 10)
        shown.kill_what_runs()
        wait_until(lambda: shown.shows(r"^Killed"))
        shown.type("durun resume")
        wait_until(lambda: shown.shows(r"^  head .*\n\$"))
        shown.type(f"wc -l {demo}/*/*/reload.log | tail -1   # reloads of the 20 services")
        wait_until(lambda: shown.shows(r"^ *\d+ total\n\$"))
        if adopting and not shown.adopted():
            raise SystemExit("nothing was at work when durun was killed: draw it again")
        return shown.colours().removesuffix("$").rstrip()


def without_leading_blanks(text: re.Match[str]) -> str:
    """A piece of text that begins where its first letter is: some viewers leave out blanks at the beginning."""
    blanks = text["blanks"].count("&#160;")
    if not text["letters"].strip():
        return ""
    place = f'x="{float(text["x"]) + blanks * CELL:g}" {text["y"]}'
    length = f'textLength="{float(text["length"]) - blanks * CELL:g}"'
    return f"<text {text['kind']} {place} {length} {text['clip']}>{text['letters']}</text>"


def draw(shown: str) -> str:
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(shown), soft_wrap=True)
    picture = console.export_svg(title="durun", theme=THEME, code_format=SVG, unique_id="run")
    picture = PIECE.sub(without_leading_blanks, picture)
    return re.sub(r"^[ \t]+|[ \t]+$", "", picture, flags=re.MULTILINE)


def words(picture: str) -> str:
    """The text in a picture, line by line."""
    lines: dict[str, str] = {}
    for piece in PIECE.finditer(picture):
        before = lines.get(piece["y"], "")
        lines[piece["y"]] = before.ljust(round(float(piece["x"]) / CELL)) + unescape(piece["letters"])
    return "\n".join(lines.values()).replace("\u00a0", " ")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(record()))
