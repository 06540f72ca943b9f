"""What an engine tells the journal, for tests in which none is at work."""

from __future__ import annotations

from typing import Any

from durun.model import event as ev

RUN = "20260131-k7qd2m"
BY = {"uid": 1000, "user": "ada"}


def created(**changes: Any) -> ev.RunCreated:
    values: dict[str, Any] = {
        "runbook": "patch",
        "digest": "d1",
        "text": "name: patch\n",
        "file": "patch.yaml",
        "place": "/srv",
        "inputs": {"count": 2},
        "inputs_digest": "i1",
        "tasks": 3,
        "by": BY,
        "version": "1.0",
        "surroundings": {"host": "h"},
    }
    return ev.RunCreated(**{**values, **changes})


def session(number: int = 1, **changes: Any) -> ev.SessionStarted:
    values: dict[str, Any] = {
        "reason": "start",
        "pid": 7,
        "host": "h",
        "boot_id": "b",
        "pid_namespace": "p",
        "mount_id": "m",
        "by": BY,
    }
    return ev.SessionStarted(session=number, **{**values, **changes})


def started(step: str, target: str | None = None, attempt: int = 1, folder: int = 1, **changes: Any) -> ev.TaskStarted:
    values = {"nonce": f"nonce{folder}", "session": 1, "idempotency_key": f"key{folder}", "request": "r"}
    return ev.TaskStarted(step=step, target=target, attempt=attempt, folder=folder, **{**values, **changes})


def succeeded(step: str, target: str | None = None, **outputs: Any) -> ev.TaskSucceeded:
    return ev.TaskSucceeded(step=step, target=target, how="ran", exit_code=0, outputs=outputs)


def ended(status: Any = "succeeded") -> ev.RunEnded:
    return ev.RunEnded(status=status, exit_code=0, outputs={"done": [1, 2]})


def held(**changes: Any) -> ev.RunCreated:
    return created(**{"concurrency_group": "db", **changes})
