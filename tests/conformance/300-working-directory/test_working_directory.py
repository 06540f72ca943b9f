def test_relative_to_the_runbook_wherever_the_command_is_typed(operator):
    here = operator.place.resolve()
    operator.place = operator.place / "sub"
    operator("run", "../runbook.yaml")
    assert operator.show()["outputs"] == {"default": str(here), "relative": str(here / "sub"), "absolute": "/"}


def test_a_folder_that_is_not_there_fails_the_step_which_never_began(operator):
    said = operator("run", "runbook.yaml", "-i", "where=nowhere", code=4)
    assert "relative FAILED" in said.out
    assert "nowhere" in said.out
