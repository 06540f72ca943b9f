"""`durun __complete WORD…`: what may stand in the place of the last word. Asked at every TAB, so it loads little.

What there is to choose from is in `completion_table`, which is made from the commands' own declarations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from durun.cli.completion_table import COMMANDS, OPTION_HELP, VALUES
from durun.journal.glance import glance

_MOST = 500
"""How many words are offered at once."""


def complete(words: Sequence[str]) -> str:
    """The lines for a shell: a word, a tab, what it is; or `:files`, `:runbooks`."""
    begun = words[-1] if words else ""
    lines = []
    for word, about in _offered(words[:-1], begun):
        if word.startswith((begun, ":")):
            lines.append(f"{word}\t{about}" if about else word)
        if len(lines) == _MOST:
            break
    return "".join(f"{line}\n" for line in lines)


def _offered(before: Sequence[str], begun: str) -> Iterator[tuple[str, str]]:
    name, rest = _command(before)
    if name not in COMMANDS:
        yield from _commands(name)
        return
    _, options, arguments = COMMANDS[name]
    free, expected, taken = _read(options, rest)
    if expected is not None:
        yield from _values(expected, free, arguments, begun)
    elif begun.startswith("-"):
        for names, _, many in options:
            if many or not taken & set(names):
                yield names[0], OPTION_HELP.get(f"{name} {names[0]}", "")
        yield "--help", "say more"
    elif arguments:
        kind, many = arguments[min(len(free), len(arguments) - 1)]
        if len(free) < len(arguments) or many:
            yield from _values(kind, free, arguments, begun)


def _command(before: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command that the words begin with, of two words or one, and the rest; of an unfinished one, what is there."""
    two = " ".join(before[:2])
    if two in COMMANDS:
        return two, before[2:]
    return (before[0], before[1:]) if before else ("", ())


def _commands(first: str) -> Iterator[tuple[str, str]]:
    """The commands; behind the first word of those with two, the second words."""
    seen = set()
    for name, (summary, _, _) in COMMANDS.items():
        head, _, tail = name.partition(" ")
        if first and head == first and tail:
            yield tail, summary
        elif not first and head not in seen:
            seen.add(head)
            yield head, "" if tail else summary


def _read(
    options: Sequence[tuple[Sequence[str], str, bool]], rest: Sequence[str]
) -> tuple[list[str], str | None, set[str]]:
    """The arguments so far, what the last option still waits for, and the options that are there."""
    kinds = {name: kind for names, kind, _ in options for name in names}
    free: list[str] = []
    taken: set[str] = set()
    expected = None
    for word in rest:
        if expected is not None:
            expected = None
        elif word.startswith("-") and word in kinds:
            taken.add(word)
            expected = kinds[word] or None
        elif not word.startswith("-"):
            free.append(word)
    return free, expected, taken


def _values(
    kind: str, free: Sequence[str], arguments: Sequence[tuple[str, bool]], begun: str
) -> Iterator[tuple[str, str]]:
    """What may stand there, by the kind of the value."""
    if kind == "statuses":
        before, comma, _ = begun.rpartition(",")
        yield from ((f"{before}{comma}{value}", "") for value in VALUES["status"])
    elif kind in VALUES:
        yield from ((value, "") for value in VALUES[kind])
    elif kind == "runbook_name":
        yield from ((row[0], "") for row in glance(_home(), "runbooks"))
    elif kind in ("file", "runbook"):
        yield ":files" if kind == "file" else ":runbooks", ""
    elif kind in ("run", "runbook_or_run"):
        if kind == "runbook_or_run":
            yield ":runbooks", ""
        yield from _runs(begun)
    elif kind in ("step", "target") and free and arguments[0][0] in ("run", "runbook_or_run"):
        yield from _of_run(kind, free[0])


def _runs(begun: str) -> Iterator[tuple[str, str]]:
    yield "@last", "your newest run"
    # Few ids begin with two letters, most with none: what finds the newest of those at once looks at all for these.
    for run, runbook, status in glance(_home(), "runs_from" if len(begun) > 1 else "runs", begun=begun):
        yield run, f"{runbook}, {status.replace('_', ' ')}"


def _of_run(kind: str, run: str) -> Iterator[tuple[str, str]]:
    if kind == "target":
        yield from ((row[0], "") for row in glance(_home(), "targets", run=run))
        return
    for steps in ("steps", "finally_steps"):
        yield from ((row[0], "") for row in glance(_home(), "steps", run=run, kind=steps))


def _home() -> str:
    """The state directory, as `durun.config` finds it; a test holds the two equal."""
    environ = os.environ
    if chosen := environ.get("DURUN_HOME"):
        return os.path.abspath(os.path.expanduser(chosen) if chosen.startswith("~/") else chosen)  # noqa: PTH100, PTH111
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # noqa: PTH117
        return f"{state.rstrip('/')}/durun"
    return f"{os.path.expanduser('~')}/.local/state/durun"  # noqa: PTH111
