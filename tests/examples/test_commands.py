"""Every command that the READMEs show is typed into a shell, and prints what they say that it prints."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import pytest

from daemons.people import Person
from durun.config import whoami
from durun.model.people import name_of
from examples.blocks import ALL, ROOT, RUNBOOKS, Block
from examples.stage import GROUP, NAMES
from examples.story import Story

ELSEWHERE = {
    "bash .ci/setup test": "it begins these tests themselves (.ci/run)",
    "PATH=/usr/local/bin": "tests/crash/test_cron.py gives it to the real cron",
    "# durun-rotate.service": "tests/crash/test_cron.py gives it to systemd",
    "# durun-rotate.timer": "the same",
    "YAML text": "a drawing",
    "python -m pytest": "these tests themselves",
    "DURUN_SOAK=20": "the same, for hours",
    "python tests/bench": "a measurement takes minutes, and asserts nothing",
}
"""Blocks that are not typed here, by how they begin, and why."""

Tells = Callable[[Story, pytest.FixtureRequest], None]
STORIES: dict[str, tuple[str, Tells]] = {}
"""By how a block begins: whose stage it is on, and the story."""


def story(begins: str, stage: str = "values") -> Callable[[Tells], Tells]:
    def take(tells: Tells) -> Tells:
        STORIES[begins] = (stage, tells)
        return tells

    return take


SHELL = [block for block in ALL if block.kind in ("", "sh", "console", "crontab", "ini")]


def claimed(block: Block, by: dict[str, object]) -> list[str]:
    return [begins for begins in by if block.text.startswith(begins)]


def test_every_block_is_typed_or_it_is_said_why_not():
    for block in SHELL:
        assert len(claimed(block, {**STORIES, **ELSEWHERE})) == 1, block
    run_elsewhere = {"yaml", "yaml wrong", "text", "toml", "python"}  # the last two: a plugin, which is installed
    assert {block.kind for block in ALL} == {"", "sh", "console", "crontab", "ini"} | run_elsewhere
    assert all(any(block.text.startswith(begins) for block in SHELL) for begins in (*STORIES, *ELSEWHERE))


def test_the_tests_that_are_named_are_there():
    named = [path for block in SHELL for path in re.findall(r"\btests/[\w/.]+", block.text)]
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@story("bash .ci/setup && . .venv/bin/activate && durun run")
def first_run(story, _request):
    demo = story.stage.place / "tls"
    story.words = {"/tmp/tls-demo": str(demo), "bash .ci/setup && . .venv/bin/activate && durun": "durun"}
    assert "succeeded" in story.next()
    assert len(list(demo.glob("*/*/reload.log"))) == 20
    assert "rotate-tls-certificates" in story.run("history") + story.run("show @last")


@story("durun validate runbooks/hello.yaml")
def hello(story, _request):
    story.stage.program("sleep")
    assert "ok" in story.next()
    assert "greet" in story.next()
    assert story.run("history --json") == "[]\n"
    story.stage.kill_at(1)
    story.next(code=-signal.SIGKILL)
    assert "succeeded" in story.next()
    assert "hello" in story.next()
    assert story.next() + story.next() == ""


@story("durun new rotate-passwords")
def own(story, _request):
    story.stage.program("sleep")
    assert "rotate-passwords.yaml is written" in story.next()
    assert "rotate" in story.next()
    story.stage.kill_at(2)
    story.next(code=-signal.SIGKILL)
    assert "9 succeeded" in story.next()
    assert story.stage.calls() == {"sleep": 3}


@story("$ durun verify --head")
def verified(story, _request):
    said = [story.run("run example.yaml") for _ in range(3)]
    head = re.search(r"head (\w+)", said[0])[1]
    story.words = {"326b2a003636f96dcadf65616bd22f2a121d62250c1c0dcef26752dc2f789b47": head}
    story.next()


@story("*/10 * * * *")
def started_by_cron(story, _request):
    book = story.stage.write("/etc/runbooks/rotate.yaml", RUNBOOKS["values"].text)
    story.words = {"/etc/runbooks/rotate.yaml": str(book)}
    assert story.next() == ""
    assert [run["status"] for run in story.stage.json("history")] == ["succeeded"]


@story("*/5 * * * *", "soak")
def resumed_by_cron(story, _request):
    story.run("run example.yaml --park", code=5)
    assert story.next() == ""
    story.run(f"resume {story.newest()}")  # its time had come, or comes now
    assert [run["status"] for run in story.stage.json("history")] == ["succeeded"]


@story("durun secret set", "every-secret-key")
def secrets(story, _request):
    stage = story.stage
    stage.write("rotate.yaml", (stage.work / "example.yaml").read_text("utf-8"))
    stage.program("pass", "case $2 in vault/pin) echo 471147;; *) echo key-of-deploy;; esac")
    story.next(stdin="a-new-password\n")
    assert "admin       keyring  ok" in story.next()
    story.next()


@story("dbus-run-session -- bash", "every-secret-key")
def keyring_on_a_server(story, _request):
    stage, home = story.stage, story.stage.place / "server"
    home.mkdir()
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        stage.env.pop(name, None)
    stage.env |= {"HOME": str(home), "PATH": f"{stage.env['PATH']}:{os.environ['PATH']}"}
    assert "hint: start one (on a server: `dbus-run-session -- bash`" in story.run("secret set shop ada", code=9)
    session, unlock = (story.take().line for _ in range(2))
    for typed, shown in (("printf new | durun secret set shop ada", "stored"), ("durun secret list", "shop     ada")):
        code, said = stage.shell(session, f"{unlock}\nof the keyring\n{typed}\n")
        assert code == 0 and shown in said, said


@story("$ durun resume\nrun s7js7s5527", "tell-customers")
def in_doubt(story, _request):
    story.stage.program("./send-mail.sh")
    text = story.stage.work / "send-mail.sh"
    text.write_text(text.read_text("utf-8").replace("\nname=", "\necho connecting to mail.example\nname="))
    story.stage.kill_at(2, everything=True)
    assert story.stage.durun(["run", "example.yaml"])[0] == -signal.SIGKILL
    story.words = {"s7js7s5527": story.newest()}
    story.next(code=3)
    while not story.over():
        story.next()
    assert story.stage.calls() == {"send-mail.sh": 4}


@story("durun plan many-targets.yaml", "many-targets")
def many(story, _request):
    story.stage.write("many-targets.yaml", (story.stage.work / "example.yaml").read_text("utf-8"))
    assert "web6, web7" in story.next()
    story.next()
    assert [call.split()[1] for call in story.stage.called()] == ["web7", "web9"]
    story.stage.program("ssh", '[ "$1" != web9 ] || [ -e "$stage/mended" ] || { echo no room; exit 1; }')
    story.run("run example.yaml", code=1)
    story.words = {"RUN": story.newest()}
    assert "exit code 1" in story.next()
    assert "no room" in story.next()
    story.stage.write("/mended", "")
    assert "succeeded" in story.next()


@story("durun run new-tenant.yaml", "new-tenant")
def undone(story, _request):
    story.stage.write("new-tenant.yaml", (story.stage.work / "example.yaml").read_text("utf-8"))
    story.next()
    story.words = {"RUN": story.newest()}
    assert "rolled back" in story.next()


def asks(story: Story, request: pytest.FixtureRequest) -> list[Person]:
    """A run that waits for people: those people."""
    story.run("run example.yaml", code=5)
    story.words["RUN"] = story.newest()
    found: list[Person] = request.getfixturevalue("colleagues")
    return found


@story("$ durun run change-password.yaml", "change-password")
def waits(story, request):
    request.getfixturevalue("colleagues")
    story.stage.write("change-password.yaml", (story.stage.work / "example.yaml").read_text("utf-8"))
    story.words = {"alice": NAMES[0], "group:dba": f"group:{GROUP}", "by ops,": f"by {name_of(whoami())},"}
    story.next(code=5)


@story("durun show RUN                                  # what is asked", "change-password")
def asked(story, request):
    story.words["[STEP]"] = "approved"
    alice, carol = asks(story, request)
    assert "Rotate the password under CHG0042?" in story.next()
    story.next(by=alice, again=True)
    story.next(by=carol)
    story.run("resume --all", code=5)
    approved = story.words["RUN"]
    asks(story, request)
    story.next(code=6)
    story.words["RUN"] = approved
    story.stage.write("photo.jpg", "")
    story.next()
    asks(story, request)
    for person in (alice, carol):
        person.durun(story.stage.place / "state", "approve", story.words["RUN"], "--set", "window=5")
    story.run("resume --all", code=5)
    story.next(code=1)


@story("durun doctor --share oncall", "every-privilege-key")
def shared(story, request):
    alice, _ = asks(story, request)
    story.words |= {"oncall": alice.name, "/var/lib/durun": str(story.stage.place / "state")}
    story.next()
    assert "(you may)" in story.next(by=alice)
    story.next(by=alice)
    story.next()
    assert [run["status"] for run in story.stage.json("history")] == ["succeeded"]


@pytest.mark.parametrize(
    ("name", "block"),
    [
        pytest.param(STORIES[begins][0], block, id=begins[:40])
        for block in SHELL
        for begins in claimed(block, dict(STORIES))
    ],
)
def test_commands_do_what_the_readme_says(name, block, stage, request):
    told = Story(stage, block)
    (begins,) = claimed(block, dict(STORIES))
    (stage.work / "runbooks").symlink_to(".")
    STORIES[begins][1](told, request)
    assert told.over(), "not everything was typed"
