"""The plan: the graph as it stands in the file, with every number known and checked."""

from typing import Any

import pytest

from durun.errors import InvalidInput
from durun.language.expressions import parse_value
from durun.language.plan import make_plan
from durun.model.plan import FanOutPolicy, Node, Plan, Retry, Share, VerifyPolicy
from durun.model.runbook import Action, Call, FanOut, RetrySpec, Runbook, Shell, Step, TargetsValue, Verify

CALL = Call(Action("run", "true"), Shell(("bash", "{0}"), ".sh"))


def leaf(id_: str, *needs: str, **rest: Any) -> Step:
    return Step(id_, 7, needs, call=CALL, **rest)


def plan(*steps: Step, inputs: dict[str, Any] | None = None, run_id: str | None = None, **rest: Any) -> Plan:
    book = Runbook(name="x", text="", digest="", steps=steps, **rest)
    return make_plan(book, inputs or {}, {"N": "4", "BAD": "many"}, run_id)


def fan_out(**rest: Any) -> FanOut:
    return FanOut(TargetsValue(("a",)), **{name: parse_value(value) for name, value in rest.items()})


def policy(inputs: dict[str, Any] | None = None, **rest: Any) -> FanOutPolicy | None:
    return plan(leaf("a", fan_out=fan_out(**rest)), inputs=inputs).nodes["a"].fan_out


