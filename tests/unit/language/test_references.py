"""Every reference is checked before anything runs, and the finding says what to write instead."""

from typing import Any

import pytest

from durun.language.expressions import parse_expression, parse_value
from durun.language.references import check_references, env_names
from durun.model.runbook import (
    Action,
    Call,
    FanOut,
    Input,
    Output,
    RetrySpec,
    Runbook,
    Shell,
    Step,
    TargetsFile,
    TargetsMatrix,
    TargetsRun,
    TargetsValue,
    Verify,
)
from durun.model.values import Template

SHELL = Shell(("bash", "{0}"), ".sh")
INPUTS = {
    "name": Input({"type": "string"}),
    "on": Input({"type": "boolean"}),
    "count": Input({"type": "integer"}),
    "db": Input({"type": "object"}),
    "plain": Input({}),
}


def call(kind: str = "run", spec: Any = "true", **rest: Any) -> Call:
    parsed = {name: value if isinstance(value, Template | dict) else parse_value(value) for name, value in rest.items()}
    if "env" in parsed:
        parsed["env"] = {key: v if isinstance(v, Template) else parse_value(v) for key, v in parsed["env"].items()}
    return Call(Action(kind, parse_value(spec)), SHELL, **parsed)


def reading(text: str) -> Call:
    return call(spec=["echo", "${{ " + text + " }}"])


def step(id_: str, *needs: str, text: str = "", **rest: Any) -> Step:
    """A step that reads `text` in its argv."""
    if "steps" not in rest and "call" not in rest:
        rest["call"] = reading(text) if text else call()
    if "condition" in rest:
        rest["condition"] = parse_expression(rest["condition"])
    return Step(id_, 1, needs, **rest)


def runbook(*steps: Step, **rest: Any) -> Runbook:
    return Runbook(name="x", text="", digest="", steps=steps, inputs=INPUTS, **rest)


def found(*steps: Step, **rest: Any) -> list[tuple[str, tuple[str | int, ...], str]]:
    return [(problem.message, problem.path, problem.hint) for problem in check_references(runbook(*steps, **rest))]


def one(*steps: Step, **rest: Any) -> tuple[str, tuple[str | int, ...], str]:
    problems = found(*steps, **rest)
    assert len(problems) == 1, problems
    return problems[0]


X = {"x": Output()}
FAN = FanOut(TargetsValue(("a", "b")))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("inputs.nmae", "there is no input `nmae`", "did you mean `name`?"),
        ("inputs.zz", "there is no input `zz`", "declare it under `inputs`, as `zz: {type: string, required: true}`"),
        ("inputs.nmae | default('x')", "there is no input `nmae`", "did you mean `name`?"),
        ("inputs[inputs.name]", "an input is named, not computed", "write `inputs.NAME`"),
        ("inputs.name.first", "`inputs.name` is a string and has no `first`", ""),
        ("inputs.plain.first", "`inputs.plain` is a string and has no `first`", ""),
        ("input.name", "there is no `input`", "did you mean `inputs`?"),
        ("name", "there is no `name`", "write `inputs.name`"),
        ("secrets.x", "there is no secret `x`",
         "declare it under `secrets`, as `x: {keyring: {service: …, username: …}}`"),
        ("secrets", "a secret is named, not computed", "write `secrets.NAME`"),
        ("secrets[inputs.name]", "a secret is named, not computed", "write `secrets.NAME`"),
        ("other", "there is no `other`", "write `steps.other`"),
        ("null", "there is no `null`", "write `none`"),
        ("result.exit_code", "`result` is what the probe of a `wait_for` gave: only its `until` and `fail_when` can "
         "read it", ""),
        ("env", "a variable is named, not computed", "write `env.NAME`"),
        ("env[inputs.name]", "a variable is named, not computed", "write `env.NAME`"),
        ("run.ID", "`run` has no `ID`", "did you mean `id`?"),
        ("run.status", "`run.status` is known only in `finally`", ""),
        ("step.id", "`step` has no `id`", "it has `idempotency_key`"),
        ("target", "`target` is known only inside a step or group with `targets`", ""),
        ("target.name", "`target` is known only inside a step or group with `targets`", ""),
        ("steps", "a step is named, not computed", "write `steps.ID.outputs.NAME`"),
        ("steps[inputs.name].outputs.x", "a step is named, not computed", "write `steps.ID.outputs.NAME`"),
        ("steps.othr.outputs.x", "there is no step `othr`", "did you mean `other`?"),
        ("steps.zzzzz.status", "there is no step `zzzzz`", "the steps are `first`, `other`, `me`, `later`"),
        ("steps.other.outputs.y", "step `other` declares no output `y`", "declare it under the `outputs` of `other`"),
        ("steps.other.outputs.xx | default(1)", "step `other` declares no output `xx`", "did you mean `x`?"),
        ("steps.first.outputs.l.length", "`steps.first.outputs.l` is an array and has no `length`", ""),
        ("steps.other.outputs[inputs.name]", "an output is named, not computed", "write `steps.other.outputs.NAME`"),
        ("steps.other.outputs.x.y", "`steps.other.outputs.x` is a string and has no `y`", ""),
        ("steps.other.output.x", "a step has no `output`", "did you mean `outputs`?"),
        ("steps.other.targets.a", "step `other` has no `targets`", "write `steps.other.outputs.NAME`"),
        ("steps.later.outputs.x", "step `later` does not come before `me`", "add `later` to the `needs` of `me`"),
        ("steps.me.outputs.x", "step `me` reads itself", ""),
    ],
)  # fmt: skip
@pytest.mark.fault(36)
def test_a_reference_to_nothing_is_found_with_its_place_and_what_to_write(text: str, message: str, hint: str) -> None:
    first = step("first", outputs={"l": Output("array")})
    steps = step("other", "first", outputs=X), step("me", "other", text=text, outputs=X), step("later", "me", outputs=X)
    assert (message, ("steps", 2, "run", 1), hint) in found(first, *steps)


