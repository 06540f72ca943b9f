"""Asks whoever sits at the terminal for a secret."""

from __future__ import annotations

import sys

from durun.errors import UsageError
from durun.language.diagnostics import harmless


def somebody_is_there() -> bool:
    """Whether a question can be answered."""
    return sys.stdin.isatty()


def ask_secret(name: str, description: str = "") -> str:
    """What is typed, without echo. Raises UsageError when nothing is, or the terminal would show it."""
    import warnings  # few runs ask for anything
    from getpass import GetPassWarning, getpass

    prompt = f"{name} ({harmless(description)}): " if description else f"{name}: "
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass(prompt)
    except EOFError:
        raise UsageError(f"nothing was typed for {name}", "try again") from None
    except GetPassWarning:
        raise UsageError(f"this terminal would show what is typed for {name}", "give it in another way") from None
