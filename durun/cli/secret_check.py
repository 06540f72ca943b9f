"""`durun secret check`: can every secret of a runbook be had here? Starts no run, and shows no secret."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from durun.cli.arguments import Argument, JsonOption, Option
from durun.cli.keyring import open_keyring
from durun.cli.sources import open_source
from durun.engine.api import Source
from durun.errors import SecretUnavailable
from durun.language.expressions import expressions_in, references, render
from durun.language.inputs import given_inputs, read_inputs_file
from durun.language.plain import ExpressionError
from durun.model.runbook import Runbook, Secret
from durun.secrets.providers import Resolver
from durun.views.json import dump
from durun.views.secrets import Checked, KeyringFound, check_json, check_text

_LATER = {
    "target": "it depends on the target, and is looked for when a step that needs it is reached",
    "run": "it depends on the run, and is looked for when that starts",
}


def command(
    runbook: Annotated[str, Argument("RUNBOOK", "The runbook's file.")],
    inputs: Annotated[
        list[str] | None,
        Option("--input", "-i", metavar="NAME=VALUE", help="An input that a secret depends on.", shown=False),
    ] = None,
    inputs_file: Annotated[
        str | None, Option("--inputs", metavar="FILE", help="Inputs from a YAML or JSON file; - is stdin.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Look whether every secret of a runbook can be had here. No secret is shown, and nothing is run."""
    source = open_source(runbook, quiet=True)
    scope = _scope(source.runbook, inputs or [], inputs_file)
    with open_keyring() as keyring:
        resolver = Resolver(source.place, os.environ, keyring)
        try:
            checked = [_check(name, secret, scope, resolver) for name, secret in source.runbook.secrets.items()]
            backend = keyring.backend() if any(entry.provider == "keyring" for entry in checked) else None
        finally:
            resolver.close()
    found = None if backend is None else KeyringFound(backend.name, backend.why_not)
    _show(source, found, checked, as_json)
    return SecretUnavailable.exit_code if any(entry.verdict == "unavailable" for entry in checked) else 0


def _scope(runbook: Runbook, pairs: list[str], file: str | None) -> Mapping[str, Any]:
    """What the places of secrets may depend on. An input that none of them asks for may be missing."""
    optional = {name: declared._replace(required=False) for name, declared in runbook.inputs.items()}
    asked = runbook._replace(inputs=optional)
    given = given_inputs(pairs, None if file is None else read_inputs_file(file, runbook), asked)
    return {"inputs": given.plain, "env": {name: os.environ[name] for name in runbook.env_names if name in os.environ}}


def _check(name: str, secret: Secret, scope: Mapping[str, Any], resolver: Resolver) -> Checked:
    named = [
        reference.path
        for expression in expressions_in(secret.spec)
        for reference in references(expression)
        if not reference.optional
    ]
    for root, why in _LATER.items():
        if any(path[0] == root for path in named):
            return Checked(name, secret.provider, "later", why)
    missing = [path[1] for path in named if path[0] == "inputs" and path[1:2] and path[1] not in scope["inputs"]]
    if missing:
        why = f"it depends on input `{missing[0]}`, which is not given"
        return Checked(name, secret.provider, "unavailable", why, f"give it with -i {missing[0]}=VALUE")
    try:
        resolver.get(name, secret.provider, render(secret.spec, scope))
    except ExpressionError as error:
        return Checked(name, secret.provider, "unavailable", error.message, error.hint)
    except SecretUnavailable as error:
        why = error.message.removeprefix(f"secret {name}: ")
        return Checked(name, secret.provider, "unavailable", why, error.hint)
    return Checked(name, secret.provider, "ok")


def _show(source: Source, keyring: KeyringFound | None, checked: list[Checked], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(dump(check_json(source.runbook.name, keyring, checked)))
    elif checked:
        sys.stdout.write(check_text(keyring, checked))
    else:
        sys.stdout.write(f"{source.file}: the runbook names no secrets\n")
