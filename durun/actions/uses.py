"""`uses`: an action from a plugin, and the question that such an action answers itself.

Its code runs in a small process of durun itself. All that it is given reaches it on stdin, never in its argv.
"""

from __future__ import annotations

import json
import sys
from typing import Literal

from durun.actions.api import Context, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value

_SEEN = ("PYTHONPATH",)


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Do what the plugin's action does with the values under `with`."""
    return _process("run", spec, context)


def prepare_check(spec: Value, shell: Shell, context: Context) -> Work:
    """Ask the plugin's action whether it is done."""
    return _process("verify", spec, context)


def _process(do: Literal["run", "verify"], spec: Value, context: Context) -> Process:
    given = context.fitting_plugin(spec["uses"], context.render(spec["with"]))
    argv = (sys.executable, "-P", "-m", "durun.plugins.worker")
    told = {"do": do, "uses": spec["uses"], "with": given, "secret": spec["secret"], "gives": spec["gives"]}
    order = json.dumps(told, sort_keys=True)
    return Process(argv=argv, stdin=order, inherit=_SEEN)
