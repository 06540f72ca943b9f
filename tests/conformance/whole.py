"""`whole.py ARGV…` is ARGV, with its exit code, but ends only when all is over that came of it, orphans too.

Its output ends when ARGV does. So a test waits for what durun leaves to a process that nobody waits for.
"""

import ctypes
import os
import sys

_PR_SET_CHILD_SUBREAPER = 36


def main(argv: list[str]) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    first = os.posix_spawnp(argv[0], argv, os.environ)
    os.closerange(0, 3)
    code = 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        if pid == first:
            code = os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]) % 256)
