"""What is secret is known from the runbook alone, before anything has a value."""

from __future__ import annotations

import pytest

from durun.language import taint
from durun.language.expressions import Expression
from durun.language.taint import Taint

BOOK = """
inputs:
  pin: {secret: true, required: true}
  role: {default: app}
secrets:
  admin: {env: ADMIN}
steps:
  - id: fetch
    run: x
    outputs: {token: {secret: true}, size: {type: integer}}
  - id: key
    generate: {ssh_key: {}}
  - id: rotate
    targets: {run: list}
    target_key: ${{ target.name }}
    secret_fields: [dsn]
    steps:
      - id: password
        generate: {password: {}}
      - id: inner
        steps:
          - id: apply
            run: x
            outputs: {row: {}}
        outputs:
          plain: ${{ steps.apply.outputs.row }}
          deep: {list: ["${{ steps.password.outputs.password }}"]}
    outputs:
      given: ${{ steps.inner.outputs.deep }}
      line: ${{ steps.inner.outputs.plain }}
      dsn: ${{ target.dsn }}
      admin: ${{ secrets.admin }}
      asked: ${{ inputs.pin == 'x' }}
  - id: other
    targets: [a]
    run: x
"""


@pytest.fixture
def book(runbook):
    return runbook(BOOK)


@pytest.mark.parametrize(
    ("source", "step", "secret"),
    [
        ("secrets.admin", "fetch", True),
        ("secrets['admin']", None, True),
        ("inputs.pin", None, True),
        ("inputs.role", None, False),
        ("inputs", "fetch", True),
        ("'a' ~ (inputs.role if inputs.pin else 'b')", "fetch", True),
        ("inputs.role | replace('a', inputs.pin)", "fetch", True),
        ("run.id ~ env.HOME ~ step.idempotency_key", "fetch", False),
        ("steps.fetch.outputs.token", "key", True),
        ("steps.fetch.outputs.size", "key", False),
        ("steps.fetch.outputs", "key", True),
        ("steps.fetch", "key", True),
        ("steps.fetch.status", "key", False),
        ("steps.key.outputs.private", "rotate", True),
        ("steps.key.outputs.public", "rotate", False),
        ("target.dsn", "apply", True),
        ("target.dsn", "rotate", True),
        ("target.name", "apply", False),
        ("target", "apply", True),
        ("target.dsn", "other", False),
        ("target", "other", False),
        ("steps.password.outputs.password", "apply", True),
        ("steps.inner.outputs.plain", "other", False),
        ("steps.inner.outputs.deep.list[0]", "other", True),
        ("steps.rotate.targets['a'].outputs.given", "other", True),
        ("steps.rotate.targets[inputs.role].outputs.given", "other", True),
        ("steps.rotate.targets['a'].outputs.line", "other", False),
        ("steps.rotate.targets['a'].outputs.dsn", "other", True),
        ("steps.rotate.targets['a'].outputs.admin", "other", True),
        ("steps.rotate.targets['a'].outputs.asked", "other", True),
        ("steps.rotate.targets['a'].outputs", "other", True),
        ("steps.rotate.targets['a'].status", "other", False),
        ("steps.rotate.targets['a']", "other", True),
        ("steps.rotate.targets", "other", True),
        ("steps.rotate.status", "other", False),
    ],
)
def test_an_expression_is_secret_if_it_reads_a_secret(book, source, step, secret):
    asked = Taint(book)
    assert asked.of(Expression(source), step) is secret
    assert asked.of(Expression(source), step) is secret


def test_a_group_says_which_of_its_outputs_are_secret(book):
    asked = Taint(book)
    assert asked.outputs("rotate") == {"given", "dsn", "admin", "asked"}
    assert asked.outputs("inner") == {"deep"}
    assert asked.outputs("fetch") == {"token"}
    assert asked.outputs("apply") == frozenset()


def test_without_secrets_no_expression_is_looked_at(runbook, monkeypatch):
    asked = Taint(runbook("inputs: {a: null}\nsteps: [{id: a, run: x, outputs: {x: null}}]\n"))
    monkeypatch.delattr(taint, "references")
    assert asked.of(Expression("inputs"), "a") is False


@pytest.mark.parametrize(
    "text",
    [
        "inputs: {a: {secret: true}}\nsteps: [{id: a, run: x}]\n",
        "secrets: {a: {env: A}}\nsteps: [{id: a, run: x}]\n",
        "steps: [{id: a, run: x, outputs: {x: {secret: true}}}]\n",
        "steps: [{id: g, steps: [{id: a, generate: {token: {}}}]}]\n",
        "steps: [{id: a, run: x, targets: {run: y}, target_key: x, secret_fields: [b]}]\n",
        "steps: [{id: a, run: x}]\nfinally: [{id: b, generate: {rsa_key: null}}]\n",
    ],
)
def test_any_kind_of_secret_is_enough_to_look(runbook, text):
    assert Taint(runbook(text)).of(Expression("secrets.x"), None)
