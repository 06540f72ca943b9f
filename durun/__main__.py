"""The entry point. `--version` and completions answer before anything else is loaded: every import is waited for."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        from durun import __version__

        sys.stdout.write(f"durun {__version__}\n")
        return
    if sys.argv[1:2] == ["__complete"]:
        from durun.cli.completing import complete

        sys.stdout.write(complete(sys.argv[2:]))
        return
    # Loading makes many objects and no garbage; whoever works for long turns the collector on (`cli.drive`).
    gc.disable()
    from durun.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
