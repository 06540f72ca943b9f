"""Order among siblings: unknown names, circles, and the warning about a step that waits by accident."""

from __future__ import annotations

import pytest


def steps(**needs: str) -> str:
    head = "durun: 1\nname: test\nsteps:\n"
    return head + "".join(f"- id: {name}\n  run: x\n  needs: [{named}]\n" for name, named in needs.items())


@pytest.mark.fault(36)
def test_a_circle_is_named_in_the_order_of_waiting(one_problem):
    found = one_problem(steps(a="c", b="a", c="b"))
    assert (found.line, found.column, found.under) == (6, 3, "needs")
    assert found.message == "these steps wait for each other: a → c → b → a"


def test_a_step_that_needs_itself(one_problem):
    assert one_problem(steps(a="", b="b")).message == "a step that waits for itself: b → b"


def test_two_circles_are_both_told(problems):
    found = problems(steps(a="b", b="a", c="d", d="c"))
    assert [(one.line, one.message.split(": ")[1]) for one in found] == [(6, "a → b → a"), (12, "c → d → c")]


def test_a_circle_behind_other_steps(problems):
    found = problems(steps(a="b", b="c", c="d", d="c"))
    assert [one.message for one in found] == ["these steps wait for each other: c → d → c"]


def test_a_circle_through_a_default(problems):
    found = problems("durun: 1\nname: x\nsteps:\n- {id: a, run: x, needs: [b]}\n- {id: b, run: x}\n")
    assert [(one.line, one.column, one.message) for one in found] == [
        (4, 19, "these steps wait for each other: a → b → a")
    ]


def test_a_circle_in_a_group(problems):
    found = problems(
        "durun: 1\nname: x\nsteps:\n- id: g\n  steps:\n  - {id: a, run: x, needs: [b]}\n  - {id: b, run: x}\n"
    )
    assert [(one.line, one.column) for one in found] == [(6, 21)]


def test_a_long_chain_is_no_problem(runbook):
    text = "steps:\n" + "".join(f"- {{id: s{number}, run: x}}\n" for number in range(3000))
    assert len(runbook(text).steps) == 3000


@pytest.mark.fault(36)
def test_an_unknown_name_gets_a_guess(one_problem):
    found = one_problem(steps(backup="", restore="bakcup"))
    assert (found.line, found.column, found.under) == (9, 11, "bakcup")
    assert (found.message, found.hint) == ("there is no step `bakcup`", "did you mean `backup`?")


def test_an_unknown_name_without_a_guess_lists_the_siblings(one_problem):
    assert one_problem(steps(a="", b="zzz")).hint == "the steps beside it are a, b"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- {id: a, run: x}\n- {id: g, steps: [{id: b, run: x, needs: [a]}]}\n", 5),
        ("- {id: g, steps: [{id: b, run: x}]}\n- {id: a, run: x, needs: [b]}\n", 5),
    ],
)
def test_a_step_that_is_elsewhere_is_said_to_be(text, line, one_problem):
    found = one_problem(f"durun: 1\nname: x\nsteps:\n{text}")
    assert found.line == line
    assert found.message.endswith("isn't beside this step")
    assert found.hint == "`needs` names steps beside it; a step inside a group: the group itself"


@pytest.mark.parametrize("named", ["[[a]]", "[1]", "[{a: b}]", "[null]"])
def test_names_that_are_no_text(named, step_problem):
    assert "must be" in step_problem(f"- {{id: a, run: x}}\n- {{id: b, run: x, needs: {named}}}\n").message


def test_a_step_after_one_that_starts_at_once_is_warned_of(warnings):
    text = "steps:\n- {id: a, run: x}\n- {id: b, run: x, needs: []}\n- {id: c, run: x}\n- {id: d, run: x}\n"
    assert warnings(text) == [
        "book.yaml:6:8: `c` has no `needs`, so it waits for `b`, which starts at once "
        "(write `needs: [b]`, or `needs: []` to start at once too)"
    ]
