"""The provisioning runbook, for real: what counts is what the directory, the keyring and the service for changes have.

How it is killed at every point stands in tests/crash/test_provisioning.py.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.changes import Changes, changes  # noqa: F401
from daemons.keyring import Keyring, needs_keyring, unlocked_keyring  # noqa: F401
from daemons.openldap import PROVISIONER, ROLES, SERVICES, OpenLdap, needs_openldap
from daemons.people import Person, people
from daemons.process import place
from durun.sharing.places import share

pytestmark = [needs_keyring, needs_openldap]

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
RUNBOOK = RUNBOOKS / "provision-service-account.yaml"
FAILED, WAITS, DENIED = 1, 5, 6


class Provision:
    """What a run needs, and what it leaves. The requester may approve, unless somebody else is there."""

    def __init__(self, durun: Any, directory: OpenLdap, keyring: Keyring, changes: Changes, folder: Path) -> None:  # noqa: F811
        self.durun, self.directory, self.keyring, self.changes = durun, directory, keyring, changes
        # The rollback of `store` is a `durun`, too.
        durun.environment |= {**keyring.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        mark = secrets.token_hex(4)
        self.account, self.roles, self.admins = f"shop-{mark}", [f"readers-{mark}", f"writers-{mark}"], f"admins-{mark}"
        directory.new_roles(*self.roles, self.admins)
        keyring.put("provisioning", "directory", directory.password)
        keyring.put("provisioning", "changes", changes.token)
        self.inputs = folder / "inputs.json"
        self.write("root")
        self.alone = folder / RUNBOOK.name
        text = RUNBOOK.read_text()
        asked = "      approvers: ${{ inputs.approvers }}\n"
        assert asked in text
        self.alone.write_text(text.replace(asked, f"{asked}      allow_requester: true\n"))
        shutil.copytree(RUNBOOK.with_suffix(""), self.alone.with_suffix(""))

    def write(self, approver: str) -> None:
        directory = self.directory
        given = {
            "account": self.account, "roles": self.roles, "approvers": [approver], "directory_url": directory.url,
            "directory_ca": str(directory.ca), "bind_dn": PROVISIONER, "services_base": SERVICES, "roles_base": ROLES,
            "changes_url": self.changes.url,
        }  # fmt: skip
        self.inputs.write_text(json.dumps(given))

    def start(self, book: Path | None = None, code: int = WAITS) -> str:
        """Start it; its id."""
        self.durun("run", book or self.alone, "--inputs", self.inputs, code=code)
        return str(self.durun.run_id())

    def token(self) -> str | None:
        return self.keyring.get("service-accounts", self.account)

    def whole(self, run: str) -> None:
        token = self.token()
        assert token and self.directory.accepts(self.account, token)
        assert self.directory.roles(self.account) == set(self.roles)
        assert list(self.directory.changes(self.account).values()) == [1] * 4
        assert (len(self.changes.opened()), self.changes.states(run)) == (1, ["implemented"])

    def nothing(self) -> None:
        assert self.directory.account(self.account) is None
        assert self.directory.roles(self.account) == set()
        assert self.token() is None

    def status(self, run: str) -> str:
        return str(self.durun.json("show", run)["status"])


@pytest.fixture
def provision(
    durun: Any,
    openldap: OpenLdap,
    unlocked_keyring: Keyring,  # noqa: F811
    changes: Changes,  # noqa: F811
    tmp_path: Path,
) -> Provision:
    return Provision(durun, openldap, unlocked_keyring, changes, tmp_path)


def test_an_account_is_made_when_it_is_approved(durun: Any, provision: Provision) -> None:
    run = provision.start()
    provision.nothing()
    assert len(provision.changes.opened(run)) == 1 and provision.changes.states(run) == []
    durun("approve", run)
    assert provision.status(run) == "succeeded"
    provision.whole(run)


def test_what_is_denied_is_withdrawn(durun: Any, provision: Provision) -> None:
    run = provision.start()
    durun("reject", run, "--reason", "not this quarter", code=DENIED)
    assert provision.status(run) == "rolled_back"
    provision.nothing()
    assert provision.changes.states(run) == ["withdrawn"]
    assert not provision.directory.changes(provision.account)


def test_a_name_that_is_taken_is_told_before_anything_is_asked_for(durun: Any, provision: Provision) -> None:
    dn = provision.directory.dn(provision.account)
    provision.directory.change(f"dn: {dn}\nchangetype: add\nobjectClass: account\n")
    durun("run", provision.alone, "--inputs", provision.inputs, code=FAILED)
    assert provision.changes.asked() == []
    assert provision.directory.account(provision.account) is not None


def test_more_rights_than_asked_for_and_there_is_no_account(durun: Any, provision: Provision) -> None:
    run = provision.start()
    group, dn = f"cn={provision.admins},{ROLES}", provision.directory.dn(provision.account)
    provision.directory.change(f"dn: {group}\nchangetype: modify\nadd: member\nmember: {dn}\n")
    assert "what nobody asked for" in durun("approve", run, code=FAILED)
    assert provision.status(run) == "rolled_back"
    provision.nothing()
    assert provision.changes.states(run) == ["withdrawn"]


def test_what_fails_last_takes_all_of_it_back(durun: Any, provision: Provision) -> None:
    run = provision.start()
    provision.changes.set(refuses="implemented")
    assert "still stands" not in durun("approve", run, code=FAILED)
    assert provision.status(run) == "rolled_back"
    provision.nothing()
    assert provision.changes.states(run) == ["withdrawn"]
    done = provision.directory.changes(provision.account)
    assert sorted(change.kind for change in done) == ["add", "delete", *["modify"] * 4]
    durun("resume", run)
    assert provision.directory.changes(provision.account) == done


def test_an_account_that_is_no_longer_needed_is_taken_back(durun: Any, provision: Provision) -> None:
    run = provision.start()
    durun("approve", run)
    provision.whole(run)
    assert "still stands" not in durun("rollback", run, "--reason", "they left")
    assert provision.status(run) == "rolled_back"
    provision.nothing()
    assert provision.changes.states(run) == ["implemented", "withdrawn"]


@pytest.fixture
def approver(durun: Any, provision: Provision) -> Iterator[Person]:
    """Another user, whom the shipped runbook asks, and who may answer in the state directory."""
    if os.geteuid() != 0:
        pytest.skip("other users are made by root")
    mark = f"drn{os.getpid()}"
    with place("runs") as folder, people(f"{mark}g", f"{mark}a") as (person,):
        durun.home = folder / "state"
        durun.environment["DURUN_HOME"] = str(durun.home)
        share(durun.home, f"{mark}g")
        provision.write(person.name)
        yield person


def test_somebody_else_approves_and_nobody_else_can(durun: Any, provision: Provision, approver: Person) -> None:
    run = provision.start(RUNBOOK)
    durun("approve", run, code=DENIED)
    assert provision.status(run) == "waiting"
    said = approver.durun(durun.home, "approve", run, "--reason", "looked at")
    assert said.returncode == 0, said.stderr
    provision.nothing()
    durun("resume", "--all", "--quiet")
    assert provision.status(run) == "succeeded"
    provision.whole(run)
