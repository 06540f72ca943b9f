"""`http`: a request, and the question that a `verify` asks by one.

The work is done by a small process of durun itself. All that it is to send reaches it on stdin, never in its argv.
"""

from __future__ import annotations

import json
import sys
from typing import Final

from durun.actions.api import Context, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value

GRACE: Final = 5.0
"""Seconds beyond its timeout that it gets to say what it knows."""

_SEEN = ("PYTHONPATH",)


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Send the request that `durun.language.http` has read."""
    rendered = {name: context.render(value) for name, value in spec.items()}
    body = rendered.get("body")
    reads = (str(body["file"]),) if isinstance(body, dict) and "file" in body else ()
    argv = (sys.executable, "-P", "-m", "durun.http.worker")
    return Process(argv=argv, stdin=json.dumps(rendered, sort_keys=True), inherit=_SEEN, reads=reads, grace=GRACE)
