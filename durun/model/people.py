"""What people decide: who may, what counts, and when enough has been said. Pure: nobody is asked here who anyone is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from durun.model.clock import to_iso
from durun.model.task import Decision, Verdict, Waiting, WaitKind
from durun.model.tuples import NamedTuple
from durun.model.values import Json

VERDICTS: Mapping[WaitKind, tuple[Verdict, ...]] = {
    "approval": ("approve", "reject"),
    "manual": ("complete", "fail"),
}
"""What can be said about what a task waits for."""

YES: frozenset[Verdict] = frozenset({"approve", "complete"})
NO: frozenset[Verdict] = frozenset({"reject", "fail"})

DENIED, EXPIRED, NOT_DONE = "denied", "expired", "manual"
"""Codes of failures: somebody said no, nobody said anything in time, a person could not do the step."""

GROUP = "group:"
"""What the name of a unix group begins with, where approvers are named."""

_ROOT = 0


class Granted(NamedTuple):
    """Enough people have said yes. `outputs`: the values that they gave, the newest of each. `reason`: who."""

    outputs: Mapping[str, Json]
    reason: str


class Denied(NamedTuple):
    """Somebody said no, or it is too late."""

    code: str
    reason: str


def conclusion(waiting: Waiting, now: float) -> Granted | Denied | None:
    """What follows from what people have said so far, and from the time. None: there is more to be said.

    What was said in time holds, however late it is looked at.
    """
    for said in waiting.decisions:
        if said.verdict in NO:
            return _denied(said)
    yes = [said for said in waiting.decisions if said.verdict in YES]
    if len({person(said.by) for said in yes}) >= wanted(waiting):
        return Granted({name: value for said in yes for name, value in said.fields.items()}, _granted(yes))
    if waiting.until is not None and waiting.until <= now:
        return Denied(EXPIRED, f"expired at {to_iso(waiting.until)}")
    return None


def wanted(waiting: Waiting) -> int:
    """How many people must say yes."""
    return int(waiting.asked.get("min_approvals", 1)) if waiting.asked is not None else 1


def person(by: Mapping[str, Json]) -> int:
    """The uid that tells people apart: of who logged in, whatever they have become since; else of who asks."""
    login = by.get("loginuid")
    return int(login if login is not None else by.get("uid", _ROOT))


def name_of(by: Mapping[str, Json]) -> str:
    """What a person is called."""
    return str(by.get("login_user") or by.get("user") or person(by))


def _granted(yes: Sequence[Decision]) -> str:
    """`approved by alice, bob (advisory: …)`."""
    names = ", ".join(name_of(said.by) for said in yes)
    why = "; ".join(dict.fromkeys(said.advisory for said in yes if said.advisory))
    word = "done" if yes[0].verdict == "complete" else "approved"
    return f"{word} by {names}{f' (advisory: {why})' if why else ''}"


def _denied(said: Decision) -> Denied:
    name = name_of(said.by)
    if said.verdict == "reject":
        return Denied(DENIED, f"denied by {name}: {said.reason}")
    return Denied(NOT_DONE, f"{name} could not do it: {said.reason}")


class Claim(NamedTuple):
    """A decision that somebody wants to be counted.

    `names` are all names by which approvers may be called that this person answers to: of users, and of groups with
    `group:` before them. `nonce` and `digest` are those of what the person has seen.
    """

    verdict: Verdict
    by: Mapping[str, Json]
    names: Collection[str]
    nonce: str
    digest: str


class Ruling(NamedTuple):
    """Whether a decision counts: `why` not (empty: it does). `advisory`: why it is no separation of duties."""

    why: str = ""
    advisory: str = ""


def rule(waiting: Waiting, claim: Claim, requester: Mapping[str, Json], now: float) -> Ruling:
    """Whether the claim counts for what is asked. `requester` is who has started the run."""
    asked = waiting.asked
    if (claim.nonce, claim.digest) != (asked["nonce"], asked["digest"]):
        return Ruling("what was seen is not what is asked now: it was asked anew since")
    if waiting.until is not None and waiting.until <= now:
        return Ruling(f"the request has expired at {to_iso(waiting.until)}")
    if waiting.kind == "manual":
        return Ruling()
    return _rule_approval(waiting, claim, requester)


def _rule_approval(waiting: Waiting, claim: Claim, requester: Mapping[str, Json]) -> Ruling:
    asked, who = waiting.asked, person(claim.by)
    entitled = set(asked["approvers"]) & set(claim.names)
    root = claim.by.get("uid") == _ROOT and who == _ROOT
    if not entitled and not root:
        return Ruling(f"{name_of(claim.by)} is none of the approvers: {', '.join(asked['approvers'])}")
    own = who == person(requester)
    if own and claim.verdict == "approve" and not asked["allow_requester"]:
        return Ruling(f"{name_of(claim.by)} has started the run, and nobody approves of what they ask for themselves")
    if any(person(said.by) == who and said.verdict == claim.verdict for said in waiting.decisions):
        return Ruling(f"{name_of(claim.by)} has said so already, and one person counts once")
    if claim.verdict == "reject":
        return Ruling()
    if claim.by.get("written_by") == _ROOT:
        return Ruling(advisory="root wrote it, who can be anybody")
    if own:
        return Ruling(advisory="the requester decided")
    if claim.by.get("uid") == _ROOT:
        return Ruling(advisory="root decided, who can be anybody")
    if claim.by.get("uid") == requester.get("uid"):
        return Ruling(advisory=f"requester and approver both act as uid {claim.by.get('uid')}")
    return Ruling()
