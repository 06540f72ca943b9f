"""The forms in which a secret is looked for: what programs make of a value when they print it.

The rule, which is the same for every sink:

- Looked for are: the value without the white space around it, with `\\n` or `\\r\\n` as line ends; every spelling of
  `spellings`; base64 and base64url, alone and within other bytes (three alignments, without the characters
  that depend on the neighbours); hex in lower and upper case. Of a value of several lines also each line that
  has at least 8 characters, 4 of them different, and is no PEM marker. A line of a private key that its public key has
  as well is not looked for in public keys, requests and certificates.
- A value with less than 4 characters, not counting the white space around it, is not looked for: it would be found
  everywhere. `keeps_output` says so, and then the output of a step that gets it is not kept.
- Base64 and hex count from 6 characters on; a spelling is at least as long as its value.
- What is long is looked for in pieces, so that little has to be held back, and parts are found as well.
- What encoders and `fold` break into lines is found nevertheless: base64 and hex of at least 12 characters, and a value
  of one line, of at least 20 and without white space, may have white space, backslashes and written line ends
  anywhere in it but among its first 4 characters. So these are also looked for without their first 4.
- Of a value of 16 KiB and more, fewer spellings are looked for: as it is, JSON, base64, hex.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from durun.secrets.armour import Range, public_ranges
from durun.secrets.spellings import encode, json_spellings, spellings

_SHORTEST = 4
_SHORTEST_CODED = 6
_SHORTEST_LINE = 8
_BREAKABLE_TEXT = 20
_BREAKABLE_CODED = 12

UNBROKEN = 4
"""How many characters at the beginning of a form must not be broken."""

_PIECE = 96
"""Forms of twice this and more are cut. More than the width of an armoured line (64 to 76): so a piece of a private key
has a line end in it, and is not in the public key in one line, or in lines broken elsewhere."""

_TELLING = 32
"""How much that is private a piece has if the rest of it is public."""

_UNBROKEN_START = 8
"""How many characters from the start of a piece to the first white space, if that can be had."""

_BIG = 1 << 14

_MARKER = re.compile("-----?(?:BEGIN|END) |---- (?:BEGIN|END) ")

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Forms(NamedTuple):
    """What to look for: `plain` as it stands, `broken` also with white space anywhere in it, `shared` where it is not
    public (see `armour`)."""

    plain: set[bytes]
    broken: set[bytes]
    shared: set[bytes]


def keeps_output(value: str) -> bool:
    """Whether the value can be told from other text; if not, no output of a step that gets it may be kept."""
    return len(value.strip()) >= _SHORTEST


def forms(values: Iterable[str]) -> Forms:
    """All forms of the values. Those that `keeps_output` refuses have none."""
    found = Forms(set(), set(), set())
    for value in values:
        if keeps_output(value):
            _add_whole(found, value)
            _add_lines(found, value)
    return found


def _add_whole(found: Forms, value: str) -> None:
    big = len(value) >= _BIG
    bases = {value.strip()} if big else _line_ends(value.strip())
    for text in bases:
        for form, public in _spelled(text, big):
            _add(found, form, len(form) >= _BREAKABLE_TEXT, public)
    wholes = bases if big else bases | _line_ends(value)
    coded = {form for data in map(encode, wholes) for form in (*_hex(data), *_within(data))}
    coded |= set() if big else {form for data in map(encode, wholes) for form in _alone(data)}
    for form in coded:
        if len(form) >= _SHORTEST_CODED:
            _add(found, form, len(form) >= _BREAKABLE_CODED)


def _add_lines(found: Forms, value: str) -> None:
    big = len(value) >= _BIG
    for line, shared in _lines(value):
        written = {encode(spelling) for spelling in (json_spellings(line) if big else spellings(line))}
        if shared:
            found.shared.update(written)
        for form in set() if shared else written:
            # Not found when broken: the lines of a public key, joined, may have in them what this line has.
            _add(found, form, breakable=False)
        data = encode(line)
        for coded in set() if big else {*_hex(data), *_within(data)}:
            _add(found, coded, breakable=True)


def _spelled(text: str, big: bool) -> Iterator[tuple[bytes, tuple[Range, ...]]]:
    """Each spelling, and where its public parts are."""
    spell = json_spellings if big else spellings
    edges = [edge for part in public_ranges(text) for edge in part]
    for spelling, *before in set(zip(spell(text), *(spell(text[:edge]) for edge in edges), strict=True)):
        sizes = [len(encode(part)) for part in before]
        yield encode(spelling), tuple(zip(sizes[::2], sizes[1::2], strict=True))


def _line_ends(text: str) -> set[str]:
    unix = text.replace("\r\n", "\n")
    return {text, unix, unix.replace("\n", "\r\n")}


def _lines(value: str) -> Iterator[tuple[str, bool]]:
    """The lines of a value of several lines, but for those that say nothing; and whether its public key may have it."""
    public = public_ranges(value)
    lines = value.splitlines(keepends=True)
    at = len(value) - len(value.lstrip())
    for whole in value.strip().splitlines(keepends=True) if len(lines) > 1 else ():
        line = whole.strip()
        start = at + whole.find(line)
        at += len(whole)
        if len(line) >= _SHORTEST_LINE and len(set(line)) >= 4 and not _MARKER.match(line):
            yield line, any(first <= start and start + len(line) <= last for first, last in public)


def _hex(data: bytes) -> Iterator[bytes]:
    yield data.hex().encode()
    yield data.hex().upper().encode()


def _alone(data: bytes) -> Iterator[bytes]:
    for coded in (base64.b64encode(data), base64.b64encode(data + b"\n")):
        for form in (coded, coded.rstrip(b"=")):
            yield form
            yield form.translate(_URL_SAFE)


def _within(data: bytes) -> Iterator[bytes]:
    for before, first in enumerate((0, 2, 3)):
        coded = base64.b64encode(bytes(before) + data)[first : (before + len(data)) * 8 // 6]
        yield coded
        yield coded.translate(_URL_SAFE)


def _add(found: Forms, form: bytes, breakable: bool, public: Iterable[Range] = ()) -> None:
    for piece in _pieces(form, public):
        if breakable and _BREAKABLE_CODED <= len(piece) <= 2 * _PIECE and not re.search(rb"[\s\\]", piece):
            found.broken.update((piece, piece[UNBROKEN:]))
            if piece.startswith((b"n", b"r")):
                # After a backslash, its first character looks like the rest of a written line end.
                found.plain.add(piece)
        else:
            found.plain.add(piece)


def _pieces(form: bytes, public: Iterable[Range]) -> Iterator[bytes]:
    """Pieces that cover the form without a gap, but for those that say nothing.

    A piece with something public in it has more than that.
    """
    cuts = [_start(form, at) for at in range(_PIECE, len(form) - _PIECE + 1, _PIECE)]
    for first, last in public:
        cuts = [cut for cut in cuts if not first - _TELLING < cut < last + _TELLING]
    varied = min(3, len(set(form)))
    for start, end in zip([0, *cuts], [*cuts, len(form)], strict=True):
        piece = form[start:end]
        if len(set(piece)) >= varied:
            yield piece


def _start(form: bytes, at: int) -> int:
    """A place to cut, from here on: not within a character, and not just before white space.

    Or else every line end, or every line that ends with a certain letter, would be held back.
    """
    near = [place for place in range(at, min(at + _PIECE // 2, len(form))) if form[place] & 0xC0 != 0x80]
    blank = re.compile(rb"\s")
    return next((place for place in near if not blank.search(form, place, place + _UNBROKEN_START)), at)
