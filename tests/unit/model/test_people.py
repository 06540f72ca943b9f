"""Who may decide, what counts, and when enough has been said."""

from __future__ import annotations

import pytest

from durun.model.people import Claim, Denied, Granted, Ruling, conclusion, person, rule
from durun.model.task import Decision, Waiting

ADA = {"uid": 1000, "user": "ada", "loginuid": 1000, "login_user": "ada"}
BOB = {"uid": 1001, "user": "bob", "loginuid": 1001, "login_user": "bob"}
EVE = {"uid": 1002, "user": "eve", "loginuid": None, "login_user": None}
ROOT = {"uid": 0, "user": "root", "loginuid": None, "login_user": None}
ASKED = {
    "message": "now?",
    "approvers": ["ada", "bob", "group:dba"],
    "min_approvals": 1,
    "allow_requester": False,
    "fields": {},
    "nonce": "n",
    "digest": "d",
}


def waiting(*decisions: Decision, until: float | None = 100.0, **asked: object) -> Waiting:
    return Waiting("approval", until, {**ASKED, **asked}, decisions)


def said(by, verdict="approve", **more) -> Decision:
    return Decision(verdict, by, 10.0, **more)


def ruling(by, names, what=None, requester=ADA, now=50.0, **claim) -> Ruling:
    asked = what or waiting()
    return rule(
        asked,
        Claim(**{"verdict": "approve", "by": by, "names": names, "nonce": "n", "digest": "d", **claim}),
        requester,
        now,
    )


def test_an_approver_by_name_or_by_group_counts():
    assert ruling(BOB, {"bob"}) == Ruling()
    assert ruling(EVE, {"group:dba"}) == Ruling()


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("by", "names", "more", "why"),
    [
        (EVE, set(), {}, "eve is none of the approvers: ada, bob, group:dba"),
        (EVE, {"root", "group:adm"}, {}, "none of the approvers"),
        (ADA, {"ada"}, {}, "ada has started the run"),
        ({**BOB, "loginuid": 1000, "login_user": "ada"}, {"ada"}, {}, "ada has started the run"),
        (BOB, {"bob"}, {"nonce": "older"}, "asked anew"),
        (BOB, {"bob"}, {"digest": "other"}, "asked anew"),
        (BOB, {"bob"}, {"now": 100.0}, "expired at 1970-01-01T00:01:40.000Z"),
        (BOB, {"bob"}, {"what": waiting(said(BOB), min_approvals=2)}, "one person counts once"),
        ({**EVE, "loginuid": 1001}, {"bob"}, {"what": waiting(said(BOB), min_approvals=2)}, "one person counts once"),
    ],
)
def test_what_does_not_count_says_why(by, names, more, why):
    assert why in ruling(by, names, **more).why


def test_the_requester_counts_where_the_runbook_says_so_and_may_always_deny():
    assert ruling(ADA, {"ada"}, waiting(allow_requester=True)) == Ruling(advisory="the requester decided")
    assert ruling(ADA, {"ada"}, verdict="reject").why == ""


@pytest.mark.fault(53)
def test_what_separates_nobody_is_advisory():
    assert ruling(ROOT, set()).advisory.startswith("root decided")
    assert ruling({**ROOT, "loginuid": 1001, "login_user": "bob"}, {"bob"}).advisory.startswith("root decided")
    assert ruling({**BOB, "uid": 1000}, {"bob"}).advisory == "requester and approver both act as uid 1000"
    assert ruling({**ROOT, "loginuid": 1002, "login_user": "eve"}, set()).why.startswith("eve is none")
    assert ruling(ROOT, set(), requester=ROOT).why.startswith("root has started the run")


def test_a_person_is_who_logged_in_whatever_they_have_become():
    assert person({"uid": 0, "loginuid": 1001, "sudo_uid": "5"}) == 1001
    assert person({"uid": 1002, "loginuid": None, "sudo_uid": "1001"}) == 1002


def test_one_step_by_hand_is_ended_by_whoever_may_act_for_the_run():
    by_hand = Waiting("manual", 100.0, {"instructions": "do", "fields": {}, "nonce": "n", "digest": "d"})
    assert ruling(ADA, set(), by_hand, verdict="complete") == Ruling()
    assert "expired" in ruling(ADA, set(), by_hand, verdict="complete", now=101.0).why
    assert "asked anew" in ruling(ADA, set(), by_hand, verdict="complete", nonce="x").why
    assert conclusion(by_hand._replace(decisions=(said(ADA, "complete", fields={"a": 1}),)), 50.0) == Granted(
        {"a": 1}, "done by ada"
    )
    failed = conclusion(by_hand._replace(decisions=(said(ADA, "fail", reason="no such port"),)), 50.0)
    assert failed == Denied("manual", "ada could not do it: no such port")


def test_enough_different_people_grant_and_one_denies():
    two = {"min_approvals": 2}
    assert conclusion(waiting(**two), 50.0) is None
    assert conclusion(waiting(said(BOB), **two), 50.0) is None
    both = conclusion(
        waiting(said(BOB, fields={"a": 1, "b": 1}), said(EVE, fields={"b": 2}, advisory="x"), **two), 50.0
    )
    assert both == Granted({"a": 1, "b": 2}, "approved by bob, eve (advisory: x)")
    denied = conclusion(waiting(said(BOB), said(EVE, "reject", reason="not today"), **two), 50.0)
    assert denied == Denied("denied", "denied by eve: not today")


def test_what_was_said_in_time_holds_when_it_is_looked_at_later():
    assert isinstance(conclusion(waiting(said(BOB)), 1e9), Granted)
    assert conclusion(waiting(), 99.9) is None
    assert conclusion(waiting(), 100.0) == Denied("expired", "expired at 1970-01-01T00:01:40.000Z")
    assert conclusion(waiting(until=None), 1e9) is None
