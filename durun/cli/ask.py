"""Asks whoever sits at the terminal."""

from __future__ import annotations

import sys

from durun.errors import UsageError
from durun.language.diagnostics import harmless


def somebody_is_there() -> bool:
    """Whether a question can be answered."""
    return sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Whether the answer is yes; anything else, and no answer, is no."""
    sys.stdout.write(harmless(question))
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def ask_secret(prompt: str, otherwise: str) -> str:
    """What is typed, without echo. `otherwise` says how else it may be given.

    Raises UsageError when nothing is typed, or the terminal would show it.
    """
    import warnings  # few commands ask for anything
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass(harmless(prompt))
    except EOFError:
        raise UsageError("no secret was given", f"type it, or {otherwise}") from None
    except GetPassWarning:
        raise UsageError("this terminal can't hide what is typed", otherwise) from None
