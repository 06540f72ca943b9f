"""The process of a step by a plugin: how each end of the plugin's code is told to durun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from durun.language.outputs import said_reason
from packages import install

ROOT = Path(__file__).parents[3]
HEAD = """\
import os, sys, threading
from durun.plugins import *
class Ticket(Action):
    schema = {}
    outputs = {"n": Output("integer"), "text": Output()}
    def run(self, call):
        %s
    def verify(self, call):
        %s
"""
GOOD = 'return {"n": 1, "text": "a"}'


class Ended(NamedTuple):
    code: int
    reason: str
    written: str
    out: str
    err: str


Act = Callable[..., Ended]


@pytest.fixture
def act(tmp_path: Path) -> Act:
    """act(run=CODE, verify=CODE, …): the end of the worker."""

    def play(
        run: str = GOOD, verify: str = 'return Unknown("?")', do: str = "run", stdin: str | None = None, **order: Any
    ) -> Ended:
        site = install(tmp_path / "site", HEAD % (run, verify))
        asked = {"do": do, "uses": "shop.ticket", "with": {"a": 1}, "secret": [], "gives": True, **order}
        output = tmp_path / "output"
        output.unlink(missing_ok=True)
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}{os.pathsep}{site}",
            "DURUN_OUTPUT": str(output),
            "DURUN_IDEMPOTENCY_KEY": "k" * 32,
            "DURUN_RUN_ID": "run",
            "DURUN_STEP_ID": "step",
            "DURUN_ATTEMPT": "2",
            "DURUN_PLUGIN": order.get("began", "durun-shop 1.0"),
        }
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "durun.plugins.worker"], input=json.dumps(asked) if stdin is None else stdin,
            env=env, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        written = output.read_bytes() if output.is_file() else b""
        return Ended(ended.returncode, said_reason(written), written.decode(), ended.stdout, ended.stderr)

    return play


def test_it_is_told_all_about_its_call(act: Act, tmp_path: Path) -> None:
    ended = act('call.log(repr(call[:7])); print(call.env["DURUN_RUN_ID"]); ' + GOOD)
    assert ended.code == 0
    assert ended.err == f"{({'a': 1}, 'k' * 32, 'run', 'step', None, 2, str(tmp_path))!r}\n"
    assert ended.out == "run\n"


@pytest.mark.parametrize("text", ["", "a=b", "one\ntwo\n", "n<<x\n5\nx", "ü\x1b"])
def test_outputs_come_as_they_are(act: Act, text: str) -> None:
    from durun.language.outputs import collect_outputs
    from durun.model.runbook import Output

    ended = act(f'return {{"n": 7, "text": {text!r}}}')
    declared = {"n": Output("integer"), "text": Output()}
    assert collect_outputs(declared, ended.written.encode(), b"") == {"n": 7, "text": text}


@pytest.mark.parametrize(
    ("run", "code", "reason"),
    [
        ('raise Failed("no")', 1, "no"),
        ('raise Failed("never", retryable=False)', 65, "never"),
        ('raise NothingHappened("away")', 75, "away"),
        ('raise InDoubt("who knows")', 76, "who knows"),
        ("raise InDoubt", 76, "InDoubt"),
        ('raise Failed("two\\nlines")', 1, "two lines"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero ("),
        ("sys.exit(0)", 1, "SystemExit: 0"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt ("),
        ("return None", 65, "it gave NoneType, and not a mapping of outputs"),
        ("return [1]", 65, "it gave list, and not a mapping of outputs"),
        ('return {"n": 1, "text": "a", "x": 1}', 65, "it gave the output 'x', which it does not declare"),
        ('return {"n": 1, "text": 5}', 65, "output `text` must be of type string, and is int"),
        ('return {"n": object(), "text": ""}', 65, "its outputs are no JSON: TypeError"),
    ],
)
def test_every_end_has_a_code_and_a_reason(act: Act, run: str, code: int, reason: str) -> None:
    ended = act(run)
    assert ended.code == code and ended.reason.startswith(reason)
    assert f"durun: {reason}" in " ".join(ended.err.split())


def test_where_an_error_came_from_is_in_the_log(act: Act) -> None:
    assert 'durun_shop.py", line 7, in run' in act("1 / 0").err


def test_it_waits_for_no_thread_that_is_left(act: Act) -> None:
    assert act(f"threading.Thread(target=threading.Event().wait).start(); {GOOD}").code == 0


@pytest.mark.parametrize(
    ("verify", "code", "reason"),
    [
        ('return Done({"n": 1, "text": "a"}, "there it is")', 0, "there it is"),
        ('return NotDone("nothing there")', 1, "nothing there"),
        ('return Unknown("away")', 2, "away"),
        ("return Unknown()", 2, "the plugin can't tell"),
        ("return True", 2, "verify gave bool, and not Done, NotDone or Unknown"),
        ("1 / 0", 2, "ZeroDivisionError"),
        ('raise NothingHappened("no")', 2, "NothingHappened: no"),
        ('return Done({"x": 1})', 2, "it gave the output 'x'"),
    ],
)
def test_a_question_has_three_answers(act: Act, verify: str, code: int, reason: str) -> None:
    ended = act(verify=verify, do="verify")
    assert ended.code == code and ended.reason.startswith(reason)


def test_nothing_is_given_where_nothing_is_wanted(act: Act) -> None:
    assert act(gives=False).written == ""


@pytest.mark.parametrize(("do", "code"), [("run", 75), ("verify", 2)])
def test_another_version_than_the_session_began_with_does_nothing(act: Act, do: str, code: int) -> None:
    ended = act("os._exit(99)", "os._exit(99)", do=do, began="durun-shop 0.9")
    assert ended.code == code
    assert ended.reason == (
        "durun-shop 1.0 is installed now, and this session began with durun-shop 0.9: durun resume run goes on with it"
    )


@pytest.mark.parametrize("uses", ["shop.other", "shop"])
def test_one_that_is_not_there_does_nothing(act: Act, uses: str) -> None:
    ended = act(uses=uses)
    assert ended.code == 75 and ended.reason.startswith(f"no package that is installed brings an action `{uses}`")


def test_an_order_that_breaks_off_is_none(act: Act) -> None:
    assert act(stdin='{"do": "run", "us').code == 75


def test_what_was_done_and_can_t_be_told_is_a_doubt(act: Act, tmp_path: Path) -> None:
    assert act(f'os.mkdir("output"); {GOOD}').code == 76
    (tmp_path / "output").rmdir()


@pytest.mark.fault(32)
@pytest.mark.parametrize(
    "run",
    [
        "raise Failed(f\"no such token {call.with_['t']}\")",
        "raise ValueError(call.with_['t'])",
        "raise InDoubt(repr(call.with_))",
        "import json; raise Failed(json.dumps(call.with_))",
        "raise KeyError(call.with_['deep'][0]['x'])",
    ],
)
@pytest.mark.parametrize("secret", ["z9", "tab\tand\nline", "qu'o\"te\\", "x" * 2000])
def test_a_secret_that_an_error_quotes_is_not_told(act: Act, run: str, secret: str) -> None:
    given = {"t": secret, "deep": [{"x": secret}], "open": "seen"}
    ended = act(run, **{"with": given, "secret": [["t"], ["deep", 0]]})
    assert "***" in ended.written and ended.code in (1, 76)
    for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], secret.split()[0]):
        assert form not in ended.reason and form not in ended.written
