"""The chain: the text that is hashed is the text that is stored, and it can be proved without durun."""

from __future__ import annotations

import hashlib
import json

import pytest

from durun.errors import JournalDamaged
from durun.journal.chain import ORIGIN, Link, canonical, prove, seal, unseal, written
from durun.model import event as ev


def chain(created: ev.RunCreated, length: int = 4) -> list[Link]:
    links = [seal("r", ORIGIN, 1, 1.5, created)]
    for sequence in range(2, length + 1):
        links.append(seal("r", links[-1].hash, sequence, 2.0, ev.RunInterrupted(reason=f"number {sequence}")))
    return links


def test_a_link_can_be_proved_with_sha256_alone(created: ev.RunCreated) -> None:
    first, second, *_ = chain(created)
    assert first.hash == hashlib.sha256(bytes(32) + first.body.encode()).digest()
    assert second.hash == hashlib.sha256(first.hash + second.body.encode()).digest()
    assert json.loads(second.body) == {
        "at": 2.0,
        "data": {"reason": "number 2"},
        "run": "r",
        "sequence": 2,
        "type": "run_interrupted",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.5, None, True]}, '{"a":[1.5,null,true],"b":1}'),
        ("é☃", '"é☃"'),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e22, "1e+22"),
        pytest.param("caf\udce9", '"caf\\udce9"', id="no text"),
    ],
)
def test_a_value_has_one_text(value: object, text: str) -> None:
    assert canonical(value) == text
    assert json.loads(canonical(value).encode()) == value


def test_a_value_that_is_read_back_has_the_same_text() -> None:
    value = {"z": 1, "a": {"y": ["caf\udce9"], "b": 2}}
    text = written(value)
    assert text == '{"z":1,"a":{"y":["caf\\udce9"],"b":2}}'
    assert written(json.loads(text.encode())) == text


def test_a_whole_chain_folds_to_the_run(created: ev.RunCreated) -> None:
    (record, tasks), last = prove("r", chain(created))
    assert (record.status, record.reason, last, tasks) == ("interrupted", "number 4", 4, {})


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("change", ["body", "hash", "at", "type", "sequence"])
def test_the_first_wrong_event_is_named(created: ev.RunCreated, at: int, change: str) -> None:
    links = chain(created)
    wrong = {
        "body": links[at].body.replace('"data"', '"date"'),
        "hash": bytes(32),
        "at": 99.0,
        "type": "task_started",
        "sequence": 77,
    }
    links[at] = links[at]._replace(**{change: wrong[change]})
    with pytest.raises(JournalDamaged, match=f"event {at + 1} of run r"):
        prove("r", links)


def test_a_chain_of_another_run_is_not_this_ones(created: ev.RunCreated) -> None:
    with pytest.raises(JournalDamaged, match="event 1 of run other"):
        prove("other", chain(created))


def test_an_event_that_its_state_forbids_breaks_the_chain(created: ev.RunCreated) -> None:
    links = chain(created, 1)
    links.append(seal("r", links[-1].hash, 2, 2.0, ev.TaskSucceeded(step="a", how="ran")))
    links.append(seal("r", links[-1].hash, 3, 2.0, ev.TaskSucceeded(step="a", how="ran")))
    with pytest.raises(JournalDamaged, match="event 3 of run r can't follow"):
        prove("r", links)


def test_an_event_of_an_unknown_kind_is_refused(created: ev.RunCreated) -> None:
    (link,) = chain(created, 1)
    with pytest.raises(JournalDamaged):
        unseal([link._replace(type="teleported")])
