"""Who was told of a run, as far as an operator should know: it is said when somebody could not be."""

from __future__ import annotations

from collections.abc import Iterable

from durun.model.event import Notified, Stamped
from durun.model.values import Json
from durun.views.text import one_line


def untold(events: Iterable[Stamped]) -> list[str]:
    """A line for each notice that could not be told, however often it was tried."""
    tries: dict[tuple[str, int], list[Notified]] = {}
    for _, _, event in events:
        if isinstance(event, Notified):
            tries.setdefault((event.key, event.notifier), []).append(event)
    return [
        f"notice {made[-1].notifier + 1} could not be told{_tries(len(made))}: {one_line(made[-1].reason)}"
        for made in tries.values()
        if not made[-1].ok
    ]


def _tries(number: int) -> str:
    return f" ({number} tries)" if number > 1 else ""


def notices_json(events: Iterable[Stamped]) -> list[Json]:
    """Each notice that was told, or could not be, as JSON."""
    return [
        {"notifier": event.notifier, "ok": event.ok, "reason": event.reason, "key": event.key}
        for _, _, event in events
        if isinstance(event, Notified)
    ]
