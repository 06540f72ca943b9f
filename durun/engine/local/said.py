"""What people say is kept in clear for ever, in a chain that nobody can mend: no secret of the run may stand in it.

It is searched for what is sealed, and for the declared secrets that a keyring, a variable or a file has now; a command
or a plugin is not asked, for that may have an effect, and another value. What can't be had is not found: without a
keyring people must still be able to say no, and to stop a run.
"""

from __future__ import annotations

from durun.config import Config
from durun.engine.local.discretion import close, early_scopes, open_secrecy
from durun.engine.stored import stored_plan, stored_runbook
from durun.engine.values import Values
from durun.errors import UsageError
from durun.journal.api import Journal
from durun.journal.reading import read_state
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.values import Json

_ASKED = frozenset({"keyring", "env", "file"})
"""The providers that are asked: each gives the same value again, and nothing happens by it."""


def refuse_secrets(config: Config, journal: Journal, run_id: str, *said: Json) -> None:
    """Raise UsageError if a secret of the run stands in any of this, in whatever form; NoSuchRun, StorageFailed.

    Where nothing is said, the run is not read.
    """
    if any(said) and holds_secret(config, read_state(journal, run_id), said):
        raise UsageError(
            f"a secret of run {run_id} stands in what you say: nothing was recorded",
            "say it without the secret; what is recorded stays for ever, and in clear",
        )


def holds_secret(config: Config, state: RunState, said: Json) -> bool:
    """Whether a secret of the run stands in this, as far as its secrets can be had here. Raises StorageFailed."""
    runbook = stored_runbook(state)
    secrecy = open_secrecy(config, state.record.id, state.created.place, runbook)
    if secrecy is None:
        return False
    try:
        secrecy.recall_if_possible(state)
        plan = stored_plan(state, runbook)
        secrecy.have_if_possible(early_scopes(Values(state, plan, runbook, secrecy), _asked(runbook)))
        return secrecy.exposes(said)
    finally:
        close(secrecy)


def _asked(runbook: Runbook) -> list[str]:
    return [name for name, secret in runbook.secrets.items() if secret.provider in _ASKED]
