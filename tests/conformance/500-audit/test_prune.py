"""`durun prune`: only what is over goes, whole, and what is left can be proved on."""

import json

import pytest

from durun.journal.sqlite import open_journal


def runs(operator):
    return {run["id"]: run["status"] for run in operator("history", "--json", "--limit", "0").json}


def folders(operator):
    return {path.name for path in (operator.home / "runs").iterdir()}


def test_runs_that_are_over_go_and_the_others_stay(operator):
    over = operator("run", "runbook.yaml", "--json").lines[-1]["run"]
    doubt = operator("run", "doubt.yaml", "--json", code=3).lines[-1]["run"]
    failed = operator("run", "fails.yaml", "--json", code=1).lines[-1]["run"]
    cancelled = operator("run", "doubt.yaml", "--json", code=3).lines[-1]["run"]
    operator("cancel", cancelled, "--reason", "no more", code=3)
    operator("settle", cancelled, "unsure", "--done", "--reason", "seen", code=None)
    assert runs(operator)[cancelled] == "cancelled"
    assert operator("prune", "--older-than", "1d").out == ""
    assert len(runs(operator)) == 4
    said = operator("prune", "--older-than", "0s").out.splitlines()
    assert [line.split()[1] for line in said] == [over, cancelled]
    assert said[0].startswith(f"run {over} of audited pruned (succeeded, ")
    assert runs(operator) == {doubt: "in_doubt", failed: "failed"}
    assert folders(operator) == {doubt, failed}
    assert operator("verify").out.startswith("nothing was changed: 2 runs, ")
    assert f"durun: run {over} was pruned (" in operator("show", over, code=2).err
    assert operator("prune", "--older-than", "0s").out == ""
    operator("settle", doubt, "unsure", "--done", "--reason", "seen")
    operator("resume", doubt, "-q")
    assert runs(operator)[doubt] == "succeeded"


def test_a_head_from_before_is_still_found_and_its_removal_without_prune_is_not_forgotten(operator):
    first, second = (operator("run", "runbook.yaml", "--json").lines[-1] for _ in range(2))
    operator("prune", "--older-than", "0s", "-q")
    operator("verify", "--head", first["head"], "--head", second["head"])
    with open_journal(operator.home / "journal.db", read_only=True) as journal:
        tomb = journal.entries(first["run"])[-1]
        last = journal.entries()[-1]
    assert tomb.fields().items() >= {"kind": "run_pruned", "runbook": "audited", "status": "succeeded"}.items()
    assert last.signature is not None


def test_each_run_is_exported_first_if_asked(operator):
    run = operator("run", "runbook.yaml", "--json").lines[-1]["run"]
    folder = operator.place / "old"
    assert "there is no folder old" in operator("prune", "--older-than", "0s", "--export", "old", code=2).err
    folder.mkdir()
    operator("export", run, "-o", f"old/durun-{run}.tar.gz", "-q")  # as one that was killed afterwards leaves it
    told = operator("prune", "--older-than", "0s", "--export", "old", "--json").json
    (pruned,) = told["pruned"]
    assert told["schema"] == 1
    assert (pruned["run"], pruned["status"], pruned["bundle"]) == (run, "succeeded", f"old/durun-{run}.tar.gz")
    assert [path.name for path in folder.iterdir()] == [f"durun-{run}.tar.gz"]
    operator("verify", pruned["bundle"])
    operator("verify")
    assert runs(operator) == {}


def test_a_run_that_can_t_be_exported_stays(operator):
    run = operator("run", "runbook.yaml", "--json").lines[-1]["run"]
    (operator.place / f"durun-{run}.tar.gz").write_text("mine")
    said = operator("prune", "--older-than", "0s", "--export", ".", code=2)
    assert "is not this run's" in said.err
    assert operator.read(f"durun-{run}.tar.gz") == "mine"
    assert runs(operator) == {run: "succeeded"}
    assert folders(operator) == {run}


def test_what_a_killed_prune_has_left_is_removed_by_the_next(operator):
    run = operator("run", "runbook.yaml", "--json").lines[-1]["run"]
    with open_journal(operator.home / "journal.db") as journal:
        journal.prune(run, 9e9)
    assert folders(operator) == {run}
    (operator.home / "runs" / "strange").mkdir()
    operator("prune", "--older-than", "1d", "-q")
    assert folders(operator) == {"strange"}


@pytest.mark.parametrize("arguments", [[], ["--older-than", "soon"]])
def test_without_an_age_nothing_is_pruned(operator, arguments):
    operator("run", "runbook.yaml", "-q")
    error = json.loads(operator("prune", *arguments, "--json", code=2).err)["error"]
    assert error["code"] == "usage"
    assert len(runs(operator)) == 1
