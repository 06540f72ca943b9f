"""What people are asked, as they read it: where a run parks, in `show`, and before `durun approve` takes a yes."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from durun.model.clock import to_iso
from durun.model.event import TaskDecided
from durun.model.people import GROUP, conclusion, name_of, wanted
from durun.model.task import Decision, TaskKey, TaskState, Verdict, Waiting
from durun.model.values import Json
from durun.views.text import counted, harmless, local_time, one_line, task_name

_SAID: Mapping[Verdict, str] = {
    "approve": "approved",
    "reject": "denied",
    "complete": "done",
    "fail": "could not be done",
}
_LISTED = 10
"""How many questions are shown one by one."""

Question = tuple[TaskKey, Waiting]


def questions(tasks: Mapping[TaskKey, TaskState]) -> list[Question]:
    """The tasks that wait for people, and what for, in the order in which they were asked."""
    found = [
        (task.changed_at, key, task.waiting)
        for key, task in tasks.items()
        if task.waiting is not None and task.waiting.asked is not None
    ]
    return [(key, waiting) for _, key, waiting in sorted(found, key=lambda one: (one[0], str(one[1])))]


def asked_lines(tasks: Mapping[TaskKey, TaskState], by: Mapping[str, Json], alone: bool = True) -> list[str]:
    """What people are asked, who, and until when; what they have said so far. `by`: who has started the run.

    Not `alone`: it was said who is asked and until when, should there be only one question.
    """
    found = questions(tasks)
    first = 0 if alone or len(found) > 1 else 1
    lines = [line for key, waiting in found[:_LISTED] for line in question_lines(key, waiting, by)[first:]]
    return lines + ([f"… and {len(found) - _LISTED} more"] if len(found) > _LISTED else [])


def question_lines(key: TaskKey, waiting: Waiting, by: Mapping[str, Json]) -> list[str]:
    """`approved waits for alice, bob (2 must approve) until …`, and below it the message and what was said."""
    head = f"{task_name(key)} {waits_for(waiting)}"
    text = waiting.asked["message"] if waiting.kind == "approval" else waiting.asked["instructions"]
    lines = [head, *(f"  {line}" for line in harmless(text).strip().splitlines())]
    if _may_seem_asked(waiting, name_of(by)):
        lines.append(f"  not by {one_line(name_of(by))}, who has started the run")
    if waiting.asked["fields"]:
        lines.append(f"  to be given: {', '.join(fields_text(waiting.asked['fields']))}")
    return lines + [f"  {said_text(said, f' at {local_time(said.at)}')}" for said in waiting.decisions]


def _may_seem_asked(waiting: Waiting, requester: str) -> bool:
    """Whether who has started the run is, or may be, among the approvers, and does not count."""
    if waiting.kind != "approval" or waiting.asked["allow_requester"]:
        return False
    return any(name == requester or name.startswith(GROUP) for name in waiting.asked["approvers"])


def waits_for(waiting: Waiting) -> str:
    """`waits for approval by alice, bob (2 must approve), until …`."""
    until = "" if waiting.until is None else f", until {local_time(waiting.until)}"
    if waiting.kind == "manual":
        return f"waits for somebody to do it{until}"
    needed = wanted(waiting)
    many = f" ({needed} must approve)" if needed > 1 else ""
    return f"waits for approval by {one_line(', '.join(waiting.asked['approvers']))}{many}{until}"


def fields_text(fields: Mapping[str, Json]) -> list[str]:
    """`ticket (string; the number of the ticket)`; in brackets what may be left out."""
    lines = []
    for name, field in fields.items():
        told = "; ".join(filter(None, (str(field["schema"].get("type", "")), one_line(field["description"]))))
        lines.append(f"{name} ({told})" if field["required"] else f"[{name} ({told})]")
    return lines


def said_text(said: Decision | TaskDecided, when: str = "") -> str:
    """`approved by alice, with plan.txt: why (advisory: …)`."""
    files = f", with {', '.join(one_line(file['name']) for file in said.attachments)}" if said.attachments else ""
    why = f": {one_line(said.reason)}" if said.reason else ""
    advisory = f" (advisory: {one_line(said.advisory)})" if said.advisory else ""
    return f"{_SAID[said.verdict]} by {one_line(name_of(said.by))}{when}{files}{why}{advisory}"


def answers(run_id: str, tasks: Mapping[TaskKey, TaskState]) -> list[str]:
    """The commands that answer the first question to which there is more to be said, if there is one."""
    found = [(key, waiting) for key, waiting in questions(tasks) if conclusion(waiting, 0.0) is None]
    if not found:
        return []
    key, waiting = found[0]
    words = task_words(key)
    given = "".join(f" --set {name}=…" for name, field in waiting.asked["fields"].items() if field["required"])
    if waiting.kind == "approval":
        return [f"durun approve {run_id} {words}{given}", f'durun reject {run_id} {words} --reason "…"']
    return [f'durun complete {run_id} {words} --note "…"{given}']


def task_words(key: TaskKey) -> str:
    """A task as it is named in a command: `STEP --target KEY`."""
    return key.step if key.target is None else f"{key.step} --target {quote(key.target)}"


def question_json(waiting: Waiting) -> dict[str, Json]:
    """What a task waits for, as JSON."""
    found: dict[str, Json] = {"kind": waiting.kind}
    if waiting.until is not None:
        found["until"] = to_iso(waiting.until)
    if waiting.asked is not None:
        found["asked"] = {name: value for name, value in waiting.asked.items() if name != "nonce"}
        found["decisions"] = [{**said._asdict(), "at": to_iso(said.at)} for said in waiting.decisions]
    if waiting.kind == "poll":
        found |= {"times": waiting.times, "due": to_iso(waiting.due) if waiting.due else None}
    return found


def decision_json(run_id: str, key: TaskKey, verdict: Verdict, waiting: Waiting | None) -> dict[str, Json]:
    """What was recorded. `decided`: nothing more is waited for. `waiting`: None if that has been taken in already."""
    enough = waiting is None or conclusion(waiting, 0.0) is not None
    said = waiting.decisions[-1].advisory if waiting is not None and waiting.decisions else ""
    line = {"schema": 1, "event": "task_decided", "run": run_id, "step": key.step, "target": key.target}
    return {**line, "verdict": verdict, "decided": enough, "advisory": said}


def progress_text(waiting: Waiting) -> str:
    """`1 of 2 approvals`."""
    return f"{len(waiting.decisions)} of {counted(wanted(waiting), 'approval')}"
