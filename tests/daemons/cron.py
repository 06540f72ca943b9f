"""The cron daemon of Debian, with a crontab of its own, in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CRON = "/usr/sbin/cron"

_START = """
set -e
mount --make-rprivate /
for folder in /etc/cron.d /var/spool/cron /run; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
install -m 644 /dev/null "$1/empty"
mount --bind "$1/empty" /etc/crontab
mkdir -m 1730 /var/spool/cron/crontabs
install -m 600 "$1/crontab" /var/spool/cron/crontabs/root
exec /usr/sbin/cron -f -L 0
"""


def available() -> bool:
    """Whether it can be started here: it is installed, and we are root."""
    return os.getuid() == 0 and Path(CRON).exists() and shutil.which("unshare") is not None


@contextlib.contextmanager
def running(folder: Path, crontab: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that has just read this crontab; it and its jobs end with the block. `@reboot` jobs start at once."""
    (folder / "crontab").write_text(crontab)
    argv = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        _START,
        "sh",
        str(folder),
    ]
    daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()
