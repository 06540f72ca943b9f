"""What this process knows to be secret: all that it shows or writes passes here.

Nothing is loaded as long as nothing is secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durun.secrets.redact import Redactor

_redactors: list[Redactor] = []


def redactor() -> Redactor:
    """The one redactor of this process, made when it is first wanted."""
    if not _redactors:
        from durun.secrets.redact import Redactor

        _redactors.append(Redactor())
    return _redactors[0]


def scrub(text: str) -> str:
    """The text with every known secret taken out of it."""
    return _redactors[0].scrub(text) if _redactors else text
