"""The table of commands. A command's module is loaded only when it is chosen: a cron job pays for every import."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.tuples import NamedTuple


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
    "approve": Command("approve", "run", "approve what a run waits for, and go on with it"),
    "reject": Command("reject", "run", "deny what a run waits for"),
    "complete": Command("complete", "run", "say that a step was done by hand, and go on"),
    "cancel": Command("cancel", "run", "stop a run"),
    "rollback": Command("rollback", "run", "undo what a run did, newest first", drives=True),
    "reap": Command("reap", "run", "close privileges that runs have left open, for cron"),
    "settle": Command("settle", "run", "end a doubt: say whether a task in doubt was done"),
    "history": Command("history", "look", "list the runs"),
    "show": Command("show", "look", "show one run: steps, targets, attempts, what it waits for"),
    "logs": Command("logs", "look", "print what steps wrote"),
    "plan": Command("plan", "look", "show what a runbook or a run will do, and why; runs nothing"),
    "graph": Command("graph", "look", "draw the steps of a runbook, or of a run with where each stands"),
    "new": Command("new", "write", "write a first runbook, which runs as it is"),
    "schema": Command("schema", "write", "print the JSON Schema of runbooks, for editors"),
    "validate": Command("validate", "write", "report every error in runbooks at once"),
    "secret set": Command("secret_set", "secret", "put a secret into your keyring"),
    "secret list": Command("secret_list", "secret", "list what durun has put into your keyring"),
    "secret delete": Command("secret_delete", "secret", "remove a secret from your keyring"),
    "secret check": Command("secret_check", "secret", "look whether a runbook can have its secrets here"),
    "secret key": Command("secret_key", "secret", "show where durun's own keys are, or take them elsewhere"),
    "verify": Command("verify", "audit", "prove that nothing in the journal or a bundle was changed"),
    "export": Command("export", "audit", "write a run into a signed bundle, provable without durun"),
    "report": Command("report", "audit", "write a page about a run, or list which runs show which control"),
    "prune": Command("prune", "keep", "remove old runs that are over; what is left can be proved on"),
    "completion": Command("completion", "keep", "print what makes bash, zsh or fish complete durun's commands"),
    "man": Command("man", "keep", "print the manual page"),
    "doctor": Command("doctor", "keep", "look whether durun is well here"),
}

GROUPS: dict[str, str] = {
    "run": "Run",
    "look": "Look",
    "write": "Write runbooks",
    "secret": "Secrets",
    "audit": "Audit",
    "keep": "Keep",
}


def named(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The name of the command that the words begin with, of one word or two, and the rest of them."""
    two = " ".join(words[:2])
    return (two, words[2:]) if two in COMMANDS else (words[0], words[1:])


def family(word: str) -> list[str]:
    """The names of two words that begin with this one."""
    return [name for name in COMMANDS if name.startswith(f"{word} ")]


def overview(word: str = "") -> str:
    """The text of `durun --help`, from the table alone; of `durun WORD --help` for a word that several begin with."""
    names = family(word) if word else list(COMMANDS)
    width = max(map(len, names))
    lines = [f"Usage: durun {f'{word} ' if word else ''}COMMAND [ARGUMENTS]…"]
    if not word:
        lines += ["", "Operational runbooks that survive crashes."]
    for group, title in GROUPS.items():
        listed = [f"  {name:<{width}}  {COMMANDS[name].summary}" for name in names if COMMANDS[name].group == group]
        lines += ["", f"{title}:", *listed] if listed else []
    lines += [
        "",
        f"durun {f'{word} ' if word else ''}COMMAND --help says more." + ("" if word else "  durun --version"),
    ]
    lines += [] if word else ["New here? `durun new first` writes a runbook, and says how to run it and go on."]
    return "\n".join(lines) + "\n"
