"""The secrets of a run in one session: given when they are read, sealed, noted, and never part of what is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durun.actions.api import Process
from durun.config import Config
from durun.durable import write_durably
from durun.engine.ledger import Ledger
from durun.engine.local.discretion import open_secrecy
from durun.engine.local.folder import seal_context, sealed_path
from durun.engine.local.logs import read_log
from durun.engine.local.names import log_path
from durun.engine.local.prepare import Launch, Preparer
from durun.engine.local.sealed_results import SealedResults
from durun.engine.local.secrecy import LocalSecrecy
from durun.engine.secrecy import render_discreetly
from durun.engine.targets import Targets
from durun.engine.values import Values
from durun.errors import SecretUnavailable
from durun.language.outputs import OutputError
from durun.language.targets import TargetError
from durun.model import event as ev
from durun.model.task import TaskKey
from durun.model.values import Expression, Template
from durun.secrets import known
from durun.secrets.seal import seal
from stored import everything

BOOK = """
secrets: {pw: {env: SECRET_PW}, per: {env: "${{ target }}"}}
steps:
  - id: make
    run: x
    outputs: {token: {secret: true}, name: {}}
  - id: use
    run: x
    env: {PW: "${{ secrets.pw }}", T: "u:${{ steps.make.outputs.token }}", PLAIN: "a b"}
    stdin: "${{ secrets.pw }}"
    secret_files: {KEY: "${{ secrets.pw }}"}
  - id: fan
    targets: {file: list.json}
    secret_fields: [dsn]
    target_key: ${{ target.name }}
    run: x
    env: {DSN: "${{ target.dsn }}"}
"""
USE, MAKE, FAN = TaskKey("use"), TaskKey("make"), TaskKey("fan")


@pytest.fixture(autouse=True)
def _own_redactor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test notes must not be taken out of what another one says."""
    monkeypatch.setattr(known, "_redactors", [])
    monkeypatch.setenv("SECRET_PW", "hunter2hunter2")
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def made(told: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., tuple[Any, LocalSecrecy]]]:
    """A run of a runbook, and its secrecy; again: that of another session of it."""
    opened: list[LocalSecrecy] = []
    folder = tmp_path / "home" / "runs" / "r1"
    (folder / "attempts" / "1").mkdir(parents=True)

    def make(text: str = BOOK, run: Any = None) -> tuple[Any, LocalSecrecy]:
        run = run or told(text)
        opened.append(LocalSecrecy(tmp_path / "home", folder, str(tmp_path), run.runbook))
        return run, opened[-1]

    yield make
    for secrecy in opened:
        secrecy.close()


def launched(run: Any, secrecy: LocalSecrecy, key: TaskKey = USE) -> Launch:
    preparer = Preparer(run.state, run.plan, run.runbook, secrecy.vault._run_folder, run.clock, secrecy)
    call = preparer.step(key).call
    assert call is not None
    work = preparer.work(key, call)
    assert isinstance(work, Process)
    return preparer.launch(key, call, work, 1)


def wrote(secrecy: LocalSecrecy, folder: int = 1, **parts: Any) -> None:
    """What a supervisor seals of an attempt; texts as they were written."""
    import base64

    def encoded(part: Any) -> Any:
        if isinstance(part, list):
            return [(at, encoded(text)) for at, text in part]
        return base64.b64encode(part.encode()).decode()

    place = secrecy.vault._run_folder / "attempts" / str(folder)
    content = json.dumps({name: encoded(part) for name, part in parts.items()}).encode()
    write_durably(sealed_path(place), seal(secrecy._key.public(), content, seal_context(place)))


def results(run: Any, secrecy: LocalSecrecy) -> SealedResults:
    folder = secrecy.vault._run_folder
    return SealedResults(Preparer(run.state, run.plan, run.runbook, folder, run.clock, secrecy), secrecy, folder)


