"""What the commands share by which an operator decides something."""

from __future__ import annotations

from collections.abc import Iterable

from durun.errors import UsageError
from durun.views.summary import following


def require_reason(reason: str) -> None:
    """Raise UsageError unless a reason was given: it is kept in the chain for ever."""
    if not reason.strip():
        raise UsageError("a reason is missing", 'say why: --reason "…"')


def verdict_text(text: str, commands: Iterable[str]) -> str:
    """One line about what was decided, and what to type next."""
    return "".join(f"{line}\n" for line in (text, *following(commands)) if line)
