"""The entry point. `--version` and completions answer before anything else is loaded: every import is waited for."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from durun import __version__

        _answer(f"durun {__version__}\n")
        return
    if sys.argv[1:2] == ["__complete"]:
        from durun.cli.completing import complete

        _answer(complete(sys.argv[2:]))
        return
    # Loading makes many objects and no garbage; whoever works for long turns the collector on (`cli.drive`).
    gc.disable()
    try:
        from durun.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before there was anybody to take it, or when all was over
        os._exit(130)
    sys.exit(code)


def _answer(text: str) -> None:
    """Write it out, and care for nothing: not for a closed stdout, nor for a reader who has gone away."""
    try:
        if sys.stdout is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for the flush at exit


if __name__ == "__main__":
    main()
