"""Stored names are for ever: every event goes to JSON and back, under the names of this list."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from durun.model import event as ev
from durun.model.event import Event, Target, decode, encode, type_of

TASK = {"step": "a", "target": "t", "round": 2}
BY = {"uid": 1000, "user": "ada"}
DIGEST = "9f" * 32

EXAMPLES = [
    ev.RunCreated(
        runbook="r",
        digest=DIGEST,
        text="durun: 1",
        file="r.yaml",
        place="/srv",
        inputs={"a": [1, None, "é"]},
        inputs_digest=DIGEST,
        tasks=3,
        by=BY,
        version="0.1",
        surroundings={"host": "h", "env": {"A": "b"}},
        files={"x.sh": {"sha256": DIGEST, "mode": "755"}},
        only_targets=["t"],
        request_id="q",
        files_folder="files",
        steps=["a"],
        finally_steps=["z"],
        concurrency_group="patch",
        release_on=["failed"],
    ),
    ev.SessionStarted(session=2, reason="resume", pid=7, host="h", boot_id="b", pid_namespace="p", mount_id="m", by=BY),
    ev.SurroundingsAccepted(names=["HOME"], by=BY),
    ev.RunbookChanged(
        digest=DIGEST,
        text="durun: 1",
        file="r",
        place="/",
        changes=["a: run"],
        tasks=-1,
        by=BY,
        files={},
        env={"A": "b"},
        files_folder="files-2",
        steps=["a", "b"],
        finally_steps=[],
    ),
    ev.PluginsChanged(changes=["a 1 became a 2"], plugins={"a.b": {"package": "a", "version": "2"}}, by=BY),
    ev.RoundStarted(round=2, by=BY),
    ev.TargetsResolved(
        step="a", targets=(Target("t", {"name": "t"}), Target("u", "u")), tasks=2, round=1, skipped=True, approval="ok"
    ),
    ev.TaskSkipped(**TASK, reason="if"),
    ev.TaskWaiting(**TASK, kind="poll", until=None, every=5.0),
    ev.TaskWaiting(**TASK, kind="approval", until=12.5, asked={"message": "now?", "nonce": "n", "digest": DIGEST}),
    ev.TaskDecided(
        **TASK,
        verdict="complete",
        by=BY,
        nonce="n",
        digest=DIGEST,
        reason="done",
        fields={"x": 1},
        attachments=[{"name": "a.txt", "path": "attachments/9f", "size": 3, "sha256": DIGEST}],
        advisory="root decided",
    ),
    ev.DecisionRefused(**TASK, verdict="approve", by=BY, why="expired", nonce="n", digest=DIGEST, reason="fine"),
    ev.RequestWithdrawn(**TASK, reason="the runbook was changed"),
    ev.TaskStarted(**TASK, attempt=2, folder=3, nonce="n", session=1, idempotency_key="k", request=DIGEST),
    ev.TaskNeverBegan(**TASK, attempt=1, reason="no gate"),
    ev.ProbeStarted(**TASK, purpose="after", folder=4, nonce="p", session=1),
    ev.ProbeAnswered(**TASK, purpose="poll", answer="not_done", reason="exit code 1", exit_code=1, times=12),
    ev.ProbeAnswered(**TASK, purpose="in_doubt", answer="not_done", reason="exit code 2", exit_code=2),
    ev.TaskSucceeded(**TASK, how="adopted", outputs={"x": 1.5}, exit_code=0, reason="", log={"stdout": {"bytes": 1}}),
    ev.TaskFailed(**TASK, code="exit", reason="exit code 1", how="ran", exit_code=1, retryable=False, log=None),
    ev.TaskRetried(**TASK, due=12.5, fresh=True),
    ev.TaskInDoubt(**TASK, reason="lost", how="adopted", exit_code=76, gone=False, pid=9, log=None),
    ev.TaskRepeated(**TASK, proof="idempotent"),
    ev.TaskSettled(**TASK, resolution="not_done", reason="looked", by=BY, outputs={"x": "y"}),
    ev.TaskCancelled(**TASK, reason="stopped", exit_code=None, log=None),
    ev.CancelRequested(reason="enough", by=BY),
    ev.RollbackRequested(reason="undo it", by=BY),
    ev.RollbackStarted(cause="failed", exit_code=1, tasks=2),
    ev.TaskRolledBack(**TASK, early=True),
    ev.TaskDue(**TASK, reason="its time is over", early=True),
    ev.TaskReopened(**TASK),
    ev.FinallyStarted(round=1, status="failed", tasks=2),
    ev.RunParked(status="in_doubt", reason="a doubt"),
    ev.RunInterrupted(reason="SIGINT"),
    ev.RunEnded(status="succeeded", exit_code=0, outputs={"url": "x"}, reason="", standing=[["a", "t"], ["b", None]]),
    ev.SealsDestroyed(values=3),
    ev.NotifyDue(event="waiting", about=DIGEST, key="k", notifiers=[0, 2]),
    ev.Notified(key="k", notifier=2, ok=False, reason="exit code 3"),
    ev.ClockJumped(expected=2.0, found=1.0),
]

STORED = {
    "cancel_requested": "reason by",
    "clock_jumped": "expected found",
    "decision_refused": "step target round verdict by why nonce digest reason",
    "notified": "key notifier ok reason",
    "notify_due": "event about key notifiers",
    "finally_started": "round status tasks",
    "plugins_changed": "changes plugins by",
    "probe_answered": "step target round purpose answer reason exit_code times",
    "probe_started": "step target round purpose folder nonce session",
    "request_withdrawn": "step target round reason",
    "rollback_requested": "reason by",
    "rollback_started": "cause exit_code tasks",
    "round_started": "round by",
    "run_created": "runbook digest text file place inputs inputs_digest tasks by version surroundings files"
    " only_targets request_id sealed files_folder steps finally_steps concurrency_group release_on included plugins",
    "run_ended": "status exit_code outputs reason standing",
    "run_interrupted": "reason",
    "run_parked": "status reason",
    "runbook_changed": "digest text file place changes tasks by files env files_folder steps finally_steps included"
    " plugins",
    "seals_destroyed": "values",
    "session_started": "session reason pid host boot_id pid_namespace mount_id by",
    "surroundings_accepted": "names by",
    "targets_resolved": "step targets tasks round skipped sealed approval",
    "task_cancelled": "step target round reason exit_code log evidence",
    "task_failed": "step target round code reason how exit_code retryable log evidence",
    "task_in_doubt": "step target round reason how exit_code gone pid log evidence",
    "task_never_began": "step target round attempt reason",
    "task_repeated": "step target round proof",
    "task_retried": "step target round due fresh",
    "task_rolled_back": "step target round early",
    "task_due": "step reason target round early",
    "task_reopened": "step target round",
    "task_settled": "step target round resolution reason by outputs sealed",
    "task_skipped": "step target round reason",
    "task_started": "step target round attempt folder nonce session idempotency_key request closes_at plugin",
    "task_decided": "step target round verdict by nonce digest reason fields attachments advisory",
    "task_waiting": "step target round kind until asked every",
    "task_succeeded": "step target round how outputs exit_code reason log sealed evidence",
}


def test_every_event_has_an_example():
    assert {type(event) for event in EXAMPLES} == set(get_args(Event))


@pytest.mark.parametrize("event", EXAMPLES, ids=type_of)
def test_an_event_goes_to_json_and_back(event):
    stored = json.loads(json.dumps(encode(event)))
    assert decode(type_of(event), stored) == event


def test_stored_names_are_only_ever_added_to():
    stored = {kind: set(names.split()) for kind, names in STORED.items()}
    assert {type_of(event): set(encode(event)) for event in EXAMPLES} == stored


@pytest.mark.parametrize("event", EXAMPLES, ids=type_of)
def test_an_event_of_an_older_durun_may_lack_what_has_a_default(event):
    stored = {name: value for name, value in encode(event).items() if name not in event._field_defaults}
    assert type(decode(type_of(event), stored)) is type(event)


def test_an_event_of_a_newer_durun_is_refused():
    with pytest.raises(KeyError):
        decode("task_teleported", {})
