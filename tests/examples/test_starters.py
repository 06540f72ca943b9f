"""The runbooks that `durun new` writes: killed with the step that was at work, they go on by `durun resume` alone."""

from __future__ import annotations

import signal

import pytest

from durun.language.starters import STARTERS


@pytest.mark.parametrize("kind", STARTERS)
@pytest.mark.parametrize("name", ["values"])
def test_a_first_runbook_survives_the_loss_of_everything(kind, stage):
    stage.program("sleep")
    code, said = stage.durun(["new", "first", "--template", kind])
    assert (code, "durun run first.yaml" in said) == (0, True)
    stage.kill_at(1, everything=True)
    assert stage.durun(["run", "first.yaml"])[0] == -signal.SIGKILL
    code, said = stage.durun(["resume"])
    assert code == 0, said
    assert "succeeded after" in said
