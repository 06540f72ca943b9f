from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durun.engine.changes import changes_of, tasks_added
from durun.errors import Changed
from durun.language.load import load
from durun.language.plan import make_plan

BOOK = """
inputs: {who: {required: true}}
steps:
  - {id: a, run: make}
  - {id: b, run: make}
  - id: fan
    targets: [x, y]
    steps: [{id: one, run: make}]
"""


@pytest.fixture
def changes(told: Callable[..., Any]) -> Callable[..., list[str]]:
    """What changes if the text is changed so, for a run of which `a` is done and `b` has failed."""

    def find(old: str, new: str, name: str = "book", tell: Callable[[Any], None] = lambda run: None) -> list[str]:
        run = told(BOOK, who="ada")
        run.done("a")
        run.failed("b")
        tell(run)
        assert old in BOOK
        text = f"durun: 1\nname: {name}\n{BOOK.replace(old, new)}"
        return changes_of(run.runbook, load(text.encode(), "new.yaml").runbook, run.state)

    return find


def test_nothing_changes_by_lines_that_move(changes: Callable[..., list[str]]) -> None:
    assert changes("steps:\n", "\n\n# a remark\nsteps:\n") == []


def test_every_kind_of_change_is_a_line(changes: Callable[..., list[str]]) -> None:
    new = "  - {id: c, run: make}\n  - {id: fan2, run: make}\n"
    assert changes("  - {id: b, run: make}\n", new)[:2] == ["- b: removed", "~ fan: changed (needs)"]
    assert changes("  - {id: b, run: make}\n", new)[2:] == ["+ c: added", "+ fan2: added"]


def test_another_concurrency_group_is_told_and_not_taken(changes: Callable[..., list[str]]) -> None:
    told = changes("steps:\n", "concurrency: {group: db}\nsteps:\n")
    assert told == ["~ concurrency: the run keeps the group that it was started with"]


def test_a_change_says_what_it_changes_and_whether_the_key_is_another(changes: Callable[..., list[str]]) -> None:
    assert changes("{id: b, run: make}", "{id: b, run: other, retry: {max_attempts: 2}}") == [
        "~ b: changed (what it does, retry); a new idempotency key"
    ]
    assert changes("{id: a, run: make}", "{id: a, run: make, name: First}") == ["~ a: changed (name)"]


@pytest.mark.parametrize("new", ["", "{id: z, run: make}"])
def test_a_step_that_is_done_can_not_go(changes: Callable[..., list[str]], new: str) -> None:
    with pytest.raises(Changed) as refused:
        changes("  - {id: a, run: make}\n", f"  - {new}\n" if new else "")
    assert "step a is done or in doubt, and the changed runbook has it removed or renamed" in refused.value.message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    targets: [x, y]\n", ""),
        ("    steps: [{id: one, run: make}]\n", "    run: x\n  - {id: one, run: make}\n"),
        ("  - id: fan\n", "  - id: renamed\n"),
        ("    targets: [x, y]\n", "    targets: [x, y]\n    target_key: ${{ target ~ '1' }}\n"),
    ],
)
def test_the_targets_of_what_is_done_keep_their_keys(changes: Callable[..., list[str]], old: str, new: str) -> None:
    def fan_has_begun(run: Any) -> None:
        run.targets("fan", "x", "y")
        run.doubtful("one", "x")

    with pytest.raises(Changed) as refused:
        changes(old, new, tell=fan_has_begun)
    assert "step one is done or in doubt" in refused.value.message
    assert "given other targets" in refused.value.message
    assert changes(old, new)


def test_what_is_done_can_not_become_a_finally_step(changes: Callable[..., list[str]]) -> None:
    with pytest.raises(Changed) as refused:
        changes("steps:\n  - {id: a, run: make}\n", "finally:\n  - {id: a, run: make}\nsteps:\n")
    assert "step a is done" in refused.value.message
    assert "moved" in refused.value.message


