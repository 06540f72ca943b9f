"""Unpacks a body in pieces of a bounded size: a small one may hold a thousand times its size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

ACCEPTED: Final = "gzip"
"""What a server is told that we can unpack."""
_PIECE: Final = 1 << 18
_GZIP: Final = 16 + zlib.MAX_WBITS


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The content of a body in this Content-Encoding; one that we did not ask for stays as it is.

    Raises ValueError for what is broken.
    """
    return _gunzipped(chunks) if encoding.strip().lower() in ("gzip", "x-gzip") else iter(chunks)


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for chunk in chunks:
            while chunk:
                if member.eof:
                    member = zlib.decompressobj(_GZIP)
                begun = True
                yield member.decompress(chunk, _PIECE)
                chunk = member.unconsumed_tail or member.unused_data
        # What is left in it is at its end, if it is whole.
        yield member.flush()
    except zlib.error as error:
        raise ValueError(f"its body can't be unpacked: {error}") from error
    if begun and not member.eof:
        raise ValueError("its packed body breaks off")
