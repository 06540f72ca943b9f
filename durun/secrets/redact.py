"""Keeps known secrets out of what is written: every form of every value becomes `***`, wherever chunks end.

Which forms, and which values are too short for it: see `durun.secrets.forms`. Needs the standard library only until
the first value is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from durun.secrets.armour import Range, shown_blocks
from durun.secrets.forms import forms, keeps_output
from durun.secrets.joined import Joined
from durun.secrets.matcher import Matcher
from durun.secrets.spellings import encode

__all__ = ["MARK", "Redactor", "Stream", "keeps_output"]

MARK = "***"

_MARK = MARK.encode()


class Redactor:
    """The values that must not be seen. What overlaps or touches becomes one `***`."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._new: set[str] = set()
        self._plain = Matcher()
        self._broken = Matcher()
        self._shared = Matcher()

    def add(self, values: Iterable[str]) -> None:
        """Look for these, too, also in the rest of the streams that there are. Those known already cost nothing."""
        new = {value for value in values if keeps_output(value)} - self._values
        self._new |= new
        self._values |= new

    def __bool__(self) -> bool:
        return bool(self._values)

    def scrub(self, text: str) -> str:
        """The text without secrets."""
        data = encode(text)
        scrubbed = self.scrub_bytes(data)
        return text if scrubbed == data else scrubbed.decode("utf-8", "surrogateescape")

    def scrub_bytes(self, data: bytes) -> bytes:
        """The bytes without secrets."""
        stream = self.stream()
        return stream.feed(data) + stream.finish()

    def scrub_json(self, value: Any) -> Any:
        """The data with all strings and keys in it scrubbed; keys that become equal are numbered."""
        if not self:
            return value
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, dict):
            return self._scrub_items(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self.scrub_json, value))
        return value

    def stream(self) -> Stream:
        """A filter for bytes that come in chunks."""
        return Stream(self._look)

    def _scrub_items(self, items: dict[str, Any]) -> dict[str, Any]:
        scrubbed: dict[str, Any] = {}
        for key, item in items.items():
            clean = unique = self.scrub(key)
            number = 1
            while unique in scrubbed:
                number += 1
                unique = f"{clean} ({number})"
            scrubbed[unique] = self.scrub_json(item)
        return scrubbed

    def _look(self, data: bytes) -> tuple[list[Range], int]:
        """Where secrets are, in order; and up to where that can't be changed by what follows."""
        if self._new:
            self._learn()
        spans: list[Range] = []
        safe = len(data)
        blocks: list[Range] = []
        if self._plain:
            scan = self._plain.scan(data)
            spans += scan.spans
            safe = min(scan.opens, default=safe)
        if self._broken:
            joined = Joined(data)
            scan = self._broken.scan(joined.text)
            spans += joined.spans(scan.spans)
            safe = min(safe, joined.safe(scan.opens))
        if self._shared:
            blocks, open_block = shown_blocks(data)
            scan = self._shared.scan(data)
            spans += (span for span in scan.spans if not any(first <= span[0] < last for first, last in blocks))
            safe = min([safe, open_block, *scan.opens])
        return sorted(spans), _whole(data, blocks, safe)

    def _learn(self) -> None:
        found = forms(self._new)
        self._new = set()
        self._plain.add(found.plain)
        self._broken.add(found.broken)
        self._shared.add(found.shared)


def _whole(data: bytes, blocks: list[Range], safe: int) -> int:
    """Not later than here, and not within what is looked at as a whole: these blocks, a backslash and what follows."""
    before = -1
    while before != safe:
        before = safe
        safe -= data[safe - 1 : safe] == b"\\"
        safe = min([safe, *(first for first, last in blocks if first < safe < last)])
    return safe


class Stream:
    """A filter for one stream of bytes. What it has given out never has to be taken back, whatever follows.

    It holds back only what may be the beginning of a secret.
    """

    def __init__(self, look: Callable[[bytes], tuple[list[Range], int]]) -> None:
        self._look = look
        self._rest = b""
        self._covered = 0
        self._marked = False

    def feed(self, chunk: bytes) -> bytes:
        """What may be passed on now."""
        data = self._rest + chunk
        spans, safe = self._look(data)
        self._rest = data[safe:]
        return self._pass(data, spans, safe)

    def finish(self) -> bytes:
        """What was held back; nothing follows."""
        data, self._rest = self._rest, b""
        spans, _ = self._look(data)
        return self._pass(data, spans, len(data))

    def _pass(self, data: bytes, spans: list[Range], safe: int) -> bytes:
        # `at`: up to here all is passed on, or covered by the mark that was passed on last (`_marked`).
        out: list[bytes] = []
        at = self._covered
        for start, end in spans:
            if start >= safe:
                break
            if start > at:
                out.append(data[at:start])
                self._marked = False
            if not self._marked:
                out.append(_MARK)
                self._marked = True
            at = max(at, end)
        if at < safe:
            out.append(data[at:safe])
            self._marked = False
            at = safe
        self._covered = at - safe
        return b"".join(out)
