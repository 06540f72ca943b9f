"""What a secret is, wherever it comes from: text, not empty, without NUL, up to 1 MiB.

No message here holds anything of the value.
"""

from __future__ import annotations

from durun.errors import SecretUnavailable
from durun.secrets.files import LARGEST


def from_bytes(raw: bytes, source: str) -> str:
    """The secret that a file or a command gives: the newline at its end is not part of it. Raises SecretUnavailable."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_text(source) from None
    return fit(text.removesuffix("\n"), source)


def fit(text: str, source: str) -> str:
    """The secret itself, if it can be one. `source` is how a message names where it comes from.

    Raises SecretUnavailable.
    """
    if not text:
        raise SecretUnavailable(f"{source} is empty", "put a value there")
    if "\0" in text:
        raise SecretUnavailable(f"{source} holds a NUL byte", "a secret is text; encode it, for example as base64")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise _not_text(source) from None
    if size > LARGEST:
        raise SecretUnavailable(f"{source} is too large for a secret", f"up to {LARGEST} bytes")
    return text


def _not_text(source: str) -> SecretUnavailable:
    return SecretUnavailable(f"{source} is not text in UTF-8", "a secret is text; encode it, for example as base64")
