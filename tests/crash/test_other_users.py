"""Approvals by other users of the machine: real ones, who may put a file into a folder, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

from crash.other_users import BOOK, CAROL, DAVE, GROUP, Runs, World, needs_users, runs, world

__all__ = ["runs", "world"]
pytestmark = needs_users

WHAT_IS_TO_RUN = """
what is to run:
  act: echo "act $TICKET" >> "$DURUN_WORK/../../../effects"
  tell: printf %s ${{ steps.approved.outputs.ticket }}
"""


def test_another_user_approves_and_the_owner_s_cron_goes_on(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.carol.durun(runs.home, "approve", run[:8], "--set", "ticket=T-77", "--reason", "looks right")
    assert said.returncode == 0, said.stderr
    assert "whose next resume counts it" in said.stdout
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert runs.effects == ["change", "act T-77"]
    (decided,) = runs.events(run, "task_decided")
    assert decided["by"]["uid"] == world.carol.uid
    assert decided["by"]["user"] == CAROL
    assert decided["advisory"] == ""
    assert decided["reason"] == "looks right"
    assert list((runs.home / "requests").iterdir()) == []
    (kept,) = (runs.home / "runs" / run / "answers").iterdir()
    assert kept.stat().st_uid == world.carol.uid


def test_they_find_what_waits_for_them_and_see_what_it_is(world: World, runs: Runs) -> None:
    assert world.carol.durun(runs.home, "history").stdout == ""
    run = runs.start()
    for person, theirs in ((world.carol, True), (world.mallory, False)):
        (listed,) = json.loads(person.durun(runs.home, "history", "--json").stdout)
        assert (listed["id"], listed["status"], listed["runbook"]) == (run, "waiting", "careful")
        assert [task["for_you"] for task in listed["because"]] == [theirs]
        assert (person.durun(runs.home, "history", "--for-me").stdout != "") is theirs
    assert "for approval by" in world.carol.durun(runs.home, "history").stdout
    for name in (run, run[:6], "@last"):
        shown = world.carol.durun(runs.home, "show", name).stdout
        assert "Shall it be done?" in shown
        assert WHAT_IS_TO_RUN in shown
        assert f"next: durun approve {run} approved --set ticket=…\n" in shown
    assert json.loads(world.carol.durun(runs.home, "show", run, "--json").stdout)["why"].endswith("(you may)")
    assert world.carol.durun(runs.home, "history", "--status", "failed").stdout == ""
    assert world.carol.durun(runs.home, "show", "nothing").returncode == 2
    assert list((runs.home / "approvals").iterdir()) == []
    assert world.carol.durun(runs.home, "logs", run).returncode == 13


def test_who_forgets_a_value_is_told_so_at_once_and_may_say_it_again(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.carol.durun(runs.home, "approve", run)
    assert (said.returncode, said.stdout) == (2, "")
    assert "field `ticket` is missing" in said.stderr
    assert "give it with --set NAME=VALUE" in said.stderr
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0


def test_what_they_have_answered_waits_for_them_no_longer(world: World, runs: Runs) -> None:
    run = runs.start()
    assert run in world.carol.durun(runs.home, "history", "--for-me").stdout
    world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert run not in world.carol.durun(runs.home, "history", "--for-me").stdout
    assert run in world.carol.durun(runs.home, "history").stdout


def test_a_secret_of_the_run_in_what_they_say_is_not_recorded(world: World, runs: Runs) -> None:
    key = runs.owner.home / "pager.key"
    key.write_text("a-key-for-the-pager\n")
    os.chown(key, runs.owner.uid, -1)
    key.chmod(0o600)
    run = runs.start(book=f"{BOOK}    stdin: ${{{{ secrets.pager }}}}\nsecrets: {{pager: {{file: pager.key}}}}\n")
    said = world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1", "--reason", "with a-key-for-the-pager")
    assert said.returncode == 0, said.stderr
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert "a secret of the run stands in" in refused["why"]
    assert refused["by"]["uid"] == world.carol.uid
    assert b"a-key-for-the-pager" not in b"".join(path.read_bytes() for path in runs.home.glob("journal.db*"))
    assert runs.effects == ["change"]


def test_two_of_two_and_nobody_twice(world: World, runs: Runs) -> None:
    run = runs.start(many=2)
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 2
    runs.goes_on(run, 5)
    again = world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert again.returncode == 0, "what was taken is no longer there: the owner's durun tells them apart"
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert "one person counts once" in refused["why"]
    assert world.dave.durun(runs.home, "approve", run, "--set", "ticket=T-2").returncode == 0
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert runs.effects == ["change", "act T-2"]


def test_an_answer_is_taken_once_whenever_durun_is_killed(world: World, runs: Runs) -> None:
    run = runs.start(many=2)
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
    runs.goes_on(run, 5)
    (kept,) = (runs.home / "runs" / run / "answers").iterdir()
    # As if it had been killed once the decision was recorded, and before the file was kept.
    kept.rename(runs.home / "approvals" / kept.name.partition("-")[2])
    runs.goes_on(run, 5)
    assert len(runs.events(run, "task_decided")) == 1
    assert runs.events(run, "decision_refused") == []
    assert list((runs.home / "approvals").iterdir()) == []


def test_a_question_that_could_not_be_told_is_told_by_the_next(world: World, runs: Runs) -> None:
    run = runs.start()
    next(iter((runs.home / "requests").iterdir())).unlink()
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0


PER_TARGET = """
durun: 1
name: per-target
steps:
  - {id: before, targets: [x, y], run: "true"}
  - id: hosts
    targets: [a, b]
    max_parallel: 1
    steps:
      - {id: ok, approval: {message: "Reboot ${{ target }}?", approvers: [CAROL]}}
      - {id: reboot, run: "true"}
  - {id: after, run: "true"}
