"""`durun new`: a first runbook, which runs as it is."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from shlex import quote
from typing import Annotated

from durun.cli.arguments import Argument, JsonOption, Option
from durun.cli.screen import cannot_write, width_of_terminal
from durun.errors import UsageError
from durun.language.starters import STARTERS, starter
from durun.views.json import SCHEMA, dump
from durun.views.summary import following
from durun.views.text import wrapped

_NAME = re.compile("[a-z0-9-]{1,100}")


def command(
    name: Annotated[str, Argument("NAME", "What it is called: a-z, 0-9 and -. A path is where the file is written.")],
    template: Annotated[
        str, Option("--template", "-t", metavar="KIND", help="blank, rotation, provisioning or evidence.")
    ] = "blank",
    as_json: JsonOption = False,
) -> int:
    """Write a first runbook, which runs as it is. No file is overwritten."""
    if template not in STARTERS:
        raise UsageError(f"there is no template `{template}`", _kinds())
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not _NAME.fullmatch(path.stem):
        raise UsageError(f"`{path.stem}` can't be a runbook's name", "it is made of a-z, 0-9 and -: rotate-passwords")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter(template, path.stem))
    except FileExistsError:
        raise UsageError(f"there is a file {path} already", "choose another name") from None
    except OSError as error:
        raise cannot_write(path, error) from error
    _tell(path, template, as_json)
    return 0


def _kinds() -> str:
    return "\n".join(f"--template {kind:<12}  {what}" for kind, what in STARTERS.items())


def _tell(path: Path, template: str, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(dump({"schema": SCHEMA, "file": str(path), "name": path.stem, "template": template}))
        return
    file = quote(str(path))
    next_ = [f"durun plan {file}", f"durun run {file}", "durun resume        (after Ctrl-C, a kill -9, a reboot)"]
    lines = [wrapped(f"{path} is written ({STARTERS[template]})", width_of_terminal(), 4), *following(next_)]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
