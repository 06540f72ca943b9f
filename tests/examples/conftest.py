"""A stage for each example, as `stages.yaml` describes it, and the colleagues whom some need."""

from __future__ import annotations

import grp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.keyring import PROGRAMS, start_keyring
from daemons.people import Person, people
from daemons.process import place
from daemons.web import Authority, Web, web
from examples.blocks import INCLUDED, ROOT, RUNBOOKS
from examples.stage import GROUP, NAMES, STAGES, Stage
from packages import install_readme


@pytest.fixture(scope="module")
def colleagues() -> Iterator[list[Person]]:
    if os.geteuid() != 0:
        pytest.skip("only root can make users")
    with people(GROUP, *NAMES) as made:
        yield made


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signs for the server of `tls`, and for its client `durun`."""
    made = Authority(tmp_path / "tls")
    made.issue("durun")
    return made


@pytest.fixture
def closed_server(authority: Authority, server: Web) -> Iterator[Web]:
    """A server that wants a certificate of its clients, and answers as the other one."""
    with web(authority.server(asks=True)) as made:
        made.answers = server.answers
        yield made


@pytest.fixture
def stage(name: str, server: Web, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage with what the example needs, which the test's parameter `name` names; it is there as `example.yaml`."""
    given = STAGES[name]
    with place("example") as folder:
        made = Stage(folder, server, given.get("env", {}))
        if "keyring" not in given:
            set_up(made, name, request)
            yield made
            return
        if any(shutil.which(program) is None for program in PROGRAMS):
            pytest.skip("no keyring here")
        (tmp_path / "keyring").mkdir()
        with start_keyring(tmp_path / "keyring") as keyring:
            made.env |= {name: value for name, value in keyring.env.items() if name != "HOME"}
            for service, username, value in given["keyring"]:
                keyring.put(service, username, value.replace("PORT", str(server.port)))
            set_up(made, name, request)
            yield made


def set_up(stage: Stage, name: str, request: pytest.FixtureRequest) -> None:
    given = STAGES[name]
    shutil.copytree(ROOT / "runbooks", stage.work, dirs_exist_ok=True)
    if given.get("plugins"):
        install_readme(stage.place / "site")
        stage.env["PYTHONPATH"] += f"{os.pathsep}{stage.place / 'site'}"
    programs = given.get("programs", {})
    for program in programs:
        stage.program(program, programs[program] if isinstance(programs, dict) else "")
    for file, text in given.get("files", {}).items():
        stage.write(file, text)
    for file, text in given.get("secret_files", {}).items():
        stage.secret_file(file, text)
    for path, answer in given.get("web", {}).items():
        stage.answer(f"/{path}", answer)
    people_here = {"GROUP": GROUP, "PERSON1": NAMES[0], "MINE": grp.getgrgid(os.getgid()).gr_name}
    replace = dict(given.get("replace", {}))
    for word, meant in people_here.items():
        replace = {old: new.replace(word, meant) for old, new in replace.items()}
    if given.get("people"):
        request.getfixturevalue("colleagues")
        stage.durun(["doctor", "--share", GROUP])
    if "tls" in given:
        stage.closed = {host: request.getfixturevalue("closed_server").url for host in given["tls"]}
        shutil.copytree(request.getfixturevalue("authority").folder, stage.work / "tls")
        (stage.work / "tls" / "ca.pem").rename(stage.work / "tls" / "company-ca.pem")
        stage.secret_file("client.key", (stage.work / "tls" / "durun.key").read_text("utf-8"))
    block = RUNBOOKS[name.partition(",")[0]]
    for file, other in {**INCLUDED, "example.yaml": block}.items():
        stage.write(file, stage.adapt(other.text, replace if other is block else {}))
