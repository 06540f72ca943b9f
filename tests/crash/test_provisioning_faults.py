"""Making a service account on bad days: what can't be undone, what nobody knows, and who takes days to approve."""

from __future__ import annotations

import pytest

from crash.harness import Ran, wait_until
from crash.provision import TOKENS, Provision
from daemons.keyring import needs_keyring
from daemons.openldap import needs_openldap

pytestmark = [needs_keyring, needs_openldap, pytest.mark.timeout(120)]

DAY = 24 * 3600.0
FAILED, IN_DOUBT, WAITS, DENIED = 1, 3, 5, 6


def waits(provision: Provision) -> str:
    """Run it until it waits for its approval; the run."""
    ran = provision(*provision.argv())
    assert ran.code == WAITS, ran
    provision.quiet()
    return provision.stored()[0].id


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("point", "hit"), [("reply.before", 2), ("append.before", 4), ("append.after", 4), ("land.after", 2)]
)
def test_killed_around_the_request_it_waits_at_the_approval_with_one(
    provision: Provision, point: str, hit: int
) -> None:
    """The request is the second step."""
    provision.crash(*provision.argv(), at=f"runner {point} {hit}")
    provision.safe()
    while provision.argv()[0] == "run" or provision.stored()[0].status != "waiting":
        assert provision(*provision.argv()).code == WAITS
    run = provision.stored()[0].id
    assert provision("resume", run).code == WAITS
    assert len(provision.changes.opened(run)) == 1
    assert provision.task("approved")["status"] == "waiting"
    provision.quiet()


@pytest.mark.fault(29)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_of_a_decision(provision: Provision, when: str) -> None:
    run = waits(provision)
    assert provision.crash("approve", run, at=f"runner append.{when} 1")[0]
    assert provision("resume", run).code == (WAITS if when == "before" else 0)
    if when == "before":
        assert provision("approve", run).code == 0
    provision.look()
    assert provision.done == 1


@pytest.mark.fault(19)
def test_a_rollback_that_fails_stops_no_other_and_what_stands_is_listed(provision: Provision) -> None:
    """The directory goes away while the last step waits for its answer, which is a no."""
    run = waits(provision)
    provision.changes.set({"PUT 1": "answers late"}, refuses="implemented")
    process = provision.start("approve", run)
    wait_until(lambda: "PUT" in [asked.method for asked in provision.changes.asked()])
    provision.directory.stop()
    ran = provision.finish(process)
    assert ran.code == FAILED, ran
    assert provision.stored()[0].status == "rollback_failed"
    for standing in ("create", "enable", *(f"roles[{role}]" for role in provision.roles)):
        assert f"{standing} still stands: its rollback failed" in ran.out
    assert ran.out.count("still stands") == 4
    assert provision.account not in provision.keyring.all(TOKENS)
    assert provision.changes.states(run) == ["withdrawn"]

    provision.directory.start()
    withdrawn = len(provision.changes.asked())
    ran = provision("resume", run)
    assert ran.code == FAILED, ran
    provision.look()
    assert (provision.stored()[0].status, provision.done) == ("rolled_back", 1)
    assert len(provision.changes.asked()) == withdrawn


@pytest.mark.fault(20)
@pytest.mark.parametrize("goes_on", [True, False], ids=["resume", "rollback"])
def test_a_role_in_doubt_stops_everything_until_somebody_says_how_it_is(provision: Provision, goes_on: bool) -> None:
    """Everything of durun dies while the first role is given, and the directory with it: nobody can be asked."""
    run = waits(provision)
    sides, _ = provision.crash_sides("approve", run, at="supervisor process.after 2;runner reply.before 3")
    assert sides == {"supervisor", "runner"}
    wait_until(lambda: not provision.steps())
    provision.directory.stop()
    ran = provision("resume", run)
    assert ran.code == IN_DOUBT, ran
    first = provision.roles[0]
    assert provision.in_doubt() == [("roles", first)]
    begun = {(task["step"], task["target"]) for task in provision.show()["tasks"] if task["status"] != "pending"}
    assert begun == {*((step, None) for step in ("check", "change", "approved", "create")), ("roles", first)}
    provision.directory.start()
    provision.safe()
    how = "--done" if first in provision.directory.roles(provision.account) else "--not-done"
    assert provision("settle", run, "roles", "--target", first, how, "--reason", "the directory says so").code == 0
    ran = provision("resume" if goes_on else "rollback", run)
    assert ran.code == 0, ran
    provision.look()
    assert (provision.stored()[0].status, provision.done) == ("succeeded" if goes_on else "rolled_back", 1)


def cron(provision: Provision, *argv: str, days: float) -> Ran:
    """What cron runs so many days later: no more of the caller's environment than a crontab says."""
    kept = ("HOME", "DURUN_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
    said = [f"{name}={provision.env[name]}" for name in kept]
    clean = ["env", "-i", *said, "PATH=/usr/bin:/bin", f"CRASH_CLOCK={days * DAY}"]
    return provision(*argv, prefix=clean)


@pytest.mark.fault(29)
def test_an_approval_of_two_days(provision: Provision) -> None:
    run = waits(provision)
    asked = provision.changes.asked()
    for days in (0.5, 1.9):
        assert cron(provision, "resume", "--all", "--quiet", days=days) == (0, "", "")
        provision.quiet()
        assert provision.stored()[0].status == "waiting"
    assert provision.changes.asked() == asked
    assert provision.directory.account(provision.account) is None
    ran = provision("approve", run, "--no-resume", "--reason", "looked at", env={"CRASH_CLOCK": f"{2 * DAY}"})
    assert ran.code == 0, ran
    provision.quiet()
    assert provision.directory.account(provision.account) is None
    assert cron(provision, "resume", "--all", "--quiet", days=2.1).code == 0
    provision.look()
    assert (provision.stored()[0].status, provision.done) == ("succeeded", 1)


@pytest.mark.fault(26, 28)
def test_an_approval_that_nobody_gives_takes_the_request_back(provision: Provision) -> None:
    run = waits(provision)
    assert cron(provision, "resume", "--all", "--quiet", days=6.9) == (0, "", "")
    ran = provision("approve", run, env={"CRASH_CLOCK": f"{7.1 * DAY}"})
    assert ran.code == DENIED, ran
    assert cron(provision, "resume", "--all", "--quiet", days=7.2).code == DENIED
    provision.look()
    assert (provision.stored()[0].status, provision.done) == ("rolled_back", 1)
