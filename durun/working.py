"""How a worker that does a step is asked, and how it ends: what `http` and plugins have in common."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from durun.model.retry import AMBIGUOUS


def asked() -> dict[str, Any] | None:
    """What is asked, a JSON object on stdin; None if who started this was killed before it was all told."""
    # Stopped, it ends by the signal: how far it came, nobody can tell.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        given: dict[str, Any] = json.load(sys.stdin)
    except ValueError:
        return None
    return given


def tell(code: int, lines: str, outputs: bool) -> int:
    """Append to `$DURUN_OUTPUT` what durun must know; the exit code.

    `outputs`: there are some among the lines. What was done, but can't be told whole, is a doubt.
    """
    try:
        with Path(os.environ["DURUN_OUTPUT"]).open("ab", buffering=0) as file:
            rest = memoryview(lines.encode("utf-8", "replace"))
            while rest:
                rest = rest[file.write(rest) :]
    except OSError as error:
        sys.stderr.write(f"durun: {error.filename}: {error.strerror}\n")
        return AMBIGUOUS if outputs and not code else code
    return code


def leave(code: int) -> NoReturn:
    """End, not by `sys.exit`: that would wait for threads, such as one that still looks up a name."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
