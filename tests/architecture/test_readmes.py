"""What the READMEs point to is there, and the first of them names every command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest

from durun.cli.completion_table import COMMANDS
from durun.model.event import Event, Stamped
from durun.views.json import event_line

ROOT = Path(__file__).parents[2]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("[a-z]*/README.md"))]
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ADDRESS = re.compile(r"[a-z]+:")


def prose(readme: Path) -> str:
    """A README without its examples: what looks like a link or a heading in them is none."""
    return BLOCK.sub("", readme.read_text(encoding="utf-8"))


def anchors(readme: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(readme), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", LINK.sub("]", heading).lower()).replace(" ", "-")
        number = 0
        while (one := f"{name}-{number}" if number else name) in found:
            number += 1
        found.add(one)
    return found


def missing(readme: Path) -> list[str]:
    wrong = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(readme))):
        if ADDRESS.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = (readme.parent / path).resolve() if path else readme
        if not target.is_relative_to(ROOT) or not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


def test_all_readmes_are_looked_at():
    assert [str(path.relative_to(ROOT)) for path in READMES] == [
        "README.md",
        "durun/README.md",
        "runbooks/README.md",
        "tests/README.md",
    ]
    assert any(LINK.search(prose(path)) for path in READMES)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(readme):
    assert missing(readme) == []


def test_every_section_about_runbooks_is_in_the_list_at_the_top():
    top, _, rest = (ROOT / "runbooks" / "README.md").read_text(encoding="utf-8").partition("\n## ")
    sections = re.findall(r"^## (.+)$", BLOCK.sub("", f"\n## {rest}"), re.MULTILINE)
    listed = [name for name in re.findall(r"\]\(#([\w-]+)\)", top) if name != "cookbook"]
    assert listed == [re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in sections]


def test_a_link_that_leads_nowhere_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "README.md"
    page.write_text(
        "# Ends: `a`, b\n[1](#ends-a-b) [2](#end) [3](no.md) [4](README.md#ends-a-b) [5](../..) [6](https://x/)\n"
        "`[7](no)`\n```\n# Not a heading\n[8](no)\n```\n[9](#not-a-heading)\n"
    )
    assert missing(page) == ["#end", "no.md", "../..", "#not-a-heading"]


def test_every_command_is_in_the_table_of_the_first_readme():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## The commands")[1].split("\n## ")[0]
    written = {" ".join(words) for words in re.findall(r"`durun ([\w|\\]+)(?: ([\w|\\]+))?", table)}
    named: set[str] = set()
    for words in written:
        first, _, second = words.replace("\\", "").partition(" ")
        named |= {first, *(f"{first} {one}" for one in second.split("|"))}
    assert [command for command in COMMANDS if command not in named] == []


def test_every_file_that_the_architecture_names_is_there_and_every_folder_is_in_its_table():
    text = (ROOT / "durun" / "README.md").read_text(encoding="utf-8")
    paths = [f"/{path.relative_to(ROOT)}" for path in (ROOT / "durun").rglob("*.*")]
    named = set(re.findall(r"`([\w/]+\.(?:py|sql|html|css))`", text))
    assert len(named) > 50
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in paths)] == []
    folders = {path.parent.relative_to(ROOT / "durun").parts[:1] for path in (ROOT / "durun").rglob("*.py")} - {()}
    assert [folder for (folder,) in folders if f"| `{folder}/` |" not in text] == []


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_option_that_is_named_exists(readme):
    wrong = []
    for code in re.findall(r"`durun ([^`]+)`", readme.read_text(encoding="utf-8").replace("\\|", "|")):
        words = code.partition(" | ")[0].split()
        for first in words[0].split("|"):
            seconds = words[1].split("|") if first == "secret" and len(words) > 1 else [""]
            for name in (f"{first} {second}".strip() for second in seconds):
                known = {option for names, _, _ in COMMANDS[name][1] for option in names} if name in COMMANDS else set()
                given = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(words)))
                wrong += [code] if (name not in COMMANDS and name != "secret") or given - known - {"--help"} else []
    assert wrong == []


OF_EVERY_EVENT = ("schema", "event", "run", "sequence", "at")


def table_of_events() -> str:
    """Every event: its name, the first words of its contract, and what JSON tells of it alone."""
    rows = []
    for kind in get_args(Event):
        none: dict[str, object] = {"targets": (), "standing": (), "plugins": {}}
        line = event_line("", Stamped(1, 0.0, kind(*map(none.get, kind._fields))))
        says = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
        own = [name for name in line if name not in {*OF_EVERY_EVENT, "step", "target", "attempt"}]
        rows.append(f"| `{line['event']}` | {says} | {', '.join(f'`{name}`' for name in own)} |\n")
    return "| event | says | keys |\n|---|---|---|\n" + "".join(sorted(rows))


def test_the_table_of_events_is_the_one_in_the_code():
    text = (ROOT / "durun" / "README.md").read_text(encoding="utf-8")
    section = re.search(r"<!-- events:[^\n]*-->\n(.*?)<!-- end of events -->", text, re.DOTALL)
    assert section, "the section is missing"
    assert section[1] == table_of_events(), "put the output of table_of_events() there"


def test_the_picture_needs_nothing_from_elsewhere():
    text = (ROOT / "runbooks" / "run.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    loads = r"https?://[^\"'\s)]+|url\((?!#)[^)]*\)|@import|<script"
    assert set(re.findall(loads, text)) == {"http://www.w3.org/2000/svg"}
