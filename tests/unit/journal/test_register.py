"""The register: what is entered, what a stranger can prove with SHA-256, and which entry is named when one is wrong."""

from __future__ import annotations

import hashlib
import json

import pytest

from durun.errors import JournalDamaged
from durun.journal import register
from durun.journal.register import Entry, prove_register
from durun.model import event as ev

BY = {"uid": 1000}


def entries(length: int = 5) -> list[Entry]:
    found = [register.begin([["old", 7, "ab" * 32]], 0.5)]
    for number in range(2, length + 1):
        found.append(register.enter(found[-1], "task_settled", "r", number, bytes([number]) * 32, 1.5))
    return found


def test_an_entry_names_the_head_of_its_run_and_the_digest_of_the_entry_before() -> None:
    first, second, *_ = entries()
    assert json.loads(first.body)["runs"] == [["old", 7, "ab" * 32]]
    assert second.digest == hashlib.sha256(second.body.encode()).hexdigest()
    assert json.loads(second.body) == {
        "at": 1.5,
        "before": hashlib.sha256(first.body.encode()).hexdigest(),
        "head": "02" * 32,
        "kind": "task_settled",
        "number": 2,
        "run": "r",
        "sequence": 2,
    }


def test_a_whole_register_is_proved() -> None:
    prove_register(entries())
    prove_register([])


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("field", ["body", "number", "run", "kind"])
def test_the_first_wrong_entry_is_named(at: int, field: str) -> None:
    found = entries()
    wrong = {"body": found[at].body.replace('"at":', '"at" :'), "number": 77, "run": "other", "kind": "run_ended"}
    found[at] = found[at]._replace(**{field: wrong[field]})
    with pytest.raises(JournalDamaged, match=f"entry {at + 1} of the register"):
        prove_register(found)


def test_one_that_was_taken_out_is_missed() -> None:
    found = entries()
    del found[2]
    with pytest.raises(JournalDamaged, match="entry 3 of the register is missing"):
        prove_register(found)


def test_somebody_s_word_is_entered_and_where_a_run_stands_and_nothing_else() -> None:
    settled = ev.TaskSettled(step="a", resolution="done", reason="seen", by=BY)
    done = ev.TaskSucceeded(step="a", how="ran")
    assert register.kind_of([done]) is None
    assert register.kind_of([done, settled, done]) == "task_settled"
    assert register.kind_of([settled, ev.RunEnded(status="succeeded", exit_code=0)]) == "run_ended"
    assert register.kind_of([ev.RunInterrupted(reason="INT")]) is None
