from stored import everything

CALLER = {
    "GIVEN": "g", "AWS_REGION": "eu", "MORE": "m", "SECRET_OF_CALLER": "x", "BASH_ENV": "/nowhere", "LD_PRELOAD": "",
    "PYTHONSTARTUP": "/nowhere", "LC_TIME": "C", "TERM": "vt100", "IFS": "x",
    "INPUT_WORD": "forged", "DURUN_STEP_ID": "forged",
}  # fmt: skip


def test_a_step_has_nothing_of_the_caller_but_what_is_named(operator):
    operator("run", "runbook.yaml", env=CALLER)
    listed = operator.show()["tasks"][0]["outputs"]["all"].splitlines()
    env = dict(entry.split("=", 1) for entry in listed)
    own = {"INPUT_WORD", "NAMED", "PATH", "HOME", "LANG", "LC_TIME", "TERM", "GIVEN", "AWS_REGION"}
    assert {name for name in env if not name.startswith("DURUN_")} == own
    assert env["INPUT_WORD"] == "w"
    assert env["DURUN_STEP_ID"] == "plain"
    assert "DURUN_HOME" not in env
    assert "DURUN_LAST_OK" not in env


def test_what_is_named_and_not_there_is_not_there(operator):
    operator("run", "runbook.yaml", code=1, env={"GIVEN": "g"})
    assert operator.tasks()["plain", None]["status"] == "succeeded"


def test_values_of_inherited_variables_are_not_in_the_journal(operator):
    (operator.place / "quiet.yaml").write_text(
        "durun: 1\nname: quiet\ninherit_env: [GIVEN]\nsteps: [{id: a, run: 'test -n \"$GIVEN\"'}]\n", encoding="utf-8"
    )
    operator("run", "quiet.yaml", env={"GIVEN": "not-to-be-stored-anywhere"})
    assert b"not-to-be-stored-anywhere" not in everything(operator.home)