"""


def test_they_see_what_is_to_run_for_which_targets(world: World, runs: Runs) -> None:
    run = runs.start(book=PER_TARGET)
    assert world.carol.durun(runs.home, "approve", run).returncode == 0
    runs.goes_on(run, 5)
    _, _, ahead = world.carol.durun(runs.home, "show", run).stdout.partition("what is to run:\n")
    assert ahead.splitlines()[:4] == ["  hosts: a group", "    1 of 2 targets: b", "  reboot: true", "  after: true"]


def test_what_was_asked_before_it_was_shared_is_seen_at_once(world: World, tmp_path: Path) -> None:
    home = world.owner.home / tmp_path.name
    (book := world.owner.home / "book.yaml").write_text(
        BOOK.replace("MANY", "1").replace("CAROL", CAROL).replace("DAVE", DAVE)
    )
    ran = world.owner.durun(home, "run", str(book), "--json")
    run = json.loads(ran.stdout.splitlines()[-1])["run"]
    assert world.carol.durun(home, "history", "--for-me").returncode == 13
    assert world.owner.durun(home, "doctor", "--share", GROUP).returncode in (0, 1)
    assert run in world.carol.durun(home, "history", "--for-me").stdout
    assert world.carol.durun(home, "approve", run, "--set", "ticket=T-7").returncode == 0


def test_another_user_says_no(world: World, runs: Runs) -> None:
    run = runs.start()
    assert world.dave.durun(runs.home, "reject", run, "--reason", "not on a Friday").returncode == 0
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 6
    assert runs.effects == ["change"]


def test_what_is_asked_is_shown_to_the_group_alone(world: World, runs: Runs) -> None:
    run = runs.start()
    path = next(iter((runs.home / "requests").iterdir()))
    assert world.carol.does(["cat", str(path)]).returncode == 0
    assert world.carol.does(["cat", str(runs.home / "journal.db")]).returncode != 0
    for command in (("logs", run), ("show", run, "--events"), ("report", "--controls")):
        refused = world.carol.durun(runs.home, *command)
        assert (refused.returncode, refused.stdout) == (13, ""), command
    nothing = world.carol.durun(runs.home, "approve", "nosuch")
    assert nothing.returncode == 2
    assert run in nothing.stderr


def test_one_who_is_no_approver_is_told_so_and_it_is_recorded(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.mallory.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert said.returncode == 6
    assert "none of the approvers" in said.stderr
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert refused["by"]["uid"] == world.mallory.uid
    assert runs.effects == ["change"]
