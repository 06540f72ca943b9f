"""The process that becomes the one that asks for a timestamp, once it is out of the reach of whoever ends the run's.

python -m durun.engine.local.stamping FOLDER RUN BODY
"""

from __future__ import annotations

import os
import sys

from durun.engine.local.scope import enter_scope


def main(folder: str, run_id: str, body: str) -> None:
    """Never returns."""
    enter_scope(f"durun-stamp-{run_id}")
    os.execv(sys.executable, [sys.executable, "-P", "-m", "durun.stamps.worker", folder, body])


if __name__ == "__main__":
    main(*sys.argv[1:])