@pytest.mark.parametrize(
    "text",
    [
        "inputs.name",
        "inputs.db.host",
        "inputs | tojson",
        "env.HOME",
        "run.id ~ run.started_at",
        "step.idempotency_key",
        "steps.first.outputs.x",
        "steps.first.status",
        "steps.first.outputs",
        "steps.other.outputs.list[0].a",
        "steps.made.outputs.uuid",
        "steps.first.outputs.x | default('')",
        "'inputs.nmae'",
    ],
)
def test_what_is_there_may_be_read(text: str) -> None:
    lists = {"list": Output("array")}
    made = step("made", "first", call=call("generate", {"uuid": {}}))
    problems = found(
        step("first", outputs=X), made, step("other", "made", outputs=lists), step("me", "other", text=text)
    )
    assert problems == []


def test_every_reference_is_reported_at_once_and_once() -> None:
    steps = step("a", text="inputs.no ~ inputs.no ~ nope"), step("b", "a", text="steps.c.status ~ target")
    assert [path for _, path, _ in found(*steps)] == [("steps", n, "run", 1) for n in (0, 0, 1, 1)]
    assert [problem.needle for problem in check_references(runbook(*steps))] == [
        "inputs.no", "nope", "steps.c.status", "target"]  # fmt: skip


def test_places_lead_to_where_the_expression_stands() -> None:
    bad = "${{ nope }}"
    verify = Verify(call(spec=["v", bad], env={"V": bad}), settle=parse_value(bad))
    leaf = Step(
        "leaf", 1, (),
        call(spec=["c", bad], env={"E": bad}, stdin=bad, working_directory=bad, timeout=bad),
        condition=parse_expression(bad),
        retry=RetrySpec(*(parse_value(bad),) * 5),
        verify=verify,
        fan_out=FanOut(TargetsRun(call(spec=["t", bad])), *(parse_value(bad),) * 4),
    )  # fmt: skip
    group = Step("group", 1, (), steps=(leaf,), group_outputs={"o": parse_value(bad)})
    final = step("end", text="nope")
    checks = [
        step("m", fan_out=FanOut(TargetsMatrix({"a": parse_value([bad])}))),
        step("f", fan_out=FanOut(TargetsFile(parse_value(bad)))),
        step("v", fan_out=FanOut(TargetsValue(parse_value([{"name": bad}])))),
        step("g", call=call("generate", {"choice": {"from": bad}})),
        step("s", call=Call(Action("assert", {"that": parse_expression("nope"), "message": parse_value(bad)}), SHELL)),
    ]
    paths = {path for _, path, _ in found(group, *checks, finally_steps=(final,), env={"T": parse_value(bad)},
                                          outputs={"r": parse_value(bad)}, max_parallel=parse_value(bad))}  # fmt: skip
    inside = ("steps", 0, "steps", 0)
    assert paths == {
        *((*inside, *rest) for rest in [
            ("run", 1), ("env", "E"), ("stdin",), ("working_directory",), ("timeout",), ("if",),
            ("retry", "max_attempts"), ("retry", "delay"), ("retry", "backoff"), ("retry", "max_delay"),
            ("retry", "jitter"), ("verify", "run", 1), ("verify", "env", "V"), ("verify", "settle"),
            ("targets", "run", 1), ("target_key",), ("max_parallel",), ("serial",), ("max_failures",),
        ]),
        ("steps", 0, "outputs", "o"), ("finally", 0, "run", 1), ("env", "T"), ("outputs", "r"), ("max_parallel",),
        ("steps", 1, "targets", "matrix", "a", 0), ("steps", 2, "targets", "file"), ("steps", 3, "targets", 0, "name"),
        ("steps", 4, "generate", "choice", "from"), ("steps", 5, "assert", "that"), ("steps", 5, "assert", "message"),
    }  # fmt: skip


