"""The forms in which a secret can be seen, worked out here anew: what looks for leaks must not trust the redactor.

Standard library only: steps load it (`secret_step.py`) to print secrets, the watch (`secret_watch.py`) to find them.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters of the shortest value that can be told from other text."""

_SHORTEST_CODED = 8
_BIG = 1 << 14
_WINDOW = 32
_SPACE = re.compile(rb"[\s\\]|(?<=\\)[nr]")


def written(value: str) -> Iterator[str]:
    """The value as programs write it: what a step prints that does not keep it to itself."""
    data = value.encode()
    yield value
    yield f"password={value}, and so on"
    yield json.dumps({"password": value})
    yield json.dumps({"password": value}, ensure_ascii=False)
    for before in (b"", b"x", b"xy"):
        yield base64.b64encode(before + data + b"end").decode()
    yield base64.encodebytes(data).decode()
    yield data.hex()
    if len(value) >= _BIG:
        return
    yield base64.urlsafe_b64encode(data).decode()
    yield data.hex().upper()
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    yield html.escape(value)
    yield html.escape(value, quote=False)
    yield shlex.quote(value)
    yield repr(value)
    yield from (line for line in value.splitlines() if _tells(line))


def clues(value: str) -> set[bytes]:
    """Bytes of which none may stand anywhere, for they tell the value or a good part of it."""
    if len(value.strip()) < SHORTEST:
        return set()
    texts = {value.strip().encode(), *(text for text in _spelled(value) if len(text) >= _SHORTEST_CODED)}
    if not value.startswith("-----BEGIN"):
        # Parts of a key, but for whole lines of it, may be in the public key as well.
        texts = {window for text in texts for window in _windows(text)}
    coded = {core for core in _coded(value.encode()) if len(core) >= _SHORTEST_CODED}
    lines = {line.strip().encode() for line in value.splitlines() if _tells(line)}
    return texts | lines | {window for core in coded for window in _windows(core)}


def seen(content: bytes, looked_for: set[bytes]) -> bytes | None:
    """One of the clues that is in the content, or in what it is without its line breaks."""
    joined = _SPACE.sub(b"", content)
    return next((clue for clue in looked_for if clue in content or (len(clue) >= 12 and clue in joined)), None)


def _spelled(value: str) -> Iterator[bytes]:
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode()
    if len(value) >= _BIG:
        return
    for coded in (quote(value), quote(value, safe=""), quote_plus(value), html.escape(value)):
        yield coded.encode()
    yield html.escape(value, quote=False).encode()
    yield shlex.quote(value).strip("'").encode()
    yield repr(value)[1:-1].encode()


def _coded(data: bytes) -> Iterator[bytes]:
    """Hex, and the part of base64 that is the same whatever stands around the value."""
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for skip in range(3):
        core = base64.b64encode(data[skip : len(data) - (len(data) - skip) % 3])
        yield core
        yield core.translate(bytes.maketrans(b"+/", b"-_"))


def _windows(clue: bytes) -> Iterator[bytes]:
    """Of what is long, parts: as much as that must not be seen either."""
    if len(clue) <= 2 * _WINDOW:
        yield clue
        return
    for at in range(0, len(clue) - _WINDOW + 1, _WINDOW * max(1, len(clue) // 4000)):
        yield clue[at : at + _WINDOW]
    yield clue[-_WINDOW:]


def _tells(line: str) -> bool:
    line = line.strip()
    return len(line) >= 8 and len(set(line)) >= 4 and not line.startswith("-----")
