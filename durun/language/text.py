"""From bytes to text that is safe to parse and honest to look at.

A runbook is reviewed by people before it runs as root. So what a reviewer can't see is refused: control
characters, bidirectional controls (Trojan Source, CVE-2021-42574), line ends that only YAML 1.1 knows.
"""

from __future__ import annotations

import codecs
import re

from durun.language.diagnostics import Diagnostic, Place

MAX_BYTES = 1024 * 1024

_UTF16_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls but tab and line ends
    "\u2028\u2029"  # line ends in YAML 1.1 and nowhere else
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides and isolates
    "\ufeff\ufffe\uffff]"
)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


class Unreadable(Exception):
    """The text can't be read as YAML at all, or not any further; `diagnostics` say where and why."""

    def __init__(self, diagnostics: list[Diagnostic], text: str = "") -> None:
        super().__init__(diagnostics[0].message)
        self.diagnostics = diagnostics
        self.text = text


def decode(raw: bytes) -> str:
    """The text of a file, with `\\n` as line end. Unreadable when it isn't plain UTF-8 within the bounds."""
    if len(raw) > MAX_BYTES:
        raise _first("the file is larger than 1 MiB", "keep long scripts and data in files of their own: see `files`")
    if raw.startswith(_UTF16_32) or b"\x00" in raw[:4]:
        raise _first("the file is not UTF-8 (it looks like UTF-16 or UTF-32)", "save it as UTF-8")
    if raw.startswith(codecs.BOM_UTF8):
        raise _first("the file begins with a byte order mark", "save it as UTF-8 without BOM")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8")
        shown = good + raw[error.start :].decode("utf-8", errors="replace")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise Unreadable([Diagnostic(place_at(good, len(good)), message, "save the file as UTF-8")], shown) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if bad := _REFUSED.search(text):
        raise Unreadable([_character(text, bad.start())], text)
    return text


def place_at(text: str, index: int, length: int = 1) -> Place:
    """Line and column of a character of `text`."""
    start = text.rfind("\n", 0, index) + 1
    return Place(text.count("\n", 0, index) + 1, index - start + 1, length)


def _first(message: str, hint: str) -> Unreadable:
    return Unreadable([Diagnostic(Place(1, 1), message, hint)])


def _character(text: str, index: int) -> Diagnostic:
    char = text[index]
    place = place_at(text, index)
    if _BIDI.match(char):
        message = f"a bidirectional control character (U+{ord(char):04X}) makes the text read otherwise than it runs"
        return Diagnostic(place, message, f'remove it, or write it as "\\u{ord(char):04x}" in double quotes')
    if char == "\x00":
        return Diagnostic(place, "the file holds a NUL character", "remove it")
    return Diagnostic(place, f"the file holds an invisible character (U+{ord(char):04X})", "remove it")
