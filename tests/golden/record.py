"""Records a state directory as this version of durun leaves it after a crash: `python tests/golden/record.py`.

It is committed, and every later version must be able to take it up (`test_golden.py`). Run it (as root, for a host name
of its own) when a version is released; recordings of released versions are never made anew.

What is recorded: a run whose first step is done and whose second was at work when the runner was killed. The
supervisor finished it, and wrote and synced the exit record. The third has not begun.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from durun import __version__
from durun.journal.sqlite import open_journal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PLACE = Path("/tmp/durun-golden")
BOOK = f"""
durun: 1
name: golden
steps:
  - id: done
    run: echo done; echo number=1 >> "$DURUN_OUTPUT"
    working_directory: /
    outputs: {{number: {{type: integer}}}}
  - id: open
    run: |
      echo begun
      read -r _ < {PLACE}/fifo || true
      echo 'answer={{"is": 42}}' >> "$DURUN_OUTPUT"
      echo ended
    working_directory: /
    outputs: {{answer: {{type: object}}}}
  - id: next
    targets: [a, b]
    run: echo "sum=$TARGET-$SUM" >> "$DURUN_OUTPUT"
    env: {{SUM: "${{{{ steps.done.outputs.number + steps.open.outputs.answer.is }}}}"}}
    working_directory: /
    outputs: {{sum: {{type: string}}}}
outputs:
  sum: ${{{{ steps.next.targets['b'].outputs.sum }}}}
"""


def main() -> None:
    """Record."""
    target = HERE / f"v{__version__}"
    if target.exists():
        raise SystemExit(f"{target} is there already; remove it if that version was never released")
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(mode=0o700)
    (PLACE / "golden.yaml").write_text(BOOK)
    os.mkfifo(PLACE / "fifo")
    home = PLACE / "state"
    env = {"PATH": "/usr/bin:/bin", "HOME": "/home/operator", "DURUN_HOME": str(home), "PYTHONPATH": str(ROOT)}
    durun = f"hostname golden; exec {sys.executable} -m durun run golden.yaml"
    process = subprocess.Popen(["unshare", "--uts", "sh", "-c", durun], cwd=PLACE, env=env)
    writing = os.open(PLACE / "fifo", os.O_WRONLY)  # opened as soon as the step reads
    process.send_signal(signal.SIGKILL)
    process.wait()
    os.close(writing)
    lock = next(home.glob("runs/*/supervisor-1.lock"))
    supervisor = os.pidfd_open(int(lock.read_text().split('"pid": ')[1].split(",")[0]))
    select.select([supervisor], [], [])
    open_journal(home / "journal.db").close()  # one file: the write-ahead log is copied into it
    shutil.copytree(home, target)
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main()
