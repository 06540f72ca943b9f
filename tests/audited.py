"""Journals with a few runs in them, signed, as several processes would have left them: for the tests of the audit."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from durun.audit.history import History
from durun.audit.trust import Keys
from durun.journal.sqlite import open_journal
from durun.model import event as ev
from durun.model.task import Target
from durun.secrets.sign import Ed25519Signer
from events import session, started

BY = {"uid": 0, "user": "ada", "host": "h"}
SIGNER = Ed25519Signer(bytes(range(32)))
KEYS = Keys({SIGNER.key: SIGNER.public})
LOG = {"stdout": {"bytes": 3, "sha256": sha256(b"abc").hexdigest(), "cut": False}}
LOGGED = '{"at": "2026-01-31T09:15:00.123Z", "stream": "stdout", "text": "abc"}\n'


def created(name: str, **more: Any) -> ev.RunCreated:
    values: dict[str, Any] = {
        "runbook": name, "digest": "d" * 64, "text": f"durun: 1\nname: {name}\nsteps: []\n", "file": "book.yaml",
        "place": "/srv", "inputs": {"count": 2, "word": "é☃"}, "inputs_digest": "i", "tasks": 4, "by": BY,
        "version": "1", "surroundings": {"env": {}}, "steps": ["a", "b"],
    }  # fmt: skip
    return ev.RunCreated(**{**values, **more})


def whole(name: str, **more: Any) -> list[list[ev.Event]]:
    """The turns of a run with a fan-out, a doubt that was settled, and an end."""
    fan = [started("b", "x", folder=2), started("b", "y", folder=3)]
    targets = [Target(key, {"address": f"{key}.example"}) for key in ("x", "y")]
    return [
        [created(name, **more)],
        [session(), started("a")],
        [ev.TaskSucceeded(step="a", how="ran", exit_code=0, outputs={"n": 1}, log=LOG)],
        [ev.TargetsResolved(step="b", targets=targets, tasks=2), *fan],
        [ev.TaskSucceeded(step="b", target="x", how="ran", exit_code=0)],
        [ev.TaskInDoubt(step="b", target="y", reason="?")],
        [ev.RunParked(status="in_doubt", reason="in doubt: b[y]")],
        [ev.TaskSettled(step="b", target="y", resolution="done", reason="seen", by=BY)],
        [session(2, reason="resume")],
        [ev.RunEnded(status="succeeded", exit_code=0, outputs={"n": 1})],
    ]  # fmt: skip


class Made(NamedTuple):
    """A state directory: a journal, the folders of its runs."""

    home: Path

    @property
    def path(self) -> Path:
        return self.home / "journal.db"

    def write(self, run: str, turns: list[list[ev.Event]], at: float = 1000.0, signed: bool = True) -> None:
        with open_journal(self.path) as journal:
            if signed:
                journal.sign_with(SIGNER)
            head = 0
            for number, events in enumerate(turns):
                head = journal.append(run, head, events, at + number)
        if any(getattr(event, "log", None) for events in turns for event in events):
            self.log(run).parent.mkdir(parents=True, exist_ok=True)
            self.log(run).write_text(LOGGED)

    def log(self, run: str) -> Path:
        """The log of the run's first attempt."""
        return self.home / "runs" / run / "attempts" / "1" / "log"

    def history(self) -> History:
        return History(open_journal(self.path, read_only=True), self.home / "runs")


def three_runs(home: Path) -> Made:
    """Three runs: two that ended, one in the middle."""
    place = Made(home)
    place.write("r1", whole("first"))
    place.write("r2", whole("second")[:6], 2000.0)
    place.write("r3", whole("third"), 3000.0)
    return place
