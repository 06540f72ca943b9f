"""`durun doctor`: is durun well here, and what would mend it?"""

from __future__ import annotations

import os
import sys
from contextlib import closing

from durun.cli.arguments import JsonOption
from durun.cli.exit_codes import worst
from durun.config import load_config
from durun.doctor.examine import examine
from durun.doctor.here import Here
from durun.secrets.keyrings import WorkerKeyring
from durun.views.doctor import doctor_json, doctor_text
from durun.views.json import dump


def command(as_json: JsonOption = False) -> int:
    """Look whether durun is well here: its state, its journal, where secrets are. Changes nothing."""
    with closing(WorkerKeyring()) as keyring:
        checks = examine(Here(load_config(os.environ), keyring, os.environ))
    sys.stdout.write(dump(doctor_json(checks)) if as_json else doctor_text(checks))
    return worst([check.exit_code for check in checks])
