"""Who was told of a run, as far as an operator should know: it is said when somebody could not be."""

from __future__ import annotations

from collections.abc import Iterable

from durun.model.event import Notified, Stamped
from durun.model.values import Json
from durun.views.text import one_line


def untold(events: Iterable[Stamped]) -> list[str]:
    """A line for each notice that could not be told."""
    return [
        f"notice {event.notifier + 1} could not be told: {one_line(event.reason)}"
        for _, _, event in events
        if isinstance(event, Notified) and not event.ok
    ]


def notices_json(events: Iterable[Stamped]) -> list[Json]:
    """Each notice that was told, or could not be, as JSON."""
    return [
        {"notifier": event.notifier, "ok": event.ok, "reason": event.reason, "key": event.key}
        for _, _, event in events
        if isinstance(event, Notified)
    ]
