"""`durun doctor`: is durun well here, and what would mend it?"""

from __future__ import annotations

import os
import sys
from contextlib import closing, suppress
from typing import Annotated

from durun.app import open_app
from durun.cli.arguments import JsonOption, Option
from durun.cli.exit_codes import worst
from durun.cli.screen import width_of_terminal
from durun.config import Config, load_config
from durun.doctor.examine import examine
from durun.doctor.here import Here
from durun.doctor.mend import mend
from durun.errors import DurunError, Unsafe
from durun.journal.api import RunQuery
from durun.journal.place import OWN_FOLDER, is_strange
from durun.model.check import Check
from durun.model.status import FINAL, RESUMABLE, RUN_STATUSES
from durun.secrets.keyrings import WorkerKeyring
from durun.sharing.places import share as share_with
from durun.views.doctor import doctor_json, doctor_text
from durun.views.json import dump


def command(
    share: Annotated[
        str | None, Option("--share", metavar="GROUP", help="Let this unix group see what is asked, and approve it.")
    ] = None,
    fix: Annotated[
        bool,
        Option("--fix", help="Mend what is safe to: permissions, a journal that a killed process left unfinished."),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Look whether durun is well here: its state, its journal, where secrets are. Changes nothing but what it is told.

    With --share, others can decide: `requests/` in the state directory says what is asked, `approvals/` takes the
    decisions, and the rest stays yours alone.
    """
    if share is not None:
        _share(load_config(os.environ), share)
    with closing(WorkerKeyring()) as keyring:
        here = Here(load_config(os.environ), keyring, os.environ)
        checks = examine(here)
        before = checks
        if fix and mend(here, checks):
            checks = examine(here)
    mended = [old.name for old, new in zip(before, checks, strict=True) if _rank(new) < _rank(old)]
    sys.stdout.write(dump(doctor_json(checks, mended)) if as_json else doctor_text(checks, mended, width_of_terminal()))
    return worst([check.exit_code for check in checks])


def _rank(check: Check) -> int:
    return ("ok", "warn", "fail").index(check.status)


def _share(config: Config, group: str) -> None:
    """Open the shared folders to the group, and let it see what is asked already."""
    if is_strange(config.home):
        raise Unsafe(f"{config.home} has other things in it than durun's", OWN_FOLDER)
    share_with(config.home, group)
    if config.journal_path.exists():
        # What is wrong with the journal, the checks say.
        with suppress(DurunError), open_app() as app:
            for record in app.journal.runs(RunQuery(statuses=frozenset(RUN_STATUSES) - FINAL - RESUMABLE)):
                app.hear(record.id)