def test_other_values_of_targets_that_are_fixed_do_not_matter(changes: Callable[..., list[str]]) -> None:
    def fan_has_begun(run: Any) -> None:
        run.targets("fan", "x", "y")
        run.done("one", "x")

    kept = "~ fan: changed (targets); the run keeps the targets that it has"
    assert changes("targets: [x, y]", "targets: [x, y, z]", tell=fan_has_begun) == [kept]
    more = "targets: [x, y]\n    max_parallel: 2\n    serial: [1, 100%]"
    assert changes("targets: [x, y]", more, tell=fan_has_begun) == ["~ fan: changed (max_parallel, serial)"]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("id: b, run: make, if: 1 == 2", "if"),
        ("id: b, run: make, targets: [x]", "targets"),
        ("id: b, run: make, idempotent: {ttl: 1h}", "idempotent, on_in_doubt"),
        ("id: b, wait_for: {run: make, timeout: 1m}", "what it does, what it waits for"),
    ],
)
def test_a_change_is_told_by_the_keys_of_the_runbook(changes: Callable[..., list[str]], new: str, said: str) -> None:
    (told,) = changes("id: b, run: make", new)
    assert told.partition(";")[0] == f"~ b: changed ({said})"


def test_another_runbook_is_refused(changes: Callable[..., list[str]]) -> None:
    with pytest.raises(Changed) as refused:
        changes("steps:", "steps:", name="another")
    assert "'another'" in refused.value.message
    assert "'book'" in refused.value.message


@pytest.mark.parametrize(
    ("new", "named"), [("{who: {}, when: {required: true}}", "when"), ("{when: {required: true}}", "when, who")]
)
def test_other_inputs_are_refused(changes: Callable[..., list[str]], new: str, named: str) -> None:
    with pytest.raises(Changed) as refused:
        changes("{who: {required: true}}", new)
    assert refused.value.message.endswith(f"other inputs: {named}")


def test_an_input_that_need_not_be_given_is_no_other_input(changes: Callable[..., list[str]]) -> None:
    assert changes("{who: {required: true}}", "{who: {required: true}, when: {default: now}}") == []


def test_tasks_are_counted_by_the_targets_that_are_known(told: Callable[..., Any]) -> None:
    run = told(BOOK, who="ada")
    more = BOOK.replace("[{id: one, run: make}]", "[{id: one, run: make}, {id: two, run: make}]")
    text = f"durun: 1\nname: book\n{more}  - {{id: c, run: make}}\n"
    after = make_plan(load(text.encode(), "b").runbook, {"who": "ada"}, {}, "r1")
    assert tasks_added(run.plan, after, run.state) == 1
    run.targets("fan", "x", "y", "z")
    assert tasks_added(run.plan, after, run.state) == 4


def secretly(run: Any) -> None:
    """The input is a secret one."""
    seal = {"at": "inputs", "fingerprint": "f"}
    run.state.created = run.state.created._replace(inputs={}, sealed={"who": seal})


def test_a_secret_input_is_given_as_well(changes: Callable[..., list[str]]) -> None:
    assert changes("{who: {required: true}}", "{who: {required: true, secret: true}}", tell=secretly) == []


@pytest.mark.parametrize(
    ("new", "tell"),
    [("{who: {required: true, secret: true}}", lambda run: None), ("{who: {required: true}}", secretly)],
)
def test_an_input_stays_secret_or_plain(
    changes: Callable[..., list[str]], new: str, tell: Callable[[Any], None]
) -> None:
    with pytest.raises(Changed) as refused:
        changes("{who: {required: true}}", new, tell=tell)
    assert refused.value.message.endswith("other inputs: who")


def test_what_is_done_keeps_its_secret_outputs(changes: Callable[..., list[str]]) -> None:
    assert changes("{id: b, run: make}", "{id: b, run: make, outputs: {x: {secret: true}}}") == [
        "~ b: changed (outputs)"
    ]
    with pytest.raises(Changed) as refused:
        changes("{id: a, run: make}", "{id: a, run: make, outputs: {x: {secret: true}}}")
    assert "step a is done or in doubt, and the changed runbook has it given other secret outputs" in (
        refused.value.message
    )


def test_a_secret_that_is_found_elsewhere_is_a_line(told: Callable[..., Any]) -> None:
    def book(secrets: str) -> str:
        return f"secrets: {{{secrets}}}\nsteps: [{{id: a, run: make, stdin: '${{{{ secrets.same }}}}'}}]\n"

    run = told(book("same: {env: A}, moved: {env: B}, old: {env: C}"))
    new = "durun: 1\nname: book\n\n" + book("new: {env: C}, moved: {file: b}, same: {env: A}")
    assert changes_of(run.runbook, load(new.encode(), "new.yaml").runbook, run.state) == [
        "- secrets.old: removed",
        "+ secrets.new: added",
        "~ secrets.moved: found elsewhere",
    ]
