"""Every journal enters what begins, ends and is said into one register."""

from __future__ import annotations

import pytest

from durun.errors import NoSuchRun, NotAllowed
from durun.journal.api import Journal, RunQuery
from durun.journal.register import prove_register
from durun.model.apply import IllegalTransition
from events import RUN, created, ended, session, started, succeeded


class Pen:
    """Signs by repeating the length: what matters here is what is signed, and when."""

    key = "pen"

    def sign(self, message: bytes) -> bytes:
        return len(message).to_bytes(64, "big")


def kinds(journal: Journal, run: str | None = RUN) -> list[str]:
    return [entry.kind for entry in journal.entries(run)]


def test_beginnings_ends_and_words_are_entered_into_one_register(journal: Journal) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    journal.append("other", 0, [created(), session()], 2.0)
    journal.append(RUN, 1, [session(), started("a")], 3.0)
    journal.append(RUN, 3, [succeeded("a")], 4.0)
    journal.append(RUN, 4, [ended()], 5.0)
    assert kinds(journal) == ["run_created", "session_started", "run_ended"]
    assert kinds(journal, None) == ["register_begun", "run_created", "session_started", "session_started", "run_ended"]
    prove_register(journal.entries())
    newest = journal.entries(after=4)
    assert [entry.number for entry in newest] == [5]
    last = journal.links(RUN)[-1]
    assert (newest[0].fields()["sequence"], newest[0].fields()["head"]) == (last.sequence, last.hash.hex())


def test_a_refused_append_enters_nothing(journal: Journal) -> None:
    journal.append(RUN, 0, [created()], 1.0)
    before = journal.entries()
    with pytest.raises(IllegalTransition):
        journal.append(RUN, 1, [session(), succeeded("b"), started("b"), started("b")], 2.0)
    assert journal.entries() == before


def test_what_is_entered_is_signed_once_there_is_a_signer(journal: Journal) -> None:
    assert not journal.unsigned
    journal.append(RUN, 0, [created()], 1.0)
    journal.sign()
    assert journal.unsigned
    assert all(entry.signature is None for entry in journal.entries())
    journal.sign_with(Pen())
    journal.sign()
    assert not journal.unsigned
    journal.sign()
    journal.append(RUN, 1, [session(), ended()], 2.0)
    assert not journal.unsigned
    begun, *signed = journal.entries()
    assert begun.signature is None
    assert [(entry.key, entry.signature) for entry in signed] == [
        ("pen", len(entry.body).to_bytes(64, "big")) for entry in signed
    ]
    assert len(signed) == 2


def test_a_pruned_run_leaves_its_head(journal: Journal) -> None:
    journal.append("other", 0, [created()], 1.0)
    journal.append(RUN, 0, [created(request_id="once"), session(), started("a"), succeeded("a"), ended()], 2.0)
    head = journal.links(RUN)[-1].hash.hex()
    journal.prune(RUN, 9.0)
    with pytest.raises(NoSuchRun):
        journal.record(RUN)
    assert [record.id for record in journal.runs(RunQuery())] == ["other"]
    *_, tomb = journal.entries(RUN)
    told = {"kind": "run_pruned", "head": head, "sequence": 5, "runbook": "patch", "status": "succeeded"}
    assert tomb.fields().items() >= told.items()
    prove_register(journal.entries())
    journal.check("other")


@pytest.mark.parametrize("status", ["failed", "running"])
def test_a_run_that_may_go_on_is_never_pruned(journal: Journal, status: str) -> None:
    journal.append(RUN, 0, [created(), session(), *([ended(status)] if status == "failed" else [])], 2.0)
    with pytest.raises(NotAllowed, match=status):
        journal.prune(RUN, 9.0)
    journal.check(RUN)
    assert kinds(journal)[-1] != "run_pruned"


def test_a_run_that_has_left_privileges_open_is_never_pruned(journal: Journal) -> None:
    grants = started("a")._replace(closes_at=99.0)
    journal.append(RUN, 0, [created(), session(), grants, succeeded("a"), ended()], 2.0)
    with pytest.raises(NotAllowed, match="privileges open"):
        journal.prune(RUN, 9.0)
    journal.check(RUN)
