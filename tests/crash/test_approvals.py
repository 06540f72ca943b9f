"""A change is opened, people are asked, and whatever is killed when: one change, one question, and it goes on once."""

from __future__ import annotations

import json

import pytest

from crash.harness import Bench, Ran
from crash.terminal import Terminal

STEPS = """
steps:
  - id: change
    run: 'eval "$MARK"; echo ticket=CHG-1 >> "$DURUN_OUTPUT"'
    outputs: {ticket: {}}
    on_in_doubt: verify
    verify:
      run: |
        grep -qx change "$EFFECTS" || exit 2
        echo ticket=CHG-1 >> "$DURUN_OUTPUT"
      not_done_on: [2]
  - id: approved
    approval:
      message: Go on under ${{ steps.change.outputs.ticket }}?
      approvers: ["${{ env.ME }}"]
      allow_requester: true
      fields: {window: {type: integer, required: true}}
  - id: work
    run: 'eval "$MARK"; test "$WINDOW" = 30'
    env: {WINDOW: "${{ steps.approved.outputs.window }}"}
    on_in_doubt: verify
    verify: {run: 'grep -qx work "$EFFECTS" || exit 2', not_done_on: [2]}
"""
EACH = """
steps:
  - id: before
    targets: [x, y]
    run: echo before
  - id: hosts
    targets: [a, b]
    max_parallel: 1
    steps:
      - id: ok
        approval:
          message: Reboot ${{ target }}, which takes the shop away for a minute?
          approvers: ["${{ env.ME }}"]
          allow_requester: true
      - id: reboot
        run: echo reboot
  - id: after
    run: echo after
finally:
  - id: tidy
    run: echo tidy
"""
APPROVE = ("approved", "--set", "window=30", "--reason", "fine")
POINTS = [f"{point}.{when}" for point in ("append", "send", "reply", "land") for when in ("before", "after")]


@pytest.fixture
def me(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> str:
    """What whoever runs the tests is called."""
    from durun.config import whoami
    from durun.model.people import name_of

    name = name_of(whoami())
    monkeypatch.setenv("ME", name)
    bench.env["ME"] = name
    return name


def fresh(bench: Bench, number: int) -> Bench:
    folder = bench.folder / str(number)
    folder.mkdir()
    return Bench(folder)


def asked_once(bench: Bench) -> None:
    assert bench.effects()["change"] <= 1, bench.effects()
    assert len(bench.events("task_waiting")) <= 1


def until_parked(bench: Bench, book: str) -> Ran:
    """What an operator, or cron, does until the run waits for people."""
    ran = bench("run", book, "--resume-or-start")
    asked_once(bench)
    assert ran.code == 5, ran
    bench.quiet()
    return ran


def through(bench: Bench) -> None:
    """Go on after whatever was recorded, to the end."""
    run = bench.last() or ""
    if bench.show()["status"] == "waiting" and not bench.show()["waiting_for"]["tasks"][0]["decisions"]:
        assert bench("approve", run, *APPROVE, "--no-resume").code == 0
    ran = bench("resume", "--all")
    assert ran.code == 0, ran
    assert bench.show()["status"] == "succeeded"
    assert bench.effects() == {"change": 1, "work": 1}
    asked_once(bench)
    assert len(bench.events("task_decided")) == 1
    bench.check()


@pytest.mark.fault(29)
@pytest.mark.parametrize("point", POINTS)
def test_killed_before_and_while_people_are_asked(bench: Bench, me: str, point: str) -> None:
    hit, sprung = 1, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(STEPS))
        sprung, ran = trial.crash("run", book, at=f"runner {point} {hit}")
        assert sprung or (hit > 1 and ran.code == 5), ran
        until_parked(trial, book)
        assert trial.effects() == {"change": 1}
        through(trial)
        trial.close()
        hit += 1


@pytest.mark.fault(29)
@pytest.mark.parametrize("point", POINTS)
def test_killed_while_somebody_approves_and_after_it(bench: Bench, me: str, point: str) -> None:
    hit, sprung = 1, True
    while sprung:
        trial = fresh(bench, hit)
        until_parked(trial, str(trial.write(STEPS)))
        sprung, ran = trial.crash("approve", trial.last() or "", *APPROVE, at=f"runner {point} {hit}")
        assert sprung or (hit > 1 and ran.code == 0), ran
        if sprung:
            through(trial)
        assert trial.effects() == {"change": 1, "work": 1}
        trial.close()
        hit += 1


LATER = """
steps:
  - id: ok
    approval: {message: Go?, approvers: ["${{ env.ME }}"], allow_requester: true}
  - {id: early, targets: {run: 'eval "$MARK"; echo a'}, run: 'eval "$MARK"', shell: sh}
  - id: find
    run: 'eval "$MARK"; echo "hosts=[\\"x\\",\\"y\\"]" >> "$DURUN_OUTPUT"'
    outputs: {hosts: {type: array}}
    idempotent: true
  - id: late
    targets: ${{ steps.find.outputs.hosts }}
    max_parallel: 2
    run: 'eval "$MARK"'
    shell: sh
    idempotent: true
"""


