"""Pieces of a manual page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_SPELLED = {
    ord(one): spelled for one, spelled in (("\\", "\\e"), ("-", "\\-"), ('"', "\\(dq"), ("…", "..."), ("`", "\\(ga"))
}


def head(name: str, section: int, version: str, book: str, what: str) -> list[str]:
    """The first lines of a page: whose it is, and what that is in a few words."""
    return [
        f'.TH {name.upper()} {section} "" "durun {version}" "{book}"',
        ".SH NAME",
        f"{text(name)} \\- {text(what)}",
    ]


def listed(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Words, each with what it means."""
    for word, meaning in entries:
        yield from (".TP", f'.B "{text(word)}"', text(meaning))


def text(plain: str) -> str:
    """Plain text in roff: nothing of it is a request, hyphens can be copied."""
    safe = plain.translate(_SPELLED)
    return "\n".join(f"\\&{line}" if line[:1] in ".'" else line for line in safe.split("\n"))
