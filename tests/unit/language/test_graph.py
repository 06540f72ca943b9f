"""Which step comes before which."""

from durun.language.graph import Graph, output_names
from durun.model.runbook import Action, Call, FanOut, Output, Runbook, Shell, Step, TargetsValue

SHELL = Shell(("bash", "{0}"), ".sh")


def graph(*steps: Step, finals: tuple[Step, ...] = ()) -> Graph:
    return Graph(Runbook(name="x", text="", digest="", steps=steps, finally_steps=finals))


def group(id_: str, *needs: str, steps: tuple[Step, ...], fan: bool = False) -> Step:
    return Step(id_, 1, needs, steps=steps, fan_out=FanOut(TargetsValue(("a",))) if fan else None)


def test_needs_lead_back_through_siblings_and_out_of_groups() -> None:
    found = graph(
        Step("a", 1),
        group("g", "a", steps=(Step("b", 1), Step("c", 1, ("b",)), group("h", "c", steps=(Step("d", 1),)))),
        Step("e", 1, ("g",)),
        Step("f", 1),
    )
    before = {(one, two) for one in found.steps for two in found.steps if found.comes_before(one, two)}
    assert {("a", "d"), ("b", "d"), ("c", "d"), ("d", "e"), ("h", "e"), ("a", "e"), ("b", "c")} <= before
    assert before.isdisjoint({("c", "b"), ("e", "a"), ("f", "e"), ("e", "f"), ("a", "f"), ("d", "c")})


def test_all_steps_come_before_finally_which_is_a_chain() -> None:
    found = graph(Step("a", 1), finals=(Step("x", 1), group("y", steps=(Step("z", 1), Step("w", 1)))))
    assert found.comes_before("a", "x")
    assert found.comes_before("x", "z")
    assert not found.comes_before("z", "x")
    assert not found.comes_before("z", "w")
    assert not found.comes_before("x", "a")
    assert [found.final(id_) for id_ in "axz"] == [False, True, True]


def test_the_fan_out_of_a_step_is_its_own_or_that_of_a_group_around_it() -> None:
    found = graph(group("g", steps=(group("h", steps=(Step("a", 1),)),), fan=True), Step("b", 1))
    assert {id_: found.fan(id_) for id_ in "ghab"} == {"g": "g", "h": "g", "a": "g", "b": None}


def test_a_generated_value_is_an_output_that_is_named_after_its_kind() -> None:
    def made(spec: object) -> Step:
        return Step("a", 1, call=Call(Action("generate", spec), SHELL))

    assert output_names(made({"choice": {"from": (1, 2)}})) == ("choice",)
    assert output_names(made({"uuid": {}})) == ("uuid",)
    assert output_names(made({"ssh_key": {}})) == ("public", "private")
    assert output_names(Step("a", 1, outputs={"x": Output()})) == ("x",)
    assert output_names(Step("g", 1, group_outputs={"y": "1"})) == ("y",)
