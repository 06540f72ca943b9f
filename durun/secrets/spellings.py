"""The ways in which programs write a text: escaped for JSON, URLs, HTML, shells and source code.

Each function gives what stands between the quotes, not the quotes; most of the spellings of most texts are equal.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_SAFE_IN_URLS = {
    "RFC 3986, curl, jq, Go's queries": "",
    "Python": "/",
    "JavaScript, components": "!~*'()",
    "JavaScript, whole URLs": ";,/?:@&=+$#-_.!~*'()",
    "WHATWG, passwords": "!$%&'()*+,",
    "WHATWG, queries": "!$%&()*+,/:;=?@[\\]^`{|}",
    "RFC 3986, passwords": "!$&'()*+,;=",
    "RFC 3986, paths": "!$&'()*+,;=:@",
    "Go, passwords": "$&+,;=",
    "Go, parts of paths": "$&+:=@",
    "requests": "!#$%&'()*+,/:;=?@[]",
    "Java": "*",
}
"""What programs leave as it is."""

_JSON_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}

_SHELL_SPECIAL = re.compile(r"""[ !"$&'()*,;<>?[\\\]^`{|}]|(?<=[:=])~|^[#~]""")
_C_SHORT = {**_JSON_SHORT, "\x07": "\\a", "\v": "\\v"}
_CONTROL = re.compile(r"[\0-\x1f\x7f]")


def spellings(text: str) -> Iterator[str]:
    """Every way in which the text is written in text, first as it is."""
    yield text
    if text.isascii() and re.fullmatch(r"[\w.-]+", text):
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
    for safe in _SAFE_IN_URLS.values():
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
    # In single quotes, by, in turn: shlex and busybox; bash; dash; coreutils, where there are control characters.
    yield text.replace("'", "'\"'\"'")
    quoted = text.replace("'", "'\\''")
    yield quoted
    yield re.sub("'+", r"""'"\g<0>"'""", text)
    yield re.sub(f"{_CONTROL.pattern}+", lambda run: f"'$'{_c(run[0])}''", quoted).removesuffix("''")
    # In double quotes.
    yield re.sub(r'[\\"$`]', r"\\\g<0>", text)
    yield re.sub(r'[\\"$`!]', r"\\\g<0>", text)
    # Without quotes: printf %q of bash, which escapes # and ~ only where they would mean something; ls -b.
    yield _SHELL_SPECIAL.sub(r"\\\g<0>", text)
    yield _c(re.sub(r"[\\ ]", r"\\\g<0>", text))
    # In $'…' of bash, in UTF-8 and elsewhere.
    coded = _c(re.sub(r"[\\']", r"\\\g<0>", text).replace("\x1b", "\\E"))
    yield re.sub(r"[^ -~]", lambda char: char[0] if char[0].isprintable() else _octal(char[0]), coded)
    yield re.sub(r"[^ -~]", lambda char: _octal(char[0]), coded)


def _c(text: str) -> str:
    """With control characters as in C."""
    return _CONTROL.sub(lambda char: _C_SHORT.get(char[0]) or _octal(char[0]), text)


def _octal(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in encode(char))


def _source(text: str) -> Iterator[str]:
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(encode(text))[2:-1]
    slashed = text.replace("\\", "\\\\")
    yield slashed
    yield slashed.replace("'", "\\'")
    yield slashed.replace("'", "\\'").replace('"', '\\"')
    # SQL and YAML; CSV; printf and configparser; regular expressions of Perl and Python; argv on Windows.
    yield text.replace("'", "''")
    yield text.replace('"', '""')
    yield text.replace("%", "%%")
    yield re.sub(r"[^\w\x80-\U0010ffff]", r"\\\g<0>", text)
    yield re.escape(text)
    yield re.sub(r'(\\*)"', r'\1\1\\"', text)
    # YAML in double quotes.
    yield re.sub(r"[^ -~]", _yaml, text.replace("\\", "\\\\").replace('"', '\\"'))


def _yaml(char: re.Match[str]) -> str:
    code = ord(char[0])
    short = {"\x07": "\\a", "\v": "\\v", "\x1b": "\\e", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P"}
    long = f"\\x{code:02X}" if code < 1 << 8 else f"\\u{code:04X}" if code < 1 << 16 else f"\\U{code:08X}"
    return short.get(char[0]) or _JSON_SHORT.get(char[0]) or long
