"""`durun validate`: every error of every file at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from durun.cli.arguments import Argument, JsonOption
from durun.cli.sources import describe
from durun.errors import DurunError, InvalidRunbook, told
from durun.language.load import load, read_file
from durun.model.values import Json
from durun.views.json import SCHEMA, dump
from durun.views.text import harmless


def command(
    runbooks: Annotated[list[str], Argument(metavar="RUNBOOK…", help="The runbooks' files.")],
    as_json: JsonOption = False,
) -> int:
    """Report every error in runbooks at once."""
    checked = [_check(path) for path in runbooks]
    valid = all(entry["valid"] for entry in checked)
    if as_json:
        sys.stdout.write(dump({"schema": SCHEMA, "valid": valid, "files": checked}))
    else:
        sys.stdout.write(harmless("".join(map(_text, checked))))
    return 0 if valid else InvalidRunbook.exit_code


def _check(path: str) -> dict[str, Json]:
    try:
        loaded = load(read_file(path), path, str(Path(path).absolute().parent), plugin=describe)
    except DurunError as error:
        report = error.report if isinstance(error, InvalidRunbook) else ""
        return {"file": path, "valid": False, "report": report or told(error.message, error.hint), "warnings": []}
    return {"file": path, "valid": True, "report": "", "warnings": [str(warning) for warning in loaded.warnings]}


def _text(entry: dict[str, Json]) -> str:
    if not entry["valid"]:
        return f"{entry['report'].rstrip()}\n"
    warnings = "".join(f"{warning.rstrip()}\n" for warning in entry["warnings"])
    return f"{warnings}{entry['file']}: ok\n"
