"""Packed bodies: what comes out is what went in, in small pieces, or it is said that it is broken."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.http.packed import unpacked


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(st.lists(st.binary(max_size=300), max_size=3), st.integers(1, 50))
def test_what_went_in_comes_out(members: list[bytes], size: int) -> None:
    content = b"".join(map(gzip.compress, members))
    assert b"".join(unpacked(cut(content, size), "GZIP")) == b"".join(members)
    assert b"".join(unpacked(cut(content, size), "br")) == content


def test_the_pieces_stay_small() -> None:
    pieces = list(unpacked([gzip.compress(bytes(64 << 20))], "gzip"))
    assert sum(map(len, pieces)) == 64 << 20
    assert max(map(len, pieces)) <= 1 << 18


@pytest.mark.parametrize(
    "content", [b"no gzip at all", gzip.compress(b"x" * 1000, mtime=0)[:-9], gzip.compress(b"x", mtime=0)[:-1] + b"!"]
)
def test_what_is_broken_is_said(content: bytes) -> None:
    with pytest.raises(ValueError, match="its"):
        list(unpacked([content], "gzip"))
