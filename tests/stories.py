"""No tests: runs that never were, told event by event, for the report of a run."""

from __future__ import annotations

from durun.language.load import load
from durun.model import event as ev
from durun.model.event import Stamped
from durun.model.state import RunState
from durun.model.task import Target
from durun.views.report.facts import Seal, Subject
from events import started

AT = 1_767_225_600.0
BY = {"uid": 1000, "user": "ada", "host": "console"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><b>x",
    "{{ 7 * 7 }}${{ 7 }}{% raw %}",
    "\u202egnp.exe\x1b[2J\x00",
    "' onload='alert(1)",
)

_BOOK = """
durun: 1
name: restart
description: Restarts what must be restarted.
controls: ["ISO-27001-2022:A.8.8"]
requires: {privileges: [root on every host]}
inputs: {change: {type: string, default: x}}
steps:
  - id: one
    approval: {message: "Now?", approvers: [ada], allow_requester: true}
  - id: two
    targets: [a]
    run: ./restart
    controls: ["CIS-8.1:7.3"]
  - id: three
    collect: {run: ps, as: note.txt}
finally:
  - {id: tell, run: logger done}
"""


class Story:
    """Events in their order, a second apart."""

    def __init__(self, text: str, **inputs: str) -> None:
        self.runbook = load(text.encode(), "restart.yaml").runbook
        self.events: list[Stamped] = []
        self.now = AT
        created = ev.RunCreated(
            runbook=self.runbook.name, digest="d" * 64, text=text, file="restart.yaml", place="/", inputs=inputs,
            inputs_digest="i", tasks=4, by=BY, version="1.0", surroundings={"env": {}},
        )  # fmt: skip
        self.events.append(Stamped(1, self.now, created))
        self.state = RunState.begin("run-1", self.events[0])

    def tell(self, *events: ev.Event, apart: float = 1.0) -> None:
        for event in events:
            self.now += apart
            self.events.append(Stamped(len(self.events) + 1, self.now, event))
            self.state.fold(self.events[-1])

    def start(self, step: str, target: str | None = None, apart: float = 1.0) -> None:
        self.tell(started(step, target, folder=self.state.record.folders + 1), apart=apart)

    def subject(self) -> Subject:
        seal = Seal("f" * 64, "key-1", True)
        return Subject(self.state, self.state.record.status, self.runbook, self.events, seal, self.now + 5, "1.0")


def small(word: str = "word") -> Subject:
    """A run with something of everything; `word` is wherever somebody may have written something."""
    story = Story(_BOOK, change=f"CHG-1 {word}")
    asked = {"message": f"Now? {word}", "approvers": ["ada"], "nonce": "n", "digest": "d", "min_approvals": 1}
    decided = ev.TaskDecided(
        step="one",
        verdict="approve",
        by=BY,
        nonce="n",
        digest="d",
        reason="the window is open",
        advisory="the requester decided",
        fields={"why": word},
    )
    story.tell(ev.TaskWaiting(step="one", kind="approval", until=None, asked=asked), decided)
    story.tell(ev.TaskSucceeded(step="one", how="ran", reason=f"approved by ada {word}"))
    keys = [f"{number}{word}" for number in range(8)]
    story.tell(ev.TargetsResolved(step="two", targets=[Target(key, key) for key in keys], tasks=8))
    for key in keys[:-1]:
        story.start("two", key)
        story.tell(ev.TaskFailed(step="two", target=key, code="exit", reason="exit code 3", exit_code=3))
    story.start("two", keys[-1])
    story.tell(ev.TaskInDoubt(step="two", target=keys[-1], reason=f"lost {word}"))
    story.tell(ev.TaskSettled(step="two", target=keys[-1], resolution="failed", reason=f"looked at it {word}", by=BY))
    story.start("three")
    item = {"sha256": "c" * 64, "bytes": 1500, "source": word, "taken_at": "2026-01-01T00:00:00.000Z", "redacted": True}
    facts = {"host": word, "user": word, "uid": 0, "command": [word], "utc_offset": "+0000"}
    taken = {**facts, "items": {f"note.txt{word}": item}}
    story.tell(ev.TaskSucceeded(step="three", how="ran", evidence=taken))
    story.tell(ev.RunEnded(status="failed", exit_code=1, reason=f"step two failed {word}", outputs={"x": word}))
    return story.subject()


def many(count: int) -> Subject:
    """A fan-out of many targets, of which three failed."""
    story = Story("durun: 1\nname: fleet\nsteps: [{id: fleet, targets: [a], run: ./patch}]\n")
    keys = [f"host-{number}" for number in range(count)]
    story.tell(ev.TargetsResolved(step="fleet", targets=[Target(key, key) for key in keys], tasks=count))
    for number, key in enumerate(keys):
        story.start("fleet", key, apart=0.01)
        if number in (77, 500, 9000):
            event: ev.Event = ev.TaskFailed(step="fleet", target=key, code="exit", reason="no route", exit_code=1)
        else:
            event = ev.TaskSucceeded(step="fleet", target=key, how="ran")
        story.tell(event, apart=0.02)
    return story.subject()
