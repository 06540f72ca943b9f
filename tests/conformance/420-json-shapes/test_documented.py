import re
from pathlib import Path

import pytest

from durun.cli.completion_table import COMMANDS

README = (Path(__file__).parents[3] / "durun" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| (`.+?`) \| (an object.*?|a list) \| (.*) \|$", README.split("## JSON")[1].split("\n## ")[0], re.MULTILINE
)


def documented(command):
    """The keys that the table names first for a command: those of the outermost object."""
    (keys,) = [keys for names, _, keys in ROWS if f"`{command}`" in names.split(", ")]
    outermost = re.sub(r"\([^()]*\)", "", keys)
    return set(re.findall(r"`(\w+)`", outermost))


def test_every_command_with_json_is_in_the_table():
    named = {name for names, _, _ in ROWS for name in re.findall(r"`([a-z ]+?)(?: --\w+)?`", names)}
    assert named == {
        name for name, (_, options, _) in COMMANDS.items() if any("--json" in long for long, _, _ in options)
    }


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("history", []),
        ("plan", ["@last"]),
        ("plan", ["runbook.yaml"]),
        ("graph", ["@last"]),
        ("validate", ["runbook.yaml"]),
        ("new", ["another"]),
        ("secret check", ["runbook.yaml"]),
        ("secret list", []),
        ("secret key", []),
        ("verify", ["@last"]),
        ("doctor", []),
        ("report --controls", []),
        ("prune", ["--older-than", "90d"]),
    ],
)
def test_what_is_documented_is_there(operator, command, words):
    operator("run", "runbook.yaml", "-q")
    said = operator(*command.split(), *words, "--json", code=None).json
    found = said[0] if isinstance(said, list) else said
    assert found.keys() == documented(command) | {"schema"}
    assert found["schema"] == 1


def test_show_has_what_is_documented(operator):
    operator("run", "runbook.yaml", "-q")
    shown = operator("show", "@last", "--json").json
    names = documented("history") | documented("show") | {"schema"}
    assert names - {"step", "target", "round", "how", "attempts"} == shown.keys()
    assert {"step", "target", "round", "status", "how", "reason", "attempts", "outputs", "sealed"} <= shown["tasks"][
        0
    ].keys()


def test_of_what_is_told_task_by_task_the_inner_keys_are_there_too(operator):
    told = operator("plan", "runbook.yaml", "--json").json
    assert {frozenset(task) for task in told["tasks"]} == {frozenset({"step", "target", "verdict", "why"})}
    assert {"step", "keys", "max_parallel", "max_failures", "waves"} <= told["fan_outs"][0].keys()
    drawn = operator("graph", "runbook.yaml", "--json").json
    assert {frozenset(step) for step in drawn["steps"]} == {
        frozenset({"id", "in", "needs", "action", "per_target", "finally", "status"})
    }


PEOPLE = """durun: 1
name: people
steps:
  - {id: doubt, run: exit 76}
  - {id: ok, approval: {message: "ok?", approvers: [ME], allow_requester: true}}
  - {id: hand, manual: {instructions: do it}}
"""


def test_what_somebody_says_is_told_as_documented(operator):
    (operator.place / "people.yaml").write_text(PEOPLE.replace("ME", operator.environment["ME"]), encoding="utf-8")
    operator("run", "people.yaml", code=3)
    settled = operator("settle", "@last", "doubt", "--done", "--reason", "seen", "--json").json
    assert settled.keys() == documented("settle") | {"schema"}
    operator("resume", "@last", code=5)
    approved, *followed = operator("approve", "@last", "--json", code=5).lines
    completed, *ended = operator("complete", "@last", "hand", "--note", "done", "--json").lines
    for said in (approved, completed):
        assert said.keys() == documented("approve") | {"schema"} == documented("complete") | {"schema"}
    assert {lines[-1]["event"] for lines in (followed, ended)} == {"run_ended"}
