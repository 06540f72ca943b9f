"""Every runbook of the READMEs runs, on a stage: killed in the middle and resumed, if there is somebody to kill it."""

from __future__ import annotations

import shlex
import signal
from typing import Any

import pytest

from examples.blocks import ALL, RUNBOOKS
from examples.stage import STAGES, Stage

KEYS = {"run", "type", "programs", "files", "secret_files", "web", "tls", "env", "keyring", "people", "plugins"}
KEYS |= {"replace", "calls", "asks", "has", "lost"}


def test_every_runbook_has_a_stage():
    assert len(RUNBOOKS) == sum(block.kind == "yaml" for block in ALL), "two runbooks have the same name"
    assert {name.partition(",")[0] for name in STAGES} == set(RUNBOOKS)
    assert [key for stage in STAGES.values() for key in stage if key not in KEYS] == []


CALLING = [name for name, given in STAGES.items() if given.get("calls")]
"""Those that call a stand-in: it kills durun in the middle."""


@pytest.mark.parametrize("name", [name for name in STAGES if name not in CALLING])
def test_it_runs(name, stage, request):
    play(stage, STAGES[name], request)
    assert done(stage, STAGES[name]) == expected(STAGES[name]), stage.called()


@pytest.mark.parametrize("name", CALLING)
def test_it_is_killed_in_the_middle_and_does_nothing_twice(name, stage, request):
    stage.kill_at((sum(STAGES[name]["calls"].values()) + 1) // 2)
    play(stage, STAGES[name], request)
    assert stage.killed
    assert done(stage, STAGES[name]) == expected(STAGES[name]), stage.called()


@pytest.mark.parametrize("name", [name for name, given in STAGES.items() if "lost" in given])
def test_it_is_killed_with_its_step_and_goes_on_as_the_cookbook_says(name, stage, request):
    lost = {**STAGES[name], **STAGES[name]["lost"]}
    stage.kill_at(lost["at"], everything=True)
    play(stage, lost, request)
    assert stage.killed
    assert done(stage, lost) == expected(lost), stage.called()


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


def done(stage: Stage, given: dict[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    """How often each stand-in was called, and what the files hold."""
    calls = stage.calls()
    for name in given.get("asks", ()) if stage.killed else ():
        calls[name] = min(calls[name], given["calls"][name])
    return dict(calls), {file: (stage.place / file).read_text("utf-8").strip() for file in given.get("has", {})}


def expected(given: dict[str, Any]) -> tuple[dict[str, int], dict[str, str]]:
    return given.get("calls", {}), given.get("has", {})


def typed(stage: Stage, entry: dict[str, Any], request: pytest.FixtureRequest) -> tuple[int, str]:
    words = shlex.split(entry["durun"])
    if "as" not in entry:
        return stage.durun(words, entry.get("stdin", ""))
    colleague = request.getfixturevalue("colleagues")[entry["as"] - 1]
    (run,) = stage.json("history")
    done = colleague.durun(stage.place / "state", *(run["id"] if word == "RUN" else word for word in words))
    return done.returncode, done.stdout + done.stderr
