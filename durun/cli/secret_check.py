"""`durun secret check`: can every secret of a runbook be had here? Starts no run, and shows no secret."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from durun.cli.arguments import Argument, InputOption, InputsOption, JsonOption
from durun.cli.keyring import open_keyring
from durun.cli.sources import given_so_far, open_source, scope_of
from durun.engine.api import Source
from durun.errors import SecretUnavailable
from durun.foresight.foresee import Surroundings, secrets_of
from durun.secrets.providers import Resolver
from durun.views.json import dump
from durun.views.secrets import Checked, KeyringFound, check_json, check_text


def command(
    runbook: Annotated[str, Argument("RUNBOOK", "The runbook's file.")],
    inputs: InputOption = None,
    inputs_file: InputsOption = None,
    as_json: JsonOption = False,
) -> int:
    """Look whether every secret of a runbook can be had here. No secret is shown, and nothing is run."""
    source = open_source(runbook, quiet=True)
    given = given_so_far(source.runbook, inputs or [], inputs_file)
    with open_keyring() as keyring:
        resolver = Resolver(source.place, os.environ, keyring)
        try:
            around = Surroundings(source.place, os.environ.get("PATH", os.defpath), keyring, resolver)
            found, checked = secrets_of(source.runbook, given, scope_of(source.runbook, given), around)
        finally:
            resolver.close()
    _show(source, found, checked, as_json)
    return SecretUnavailable.exit_code if any(entry.verdict == "unavailable" for entry in checked) else 0


def _show(source: Source, keyring: KeyringFound | None, checked: list[Checked], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(dump(check_json(source.runbook.name, keyring, checked)))
    elif checked:
        sys.stdout.write(check_text(keyring, checked))
    else:
        sys.stdout.write(f"{source.file}: the runbook names no secrets\n")
