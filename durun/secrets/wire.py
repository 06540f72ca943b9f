"""What durun and its worker for secrets tell each other: one line of JSON for a request, one for its answer.

    {"do": "backend"}                                                          {"name", "why_not"}
    {"do": "get" | "put" | "delete", "service", "username", "value", "ask"}    {"value"} or {"error", "why"}
    {"do": "provide", "provider", "spec", "folder"}                            {"value"} or {"error", "why", "hint"}

Before its answer the worker may say `{"waits": "locked"}`: somebody is being asked to unlock the keyring. Errors:
`unusable` (no backend, or one that is refused), `locked`, `failed` (the backend or the plugin did not do it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Error = Literal["unusable", "locked", "failed"]


class Refusal(Exception):
    """A request can't be met. What it says never holds a value."""

    def __init__(self, error: Error, why: str = "", hint: str = "") -> None:
        super().__init__(why)
        self.answer: Mapping[str, Any] = {"error": error, "why": why, "hint": hint}
