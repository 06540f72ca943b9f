import pytest


@pytest.fixture
def out(operator):
    operator.environment["OUT"] = str(operator.place / "effects")
    return operator.place / "effects"


def test_helpers_are_copied_with_their_modes_and_steps_stand_beside_them(operator, out):
    operator("run", "runbook.yaml")
    assert operator.read("effects") == "said data\nextra\nsaid again\n"


@pytest.mark.fault(51)
@pytest.mark.parametrize("what", ["edited", "removed"])
def test_a_resume_runs_the_copy_of_the_start(operator, out, what):
    bad = operator.place / "effects.bad"
    bad.touch()
    operator("run", "runbook.yaml", code=1)
    bad.unlink()
    helper = operator.place / "tools" / "say.sh"
    helper.write_text("#!/bin/sh\necho edited\n", encoding="utf-8") if what == "edited" else helper.unlink()
    said = operator("resume", "@last")
    assert "tools/say.sh" in said.out
    assert operator.read("effects") == "said data\nextra\nextra\nsaid again\n"


def test_what_is_listed_and_not_there_is_refused_before_anything_runs(operator, out):
    (operator.place / "data.txt").unlink()
    said = operator("run", "runbook.yaml", code=2)
    assert "data.txt" in said.err
    assert not out.exists()
    assert operator("history", "--json").json == []


def test_a_changed_runbook_takes_the_helpers_as_they_are_now_and_says_so(operator, out):
    (operator.place / "effects.bad").touch()
    operator("run", "runbook.yaml", code=1)
    (operator.place / "effects.bad").unlink()
    (operator.place / "tools" / "say.sh").write_text("#!/bin/sh\necho edited\n", encoding="utf-8")
    said = operator("resume", "@last", "--latest")
    assert "~ tools/say.sh: helper file changed" in said.out
    assert "copy of the start" not in said.out
    assert operator.read("effects") == "said data\nextra\nextra\nedited\n"
