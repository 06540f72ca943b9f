"""The table of commands. A command's module is loaded only when it is chosen: a cron job pays for every import."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command: its module in `durun.cli`, the group it is listed in, and what it does in one line.

    `drives`: it drives a run, so a supervisor is started for it while the rest is still being loaded.
    """

    module: str
    group: str
    summary: str
    drives: bool = False


COMMANDS: dict[str, Command] = {
    "run": Command("run", "run", "start a run of a runbook", drives=True),
    "resume": Command("resume", "run", "go on with a run at its first unfinished task", drives=True),
    "cancel": Command("cancel", "run", "stop a run"),
    "settle": Command("settle", "run", "end a doubt: say whether a task in doubt was done"),
    "history": Command("history", "look", "list the runs"),
    "show": Command("show", "look", "show one run: steps, targets, attempts, what it waits for"),
    "logs": Command("logs", "look", "print what steps wrote"),
    "validate": Command("validate", "write", "report every error in runbooks at once"),
    "doctor": Command("doctor", "keep", "look whether durun is well here"),
}

GROUPS: dict[str, str] = {
    "run": "Run",
    "look": "Look",
    "write": "Write runbooks",
    "keep": "Keep",
}


def overview() -> str:
    """The text of `durun --help`, from the table alone."""
    width = max(map(len, COMMANDS))
    lines = ["Usage: durun COMMAND [ARGUMENTS]…", "", "Operational runbooks that survive crashes."]
    for group, title in GROUPS.items():
        lines += ["", f"{title}:"]
        for name, command in COMMANDS.items():
            if command.group == group:
                lines.append(f"  {name:<{width}}  {command.summary}")
    lines += ["", "durun COMMAND --help says more.  durun --version"]
    return "\n".join(lines) + "\n"
