"""The caller's keyring for the commands of `durun secret`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from durun.cli.arguments import Argument
from durun.config import load_config
from durun.journal.place import prepare
from durun.secrets.cores import forbid_core_dumps
from durun.secrets.keyrings import PATIENCE, WorkerKeyring
from durun.secrets.stored import Stored

ServiceArgument = Annotated[str, Argument("SERVICE", "What the secret is for.")]
UsernameArgument = Annotated[str, Argument("USERNAME", "Whose secret it is.")]


@contextmanager
def open_keyring() -> Iterator[WorkerKeyring]:
    """The keyring. If somebody is there, the desktop may ask for its password."""
    forbid_core_dumps()
    somebody = sys.stdin.isatty() or sys.stderr.isatty()
    keyring = WorkerKeyring(os.environ, patience=PATIENCE if somebody else 0.0)
    try:
        yield keyring
    finally:
        keyring.close()


@contextmanager
def open_stored() -> Iterator[tuple[WorkerKeyring, Stored]]:
    """The keyring, and what durun has put there; makes the state directory. Raises Unsafe, StorageFailed."""
    config = load_config(os.environ)
    prepare(config.journal_path)
    with open_keyring() as keyring:
        yield keyring, Stored(config.home, keyring)