def refusal(*steps: Step, **rest: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        plan(*steps, **rest)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_graph_has_every_step_with_its_place() -> None:
    inner = Step("inner", 3, steps=(leaf("x"), leaf("y", "x")))
    group = Step("group", 2, ("first",), steps=(inner, leaf("z", "inner")), fan_out=fan_out())
    made = plan(leaf("first"), group, finally_steps=(leaf("e1"), leaf("e2"), Step("e3", 9, steps=(leaf("e4"),))))
    assert made.roots == ("first", "group")
    assert made.finals == ("e1", "e2", "e3")
    assert {id_: (node.parent, node.children, node.fan, node.final) for id_, node in made.nodes.items()} == {
        "first": (None, (), None, False),
        "group": (None, ("inner", "z"), "group", False),
        "inner": ("group", ("x", "y"), "group", False),
        "x": ("inner", (), "group", False),
        "y": ("inner", (), "group", False),
        "z": ("group", (), "group", False),
        "e1": (None, (), None, True),
        "e2": (None, (), None, True),
        "e3": (None, ("e4",), None, True),
        "e4": ("e3", (), None, True),
    }
    assert made.leaves("group") == ("x", "y", "z")
    assert made.nodes["y"].needs == ("x",)


def test_finally_is_a_chain() -> None:
    made = plan(leaf("a"), finally_steps=(leaf("e1", "a"), leaf("e2"), leaf("e3", "e1")))
    assert [made.nodes[id_].needs for id_ in made.finals] == [(), ("e1",), ("e2",)]


def test_a_step_that_says_nothing_has_the_defaults() -> None:
    assert plan(leaf("a")) == Plan({"a": Node("a")}, ("a",), (), 8)


def test_policies_are_carried_over() -> None:
    step = leaf(
        "a", verify=Verify(CALL, before=True, settle="10s"), idempotent=True, idempotent_ttl=60.0,
        on_in_doubt="rerun", continue_on_error=True,
    )  # fmt: skip
    node = plan(step).nodes["a"]
    assert node.verify == VerifyPolicy(before=True, after=False, settle=10.0)
    assert (node.idempotent, node.idempotent_ttl, node.on_in_doubt, node.continue_on_error) == (
        True,
        60.0,
        "rerun",
        True,
    )


def test_numbers_and_durations_come_from_inputs_and_the_environment() -> None:
    spec = {"max_attempts": "${{ inputs.tries }}", "delay": "${{ inputs.delay }}", "backoff": 1.5, "max_delay": "1h30m",
            "jitter": "${{ inputs.tries / 10 }}"}  # fmt: skip
    step = leaf("a", retry=RetrySpec(**{name: parse_value(value) for name, value in spec.items()}, on_exit_codes=(75,)))
    made = plan(step, inputs={"tries": 3, "delay": "500ms"}, max_parallel=parse_value("${{ env.N }}"))
    assert made.nodes["a"].retry == Retry(3, 0.5, 1.5, 5400.0, 0.3, (75,))
    assert made.max_parallel == 4


def test_the_same_inputs_give_the_same_plan() -> None:
    step = leaf("a", fan_out=fan_out(max_parallel="${{ inputs.n }}"))
    assert plan(step, inputs={"n": 2}) == plan(step, inputs={"n": 2}) != plan(step, inputs={"n": 3})


@pytest.mark.parametrize(
    ("written", "shares"),
    [
        ([1, "10%", "100%"], (Share(1), Share(10, True), Share(100, True))),
        (["${{ inputs.n }}", "${{ inputs.p }}"], (Share(5), Share(2.5, True))),
        ("${{ inputs.waves }}", (Share(1), Share(50, True))),
        (3, (Share(3),)),
        ("10%", (Share(10, True),)),
        (None, ()),
    ],
)
def test_serial_is_waves_of_counts_and_percentages(written: Any, shares: tuple[Share, ...]) -> None:
    found = policy({"n": 5, "p": "2.5%", "waves": [1, "50%"]}, serial=written)
    assert found is not None
    assert found.serial == shares


@pytest.mark.parametrize(
    ("written", "share"),
    [(0, Share(0)), (3, Share(3)), ("3", Share(3)), ("10%", Share(10, True)), ("0%", Share(0, True))],
)
def test_max_failures_is_a_count_or_a_percentage(written: Any, share: Share) -> None:
    found = policy(max_failures=written)
    assert found is not None
    assert found.max_failures == share


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("max_parallel", 0, "from 1 to 1000, not `0`"),
        ("max_parallel", "many", "not `many`"),
        ("max_parallel", 1.5, "not `1.5`"),
        ("max_parallel", True, "type boolean"),
        ("max_parallel", None, "type null"),
        ("max_parallel", "10%", "not `10%`"),
        ("max_parallel", "nan", "not `nan`"),
        ("max_parallel", "x\x1b[2J", "type string"),
        ("max_failures", -1, "from 0 on or a percentage such as 10%, not `-1`"),
        ("max_failures", "101%", "between 0% and 100%, not `101%`"),
        ("max_failures", "%", "between 0% and 100%, not `%`"),
        ("max_failures", [1], "type array"),
        ("serial", [], "wants at least one wave"),
        ("serial", [0], "from 1 on"),
        ("serial", ["0%"], "not `0%`"),
        ("serial", {"a": 1}, "type object"),
    ],
)
def test_nonsense_is_refused_with_the_step_its_line_and_where_it_comes_from(key: str, value: Any, words: str) -> None:
    error = refusal(leaf("a", fan_out=fan_out(**{key: "${{ inputs.v }}"})), inputs={"v": value})
    assert error.message.startswith(f"line 7, step `a`: `{key}` ")
    assert words in error.message
    assert error.hint == "it comes from `inputs.v`: give an input that fits"
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_attempts", 0, "from 1 to 1000"),
        ("delay", "30", "seconds"),
        ("delay", 30, "wants a duration such as 30s, not `30`"),
        ("max_delay", "soon", "duration"),
        ("backoff", 0.5, "from 1 to 100"),
        ("jitter", 2, "from 0 to 1"),
    ],
)
def test_a_retry_that_can_not_be_is_refused(name: str, value: Any, words: str) -> None:
    error = refusal(leaf("a", retry=RetrySpec(**{name: parse_value("${{ inputs.v }}")})), inputs={"v": value})
    assert f"`retry.{name}`" in error.message
    assert words in error.message


def test_a_missing_input_is_told_with_the_place() -> None:
    error = refusal(leaf("a", fan_out=fan_out(max_parallel="${{ inputs.n }}")))
    assert error.message == "line 7, step `a`: `inputs.n`: `inputs` has no `n`"
    assert refusal(leaf("a"), max_parallel=parse_value("${{ env.BAD }}")).message.startswith(
        "the runbook: `max_parallel`"
    )


def test_the_runs_id_may_be_used_once_it_is_known() -> None:
    limit = parse_value("${{ run.id | length }}")
    assert plan(leaf("a"), max_parallel=limit, run_id="abc").max_parallel == 3
    assert "`run` has no `id`" in refusal(leaf("a"), max_parallel=limit).message