def test_needs_are_followed_through_siblings_and_groups() -> None:
    inner = step("inner", outputs=X)
    group = step("group", "first", steps=(inner, step("second", text="steps.first.outputs.x")))
    steps = step("first", outputs=X), group, step("last", "group", text="steps.inner.outputs.x ~ steps.first.outputs.x")
    assert found(*steps) == []


def test_a_step_of_a_group_does_not_see_its_sibling_without_a_need_nor_the_group() -> None:
    group = step("group", steps=(step("a", outputs=X), step("b", text="steps.a.outputs.x")))
    assert one(group)[2] == "add `a` to the `needs` of `b`"
    group = step("group", steps=(step("a", text="steps.group.status"),))
    assert one(group)[0] == "`group` is the group that `a` stands in, and ends after it"
    other = step("other", steps=(step("b", text="steps.a.status"),))
    message, _, hint = one(step("group", steps=(step("a"),)), other)
    assert message == "step `a` does not come before `b`"
    assert hint == "let `b` or a group around it need `a` or a group around that"


def test_a_group_has_the_outputs_that_it_declares_and_makes_them_from_its_own_steps() -> None:
    group = step("group", steps=(step("a", outputs=X),), group_outputs={"y": parse_value("${{ steps.a.outputs.x }}")})
    assert found(group, step("b", "group", text="steps.group.outputs.y")) == []
    assert one(group, step("b", "group", text="steps.group.outputs.x"))[0] == "step `group` declares no output `x`"
    later = step("g", steps=(step("a"),), group_outputs={"y": parse_value("${{ steps.z.status }}")})
    assert one(later, step("z", "g"))[0] == "step `z` does not come before `g`"


@pytest.mark.fault(36)
def test_inside_a_fan_out_a_step_is_the_same_targets_and_outside_it_is_named_by_target() -> None:
    inside = step("a", outputs=X), step("b", "a", text="steps.a.outputs.x ~ target.name")
    group = step("group", fan_out=FAN, steps=inside)
    assert found(group, step("c", "group", text="steps.a.targets['k'].outputs.x")) == []
    assert found(group, step("c", "group", text="steps.a.targets[inputs.name].status")) == []
    assert found(group, step("c", "group", text="steps.a.targets | length ~ steps.a.status")) == []
    message, _, hint = one(group, step("c", "group", text="steps.a.outputs.x"))
    assert message == "`a` has an outcome per target, so it has no `outputs` of its own here"
    assert hint == "write `steps.a.targets['KEY'].outputs.x`"
    assert one(group, step("c", "group", text="steps.a.targets.k.outputs.y"))[0] == "step `a` declares no output `y`"
    assert one(group, step("c", "group", text="steps.a.targets.k.output"))[2] == "did you mean `outputs`?"
    early = step("group", fan_out=FAN, steps=(step("a", outputs=X), step("b", "a", text="steps.a.targets.k.outputs.x")))
    assert one(early)[0] == "the other targets are not at their end yet"


def test_target_is_known_to_the_step_its_if_its_key_its_verify_and_not_to_the_list() -> None:
    verify = Verify(reading("target"))
    fan = FanOut(TargetsValue(("a",)), parse_value("${{ target }}"))
    assert found(step("a", text="target", condition="target == 'a'", verify=verify, fan_out=fan)) == []
    listed = FanOut(TargetsValue(parse_value("${{ target }}")))
    assert one(step("a", fan_out=listed))[0] == "`target` can't be read in `targets`"
    limited = FanOut(TargetsValue(("a",)), max_parallel=parse_value("${{ target }}"))
    assert "is not known when the plan is made" in one(step("a", fan_out=limited))[0]


def test_targets_come_from_steps_before() -> None:
    fan = FanOut(TargetsValue(parse_value("${{ steps.list.outputs.x }}")))
    assert found(step("list", outputs={"x": Output("array")}), step("a", "list", fan_out=fan)) == []
    assert one(step("list", outputs=X), step("a", fan_out=fan))[2] == "add `list` to the `needs` of `a`"


def test_a_verify_does_not_see_the_outputs_that_it_asks_about() -> None:
    message, path, _ = one(step("a", outputs=X, verify=Verify(reading("steps.a.outputs.x"))))
    assert message == "a verify is asked before the outputs of `a` are known"
    assert path == ("steps", 0, "verify", "run", 1)


