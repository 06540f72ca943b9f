"""Events as lines of JSON."""

import pytest

from durun.model import event as ev
from durun.views.json import event_line


def line(event):
    return event_line("r", ev.Stamped(7, 0.0, event))


def test_a_notice_that_is_due_is_told_by_its_own_name():
    told = line(ev.NotifyDue("failed", "h", "k", (0,)))
    assert (told["event"], told["tells_of"], told["key"]) == ("notify_due", "failed", "k")


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (ev.TaskWaiting("s", "time", 1.5), "until"),
        (ev.TaskRetried("s", 1.5), "due"),
        (ev.TaskStarted("s", 1, "1", "n", 1, "k", "q", closes_at=1.5), "closes_at"),
        (ev.ClockJumped(1.5, 9.0), "expected"),
        (ev.ClockJumped(9.0, 1.5), "found"),
    ],
)
def test_times_are_told_as_all_times_are(event, name):
    assert line(event)[name] == "1970-01-01T00:00:01.500Z"


def test_a_wait_without_an_end_has_none():
    assert line(ev.TaskWaiting("s", "people", None))["until"] is None
