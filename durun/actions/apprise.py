"""`apprise`: tell services such as mail, Slack or PagerDuty. Only `notify` has it.

The work is done by a small process of durun itself, which alone loads the library. URLs, which often hold secrets,
reach it on stdin.
"""

from __future__ import annotations

import json
import sys

from durun.actions.api import Context, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value

_SEEN = ("PYTHONPATH",)


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Send `title` and `body` to `urls`."""
    rendered = {name: context.render(value) for name, value in spec.items()}
    argv = (sys.executable, "-P", "-m", "durun.notify.worker")
    return Process(argv=argv, stdin=json.dumps(rendered), inherit=_SEEN)
