"""The process that hands one message to Apprise.

    python -m durun.notify.worker

A JSON object on stdin says what: `urls`, `title`, `body`. It ends with 0 when every service has taken the message; else
the last line on stderr says why not.
"""

from __future__ import annotations

import json
import sys
from typing import Any

INSTALL = "apprise is not installed: pip install 'durun[notify]'"


def main() -> int:
    """Send it; the exit code."""
    asked: dict[str, Any] = json.load(sys.stdin)
    try:
        import apprise  # an extra, and slow to load
    except ImportError:
        return _fail(INSTALL)
    urls = asked["urls"] if isinstance(asked["urls"], list) else [asked["urls"]]
    services = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not services.add(str(url)):
            return _fail(f"URL {number} is none that Apprise knows")
    if not services.notify(title=asked["title"], body=asked["body"]):
        return _fail("Apprise could not send it" + (", to all of them" if len(urls) > 1 else ""))
    return 0


def _fail(why: str) -> int:
    sys.stderr.write(f"durun: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
