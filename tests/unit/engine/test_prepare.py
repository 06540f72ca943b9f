from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durun.actions.api import Process
from durun.engine.local.prepare import Launch, Preparer
from durun.errors import StorageFailed
from durun.language.expressions import ExpressionError
from durun.model import event as ev
from durun.model.task import TaskKey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "runs" / "r1"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def launch(told: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Launch]:
    """What is started for step `a` of these lines; `target` one of `targets`, other keywords are inputs."""
    for name in ("LANG", "LC_ALL", "TERM", "COLORTERM", "LANGUAGE", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("APP_TOKEN", "t")
    monkeypatch.setenv("OTHER", "o")

    def make(text: str, targets: Any = None, attempt: int = 1, tell: Any = (), **inputs: Any) -> Launch:
        run = told(text, **inputs)
        run.tell(*tell) if tell else None
        if targets is not None:
            run.targets("a", **targets)
        preparer = Preparer(run.state, run.plan, run.runbook, folder, run.clock)
        key = TaskKey("a", None if targets is None else next(iter(targets)))
        call = preparer.step(key).call
        assert call is not None
        work = preparer.work(key, call)
        assert isinstance(work, Process)
        return preparer.launch(key, call, work, attempt)

    return make


def test_an_argv_is_started_as_it_is(launch: Callable[..., Launch], tmp_path: Path) -> None:
    found = launch("steps: [{id: a, run: [printf, '%s', '${{ inputs.n }}']}]\ninputs: {n: {type: integer}}", n=3)
    assert found.argv == ["printf", "%s", "3"]
    assert (found.cwd, found.stdin, found.timeout) == (str(tmp_path), None, None)


def test_a_script_is_a_file_of_the_run_that_only_its_owner_reads(launch: Callable[..., Launch], folder: Path) -> None:
    found = launch("steps: [{id: a, run: 'echo é\n\n  exit 3'}]")
    path = folder / "scripts" / "a.run.sh"
    assert found.argv[-1] == str(path)
    assert found.argv[0] in ("sh", "bash")
    assert "echo é" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_disk_that_refuses_the_script_is_a_storage_failure(launch: Callable[..., Launch], folder: Path) -> None:
    (folder / "scripts").write_text("in the way")
    with pytest.raises(StorageFailed) as refused:
        launch("steps: [{id: a, run: x}]")
    assert "scripts" in refused.value.message


def test_the_environment_is_made_of_what_is_named(launch: Callable[..., Launch], folder: Path) -> None:
    found = launch(
        """
inputs: {who: {default: ada}, list: {type: array, default: [1]}, none: {type: string}}
env: {SHARED: top, OVER: top}
inherit_env: [APP_*]
steps:
  - id: a
    run: [x]
    env: {OVER: "${{ inputs.who }}", HOME: null, NUMBER: 7}
""",
        who="bob",
        list=[1, "b"],
        none=None,
    )
    facts = {name: value for name, value in found.env.items() if not name.startswith("DURUN_")}
    assert facts == {
        "PATH": "/bin:/usr/bin",
        "APP_TOKEN": "t",
        "INPUT_WHO": "bob",
        "INPUT_LIST": '[1, "b"]',
        "SHARED": "top",
        "OVER": "bob",
        "NUMBER": "7",
    }


def test_durun_tells_every_step_what_it_is(launch: Callable[..., Launch], folder: Path) -> None:
    ending = ev.FinallyStarted(round=1, status="failed", tasks=1)
    found = launch("steps: [{id: a, run: [x]}]", attempt=3, tell=[ending])
    facts = {name: value for name, value in found.env.items() if name.startswith("DURUN_")}
    assert len(facts.pop("DURUN_IDEMPOTENCY_KEY")) == 32
    assert facts == {
        "DURUN_RUN_ID": "r1",
        "DURUN_STEP_ID": "a",
        "DURUN_ATTEMPT": "3",
        "DURUN_WORK": str(folder / "work"),
        "DURUN_RUN_STATUS": "failed",
    }


def test_a_target_is_in_the_environment(launch: Callable[..., Launch]) -> None:
    book = "steps: [{id: a, targets: [web], run: [x]}]"
    found = launch(book, targets={"web": {"name": "web", "ip-4": "10.0.0.1", "up": True}})
    assert found.env["DURUN_TARGET_KEY"] == "web"
    assert (found.env["TARGET_NAME"], found.env["TARGET_IP_4"], found.env["TARGET_UP"]) == ("web", "10.0.0.1", "true")


def test_folder_stdin_and_timeout(launch: Callable[..., Launch], tmp_path: Path) -> None:
    book = """
inputs: {sub: {}, wait: {}}
steps:
  - id: a
    run: [x]
    working_directory: ${{ inputs.sub }}
    stdin: to ${{ inputs.sub }}
    timeout: ${{ inputs.wait }}
"""
    found = launch(book, sub="inner", wait="1m30s")
    assert (found.cwd, found.stdin, found.timeout) == (str(tmp_path / "inner"), "to inner", 90.0)
    assert launch(book, sub="/srv", wait="1s").cwd == "/srv"
    with pytest.raises(ExpressionError) as refused:
        launch(book, sub="x", wait="soon")
    assert "'soon' is not a duration" in refused.value.message


def test_two_requests_are_the_same_if_nothing_that_was_asked_differs(launch: Callable[..., Launch]) -> None:
    def request(a: str, **more: Any) -> str:
        return launch(f"steps: [{{id: a, run: {a}}}]\ninputs: {{n: {{}}}}", n="1", **more).request

    same = request("[x, '${{ inputs.n }}']")
    assert request("[x, '1']", attempt=2) == same
    assert len({same, request("[x, '2']"), request("[x], env: {A: b}"), request("[x], stdin: b"), request("x")}) == 5
    assert len({same, request("[x, '1'], working_directory: sub")}) == 2


def test_a_verify_takes_surroundings_from_its_step(told: Callable[..., Any], folder: Path, tmp_path: Path) -> None:
    run = told(
        """
steps:
  - id: a
    run: [x]
    env: {A: step, B: step}
    working_directory: sub
    verify: {run: "exit 0", env: {B: verify}}
"""
    )
    preparer = Preparer(run.state, run.plan, run.runbook, folder, run.clock)
    step = preparer.step(TaskKey("a"))
    assert step.verify is not None
    work = preparer.work(TaskKey("a"), step.verify.call)
    assert isinstance(work, Process)
    found = preparer.launch(TaskKey("a"), step.verify.call, work, 1, step.call, "before")
    assert (found.env["A"], found.env["B"], found.cwd) == ("step", "verify", str(tmp_path / "sub"))
    assert found.argv[-1].endswith("a.before.sh")
