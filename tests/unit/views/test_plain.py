from __future__ import annotations

import pytest

from durun.model import event as ev
from durun.model.plan import Node, Plan, Retry
from durun.views.plain import PlainView
from events import started


class Paper:
    """Takes what a channel would."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.fixture
def paper():
    return Paper()


def test_another_day_is_said_once(paper, story):
    view, tale = PlainView(paper), story("dump", "copy")
    tale.begin(view)
    tale.tell(view, started("dump"))
    tale.now += 2 * 86400
    tale.tell(view, ev.TaskSucceeded(step="dump", how="ran"), started("copy"))
    assert paper.text.splitlines() == [
        "run run-1 of backup",
        "00:00:01 dump started",
        "2026-01-03",
        "00:00:02 dump succeeded in 2d 00h",
        "00:00:03 copy started",
    ]


def test_a_failure_that_is_tried_again_is_not_wrong_yet(paper, story):
    quiet, loud = PlainView(paper, quiet=True), PlainView(Paper())
    for view in (quiet, loud):
        tale = story("flaky")
        tale.begin(view)
        failed = ev.TaskFailed(step="flaky", code="exit", reason="exit code 7")
        tale.tell(view, started("flaky"), failed, ev.TaskRetried(step="flaky", due=tale.now + 9))
    assert paper.text == ""
    assert loud._channel.text.splitlines()[2:] == [
        "00:00:02 flaky failed: exit code 7 (after 1.0s)",
        "00:00:03 flaky is tried again at 00:00:09 (attempt 2)",
    ]
    tale.tell(loud, started("flaky", attempt=2), ev.TaskFailed(step="flaky", code="exit", reason="exit code 8"))
    assert loud._channel.text.splitlines()[-1] == "00:00:05 flaky FAILED: exit code 8 (after 1.0s)"


def test_a_doubt_that_is_over_tells_when_the_step_is_repeated(paper, story):
    view, tale = PlainView(paper), story("flaky")
    tale.plan = Plan({"flaky": Node("flaky", retry=Retry(delay=9, jitter=0))}, ("flaky",))
    tale.begin(view)
    doubt = ev.TaskInDoubt(step="flaky", reason="exit code 76")
    tale.tell(view, started("flaky"), doubt, ev.TaskRepeated(step="flaky", proof="idempotent"))
    assert paper.text.splitlines()[-1] == "00:00:03 flaky is repeated at 00:00:11: safe by idempotent"
