"""What people are asked, and what they say: the same in every engine.

What is asked is kept with the task (`Waiting.asked`). Of an approval: `message`, `approvers`, `min_approvals`,
`allow_requester`, and `ahead`: each fan-out that comes after it, with the number of its targets, or None where they are
not known. Of a manual step: `instructions`. Of both: the `fields` to give, a `nonce`, and a `digest`. The digest is of
all that a decision is about; whatever of it changes is asked anew, with another nonce.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from durun.actions.api import Question
from durun.engine.api import DecideRequest, Outcome
from durun.engine.ledger import Ledger
from durun.engine.requests import append_newest, refuse_final
from durun.errors import NotAllowed, NotCounted
from durun.journal.api import Journal
from durun.journal.reading import moment
from durun.model.clock import Clock
from durun.model.event import DecisionRefused, TaskDecided, TaskWaiting
from durun.model.evidence import evidence_of
from durun.model.foresight import fans_ahead
from durun.model.people import VERDICTS, Claim, rule
from durun.model.state import RunState
from durun.model.status import spoken
from durun.model.task import TaskKey
from durun.model.values import Json


def asking(ledger: Ledger, key: TaskKey, question: Question, nonce: str) -> TaskWaiting:
    """A task waits for people from now on."""
    state, plan, told = ledger.state, ledger.plan, question.asked
    if question.kind == "approval":
        ahead = [key] if plan.stands_in(key) else fans_ahead(plan, plan.nodes[key.step])
        told = {**told, "ahead": {fan.step: _count(state, fan) for fan in ahead}}
    asked = {**told, "digest": _digest(state, key, told), "nonce": nonce}
    until = None if question.seconds is None else ledger.now + question.seconds
    return TaskWaiting(**key._asdict(), kind=question.kind, until=until, asked=asked)


def asking_again(ledger: Ledger, fan: TaskKey, nonce: str) -> TaskWaiting:
    """Those who approved when the targets of a fan-out were not known are asked about them."""
    approval = ledger.state.resolved[fan.step, fan.round].approval
    at, before = ledger.newest_question(approval)
    asked, until = before.asked, before.until
    told = {name: asked[name] for name in ("approvers", "min_approvals", "allow_requester")}
    count = _count(ledger.state, fan)
    known = f"{count} targets of {fan.step} were not known when {approval} was approved, and are now."
    told["message"] = f"{known}\n{asked['message']}"
    seconds = None if until is None else until - at
    return asking(ledger, fan, Question("approval", {**told, "fields": {}}, seconds), nonce)


def _count(state: RunState, fan: TaskKey) -> int | None:
    resolved = state.resolved.get((fan.step, fan.round))
    return None if resolved is None else len(resolved.index)


def _digest(state: RunState, key: TaskKey, asked: Mapping[str, Json]) -> str:
    """SHA-256, in hex, of the runbook, its files, the inputs, the targets and evidence so far, and what is asked."""
    targets = {
        step: [list(resolved.index.items()), resolved.sealed and resolved.sealed["fingerprint"]]
        for (step, round_), resolved in state.resolved.items()
        if round_ in (0, key.round)
    }
    whole = {
        "runbook": state.record.digest,
        "files": state.created.files,
        "inputs": state.record.inputs_digest,
        "targets": targets,
        "evidence": [[str(one.key), one.name, one.sha256] for one in evidence_of(state.tasks.items())],
        "task": list(key),
        "asked": asked,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode(errors="surrogatepass")).hexdigest()


def decide(journal: Journal, clock: Clock, request: DecideRequest) -> Outcome:
    """Record a decision, for whoever drives the run. Raises NoSuchRun, NotAllowed; NotCounted, and that is recorded."""

    def made(state: RunState) -> TaskDecided | DecisionRefused:
        return decided(state, request, moment(journal, clock, state.record))

    event = append_newest(journal, clock, request.run_id, made)
    if isinstance(event, DecisionRefused):
        raise NotCounted(f"this does not count: {event.why}", f"it is recorded; durun show {request.run_id}")
    return Outcome(request.run_id, journal.record(request.run_id).status, 0)


def decided(state: RunState, request: DecideRequest, now: float) -> TaskDecided | DecisionRefused:
    """What is recorded of a decision. Raises NotAllowed where nobody is asked for such a one."""
    task, record = state.tasks.get(request.task), state.record
    refuse_final(record, "decide")
    waiting = task.waiting if task is not None else None
    if waiting is None or waiting.asked is None or request.verdict not in VERDICTS.get(waiting.kind, ()):
        status = "pending" if task is None else task.status
        raise NotAllowed(
            f"{request.task} of run {record.id} waits for no such decision, it is {spoken(status)}",
            f"see what it waits for: durun show {record.id}",
        )
    claim = Claim(request.verdict, request.by, request.names, request.nonce, request.digest)
    ruling = rule(waiting, claim, state.created.by, now)
    about = {
        **request.task._asdict(),
        "verdict": request.verdict,
        "by": request.by,
        "nonce": request.nonce,
        "digest": request.digest,
        "reason": request.reason,
    }
    if ruling.why:
        return DecisionRefused(**about, why=ruling.why)
    return TaskDecided(**about, fields=request.fields, attachments=request.attachments, advisory=ruling.advisory)
