"""Passwords: every one that fits what is asked for is as likely as any other."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping

from durun.actions.options import Options, WrongOption

ALPHABETS: Mapping[str, str] = {
    "letters": string.ascii_letters,
    "digits": string.digits,
    "alphanumeric": string.ascii_letters + string.digits,
    "ascii": string.ascii_letters + string.digits + string.punctuation,
}
"""The alphabets that have a name; any other text is taken for the characters themselves."""

CLASSES: Mapping[str, Callable[[str], bool]] = {
    "lower": str.islower,
    "upper": str.isupper,
    "digit": str.isdecimal,
    "symbol": lambda character: not character.isalnum() and not character.isspace(),
}
"""What `require` may ask for: at least one character of the class."""

_TRIES = 100_000
_BYTE = 256


def new_password(options: Options, random_bytes: Callable[[int], bytes]) -> str:
    """A password by `length`, `alphabet` and `require`. Raises WrongOption.

    One without a required class is thrown away and made anew: to put characters in on purpose would make some
    passwords likelier than others.
    """
    length = options.number("length", 32, 8, 1024)
    given = options.line("alphabet", "alphanumeric", _BYTE)
    alphabet = "".join(dict.fromkeys(ALPHABETS.get(given, given)))
    if len(alphabet) < 2:
        raise WrongOption(f"`alphabet` must be {', '.join(ALPHABETS)}, or the characters themselves, two or more")
    required = options.lines("require")
    for name in required:
        if name not in CLASSES:
            raise WrongOption(f"`require` must be a list of {', '.join(CLASSES)}")
        if not any(map(CLASSES[name], alphabet)):
            raise WrongOption(f"`alphabet` has no {name}, which `require` asks for; `alphabet: ascii` has all")
    for _ in range(_TRIES):
        password = _draw(alphabet, length, random_bytes)
        if all(any(map(CLASSES[name], password)) for name in required):
            return password
    raise WrongOption("`alphabet` has too few of the characters that `require` asks for")


def _draw(alphabet: str, length: int, random_bytes: Callable[[int], bytes]) -> str:
    """Bytes past the last whole multiple of the alphabet's size are dropped: a remainder would favour its beginning."""
    fair = _BYTE - _BYTE % len(alphabet)
    drawn: list[str] = []
    while len(drawn) < length:
        drawn += [alphabet[byte % len(alphabet)] for byte in random_bytes(length - len(drawn)) if byte < fair]
    return "".join(drawn)
