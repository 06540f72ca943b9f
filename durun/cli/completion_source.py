"""Makes `completion_table.py` from the commands' declarations: `python -m durun.cli.completion_source`.

Completions can't load the commands themselves, which would take longer than a hand on the TAB key waits.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pprint import pformat
from typing import Any

from durun.cli.arguments import Argument, Option, Parameter, option_names, parameters
from durun.cli.commands import COMMANDS
from durun.language.starters import STARTERS
from durun.model.status import RUN_STATUSES
from durun.shells import SHELLS

TABLE = Path(__file__).with_name("completion_table.py")
_KINDS = {
    "run": "run",
    "runs": "run",
    "runbook": "runbook",
    "runbooks": "runbook",
    "what": "runbook_or_run",
    "step": "step",
    "target": "target",
    "status": "statuses",
    "runbook_name": "runbook_name",
    "template": "template",
    "form": "format",
    "shell": "shell",
    "which": "page",
    "inputs_file": "file",
    "attach": "file",
    "output": "file",
}
"""What stands in a parameter of this name; in any other, anything."""

_HEAD = '''"""The commands with their options and arguments, for `durun.cli.completing`; made by `completion_source`.

A command: its summary; its options (names, the kind of value or nothing, whether it may be repeated); the kinds of its
arguments, and whether there may be many.
"""

from __future__ import annotations

'''


def facts() -> dict[str, Any]:
    """What is in the table, by the names there."""
    commands: dict[str, Any] = {}
    helps: dict[str, str] = {}
    for name, command in COMMANDS.items():
        known = parameters(import_module(f"durun.cli.{command.module}").command)
        options = [_option(one) for one in known if isinstance(one.declared, Option)]
        arguments = [(_kind(one), one.many) for one in known if isinstance(one.declared, Argument)]
        commands[name] = (command.summary, options, arguments)
        helps |= {f"{name} {option_names(one)[0]}": one.declared.help for one in known if option_names(one)}
    values = {"status": list(RUN_STATUSES), "template": list(STARTERS), "shell": list(SHELLS)}
    values["page"] = list(import_module("durun.cli.man").PAGES)
    values["format"] = list(import_module("durun.cli.graph").FORMATS)
    return {"COMMANDS": commands, "OPTION_HELP": helps, "VALUES": values}


def text() -> str:
    """The text of `completion_table.py`, but for its layout (`ruff format`)."""
    types = {
        "COMMANDS": "dict[str, tuple[str, list[tuple[list[str], str, bool]], list[tuple[str, bool]]]]",
        "OPTION_HELP": "dict[str, str]",
        "VALUES": "dict[str, list[str]]",
    }
    told = (f"{name}: {types[name]} = {pformat(fact, width=110, sort_dicts=False)}" for name, fact in facts().items())
    return _HEAD + "\n".join(told) + "\n"


def _option(parameter: Parameter) -> tuple[list[str], str, bool]:
    kind = "" if parameter.kind is bool else _kind(parameter) or "anything"
    return option_names(parameter), kind, parameter.many


def _kind(parameter: Parameter) -> str:
    if parameter.name == "runbook" and isinstance(parameter.declared, Option):
        return "file"
    return _KINDS.get(parameter.name, "")


if __name__ == "__main__":
    TABLE.write_text(text(), encoding="utf-8")
