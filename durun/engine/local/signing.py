"""Signs the heads of runs. The key is fetched once the first tasks are under way: that takes some milliseconds.

From then on whatever is entered into the register is signed in the transaction of its events. A short run is signed at
its end; of a longer one the beginning is signed as soon as the runner has a second to itself.
"""

from __future__ import annotations

import os
from contextlib import closing

from durun.config import Config
from durun.errors import SecretUnavailable, StorageFailed
from durun.journal.api import Journal
from durun.journal.register import Entry


class Signing:
    """Signs with the key of a state directory. A run goes on where that can't be had: verify says what is unsigned."""

    def __init__(self, config: Config, journal: Journal) -> None:
        self._home = config.home
        self._journal = journal
        self._begun = False

    def begin(self) -> str:
        """Have a signer from now on, its key made if there is none yet. Gives what the operator should know."""
        if self._begun:
            return ""
        self._begun = True
        from durun.secrets.keyrings import WorkerKeyring
        from durun.secrets.keys import SigningKey
        from durun.secrets.sign import Ed25519Signer

        try:
            with closing(WorkerKeyring()) as keyring:
                self._journal.sign_with(Ed25519Signer(SigningKey(self._home, keyring, os.environ).private()))
        except (SecretUnavailable, StorageFailed) as error:
            return f"what is recorded is not signed: {error.message}; {error.hint}"
        return ""

    def sign(self) -> None:
        """Sign what is not signed yet. Raises StorageFailed."""
        if self._journal.unsigned:
            self._journal.sign()

    def head(self, run_id: str) -> Entry | None:
        """The newest entry of the run, signed if that can be. Raises StorageFailed."""
        self.sign()
        entries = self._journal.entries(run_id)
        return entries[-1] if entries else None
