"""What the commands share by which an operator decides something."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from durun.app import App
from durun.cli.drive import Manner, choose_view, drive
from durun.engine.api import Observer, Outcome
from durun.errors import UsageError
from durun.views.json import SCHEMA, dump
from durun.views.summary import following


def require_reason(reason: str) -> None:
    """Raise UsageError unless a reason was given: it is kept in the chain for ever."""
    if not reason.strip():
        raise UsageError("a reason is missing", 'say why: --reason "…"')


def verdict_text(text: str, commands: Iterable[str]) -> str:
    """One line about what was decided, and what to type next."""
    return "".join(f"{line}\n" for line in (text, *following(commands)) if line)


def decide(app: App, as_json: bool, work: Callable[[Observer], Outcome]) -> Outcome:
    """Have the engine carry a decision out. If it drives the run for that, a view tells what goes wrong."""
    outcomes: list[Outcome] = []

    def noted(observer: Observer) -> Outcome:
        outcomes.append(work(observer))
        return outcomes[0]

    drive(choose_view(app, Manner(as_json, quiet=True)), noted)
    return outcomes[0]


def request_json(outcome: Outcome, event: str) -> str:
    """What was asked of whoever drives the run, as a line of JSON."""
    line = {"schema": SCHEMA, "event": event, "run": outcome.run_id, "status": outcome.status}
    return dump({**line, "driver": outcome.driver, "holder": outcome.holder})


def request_text(outcome: Outcome, wish: str, does: str) -> str:
    """`run k3…: cancel asked for; process 17 stops it`."""
    pid = (outcome.holder or {}).get("pid", "?")
    return f"run {outcome.run_id}: {wish} asked for; process {pid} {does} it\n"
