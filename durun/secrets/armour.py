"""Which parts of a private key are public: its public key has them, and every request and certificate for it.

They must not be taken for the secret where they stand elsewhere. Whether that happens is a matter of luck: the lines of
a certificate are those of the key if its subject has a certain length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

Range = tuple[int, int]

_BLOCK = re.compile("^-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n(.*?)^-----END ", re.DOTALL | re.MULTILINE)
_OPENSSH = b"openssh-key-v1\0"
_INTEGER, _OCTETS, _SEQUENCE, _POINT = 0x02, 0x04, 0x30, 0xA1
_RSA_PARTS = 9
_SHORT_KEY = b"\0\0\0\x0bssh-ed25519"


def public_ranges(text: str) -> list[Range]:
    """The parts of a text with private keys in PEM that are public, in order. What can't be read has none."""
    blocks = list(_BLOCK.finditer(text))
    if not any(block[1].endswith("PRIVATE KEY") for block in blocks):
        return []
    found: list[Range] = []
    for block in blocks:
        if block[1].endswith("PRIVATE KEY"):
            found += _in_block(block)
        else:
            found.append(block.span())
    return found


def _in_block(block: re.Match[str]) -> Iterator[Range]:
    places = [block.start(2) + found.start() for found in re.finditer(r"\S", block[2])]
    try:
        data = base64.b64decode("".join(block[2].split()), validate=True)
        ranges = list(_openssh(data) if data.startswith(_OPENSSH) else _der(data))
    except (binascii.Error, ValueError, IndexError):
        return
    for start, end in ranges:
        # The characters that have nothing of any other byte, and the padding.
        first, last = -(-start * 8 // 6), len(places) if end == len(data) else end * 8 // 6
        if first < last:
            yield places[first], places[last - 1] + 1


def _der(data: bytes) -> Iterator[Range]:
    """RSA (RFC 8017) and elliptic curves (RFC 5915), by themselves or in PKCS #8 (RFC 5958)."""
    parts = list(_parts(data, *_parts_of_sequence(data, 0)))
    if [tag for tag, _, _ in parts[:3]] == [_INTEGER, _SEQUENCE, _OCTETS]:
        parts = list(_parts(data, *_parts_of_sequence(data, parts[2][1])))
    if len(parts) >= _RSA_PARTS:
        yield 0, parts[2][2]
    else:
        for tag, start, end in parts:
            if tag == _POINT:
                yield start, end


def _parts_of_sequence(data: bytes, at: int) -> Range:
    tag, start, end = next(_parts(data, at, len(data)))
    if tag != _SEQUENCE:
        raise ValueError("not a sequence")
    return start, end


def _parts(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, start and end of each value in DER."""
    while at < end:
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[at + 2 : start], "big")
        at = start + size
        yield tag, start, at


def _openssh(data: bytes) -> Iterator[Range]:
    """PROTOCOL.key of OpenSSH: the public key, and once more in what is private, before all that is."""
    cipher, at = _string(data, len(_OPENSSH))
    for _ in range(2):
        _, at = _string(data, at)
    public, at = _string(data, at + 4)
    if public.startswith(_SHORT_KEY):
        # It is shorter than a line of the private key.
        return
    if cipher == b"none":
        at += 12
        for _ in range(3):
            _, at = _string(data, at)
    yield 0, at


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 4 + int.from_bytes(data[at : at + 4], "big")
    if end > len(data):
        raise ValueError("too short")
    return data[at + 4 : end], end
