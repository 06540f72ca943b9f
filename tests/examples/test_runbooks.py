"""Every runbook of the READMEs runs, on a stage; once straight through, and once killed in the middle and resumed."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemons.keyring import PROGRAMS, start_keyring
from daemons.people import Person, people
from daemons.process import place
from daemons.web import Authority, Web, web
from examples.blocks import ALL, INCLUDED, ROOT, RUNBOOKS
from examples.stage import Stage

STAGES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("stages.yaml").read_text("utf-8"))
KEYS = frozenset("run type programs files secret_files web tls env keyring people replace calls asks has".split())  # noqa: SIM905
MARK = f"dx{os.getpid()}"
GROUP, NAMES = f"{MARK}g", (f"{MARK}a", f"{MARK}b")


def test_every_runbook_has_a_stage():
    assert len(RUNBOOKS) == sum(block.kind == "yaml" for block in ALL), "two runbooks have the same name"
    assert {name.partition(",")[0] for name in STAGES} == set(RUNBOOKS)
    assert [key for stage in STAGES.values() for key in stage if key not in KEYS] == []


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
def stage(server: Web, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage with what the example named by the test's parameter needs."""
    given = STAGES[request.getfixturevalue("name")]
    with place("example") as folder:
        made = Stage(folder, server, given.get("env", {}))
        if "keyring" not in given:
            set_up(made, given, request)
            yield made
            return
        if any(not Path("/usr/bin", program).exists() for program in PROGRAMS):
            pytest.skip("no keyring here")
        (tmp_path / "keyring").mkdir()
        with start_keyring(tmp_path / "keyring") as keyring:
            made.env |= {name: value for name, value in keyring.env.items() if name != "HOME"}
            for service, username, value in given["keyring"]:
                keyring.put(service, username, value.replace("PORT", str(server.port)))
            set_up(made, given, request)
            yield made


def set_up(stage: Stage, given: dict[str, Any], request: pytest.FixtureRequest) -> None:
    shutil.copytree(ROOT / "runbooks", stage.work, dirs_exist_ok=True)
    programs = given.get("programs", {})
    for program in programs:
        stage.program(program, programs[program] if isinstance(programs, dict) else "")
    for file, text in given.get("files", {}).items():
        stage.write(file, text)
    for file, text in given.get("secret_files", {}).items():
        stage.secret_file(file, text)
    for path, answer in given.get("web", {}).items():
        stage.answer(f"/{path}", answer)
    replace = dict(given.get("replace", {}))
    if given.get("people"):
        request.getfixturevalue("colleagues")
        stage.durun(["doctor", "--share", GROUP])
        replace = {old: new.replace("GROUP", GROUP).replace("PERSON1", NAMES[0]) for old, new in replace.items()}
    if "tls" in given:
        stage.closed = {host: request.getfixturevalue("closed_server").url for host in given["tls"]}
        shutil.copytree(request.getfixturevalue("authority").folder, stage.work / "tls")
        (stage.work / "tls" / "ca.pem").rename(stage.work / "tls" / "company-ca.pem")
        stage.secret_file("client.key", (stage.work / "tls" / "durun.key").read_text("utf-8"))
    block = RUNBOOKS[request.getfixturevalue("name").partition(",")[0]]
    for file, other in {**INCLUDED, "example.yaml": block}.items():
        stage.write(file, stage.adapt(other.text, replace if other is block else {}))


@pytest.mark.parametrize("name", STAGES)
def test_it_runs(name, stage, request):
    play(stage, STAGES[name], request)


@pytest.mark.parametrize("name", [name for name, given in STAGES.items() if given.get("calls")])
def test_it_is_killed_in_the_middle_and_does_nothing_twice(name, stage, request):
    (stage.place / "kill-at").write_text(str((sum(STAGES[name]["calls"].values()) + 1) // 2))
    play(stage, STAGES[name], request)
    assert (stage.place / "killed").exists()


def play(stage: Stage, given: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Type all of it; a command that was killed is followed by `durun resume`, as the README says."""
    for entry in given.get("type") or [{"durun": f"run example.yaml {given.get('run', '')}"}]:
        code, said = typed(stage, entry, request)
        if code == -signal.SIGKILL:
            code, said = stage.durun(["resume"])
        assert not said.startswith("example.yaml:"), f"durun warns of it: {said}"
        assert code == entry.get("exit", 0), said
        for part in entry.get("says", ()):
            assert part in said
    calls, killed = stage.calls(), (stage.place / "killed").exists()
    for name in given.get("asks", ()) if killed else ():
        calls[name] = min(calls[name], given["calls"][name])
    assert dict(calls) == given.get("calls", {}), stage.called()
    for file, text in given.get("has", {}).items():
        assert (stage.place / file).read_text("utf-8").strip() == text


def typed(stage: Stage, entry: dict[str, Any], request: pytest.FixtureRequest) -> tuple[int, str]:
    words = shlex.split(entry["durun"])
    if "as" not in entry:
        return stage.durun(words, entry.get("stdin", ""))
    colleague = request.getfixturevalue("colleagues")[entry["as"] - 1]
    (run,) = stage.json("history")
    done = colleague.durun(stage.place / "state", *(run["id"] if word == "RUN" else word for word in words))
    return done.returncode, done.stdout + done.stderr
