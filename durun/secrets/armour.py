"""What in a private key is public: its public key has that as well, and so has every request and certificate for it.

It must not be taken for the secret there. Whether that happens is a matter of luck: the lines of a certificate are
lines of the key if its subject has a certain length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

Range = tuple[int, int]

_BLOCK = re.compile("^-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n(.*?)^-----END ", re.DOTALL | re.MULTILINE)
_OPENSSH = b"openssh-key-v1\0"
_MOST = 1 << 14
_SHOWN = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,30}(?:PUBLIC KEY|CERTIFICATE|REQUEST|CRL|PKCS7|CMS)-----[^-]{0,%d}"
    rb"|-(?:rsa|sha2-[a-z0-9]{1,20}) AAAA[A-Za-z0-9+/=]{0,%d}" % (_MOST, _MOST)
)
_SHOWN_WORDS = (b"-----BEGIN ", b"-rsa ", b"-sha2-")
_SHOWN_BEGIN = re.compile(
    rb"(?:-----BEGIN [A-Z0-9 ]{0,50}-{0,4}|-rsa A{0,3}|-sha2-[a-z0-9]{0,20}|-sha2-[a-z0-9]{1,20} A{0,3}|%s)\Z"
    % b"|".join(word[:size] for word in _SHOWN_WORDS for size in range(1, len(word)))
)
_SHOWN_BEGIN_MOST = 80
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


def shown_blocks(data: bytes) -> tuple[list[Range], int]:
    """The public keys, requests and certificates, in order; and from where on there may be one that goes on."""
    found: list[Range] = []
    if any(word in data for word in _SHOWN_WORDS):
        found = [block.span() for block in _SHOWN.finditer(data)]
    if found and found[-1][1] == len(data):
        return found, found[-1][0]
    tail = max(0, len(data) - _SHOWN_BEGIN_MOST)
    begin = _SHOWN_BEGIN.search(data, tail)
    return found, begin.start() if begin else len(data)


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