@pytest.mark.fault(29)
@pytest.mark.parametrize("point", ["append.before", "append.after", "send.after"])
def test_killed_around_targets_that_are_listed_early_and_around_those_that_are_approved_later(
    bench: Bench, me: str, point: str
) -> None:
    hit, sprung = 1, True
    while sprung:
        trial = fresh(bench, hit)
        book = str(trial.write(LATER))
        sprung, ran = trial.crash("run", book, at=f"runner {point} {hit}")
        assert sprung or ran.code == 5, ran
        for step in ("ok", "late"):
            trial.crash("resume", trial.last() or "", at=f"runner {point} {hit}") if trial.last() else None
            ran = trial("run", book, "--resume-or-start")
            assert ran.code == 5, ran
            waiting = trial.show()["waiting_for"]["tasks"]
            assert [task["step"] for task in waiting] == [step]
            assert not any(name.startswith("late") for name in trial.effects())
            assert trial("approve", trial.last() or "", step, "--no-resume").code == 0
        ran = trial("resume", "--all")
        assert ran.code == 0, ran
        assert {name for name in trial.effects() if name.startswith("late")} == {"late/x", "late/y"}
        assert len(trial.events("task_waiting")) == 2
        trial.check()
        trial.close()
        hit += 3


@pytest.mark.fault(29)
def test_the_machine_is_restarted_while_people_are_asked(bench: Bench, me: str) -> None:
    until_parked(bench, str(bench.write(STEPS)))
    bench.env["CRASH_BOOT_ID"] = "another"
    assert bench("resume", bench.last() or "").code == 5
    through(bench)


@pytest.mark.fault(28)
def test_a_decision_for_what_was_asked_before_does_not_count(bench: Bench, me: str) -> None:
    """Somebody has the question before them for an hour, and meanwhile it is asked anew."""
    book = bench.write(STEPS)
    until_parked(bench, str(book))
    run = bench.last() or ""
    assert bench("approve", run, *APPROVE, "--no-resume").code == 0
    bench.write(STEPS.replace("Go on under", "Still go on under"))
    assert bench("resume", run, "--latest").code == 5
    waiting = bench.show()["waiting_for"]["tasks"][0]
    assert (waiting["asked"]["message"], waiting["decisions"]) == ("Still go on under CHG-1?", [])
    assert bench("resume", run).code == 5
    assert bench.effects() == {"change": 1}
    ran = bench("approve", run, *APPROVE)
    assert ran.code == 0, ran
    assert bench.effects() == {"change": 1, "work": 1}


@pytest.mark.fault(28)
def test_who_may_not_approve_is_told_and_it_is_recorded(bench: Bench, me: str) -> None:
    until_parked(bench, str(bench.write(STEPS.replace("allow_requester: true", "allow_requester: false"))))
    run = bench.last() or ""
    ran = bench("approve", run, *APPROVE, "--json")
    assert ran.code == 6
    assert json.loads(ran.err)["error"]["code"] == "not_counted"
    refused = bench.events("decision_refused")
    assert len(refused) == 1 and "has started the run" in refused[0]["why"]
    assert {"uid", "loginuid", "sudo_uid", "tty"} <= refused[0]["by"].keys()
    assert (bench("resume", run).code, bench.effects()) == (5, {"change": 1})


def test_beside_a_runner_that_works_it_is_recorded_and_that_one_goes_on(bench: Bench, me: str) -> None:
    fifo = bench.fifo()
    beside = f"  - {{id: long, needs: [], run: 'cat {fifo}'}}\n"
    book = bench.write(STEPS + beside)
    started = bench.start("run", str(book))
    from crash.harness import wait_until

    wait_until(lambda: bench.last() and bench.state().record.counts.get("waiting"))
    ran = bench("approve", bench.last() or "", *APPROVE)
    assert ran.code == 0 and "goes on with the run" in ran.out, ran
    wait_until(lambda: bench.effects()["work"])
    bench.let_go(fifo)
    assert bench.finish(started).code == 0
    assert bench.effects() == {"change": 1, "work": 1}


def test_what_a_yes_lets_run_is_shown_and_nothing_that_is_done(bench: Bench, me: str) -> None:
    assert bench("run", str(bench.write(EACH))).code == 5
    run = bench.last() or ""
    assert bench("approve", run).code == 5
    shown = Terminal(bench, "approve", run, size=(40, 24), COLUMNS="40")
    shown.read_until("Approve? [y/N]")
    asked, _, ahead = shown.said.replace("\r", "").partition("what is to run:\n")
    assert "  Reboot b, which takes the shop away\n      for a minute?\n" in asked
    assert ahead.splitlines()[:-1] == [
        "  hosts: a group",
        "    1 of 2 targets: b",
        "  reboot: echo reboot",
        "  after: echo after",
        "  tidy: echo tidy",
    ]
    shown.type(b"n\n")
    assert shown.end() == 0
