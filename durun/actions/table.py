"""The built-in actions, by the name that a runbook gives them, and the one door to those that plugins bring.

`secret_check` is the verify that `secret` brings, `uses_check` the one that an action from a plugin may bring.
Of `runbook`, it is what comes before the steps that are included.
"""

from __future__ import annotations

from collections.abc import Mapping

from durun.actions import apprise, assertion, collect, generate, http, people, run, runbook, secret, uses, wait
from durun.actions.api import Action

ACTIONS: Mapping[str, Action] = {
    "run": run.prepare,
    "apprise": apprise.prepare,
    "assert": assertion.prepare,
    "collect": collect.prepare,
    "http": http.prepare,
    "generate": generate.prepare,
    "secret": secret.prepare,
    "secret_check": secret.prepare_check,
    "uses": uses.prepare,
    "uses_check": uses.prepare_check,
    "wait": wait.prepare,
    "approval": people.prepare_approval,
    "manual": people.prepare_manual,
    "runbook": runbook.prepare,
    "wait_for": wait.prepare_poll,
}
