from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durun.cli.arguments import Argument, Parameter, option_names, parameters, read_plainly
from durun.cli.commands import COMMANDS
from durun.cli.parser import parse
from durun.errors import UsageError

WORDS = (
    "a",
    "b.yaml",
    "-",
    "7",
    "007",
    "0",
    "-1",
    "+1",
    "1_0",
    "٣",
    "",
    " ",
    "a=b",
    "--",
    "-x",
    "-qf",
    "--help",
    "é",
    "\udc80",
)


def known(command: str) -> list[Parameter]:
    return parameters(import_module(f"durun.cli.{COMMANDS[command].module}").command)


def of_typer(command: str, arguments: list[str]) -> dict[str, object] | str | None:
    try:
        return parse(command, "", known(command), arguments)
    except UsageError as error:
        return error.message


@st.composite
def lines(draw) -> tuple[str, list[str]]:
    """A command with words that mean something to it, in any order, and now and then a stray one."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    pieces: list[list[str]] = []
    for parameter in known(command):
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            value = draw(st.sampled_from(WORDS if draw(st.integers(0, 3)) == 0 else ("a", "b.yaml", "7")))
            if isinstance(parameter.declared, Argument):
                pieces.append([value])
                continue
            name = draw(st.sampled_from(option_names(parameter)))
            joined = draw(st.integers(0, 7)) == 0
            flag = parameter.kind is bool
            pieces.append([f"{name}={value}"] if joined else [name] if flag else [name, value])
    if draw(st.integers(0, 5)) == 0:
        pieces.append([draw(st.sampled_from(WORDS))])
    return command, [word for piece in draw(st.permutations(pieces)) for word in piece]


# The first lines load commands, which may take long where much is going on: that is no fault of theirs.
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines())
def test_what_is_read_plainly_is_what_typer_reads(line):
    command, arguments = line
    plain = read_plainly(known(command), arguments)
    if plain is not None:
        assert plain == of_typer(command, arguments)


@pytest.mark.parametrize(
    ("command", "arguments", "values"),
    [
        ("run", ["b.yaml"], {"runbook": "b.yaml"}),
        ("run", ["-q", "b.yaml", "-i", "a=1", "--input", "b=2", "--json"],
         {"runbook": "b.yaml", "quiet": True, "inputs": ["a=1", "b=2"], "as_json": True}),
        ("run", ["--inputs", "-", "b.yaml", "--resume-or-start", "--request-id", "k"],
         {"runbook": "b.yaml", "inputs_file": "-", "resume_or_start": True, "request_id": "k"}),
        ("resume", [], {}),
        ("resume", ["--all", "--failed"], {"every": True, "failed": True}),
        ("history", ["--limit", "0", "--status", "failed"], {"limit": 0, "status": ["failed"]}),
        ("show", ["@last", "--step", "s"], {"run": "@last", "step": "s"}),
        ("logs", ["x", "s", "--attempt", "2", "-f"], {"run": "x", "step": "s", "attempt": 2, "follow": True}),
        ("settle", ["x", "s", "--done", "--reason", "r s"], {"run": "x", "step": "s", "done": True, "reason": "r s"}),
        ("validate", ["a", "b"], {"runbooks": ["a", "b"]}),
    ],
    ids=str,
)  # fmt: skip
def test_what_people_and_cron_type_is_read_plainly(command, arguments, values):
    plain = read_plainly(known(command), arguments)
    assert plain is not None
    assert {name: value for name, value in plain.items() if name in values} == values
    assert plain == of_typer(command, arguments)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("run", []), ("run", ["a", "b"]), ("run", ["a", "--help"]), ("run", ["--", "a"]), ("run", ["a", "--nope"]),
        ("run", ["a", "-i"]), ("run", ["a", "-i", "--json"]), ("run", ["a", "--json", "--json"]), ("run", ["a", "-iq"]),
        ("run", ["a", "--inputs", "x", "--inputs", "y"]), ("run", [""]), ("run", ["a", "--request-id", ""]),
        ("history", ["--limit", "-1"]), ("history", ["--limit", "many"]), ("logs", ["x", "--attempt", "0"]),
        ("logs", ["x", "--attempt", "9" * 5000]), ("validate", []),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_whatever_is_not_plain_is_left_to_typer(command, arguments):
    assert read_plainly(known(command), arguments) is None
