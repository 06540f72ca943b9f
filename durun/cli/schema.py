"""`durun schema`: the JSON Schema of runbooks, for editors."""

from __future__ import annotations

import sys
from typing import Annotated

from durun.cli.arguments import Option
from durun.language.schema import SCHEMA_FILE


def command(
    path: Annotated[bool, Option("--path", help="Only say where the file is; for an editor on this machine.")] = False,
) -> int:
    """Print the JSON Schema of runbooks, by which editors show errors, explain keys, and complete them.

    An editor with yaml-language-server reads the first line of a runbook:

    \b
    # yaml-language-server: $schema=PATH
    """
    sys.stdout.write(f"{SCHEMA_FILE}\n" if path else SCHEMA_FILE.read_text(encoding="utf-8"))
    return 0