def test_what_a_verify_has_from_its_step_is_found_once() -> None:
    surroundings = call(env={"A": "${{ nope }}"}, working_directory="${{ nope }}")
    verify = Verify(call(env=dict(surroundings.env), working_directory=surroundings.working_directory))
    paths = [path for _, path, _ in found(step("a", call=surroundings, verify=verify))]
    assert paths == [("steps", 0, "env", "A"), ("steps", 0, "working_directory")]


def test_finally_may_name_any_step_and_those_of_finally_before_it() -> None:
    text = "steps.inner.status ~ steps.b.outputs.x ~ run.status ~ run.failed_steps | join(',')"
    steps = step("g", steps=(step("inner"),)), step("b", outputs=X)
    finals = step("end", text=text), step("after", text="steps.end.status")
    assert found(*steps, finally_steps=finals) == []
    assert one(*steps, finally_steps=(step("end", text="steps.after.status"), step("after")))[0] == (
        "step `after` runs in `finally`, not before `end`")  # fmt: skip
    assert one(step("a", text="steps.end.status"), finally_steps=(step("end"),))[0].startswith("step `end` runs in")


def test_a_runs_outputs_may_name_any_step_but_those_of_finally() -> None:
    steps = step("a", outputs=X), step("b")
    assert found(*steps, outputs={"o": parse_value("${{ steps.a.outputs.x }} ${{ steps.b.status }}")}) == []
    assert "finally" in one(finally_steps=(step("e"),), outputs={"o": parse_value("${{ steps.e.status }}")})[0]
    assert one(outputs={"o": parse_value("${{ step.idempotency_key }}")})[1] == ("outputs", "o")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "steps.a.status",
            "`steps.a.status` is not known when the plan is made; only `inputs`, `env` and `run.id` are",
        ),
        (
            "run.started_at",
            "`run.started_at` is not known when the plan is made; only `inputs`, `env` and `run.id` are",
        ),
        ("run", "name what of `run`"),
    ],
)
def test_numbers_of_the_plan_are_made_of_what_is_known_then(text: str, message: str) -> None:
    written = parse_value("${{ " + text + " }}")
    assert one(step("a"), step("b", "a", retry=RetrySpec(max_attempts=written)))[:2] == (
        message, ("steps", 1, "retry", "max_attempts"))  # fmt: skip
    assert found(step("a"), max_parallel=parse_value("${{ inputs.count + (env.N | int) }}${{ run.id }}")) == []


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.missing", "there is no input `missing`"),
        ("inputs.missing == 'x'", "there is no input `missing`"),
        ("missing", "there is no `missing`"),
        ("inputs.name", "a condition must be true or false, and `inputs.name` is a string"),
        ("inputs.plain", "a condition must be true or false, and `inputs.plain` is a string"),
        ("env.X", "a condition must be true or false, and `env.X` is a string"),
        ("'yes'", "a condition must be true or false, and `'yes'` is a string"),
        ("1", "a condition must be true or false, and `1` is a number"),
        ("steps.a.outputs.x", "a condition must be true or false, and `steps.a.outputs.x` is a string"),
        ("steps.a.status", "a condition must be true or false, and `steps.a.status` is a string"),
    ],
)
def test_a_condition_over_a_missing_name_or_of_a_non_boolean_is_found_at_validation(text: str, message: str) -> None:
    problem = one(step("a", outputs=X), step("b", "a", condition=text))
    assert problem[:2] == (message, ("steps", 1, "if"))


@pytest.mark.parametrize(
    "text",
    ["inputs.on", "inputs.name == 'x'", "inputs.on and inputs.name", "steps.a.outputs.b", "inputs.db.flag", "true"],
)
def test_a_condition_that_may_be_a_boolean_passes(text: str) -> None:
    assert found(step("a", outputs={"b": Output("boolean")}), step("b", "a", condition=text)) == []


def test_needs_that_turn_in_a_circle_or_name_nothing_do_not_hang_the_check() -> None:
    steps = step("a", "b", "nothing", text="steps.c.status"), step("b", "a"), step("c", "b")
    assert one(*steps)[0] == "step `c` does not come before `a`"


def test_a_thousand_steps_are_checked_quickly() -> None:
    steps = [step("s0", outputs=X)]
    steps += [step(f"s{n}", f"s{n - 1}", text=f"steps.s{n // 2}.status ~ steps.s0.outputs.x") for n in range(1, 1000)]
    assert found(*steps) == []


def test_env_names_are_every_variable_that_any_expression_reads() -> None:
    book = runbook(
        step("a", text="env.B ~ env['A']", condition="env.C is defined"),
        finally_steps=(step("z", text="env.D | default('')"),),
        env={"X": parse_value("${{ env.B }}"), "Y": "env.NO"},
    )
    assert env_names(book) == {"A", "B", "C", "D"}
