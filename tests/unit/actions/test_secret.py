from __future__ import annotations

import json
from typing import Any

import pytest

from durun.actions.api import Process
from durun.actions.table import ACTIONS
from durun.model.runbook import Shell
from durun.model.values import Expression, Template

VALUE = Template((Expression("steps.new.outputs.password"),))
PUT = {"put": {"service": "db", "username": "app", "value": VALUE}}
DELETE = {"delete": {"service": "db", "username": "app"}}


class Context:
    """Every expression has the same value here."""

    def __init__(self, value: Any = "hunter22") -> None:
        self._value = value

    def render(self, value: Any) -> Any:
        return self._value if isinstance(value, Template) else value


def work(kind: str, spec: Any, value: Any = "hunter22") -> Process:
    made = ACTIONS[kind](spec, Shell(("bash", "{0}"), ".sh"), Context(value))
    assert isinstance(made, Process)
    return made


@pytest.mark.fault(32)
@pytest.mark.parametrize("kind", ["secret", "secret_check"])
def test_names_and_value_are_on_stdin_and_never_in_the_argv(kind):
    made = work(kind, PUT)
    assert json.loads(made.stdin or "") == {"service": "db", "username": "app", "value": "hunter22"}
    assert not [word for word in made.argv if "hunter22" in word or "app" in word]


@pytest.mark.parametrize(
    ("kind", "spec", "verb"),
    [
        ("secret", PUT, "put"),
        ("secret", DELETE, "delete"),
        ("secret_check", PUT, "is_put"),
        ("secret_check", DELETE, "is_deleted"),
    ],
)
def test_each_verb_has_its_check(kind, spec, verb):
    assert work(kind, spec).argv[-2:] == ("durun.secrets.step", verb)


def test_it_sees_the_callers_keyring():
    assert {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME"} <= set(work("secret", PUT).inherit)


def test_a_value_that_is_no_string_is_stored_as_json():
    assert json.loads(work("secret", PUT, {"a": 1}).stdin or "")["value"] == '{"a": 1}'
