"""The ways in which programs write a text: escaped for JSON, URLs, HTML, shells and source code.

Each function gives what stands between the quotes, not the quotes; most of the spellings of most texts are equal.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_SAFE_IN_URLS = ("", "/", "!~*'()", "!*'()", "*", ";,/?:@&=+$#-_.!~*'()")
"""What is left as it is, in turn: RFC 3986, paths, JavaScript (component), old jq, Java, JavaScript (whole)."""

_JSON_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}

_SHELL_SPECIAL = re.compile(r"""[ !"$&'()*,;<>?[\\\]^`{|}]|(?<=[:=])~|^[#~]""")
_ANSI_C = {"\x07": "\\a", "\v": "\\v", "\x1b": "\\E", "'": "\\'", **_JSON_SHORT}


def spellings(text: str) -> Iterator[str]:
    """Every way in which the text is written in text, first as it is."""
    yield text
    if text.isascii() and re.fullmatch(r"[\w.-]*", text):
        return
    for spell in (_url, _json, _html, _shell, _source):
        yield from spell(text)


def json_spellings(text: str) -> Iterator[str]:
    """The text as it is, and as most programs write it in JSON."""
    yield text
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1]


def encode(text: str) -> bytes:
    """As UTF-8; what came from bytes that were none becomes those bytes again."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _url(text: str) -> Iterator[str]:
    for safe in _SAFE_IN_URLS:
        for coded in (quote(encode(text), safe), quote_plus(encode(text), safe)):
            yield coded
            lower = re.sub("%..", lambda code: code[0].lower(), coded)
            yield lower
            yield coded.replace("~", "%7E")
            yield lower.replace("~", "%7e")


def _json(text: str) -> Iterator[str]:
    # Escaped besides what must be, by, in turn: most; Go; Gson; .NET.
    for more in ("", "<>&\u2028\u2029", "<>&='\u2028\u2029", "<>&'+`\"\x7f"):
        for ascii_only, hex_digits in itertools.product((False, True), ("04x", "04X")):
            coded = _json_text(text, more, ascii_only, hex_digits)
            yield coded
            yield coded.replace("/", "\\/")
    for ascii_only in (False, True):
        # JSON in a string of JSON, as in the log of a program whose messages are JSON.
        yield json.dumps(json.dumps(text, ensure_ascii=ascii_only)[1:-1], ensure_ascii=ascii_only)[1:-1]


def _json_text(text: str, more: str, ascii_only: bool, hex_digits: str) -> str:
    def spell(found: re.Match[str]) -> str:
        char = found[0]
        if char in _JSON_SHORT and char not in more:
            return _JSON_SHORT[char]
        units = char.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{int.from_bytes(units[i : i + 2], 'big'):{hex_digits}}" for i in range(0, len(units), 2))

    beyond = "\x80-\U0010ffff" if ascii_only else ""
    return re.sub(f'[\x00-\x1f"\\\\{more}{beyond}]', spell, text)


def _html(text: str) -> Iterator[str]:
    bare = text.replace("&", "&amp;").replace("<", "&lt;")
    for gt, double, single in itertools.product(
        (">", "&gt;"), ('"', "&quot;", "&#34;"), ("'", "&#39;", "&#x27;", "&apos;", "&#039;")
    ):
        coded = bare.replace(">", gt).replace('"', double).replace("'", single)
        yield coded
        yield coded.encode("ascii", "xmlcharrefreplace").decode()
    # As Go does.
    yield bare.replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;").replace("+", "&#43;")


def _shell(text: str) -> Iterator[str]:
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    # In double quotes.
    yield re.sub(r'[\\"$`]', r"\\\g<0>", text)
    yield re.sub(r'[\\"$`!]', r"\\\g<0>", text)
    # printf %q of bash, which escapes # and ~ only where they would mean something.
    yield _SHELL_SPECIAL.sub(r"\\\g<0>", text)
    # The same where it needs $'…', in UTF-8 and elsewhere.
    coded = re.sub(r"[^ -&(-\[\]-\U0010ffff]", lambda char: _ansi_c(char[0]), text)
    yield re.sub(r"[^ -~]", lambda char: char[0] if char[0].isprintable() else _octal(char[0]), coded)
    yield re.sub(r"[^ -~]", lambda char: _octal(char[0]), coded)


def _ansi_c(char: str) -> str:
    return _ANSI_C.get(char) or _octal(char)


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in encode(char))


def _source(text: str) -> Iterator[str]:
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(encode(text))[2:-1]
    yield text.replace("'", "''")
    yield text.replace('"', '""')
    slashed = text.replace("\\", "\\\\")
    yield slashed
    yield slashed.replace("'", "\\'")
    yield slashed.replace("'", "\\'").replace('"', '\\"')
