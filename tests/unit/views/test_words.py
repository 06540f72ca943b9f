from __future__ import annotations

from typing import get_args

import pytest

from durun.model import event as ev
from durun.model.event import Event, Stamped
from durun.model.task import TaskKey, TaskState
from durun.views.json import AttemptNumbers, event_line
from durun.views.summary import next_commands, trouble
from durun.views.words import line_of
from events import started

SAMPLES = {
    "answer": "done", "purpose": "in_doubt", "proof": "verify", "resolution": "done", "status": "failed", "how": "ran",
    "session": 1, "pid": 1, "round": 1, "attempt": 1, "folder": 1, "tasks": 1, "due": 0.0, "expected": 1.0,
    "until": 2.0, "kind": "time", "verdict": "approve",
    "found": 2.0, "cause": "failed",
    "event": "failed", "notifiers": [0], "notifier": 0, "ok": False,
    "exit_code": 1, "by": {}, "inputs": {}, "surroundings": {}, "names": ["A"], "changes": ["b"], "targets": [],
    "plugins": {},
}  # fmt: skip


def sample(kind):
    return kind(**{name: SAMPLES.get(name, "x") for name in kind._fields if name not in kind._field_defaults})


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_has_words_and_a_json_line(kind):
    event = sample(kind)
    assert line_of(event).text
    line = event_line("run-1", Stamped(3, 0.0, event), 1)
    assert line["schema"] == 1
    assert line["run"] == "run-1"
    assert line["at"] == "1970-01-01T00:00:00.000Z"
    assert not {"nonce", "text", "surroundings"} & set(line)


@pytest.mark.parametrize(
    ("reason", "said", "told"),
    [
        ("exit code 5", "no such unit", ": exit code 5: no such unit"),
        ("404 Not Found from GET u", "durun: 404 Not Found from GET u", ": 404 Not Found from GET u"),
        ("", "no such unit", ": no such unit"),
        ("", "", ""),
    ],
)
def test_the_end_of_a_run_says_each_thing_once(reason, said, told):
    assert trouble(TaskKey("a"), TaskState(status="failed", reason=reason), said) == f"a failed{told}"


def test_what_went_wrong_is_marked():
    wrong = {kind.__name__ for kind in get_args(Event) if line_of(sample(kind)).wrong}
    assert wrong == {
        "TaskFailed", "TaskInDoubt", "TaskCancelled", "CancelRequested", "ClockJumped", "DecisionRefused",
        "RequestWithdrawn", "RollbackRequested", "RollbackStarted", "Notified",
    }  # fmt: skip


def test_each_event_of_a_task_names_the_attempt_it_is_about():
    numbers = AttemptNumbers()
    failed = ev.TaskFailed(step="dump", code="exit", reason="no")
    found = [numbers.of(event) for event in (started("dump"), failed, started("dump", attempt=2), failed)]
    assert found == [1, 1, 2, 2]
    assert numbers.of(ev.TaskSkipped(step="other", reason="no")) is None


def test_the_commands_that_are_offered_can_be_typed_as_they_are(story):
    tale = story("dump")

    class Nobody:
        def saw(self, events, state):
            pass

    key = TaskKey("dump", "a b'$(rm)")
    tale.tell(Nobody(), started(*key[:2]), ev.TaskInDoubt(step=key.step, target=key.target, reason="no"))
    import shlex

    words = shlex.split(next_commands("run-1", "in_doubt", tale.state.tasks)[1].replace("|", " "))
    assert words[:6] == ["durun", "settle", "run-1", "dump", "--target", key.target]
