"""The provisioning runbook on a bench: a real directory, a real keyring, a service for change requests.

Each run makes an account with a name of its own, so that the directory's log tells what was done for it. The runbook is
the shipped one, but for what `trial` changes.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crash.harness import ROOT, Bench
from crash.rotation import CommandLines
from crash.secret_forms import clues, seen
from daemons.changes import Changes, change_service
from daemons.keyring import Keyring, start_keyring
from daemons.openldap import PROVISIONER, ROLES, SERVICES, OpenLdap
from durun.journal.api import RunQuery
from durun.journal.sqlite import open_journal
from durun.model.task import RunRecord
from stored import files

RUNBOOK = ROOT / "runbooks" / "provision-service-account.yaml"
HELPER = RUNBOOK.with_suffix("") / "directory.py"
TOKENS = "service-accounts"
OVER = ("succeeded", "rolled_back")


def trial(text: str) -> str:
    """The runbook with less patience, and without a second person."""
    book = yaml.safe_load(text)
    for step in book["steps"]:
        for part in (step, step.get("rollback", {})):
            if "http" in part:
                part["timeout"] = "5s"
            if "retry" in part:
                part["retry"] |= {"delay": "10ms", "max_attempts": 3}
        if "approval" in step:
            step["approval"]["allow_requester"] = True
    return yaml.safe_dump(book, sort_keys=False)


class Provision(Bench):
    """A state directory in which the runbook is run again and again, for one account after the other."""

    def __init__(self, folder: Path, keyring: Keyring, directory: OpenLdap, changes: Changes) -> None:
        super().__init__(folder)
        # The rollback of `store` is a `durun`, too.
        self.env |= {**keyring.env, "PATH": f"{Path(sys.executable).parent}:{self.env['PATH']}"}
        self.keyring, self.directory, self.changes = keyring, directory, changes
        mark = secrets.token_hex(4)
        self.roles = [f"readers-{mark}", f"writers-{mark}"]
        self.other_role = f"admins-{mark}"
        directory.new_roles(*self.roles, self.other_role)
        keyring.put("provisioning", "directory", directory.password)
        keyring.put("provisioning", "changes", changes.token)
        self._known = {directory.password, changes.token}
        self._prefix = f"a{mark}"
        self.done = 0
        """How many runs are over."""
        self.path = self.book / RUNBOOK.name
        self.path.write_text(trial(RUNBOOK.read_text()))
        (self.book / HELPER.parent.name).mkdir()
        shutil.copy(HELPER, self.book / HELPER.parent.name)
        self._inputs = folder / "inputs.json"
        self._inputs.write_text(json.dumps(self._given()))

    def _given(self) -> dict[str, Any]:
        directory = self.directory
        return {
            "roles": self.roles, "approvers": ["root"], "changes_url": self.changes.url, "bind_dn": PROVISIONER,
            "directory_url": directory.url, "directory_ca": str(directory.ca),
            "services_base": SERVICES, "roles_base": ROLES,
        }  # fmt: skip

    def command(self, *argv: str) -> list[str]:
        """As on any bench, but for the inputs: they are those of the runbook."""
        given = ["--inputs", str(self._inputs), "-i", f"account={self.account}"] if argv and argv[0] == "run" else []
        return [*super().command(*argv)[: 2 + len(argv)], *given]

    # -- driving --------------------------------------------------------------------------------------------------

    @property
    def account(self) -> str:
        """Whom the present run, or the next, is for."""
        return f"{self._prefix}-{self.done}"

    def stored(self) -> list[RunRecord]:
        """The runs, newest first, by the journal."""
        if not (self.home / "journal.db").exists():
            return []
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            return journal.runs(RunQuery())

    def open_run(self) -> RunRecord | None:
        """The run that is not over."""
        found = [run for run in self.stored() if run.status not in OVER]
        assert len(found) < 2, found
        return found[0] if found else None

    def argv(self) -> list[str]:
        """What an operator types next."""
        run = self.open_run()
        if run is None:
            return ["run", str(self.path)]
        return ["approve", run.id] if run.status == "waiting" else ["resume", run.id]

    def look(self) -> None:
        """If one more run is over, everything must hold; before, what may never be must not be."""
        self.safe()
        found = self.stored()
        if len(found) == self.done or found[0].status not in OVER:
            return
        self.check(found[0].id)
        self.quiet()
        (self.whole if found[0].status == "succeeded" else self.nothing)(found[0].id)
        self.done += 1

    # -- what must hold ------------------------------------------------------------------------------------------

    def is_locked(self) -> bool:
        """Whether the account is there, and can't be used."""
        return "pwdAccountLockedTime" in (self.directory.account(self.account) or {})

    def safe(self) -> None:
        """At no moment more rights than asked for, an account that is open without its roles, or a second change."""
        account, roles = self.directory.account(self.account), self.directory.roles(self.account)
        assert roles <= set(self.roles)
        assert account is None or self.is_locked() or roles == set(self.roles)
        run = self.stored()
        assert len(self.changes.opened(run[0].id if run else "none")) <= 1

    def whole(self, run: str) -> None:
        """One change, one account that logs in with the stored token, exactly its roles, each done once."""
        (token,) = self.keyring.all(TOKENS)[self.account]
        self._known.add(token)
        assert self.directory.accepts(self.account, token)
        assert self.directory.roles(self.account) == set(self.roles)
        assert list(self.directory.changes(self.account).values()) == [1] * (2 + len(self.roles))
        assert len(self.changes.opened(run)) == 1
        assert self.changes.states(run) == ["implemented"]

    def nothing(self, run: str) -> None:
        """The change is withdrawn, and nothing else tells of it."""
        assert self.directory.account(self.account) is None
        assert self.directory.roles(self.account) == set()
        assert self.account not in self.keyring.all(TOKENS)
        opened = self.changes.opened(run)
        assert len(opened) <= 1
        assert self.changes.states(run)[-1:] == ["withdrawn"] * len(opened)

    def nothing_in_clear(self, lines: CommandLines) -> None:
        """No password or token is in a file of the state directory, in the directory's log, or in a command line."""
        places = {str(path): content for path, content in files(self.home)}
        places |= {"log": self.directory.said().encode(), "command lines": b"\n".join(lines.seen)}
        assert b"ldapmodify" in places["command lines"], "nothing was seen"
        looked_for = {clue for secret in self._known for clue in clues(secret)}
        assert {place: clue for place, content in places.items() if (clue := seen(content, looked_for))} == {}


@pytest.fixture
def provision(tmp_path: Path, openldap: OpenLdap) -> Iterator[Provision]:
    """A bench with a keyring and a service for change requests of its own."""
    home = tmp_path / "keyring"
    home.mkdir()
    with start_keyring(home) as keyring, change_service() as changes:
        made = Provision(tmp_path, keyring, openldap, changes)
        yield made
        openldap.start()
        made.close()
