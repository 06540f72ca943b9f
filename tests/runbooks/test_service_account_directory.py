"""The helper of the provisioning runbook against a real OpenLDAP: what it says is what the server does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from daemons.openldap import PROVISIONER, ROLES, SERVICES, OpenLdap, needs_openldap

pytestmark = needs_openldap

SCRIPT = Path(__file__).parents[2] / "runbooks" / "provision-service-account" / "directory.py"
NOT_DONE, NOTHING_HAPPENED = 3, 75


class Account(NamedTuple):
    """An account that a run is to make, with the roles `readers` and `writers`, and how to ask for it."""

    server: OpenLdap
    name: str
    token: str
    environment: dict[str, str]

    def __call__(self, what: str, code: int = 0, **env: str) -> str:
        """What the helper said; fails the test unless it ended with `code`."""
        told = subprocess.run(
            [SCRIPT, what],
            env={**self.environment, **env},
            input=self.token,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == code, (told.returncode, told.stdout, told.stderr)
        return told.stderr

    def grant_all(self) -> None:
        for role in json.loads(self.environment["INPUT_ROLES"]):
            self("grant", TARGET=role)

    def locked(self) -> bool:
        return "pwdAccountLockedTime" in (self.server.account(self.name) or {})

    def become_admin(self, name: str = "admins") -> str:
        """What somebody else does meanwhile. The group's whole name."""
        group = f"cn={name}-{self.name.removeprefix('shop-')},{ROLES}"
        self.server.change(f"dn: {group}\nchangetype: modify\nadd: member\nmember: {self.server.dn(self.name)}\n")
        return group


@pytest.fixture
def account(openldap: OpenLdap, tmp_path: Path) -> Account:
    mark = secrets.token_hex(4)
    roles = [f"{name}-{mark}" for name in ("readers", "writers")]
    openldap.new_roles(*roles, f"admins-{mark}")
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(openldap.password)
    environment = {
        "PATH": os.environ["PATH"], "LDAP_URL": openldap.url, "LDAPTLS_CACERT": str(openldap.ca),
        "LDAP_BIND_DN": PROVISIONER, "LDAP_PASSWORD_FILE": str(password), "SERVICES_BASE": SERVICES,
        "ROLES_BASE": ROLES, "INPUT_ACCOUNT": f"shop-{mark}", "INPUT_ROLES": json.dumps(roles), "CHANGE": "CHG1",
        "TARGET": roles[0], "DURUN_RUN_ID": mark,
    }  # fmt: skip
    return Account(openldap, f"shop-{mark}", secrets.token_urlsafe(32), environment)


def other_run(account: Account) -> Account:
    return account._replace(environment={**account.environment, "DURUN_RUN_ID": "another"})


def test_an_account_is_locked_until_it_is_enabled_with_exactly_its_roles(account: Account) -> None:
    account("check")
    account("created", NOT_DONE)
    account("create")
    account("created")
    assert account.locked() and not account.server.accepts(account.name, account.token)
    account("granted", NOT_DONE)
    account("grant")
    account("granted")
    assert "does not have" in account("exact", 1)
    assert "does not have" in account("enable", 1)
    account.grant_all()
    account("exact")
    account("enabled", NOT_DONE)
    account("enable")
    account("enabled")
    assert account.server.accepts(account.name, account.token)
    assert account.server.roles(account.name) == set(json.loads(account.environment["INPUT_ROLES"]))


def test_what_is_done_is_not_done_twice(account: Account) -> None:
    account("create")
    account.grant_all()
    account("enable")
    before = account.server.changes(account.name)
    account("create")
    account.grant_all()
    account("enable")
    assert account.server.changes(account.name) == before
    assert list(before.values()) == [1, 1, 1, 1]


def test_taking_back_leaves_nothing_and_is_fine_where_nothing_is(account: Account) -> None:
    for what in ("disable", "revoke", "remove"):
        account(what)
    assert not account.server.changes(account.name)
    account("create")
    account.grant_all()
    account("enable")
    account("disable")
    assert not account.server.accepts(account.name, account.token)
    for role in json.loads(account.environment["INPUT_ROLES"]):
        account("revoke", TARGET=role)
    assert account.server.roles(account.name) == set()
    account("remove")
    assert account.server.account(account.name) is None
    account("created", NOT_DONE)


def test_what_somebody_else_has_made_is_refused_and_left_alone(account: Account) -> None:
    other_run(account)("create")
    assert "there is an account" in account("check", 1)
    assert "this run has not made" in account("create", 1)
    assert "this run has made" in account("grant", 1)
    account("created", NOT_DONE)
    other_run(account)("grant")
    before = account.server.changes(account.name)
    for what in ("disable", "revoke", "remove"):
        account(what)
    assert account.server.changes(account.name) == before
    assert len(account.server.roles(account.name)) == 1


def test_a_role_that_nobody_asked_for_keeps_it_locked(account: Account) -> None:
    account("create")
    account.grant_all()
    admins = account.become_admin()
    for what in ("exact", "enable"):
        assert f"what nobody asked for: {admins}" in account(what, 1)
    assert account.locked()
    account("remove")
    assert account.server.roles(account.name) == set()


def test_a_group_with_any_name_is_seen(account: Account) -> None:
    account("create")
    account.grant_all()
    account.server.new_roles(f"Größe-{account.name.removeprefix('shop-')}")
    group = account.become_admin("Größe")
    assert f"what nobody asked for: {group}" in account("exact", 1)


def test_a_member_that_an_old_account_has_left_behind_is_told_before_anything_is_made(account: Account) -> None:
    admins = account.become_admin()
    assert f"is still a member of {admins}" in account("check", 1)
    account("remove")
    assert len(account.server.roles(account.name)) == 1


def test_a_role_that_is_not_there_is_told(account: Account) -> None:
    assert "there is no role never" in account("check", 1, INPUT_ROLES='["never"]')
    account("create")
    account("grant", 1, TARGET="never")
    account("granted", 1, TARGET="never")


CHANGES = ["create", "grant", "enable", "disable", "revoke", "remove"]


@pytest.mark.parametrize("what", ["check", "exact", "created", "granted", "enabled", *CHANGES])
def test_a_server_that_is_not_there_was_not_asked_and_has_done_nothing(
    account: Account, what: str, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "nobody").replace("/", "%2F")
    assert "Can't contact" in account(what, NOTHING_HAPPENED, LDAP_URL=f"ldapi://{nowhere}")


def test_no_password_goes_over_a_line_that_is_not_encrypted(account: Account) -> None:
    plain = account.server.url.replace("ldaps", "ldap")
    assert "ldap_start_tls" in account("check", NOTHING_HAPPENED, LDAP_URL=plain)
    assert "Can't contact" in account("check", NOTHING_HAPPENED, LDAPTLS_CACERT="/dev/null")


def test_with_such_rights_nothing_else_can_be_changed(account: Account) -> None:
    assert "Insufficient access" in account("create", 1, SERVICES_BASE=ROLES)
    assert "Insufficient access" in account(
        "remove", 1, INPUT_ACCOUNT="provisioner", SERVICES_BASE="ou=people,dc=example,dc=test"
    )


def test_the_reason_is_told_to_durun(account: Account, tmp_path: Path) -> None:
    output = tmp_path / "output"
    account("exact", 1, DURUN_OUTPUT=str(output))
    assert output.read_text().startswith(f"DURUN_REASON={account.name} does not have: ")