def test_a_secret_is_had_anew_by_each_session(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, secrecy = made()
    scope = Values(run.state, run.plan, run.runbook, secrecy).scope(USE)
    value = Template((Expression("secrets.pw"),))
    assert render_discreetly(value, scope, secrecy).value == "hunter2hunter2"
    monkeypatch.setenv("SECRET_PW", "another-one")
    _, later = made(run=run)
    assert Values(run.state, run.plan, run.runbook, later).scope(USE)["secrets"]["pw"] == "another-one"


def test_what_is_told_of_a_value_has_its_source_where_a_secret_stood(made: Any) -> None:
    run, secrecy = made()
    scope = Values(run.state, run.plan, run.runbook, secrecy).scope(USE)
    value = {"a": Template(("x ", Expression("secrets.pw | upper"))), "b": "plain"}
    rendered = render_discreetly(value, scope, secrecy)
    assert rendered.value == {"a": "x HUNTER2HUNTER2", "b": "plain"}
    assert rendered.told == {"a": "x ${{ secrets.pw | upper }}", "b": "plain"}
    assert secrecy.scrub("HUNTER2HUNTER2 and hunter2hunter2") == "*** and ***"


def test_a_missing_secret_says_which_and_from_where(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, secrecy = made()
    monkeypatch.delenv("SECRET_PW")
    _, later = made(run=run)
    with pytest.raises(SecretUnavailable, match=r"secret pw: .*SECRET_PW"):
        later.declared("pw", {})
    assert secrecy.declared("pw", {}) == "hunter2hunter2"


def test_a_launch_has_the_values_and_its_digest_has_not(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, secrecy = made()
    run.begun("make")
    run.tell(ev.TaskSucceeded(step="make", how="ran", sealed=secrecy.seal("sealed/a1", {"token": "tok-12345678"})))
    launch = launched(run, secrecy)
    assert (launch.env["PW"], launch.env["T"], launch.stdin) == ("hunter2hunter2", "u:tok-12345678", "hunter2hunter2")
    assert launch.discretion is not None and launch.discretion.files == {"KEY": "hunter2hunter2"}
    assert {"hunter2hunter2", "tok-12345678"} <= set(secrecy.untold())
    monkeypatch.setenv("SECRET_PW", "rotated-meanwhile")
    assert launched(*made(run=run)).request == launch.request


def test_the_supervisor_is_told_each_value_once_and_another_one_all(made: Any) -> None:
    run, secrecy = made()
    run.begun("make")
    run.tell(ev.TaskSucceeded(step="make", how="ran", sealed=secrecy.seal("sealed/a1", {"token": "tok-12345678"})))
    launched(run, secrecy)
    assert {"hunter2hunter2", "tok-12345678"} <= set(secrecy.untold())
    launched(run, secrecy)
    assert secrecy.untold() == []
    secrecy.note("made-meanwhile")
    assert secrecy.untold() == ["made-meanwhile"]
    secrecy.tell_again()
    assert {"hunter2hunter2", "tok-12345678", "made-meanwhile"} <= set(secrecy.untold())


def test_a_secret_is_had_once_for_an_attempt_and_anew_for_the_next(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secrecy = made()
    given = iter("abc")
    monkeypatch.setattr(secrecy._resolver, "get", lambda *_: next(given) * 10)
    for value in ("a" * 10, "b" * 10):
        secrecy.begin()
        assert [secrecy.declared("pw", {}), secrecy.declared("pw", {})] == [value, value]


def test_a_step_that_gets_a_value_too_short_to_be_found_is_mute(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_PW", "12")
    run, secrecy = made("secrets: {pw: {env: SECRET_PW}}\nsteps: [{id: use, run: x, env: {A: '${{ secrets.pw }}'}}]")
    assert launched(run, secrecy).mute
    assert secrecy.probe({"pw": {}}) == ["pw"]


def test_a_sealed_value_is_read_by_a_later_session(made: Any) -> None:
    run, secrecy = made()
    seals = secrecy.seal("sealed/a1", {"token": "tok-12345678", "more": {"a": ["deep-value"]}})
    assert seals["token"]["fingerprint"] == secrecy.fingerprint("tok-12345678") != seals["more"]["fingerprint"]
    assert b"tok-12345678" not in everything(secrecy.vault._run_folder)
    _, later = made(run=run)
    assert later.sealed(seals["token"], "token") == "tok-12345678"
    assert later.sealed(seals["more"], "more") == {"a": ["deep-value"]}
    assert later.scrub("deep-value") == "***"


def test_a_sealed_file_in_the_place_of_another_is_refused(made: Any) -> None:
    run, secrecy = made()
    seals = secrecy.seal("sealed/a1", {"token": "tok-12345678"})
    folder = secrecy.vault._run_folder / "sealed"
    os.rename(folder / "a1", folder / "a2")  # noqa: PTH104
    _, later = made(run=run)
    with pytest.raises(SecretUnavailable, match=r"a2.*can't be opened"):
        later.sealed({**seals["token"], "at": "sealed/a2"}, "token")


def test_what_earlier_sessions_sealed_is_out_of_sight_from_the_start(made: Any) -> None:
    run, secrecy = made()
    run.begun("make")
    run.tell(ev.TaskSucceeded(step="make", how="ran", sealed=secrecy.seal("sealed/a1", {"token": "tok-12345678"})))
    known._redactors.clear()
    _, later = made(run=run)
    assert later.scrub("it is tok-12345678") == "it is tok-12345678"
    later.recall(run.state)
    assert later.scrub("it is tok-12345678") == "it is ***"


def test_secret_outputs_are_sealed_and_plain_ones_told(made: Any) -> None:
    run, secrecy = made()
    wrote(secrecy, output="token=tok-12345678\nname=x\n")
    outputs = results(run, secrecy).outputs(MAKE, 1)
    assert outputs.plain == {"name": "x"}
    assert secrecy.vault.get(outputs.sealed["token"]["at"]) == {"token": "tok-12345678"}


def test_a_plain_output_that_holds_a_secret_is_refused(made: Any) -> None:
    run, secrecy = made()
    wrote(secrecy, output="token=tok-12345678\nname=it is tok-12345678\n")
    with pytest.raises(OutputError, match="`name` holds the value of a secret: declare it"):
        results(run, secrecy).outputs(MAKE, 1)


def test_stderr_that_was_held_back_is_shown_when_the_outputs_are_known(made: Any) -> None:
    run, secrecy = made()
    wrote(secrecy, output="token=tok-12345678\nname=x\n", stderr=[(0.5, "gave tok-123"), (1.5, "45678\n")])
    outputs = results(run, secrecy).outputs(MAKE, 1)
    place = secrecy.vault._run_folder / "attempts" / "1"
    assert [(record.at, record.data) for record in read_log(place)] == [
        ("1970-01-01T00:00:00.500Z", b"gave "),
        ("1970-01-01T00:00:01.500Z", b"***\n"),
    ]
    assert outputs.log["stderr"]["bytes"] == 9
    results(run, secrecy).outputs(MAKE, 1)
    assert len(list(read_log(place))) == 2 and Path(log_path(place)).stat().st_mode & 0o777 == 0o600


def test_the_log_of_a_step_that_failed_shows_nothing_secret(made: Any) -> None:
    run, secrecy = made()
    wrote(secrecy, output="token=tok-12345678\nrubbish\n", stderr=[(0.5, "no: tok-12345678\n")])
    told = {"stdout": {"bytes": 3, "hmac_sha256": "x", "cut": True}}
    log = results(run, secrecy).log(MAKE, 1, told)
    assert log["stdout"] == told["stdout"] and log["stderr"]["bytes"] == len("no: ***\n")
    assert b"tok-12345678" not in everything(secrecy.vault._run_folder)


def targets_of(run: Any, secrecy: LocalSecrecy, listed: bytes) -> Targets:
    class Deaf:
        def saw(self, events: Any, state: Any) -> None:
            return

    preparer = Preparer(run.state, run.plan, run.runbook, secrecy.vault._run_folder, run.clock, secrecy)
    ledger = Ledger(run.journal, run.state, run.plan, run.clock, Deaf(), secrecy)  # type: ignore[arg-type]
    targets = Targets(ledger, preparer, lambda _name, _private: listed)
    source = run.runbook.steps[2].fan_out.source
    targets.resolve(FAN, targets.listed(FAN, source))
    return targets


def test_the_secret_fields_of_targets_are_sealed_and_read_by_their_tasks(made: Any) -> None:
    run, secrecy = made()
    targets_of(run, secrecy, b'[{"name": "a", "dsn": "pg://u:pw-aaaa@h"}, {"name": "b"}]')
    resolved = run.state.resolved["fan", 0]
    assert dict(resolved.index) == {"a": {"name": "a"}, "b": {"name": "b"}}
    assert b"pw-aaaa" not in everything(secrecy.vault._run_folder)
    launch = launched(run, secrecy, TaskKey("fan", "a"))
    assert launch.env["DSN"] == "pg://u:pw-aaaa@h" and launch.env["TARGET"] == '{"name": "a"}'


def test_targets_that_are_listed_as_before_are_not_said_to_differ(made: Any) -> None:
    run, secrecy = made()
    listed = b'[{"name": "a", "dsn": "pg://u:pw-aaaa@h"}]'
    assert targets_of(run, secrecy, listed).differing() == []


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ('[{"name": "a", "dsn": "pw-aaaaaa", "note": "has pw-aaaaaa"}]', "a target holds a secret in the open"),
        ('[{"name": "hunter2hunter2", "dsn": "x"}]', "a target holds a secret in the open"),
    ],
)
def test_a_secret_in_another_field_of_a_target_is_refused(made: Any, listed: str, why: str) -> None:
    run, secrecy = made()
    secrecy.declared("pw", {})
    with pytest.raises(TargetError, match=why):
        targets_of(run, secrecy, listed.encode())


def test_no_event_tells_a_secret(made: Any) -> None:
    run, secrecy = made()
    secrecy.declared("pw", {})
    ledger = Ledger(run.journal, run.state, run.plan, run.clock, None, secrecy)  # type: ignore[arg-type]
    ledger.emit(ev.TaskFailed(step="use", code="x", reason="can't log in with hunter2hunter2"))
    assert run.state.tasks[USE].reason == "can't log in with ***"


def test_all_that_was_sealed_is_destroyed(made: Any) -> None:
    _, secrecy = made()
    secrecy.vault.mark()
    secrecy.seal("sealed/a1", {"token": "tok-12345678"})
    wrote(secrecy, output="token=x\n")
    secrecy.vault.destroy()
    secrecy.vault.unmark()
    folder = secrecy.vault._run_folder
    assert not list(folder.glob("sealed*")) + list(folder.glob("attempts/*/sealed"))
    assert not list((folder.parents[1] / "sealing").iterdir())
    secrecy.vault.destroy()


def test_a_run_that_had_secrets_keeps_its_secrecy_under_a_runbook_without(made: Any, told: Any, tmp_path: Path) -> None:
    config, plain = Config(tmp_path / "home"), told("steps: [{id: a, run: x}]").runbook
    assert open_secrecy(config, "r1", str(tmp_path), plain) is None
    _, secrecy = made()
    secrecy.vault.mark()
    kept = open_secrecy(config, "r1", str(tmp_path), plain)
    assert kept is not None
    kept.close()
