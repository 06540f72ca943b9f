"""The secrets of a run as the local engine has them (`durun.engine.secrecy`), and what the supervisor is told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from durun.engine.local.marks import mark_of
from durun.engine.local.surroundings import fingerprint, fingerprint_key
from durun.engine.local.vault import Vault
from durun.engine.local.wire import Discretion
from durun.errors import SecretUnavailable
from durun.language.expressions import ExpressionError, render
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.values import Json
from durun.secrets.cores import forbid_core_dumps
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.keys import SealKey
from durun.secrets.known import redactor
from durun.secrets.providers import Resolver
from durun.secrets.redact import Stream, keeps_output

_MOST_OPENED = 5000
"""How many sealed files a session opens at its start, the newest first, so that it knows what to redact."""


class LocalSecrecy:
    """The secrets of one run, for one session. `place` is the folder of the runbook's file."""

    active = True

    def __init__(self, home: Path, run_folder: Path, place: str, runbook: Runbook) -> None:
        forbid_core_dumps()
        environ = dict(os.environ)
        self._runbook = runbook
        self._keyring = WorkerKeyring(environ)
        self._key = SealKey(home, self._keyring, environ)
        self._resolver = Resolver(place, environ, self._keyring)
        self.digest_key = fingerprint_key(home)
        self._redactor = redactor()
        self._untold: list[str] = []
        self._told: set[str] = set()
        self._now: set[str] = set()
        self._had: dict[str, str] = {}
        self._blind = False
        self.disclosed = 0
        self.vault = Vault(run_folder, self._key, mark_of(home, run_folder.name))

    def close(self) -> None:
        """Let go of the processes that ask keyrings."""
        self._resolver.close()

    # -- values -----------------------------------------------------------------------------------------------

    def declared(self, name: str, scope: Mapping[str, Any]) -> str:
        """The value of a secret that the runbook declares, had anew for each attempt, and once for it: a source may
        give another value each time.

        Raises SecretUnavailable, ExpressionError.
        """
        if name not in self._had:
            secret = self._runbook.secrets[name]
            self._had[name] = self._resolver.get(name, secret.provider, render(secret.spec, scope), secret.folder)
        self.disclosed += 1
        self.note(self._had[name])
        return self._had[name]

    def sealed(self, seal: Json, name: str) -> Json:
        """The value of this name under a seal. Raises SecretUnavailable."""
        value = self.vault.get(seal["at"])[name]
        self.disclosed += 1
        self.note(value)
        return value

    def seal(self, at: str, values: Mapping[str, Json]) -> dict[str, Json]:
        """Seal these values under one name in the run's folder, durably; each one's seal. Raises StorageFailed."""
        for value in values.values():
            self.note(value)
        self.vault.put(at, values)
        return {name: {"at": at, "fingerprint": self.fingerprint(value)} for name, value in values.items()}

    def fingerprint(self, value: Json) -> str:
        """A keyed digest of a value, in hex: equal for equal values, and of no use without the key."""
        return fingerprint(self.digest_key, value)

    # -- out of sight -----------------------------------------------------------------------------------------

    def note(self, value: Json) -> None:
        """Keep a value, and all texts in it, out of sight from now on."""
        texts = list(_texts(value))
        self._now.update(texts)
        new = [text for text in texts if text not in self._told]
        self._told.update(new)
        self._redactor.add(new)
        self._untold.extend(new)

    def exposes(self, value: Json) -> bool:
        """Whether a value holds a secret in any form."""
        return bool(self._redactor) and any(self._redactor.scrub(text) != text for text in _texts(value, keys=True))

    def scrub(self, text: str) -> str:
        """A text with every secret taken out of it."""
        return self._redactor.scrub(text)

    def cleaner(self) -> Stream:
        """What takes secrets out of one stream."""
        return self._redactor.stream()

    # -- the supervisor ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Another attempt is prepared, or it is asked whether there is to be one."""
        self._now.clear()
        self._had.clear()

    def too_short(self) -> bool:
        """Whether the attempt may write a value that can't be told from other text: then no output of it is kept."""
        return self._blind or not all(map(keeps_output, self._now))

    def discretion(self, files: Mapping[str, str], *, held: bool, stdout: bool) -> Discretion:
        """What the supervisor must know for an attempt. `held`, `stdout`: see `durun.engine.local.wire.Discretion`."""
        key = self._key.public().hex()
        return Discretion(dict(files), key, self.digest_key.hex(), held, stdout)

    def untold(self) -> list[str]:
        """What the supervisor has not been told yet; whoever asks tells it."""
        untold, self._untold = self._untold, []
        return untold

    def tell_again(self) -> None:
        """Another supervisor is at work, which has not been told anything."""
        self._untold = list(self._told)

    # -- before anything happens ------------------------------------------------------------------------------

    def ready(self) -> None:
        """See that what is sealed can be opened again. Raises SecretUnavailable, StorageFailed."""
        self._key.private()

    def require_keyring(self) -> None:
        """See that there is a keyring into which something can be put. Raises SecretUnavailable."""
        backend = self._keyring.backend()
        if not backend.usable:
            raise SecretUnavailable(
                f"the runbook has `secret` steps, and no keyring can be used here: {backend.why_not}",
                "start durun in a session that has one; `durun doctor` says which is in use",
            )

    def probe(self, scopes: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Have each of these secrets once, before the first effect; gives those that are too short to be redacted.

        `scopes`: the name of a secret → what it may depend on. Raises SecretUnavailable, ExpressionError.
        """
        return [name for name, scope in scopes.items() if not keeps_output(self.declared(name, scope))]

    def have_if_possible(self, scopes: Mapping[str, Mapping[str, Any]]) -> None:
        """Have each of these secrets, as `probe` does, so that it stays out of sight. A provider that can't give one is
        not asked for another: it may be long in saying so.
        """
        failed: set[str] = set()
        for name, scope in scopes.items():
            if (provider := self._runbook.secrets[name].provider) not in failed:
                try:
                    self.declared(name, scope)
                except (SecretUnavailable, ExpressionError):
                    failed.add(provider)

    def recall(self, state: RunState) -> None:
        """Open what earlier sessions sealed, so that it stays out of sight. Raises SecretUnavailable."""
        for at in list(_sealed_files(state))[-_MOST_OPENED:]:
            self.note(list(self.vault.get(at).values()))

    def recall_if_possible(self, state: RunState) -> None:
        """The same; where it can't be done, nothing of what steps write is kept: a run can be given up without it."""
        try:
            self.recall(state)
        except SecretUnavailable:
            self._blind = True


def keeps(values: Iterable[Json]) -> bool:
    """Whether all texts in these values can be told from other text."""
    return all(keeps_output(text) for value in values for text in _texts(value))


def _texts(value: Json, *, keys: bool = False) -> Iterator[str]:
    """The texts in a value, with `keys` those too; numbers as they are written."""
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield json.dumps(value)
        case Mapping():
            if keys:
                yield from value
            for entry in value.values():
                yield from _texts(entry, keys=keys)
        case _:
            for entry in value:
                yield from _texts(entry, keys=keys)


def _sealed_files(state: RunState) -> dict[str, None]:
    """Every sealed file that the state names, the oldest first."""
    found = {seal["at"]: None for seal in state.created.sealed.values()}
    found |= {resolved.sealed["at"]: None for resolved in state.resolved.values() if resolved.sealed is not None}
    found |= {seal["at"]: None for task in state.tasks.values() if task.sealed for seal in task.sealed.values()}
    return found
