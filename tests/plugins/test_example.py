"""The example of a plugin package, installed by pip beside durun as a user installs it, and used as one uses it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.web import Exchange, Web, web
from packages import files_of_readme

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TOKEN = "tok-83e0c1d5f2"
PIP = ("-m", "pip", "--disable-pip-version-check", "--quiet")


class User:
    """Somebody with a virtual environment of their own, in which durun and the plugin are installed."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.bin = place / "venv" / "bin"
        self.env = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(place), "LANG": "C.UTF-8"}
        self.env |= {"DURUN_HOME": str(place / "state"), "DURUN_LAST_OK": "1", "PIP_NO_INDEX": "1", "DURUN_SYSLOG": ""}

    def install(self, source: Path) -> None:
        self.pip("install", "--no-deps", "--no-build-isolation", str(source))

    def pip(self, *words: str) -> None:
        ended = subprocess.run(
            [sys.executable, *PIP, "--python", str(self.bin / "python"), *words],
            env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.bin / "durun"), *words], env=self.env, cwd=self.place, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate()
        assert process.returncode == code, f"{words}\n{out}\n{err}"
        return out + err

    def task(self, step: str) -> Any:
        return next(task for task in json.loads(self("show", "@last", "--json"))["tasks"] if task["step"] == step)

    def tickets(self) -> int:
        return len(list((self.place / "tickets").glob("*.json")))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> User:
    place = tmp_path_factory.mktemp("user")
    venv.create(place / "venv", with_pip=False, symlinks=True)
    site = next((place / "venv" / "lib").glob("python*/site-packages"))
    # What durun needs is not installed once more: there is no network here. What is installed here comes first.
    (site / "needed.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    user = User(place)
    user.install(ROOT)
    return user


@pytest.fixture
def user(installed: User) -> Iterator[User]:
    shutil.copytree(HERE / "durun-example", installed.place / "source")
    installed.install(installed.place / "source")
    shutil.copy(HERE / "durun-example" / "runbook.yaml", installed.place)
    (installed.place / "box.json").write_text(json.dumps({"token": TOKEN}))
    (installed.place / "tickets").mkdir()
    (installed.place / "tickets" / "token").write_text(TOKEN)
    yield installed
    installed.pip("uninstall", "--yes", "durun-example", "durun-acme")
    for name in ("source", "tickets", "state"):
        shutil.rmtree(installed.place / name, ignore_errors=True)


def test_both_kinds_are_listed_checked_and_used(user: User) -> None:
    listed = user("doctor")
    assert "actions: example.list (durun-example 1.0.0), example.ticket (durun-example 1.0.0)" in listed
    assert "providers of secrets: example_box (durun-example 1.0.0)" in listed
    assert user("validate", "runbook.yaml") == "runbook.yaml: ok\n"
    planned = user("plan", "runbook.yaml")
    assert "example.ticket of durun-example 1.0.0 (for ticket)" in planned and "example_box  ok" in planned
    assert "uses example.ticket" in user("graph", "runbook.yaml")
    user("run", "runbook.yaml")
    ticket = user.task("ticket")
    assert ticket["outputs"] == {"number": 1} and ticket["attempts"][0]["plugin"] == "durun-example 1.0.0"
    assert user("logs", "@last", "tell") == "ticket 1\n"
    assert "tickets.json" in user("show", "@last", "--step", "listed")
    assert "by durun-example 1.0.0" in user("show", "@last", "--step", "ticket")
    user("report", "@last", "-o", "report.html")
    report = (user.place / "report.html").read_text()
    assert "uses example.ticket" in report and "example.ticket of durun-example 1.0.0" in report
    user("verify", "@last")


@pytest.mark.fault(3)
def test_a_killed_runner_costs_nothing(user: User) -> None:
    gate = user.place / "tickets" / "gate"
    os.mkfifo(gate)
    runner = user.start("run", "runbook.yaml")
    opened = os.open(gate, os.O_WRONLY)  # waits until the plugin listens
    runner.send_signal(signal.SIGKILL)
    runner.communicate()
    gate.unlink()
    resumed = user.start("resume", "@last")
    os.close(opened)
    assert resumed.wait() == 0, resumed.communicate()
    resumed.communicate()
    assert (user.task("ticket")["how"], user.tickets()) == ("adopted", 1)


def test_uninstalled_and_installed_again_in_another_version(user: User) -> None:
    (user.place / "tickets" / "token").write_text("another")
    assert "FAILED: the ticket system knows no such token" in user("run", "runbook.yaml", code=1)
    (user.place / "tickets" / "token").write_text(TOKEN)
    user.pip("uninstall", "--yes", "durun-example")
    assert "durun-example 1.0.0, which brings example.ticket (for ticket)" in user("plan", "@last")
    assert "provider example_box: no package brings this provider" in user("plan", "@last")
    assert f"install it: {user.bin / 'python'} -m pip install durun-example==1.0.0" in user("resume", "@last", code=4)
    project = user.place / "source" / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    user.install(user.place / "source")
    assert "installed is durun-example 1.1.0, with which it goes on" in user("plan", "@last")
    assert "durun-example 1.0.0 became durun-example 1.1.0" in user("resume", "@last")
    assert [attempt["plugin"] for attempt in user.task("ticket")["attempts"]] == [
        "durun-example 1.0.0", "durun-example 1.1.0",
    ]  # fmt: skip
    assert user.tickets() == 1


@pytest.fixture
def service() -> Iterator[Web]:
    """Where tickets are opened, found by their key and closed, as the README's plugin asks for it."""
    keys: dict[str, int] = {}

    def open_(exchange: Exchange) -> None:
        asked = json.loads(exchange.asked.body)
        keys[asked["key"]] = 40 + len(keys)
        exchange.drop() if asked["title"] == "lost" else exchange.say(201, {"number": keys[asked["key"]]})

    def find(exchange: Exchange) -> None:
        number = keys.get(exchange.path.rpartition("/")[2])
        exchange.say(404) if number is None else exchange.say(200, {"number": number})

    with web() as made:
        made.on("/tickets", open_)
        made.on("/tickets/*", find)
        yield made


README_BOOK = """\
durun: 1
name: readme
secrets: {tickets: {acme_box: tickets}}
steps:
  - id: ticket
    uses: acme.open_ticket
    with: {url: "%s", title: %s, token: "${{ secrets.tickets }}"}
    rollback: {uses: acme.close_ticket, with: {url: "%s", number: "${{ steps.ticket.outputs.number }}"}}
"""


@pytest.mark.parametrize(("title", "how"), [("Rotate the keys", "ran"), ("lost", "verified")])
def test_the_plugin_of_the_readme_is_one(user: User, service: Web, title: str, how: str) -> None:
    source = user.place / "source" / "acme"
    for name, text in files_of_readme().items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    user.install(source)
    listed = user("doctor")
    assert "acme.close_ticket (durun-acme 1.0), acme.open_ticket (durun-acme 1.0)" in listed
    assert "acme_box (durun-acme 1.0)" in listed and "ok    plugins" in listed
    (user.place / "box.json").write_text(json.dumps({"tickets": TOKEN}))
    (user.place / "readme.yaml").write_text(README_BOOK % (service.url, title, service.url))
    user("run", "readme.yaml")
    ticket = user.task("ticket")
    assert (ticket["how"], ticket["outputs"]) == (how, {"number": 40})
    opened = next(one for one in service.seen if one.method == "POST")
    assert opened.headers["authorization"] == f"Bearer {TOKEN}" and service.count("POST") == 1
    service.on("/tickets/*", lambda exchange: exchange.say(200, {"number": 40}))
    user("rollback", "@last", "--reason", "enough")
    assert (service.seen[-1].method, service.seen[-1].path) == ("DELETE", "/tickets/40")
