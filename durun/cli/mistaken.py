"""What somebody meant by a word that is no command, no option or one argument too many. Loaded only for mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from durun.cli.arguments import Argument, Option, Parameter, option_names
from durun.cli.commands import COMMANDS, family
from durun.errors import UsageError, meant

_MEANT = {
    ("list", "ls", "ps", "runs", "jobs"): ("history",),
    ("status", "info", "describe", "inspect", "get", "ls-steps"): ("show @last",),
    ("start", "exec", "execute", "apply", "launch"): ("run RUNBOOK",),
    ("continue", "retry", "restart", "rerun", "recover"): ("resume",),
    ("stop", "kill", "abort", "terminate"): ('cancel RUN --reason "…"',),
    ("undo", "revert"): ("rollback RUN",),
    ("confirm", "accept", "ok"): ("approve RUN",),
    ("deny", "decline", "refuse"): ('reject RUN --reason "…"',),
    ("init", "create", "template", "scaffold"): ("new NAME",),
    ("check", "lint", "test"): ("validate RUNBOOK",),
    ("dry-run", "preview", "diff"): ("plan RUNBOOK",),
    ("tail", "output", "follow"): ("logs RUN -f",),
    ("events",): ("show RUN --events",),
    ("delete", "remove", "rm", "clean", "gc", "purge"): ("prune --older-than 90d", "secret delete SERVICE USERNAME"),
    ("audit",): ("verify", "report --controls"),
    ("health", "diagnose", "setup"): ("doctor",),
    ("keyring", "keys", "vault"): ("secret list",),
    ("version", "-v", "-V", "--versions", "--verison"): ("--version",),
}
"""How other tools call what durun's commands do."""
_FOREIGN = {word: ours for words, ours in _MEANT.items() for word in words}

_OPTIONS = {
    ("--dry-run", "--check", "--noop", "-n"): "`durun plan` shows what would happen, and runs nothing",
    ("--yes", "-y", "--force", "-f", "--no-input"): "there is nothing to confirm: durun asks only where a runbook does",
    ("--verbose", "-v", "-vv", "--debug"): "all that steps print is kept: durun logs RUN",
    ("--var", "--set", "-e", "--extra-vars", "--param", "-p"): "inputs are given with -i NAME=VALUE",
    ("--id", "--run", "--run-id"): "the run stands without an option: `durun history` lists them",
    ("--limit", "--only"): "--target KEY takes some of the targets, `durun history --limit N` some of the runs",
}
_FOREIGN_OPTIONS = {option: ours for options, ours in _OPTIONS.items() for option in options}

_RUN_ID = re.compile("(?=[a-z]*[0-9])[a-z0-9]{10}")


def no_such_command(name: str, arguments: Sequence[str]) -> UsageError:
    """The complaint about `durun NAME ARGUMENTS…`, with the command that may have been meant."""
    said, lists = name, "durun --help lists them"
    if two := family(name):
        seconds = {command.removeprefix(f"{name} "): command for command in two}
        near = [seconds[word] for word in get_close_matches(arguments[0], seconds, 2, 0.6)]
        said, lists = f"{name} {arguments[0]}", f"durun {name} --help lists them"
    elif name.startswith("-") and name not in _FOREIGN:
        behind = f"options stand behind the command: `durun {arguments[0]} {name}`" if arguments else ""
        known = bool(arguments) and (arguments[0] in COMMANDS or bool(family(arguments[0])))
        return UsageError(f"there is no option {name} before the command", behind if known else "durun --help")
    else:
        near = list(_meant(name))
    what = f"option {said} before the command" if name.startswith("-") else f"command `{said}`"
    return UsageError(f"there is no {what}", meant(f"durun {word}" for word in near) or lists)


def _meant(name: str) -> Iterable[str]:
    if name in _FOREIGN:
        return _FOREIGN[name]
    if name.endswith((".yaml", ".yml")):
        return [f"run {name}"]
    if _RUN_ID.fullmatch(name):
        return [f"show {name}"]
    return get_close_matches(name, COMMANDS, 2, 0.6)


def no_such_option(command: str, option: str, near: Iterable[str]) -> UsageError:
    """The complaint about an option that the command has not."""
    near = sorted(near)
    foreign = _FOREIGN_OPTIONS.get(option, "")
    hint = meant(near) or foreign
    return UsageError(f"durun {command} has no option {option}", f"{hint}  durun {command} --help".strip())


def too_much(command: str, words: str) -> UsageError:
    """The complaint about arguments that the command has no place for."""
    hint = "inputs are given with -i NAME=VALUE  " if command == "run" and "=" in words else ""
    return UsageError(f"durun {command} has no place for `{words}`", f"{hint}durun {command} --help")


def missing(command: str, parameter: Parameter) -> UsageError:
    """The complaint about an argument that is not there; what it is, is what help says of it."""
    return UsageError(f"{_called(parameter)} is missing", f"{_about(parameter)}durun {command} --help")


def no_value(command: str, option: str, parameter: Parameter | None) -> UsageError:
    """The complaint about an option that is there without its value, or with one that it does not take."""
    if parameter is None or parameter.kind is bool:
        return UsageError(f"{option} takes no value", f"durun {command} --help")
    return UsageError(f"the value of {option} is missing", f"{_about(parameter)}durun {command} --help")


def no_number(command: str, parameter: Parameter) -> UsageError:
    """The complaint about a value that is no whole number, or too small a one."""
    least = parameter.declared.least if isinstance(parameter.declared, Option) else None
    range_ = "" if least is None else f" from {least} on"
    return UsageError(
        f"{_called(parameter)} takes a whole number{range_}", f"{_about(parameter)}durun {command} --help"
    )


def _called(parameter: Parameter) -> str:
    return parameter.declared.metavar if isinstance(parameter.declared, Argument) else option_names(parameter)[0]


def _about(parameter: Parameter) -> str:
    text = parameter.declared.help.rstrip(".")
    return f"{text[:1].lower()}{text[1:]}  " if text else ""
