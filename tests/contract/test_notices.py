"""Every engine records alike who is to be told, with what it is about, and of the same standing once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from contract.engines.rig import Rig


@pytest.fixture(autouse=True)
def nobody_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told, and by whom, is looked at elsewhere."""
    monkeypatch.setattr("durun.engine.local.driving.tell_about", lambda home, run_id, now: None)


NOTICES = """
notify:
  - {events: [failed, succeeded], run: [tell]}
  - {events: [waiting, in_doubt], run: [tell]}
  - {events: [failed], run: [tell]}
steps:
"""


def told(rig: Rig) -> list[tuple[str, list[int]]]:
    events = rig.journal.events(rig.run, types=["notify_due"])
    return [(stamped.event.event, list(stamped.event.notifiers)) for stamped in events]


@pytest.mark.parametrize(
    ("end", "expected"), [(0, [("succeeded", [0])]), (7, [("failed", [0, 2])]), (76, [("in_doubt", [1])])]
)
def test_what_is_to_be_told_is_recorded_before_the_end(rig: Rig, does: Any, end: int, expected: Any) -> None:
    rig.world.will("a.run", does(end))
    rig.start(NOTICES + "  - {id: a, run: [ACT, run]}\n")
    assert told(rig) == expected
    assert rig.events()[-2:][0] == "notify_due"


def test_each_failure_is_told_under_a_key_of_its_own(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(7))
    rig.start(NOTICES + "  - {id: a, run: [ACT, run]}\n")
    rig.resume()
    events = rig.journal.events(rig.run, types=["notify_due"])
    assert [stamped.event.event for stamped in events] == ["failed", "failed"]
    assert len({stamped.event.key for stamped in events}) == 2


def test_the_same_wait_is_told_once_and_another_one_too(rig: Rig) -> None:
    steps = NOTICES + "  - {id: a, wait: 1h}\n  - {id: b, run: [ACT, run]}\n"
    for _ in range(2):
        rig.start(steps, park=True) if not rig.run else rig.resume(park=True)
    assert told(rig) == [("waiting", [1])]


def test_the_same_doubt_is_told_once_and_the_next_one_too(rig: Rig, does: Any) -> None:
    rig.world.will("a.run", does(76))
    rig.start(NOTICES + "  - {id: a, run: [ACT, run]}\n")
    rig.resume()
    assert told(rig) == [("in_doubt", [1])]
    rig.settle("a", "not_done")
    rig.resume()
    assert told(rig) == [("in_doubt", [1]), ("in_doubt", [1])]


def test_a_cancel_is_nothing_to_tell(rig: Rig) -> None:
    rig.start(NOTICES + "  - {id: a, wait: 1h}\n", park=True)
    rig.cancel()
    assert told(rig) == [("waiting", [1])]


def test_nobody_is_told_where_nobody_wants_to_know(rig: Rig, does: Any) -> None:
    rig.start("notify: [{events: [failed], run: [tell]}]\nsteps:\n  - {id: a, run: [ACT, run]}\n")
    assert told(rig) == []
