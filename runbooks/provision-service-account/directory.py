#!/usr/bin/env -S python3 -IS
"""A service account in OpenLDAP: made locked, given its roles, unlocked with its token; and all of it taken back.

    directory.py check       nobody has the name, not even as a member that is left over, and every role is there
    directory.py create      the account, locked, with a password that nothing matches
    directory.py created     0: this run has made it; 3: it has not; else: could not tell
    directory.py grant       the role of this target
    directory.py granted     0: the account has it; 3: it has not; else: could not tell
    directory.py exact       it has the roles that were asked for, and no others
    directory.py enable      its token and the unlocking, in one change, if it has exactly its roles
    directory.py enabled     0: it logs in with its token; 3: it is locked; else: could not tell
    Both read the token from standard input.

    directory.py disable     locked again
    directory.py revoke      without the role of this target
    directory.py remove      gone

What this run has made bears its id, and every change is made by the server only where it finds that: so the last three
leave alone what is somebody else's, and are done where there is nothing.

75: the directory was not reached, or had no time, and nothing happened.

Environment: LDAP_URL (ldaps://, ldapi://, or ldap:// with StartTLS), LDAP_BIND_DN, LDAP_PASSWORD_FILE, SERVICES_BASE,
ROLES_BASE, INPUT_ACCOUNT, INPUT_ROLES (JSON), CHANGE, TARGET (a role), DURUN_RUN_ID.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

DONE, FAILED, NOT_DONE, MAY_BE_RETRIED, IN_DOUBT = 0, 1, 3, 75, 76
NO_ATTRIBUTE, VALUE_EXISTS, NO_ENTRY, WRONG_PASSWORD, BUSY, UNAVAILABLE, EXISTS = 16, 20, 32, 49, 51, 52, 68
NOT_OURS = 122
"""What the tools of OpenLDAP end with is the server's answer (RFC 4511; 122: what was asserted does not hold)."""
UNKNOWN = (3, 11, 80, 81, 85, 255)
"""Answers that leave open what was done: a limit, an error inside, the connection lost."""
LOCKED = "000001010000Z"
"""As pwdAccountLockedTime: for good, not for a while."""


def die(message: str, code: int = FAILED) -> NoReturn:
    """End with a reason that a person can read, also where the run is shown."""
    sys.stderr.write(f"{message}\n")
    if output := os.environ.get("DURUN_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(f"DURUN_REASON={' '.join(message.split())}\n")
    raise SystemExit(code)


def _no_answer(asked: subprocess.CompletedProcess[str]) -> NoReturn:
    """End because a question was not answered: for a verify, that is neither yes nor no."""
    again = asked.returncode in (BUSY, UNAVAILABLE, *UNKNOWN) or _never_began(asked)
    die(asked.stderr.strip() or f"{asked.args[0]} failed", MAY_BE_RETRIED if again else FAILED)


def _text(line: str) -> str:
    """The value in a line of LDIF, where a second colon says that it is base64."""
    value = line.partition(":")[2]
    return base64.b64decode(value[1:]).decode() if value.startswith(":") else value.strip()


def _token() -> str:
    """What is on standard input."""
    return sys.stdin.read() or die("there is no token on standard input")


def _never_began(told: subprocess.CompletedProcess[str]) -> bool:
    """Whether it did not come to its work: it says what it is about to do only when it is logged in."""
    return not told.stdout and (told.returncode in UNKNOWN or told.stderr.startswith("ldap_start_tls:"))


class Directory:
    """The directory, as the one sees it who may make accounts and members of roles, and nothing else."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._env = environment
        self.name = environment["INPUT_ACCOUNT"]
        self.dn = f"uid={self.name},{environment['SERVICES_BASE']}"
        self.mark = f"durun run {environment['DURUN_RUN_ID']}"
        self.wanted: list[str] = json.loads(environment["INPUT_ROLES"])
        self._ours = f"(description={self.mark})"

    def _tool(
        self, program: str, *more: str, given: str = "", as_itself: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Have a tool of OpenLDAP work as our own account, or as the one that we make: then `given` is its token."""
        who = self.dn if as_itself else self._env["LDAP_BIND_DN"]
        file = "/dev/stdin" if as_itself else self._env["LDAP_PASSWORD_FILE"]
        argv = [program, "-x", "-H", self._env["LDAP_URL"], "-D", who, "-y", file, "-o", "nettimeout=10"]
        argv += ["-ZZ"] if self._env["LDAP_URL"].startswith("ldap://") else []
        return subprocess.run([*argv, *more], input=given, capture_output=True, encoding="utf-8", check=False)

    def _find(self, base: str, scope: str, where: str, attribute: str) -> list[str] | None:
        """Values of an attribute of what is there; None if there is no `base`. Ends where the server can't tell."""
        more = ["-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope, where, attribute]
        found = self._tool("ldapsearch", *more)
        if found.returncode == NO_ENTRY:
            return None
        if found.returncode != 0:
            _no_answer(found)
        return [_text(line) for line in found.stdout.splitlines() if line.startswith(f"{attribute}:")]

    def _change(self, ldif: str, only_if: str = "", fine: tuple[int, ...] = ()) -> int:
        """Have the server make one change: its answer if it is in `fine`, else 0. Ends where it was not made."""
        asserted = ["-e", f"!assert={only_if}"] if only_if else []
        made = self._tool("ldapmodify", *asserted, given=ldif)
        if made.returncode in (0, *fine):
            return made.returncode
        if made.returncode in (BUSY, UNAVAILABLE) or _never_began(made):
            _no_answer(made)
        die(made.stderr.strip() or "ldapmodify failed", IN_DOUBT if made.returncode in UNKNOWN else FAILED)

    # -- the account ---------------------------------------------------------------------------------------------

    def is_ours(self) -> bool:
        """Whether this run has made the account."""
        return bool(self._find(self.dn, "base", self._ours, "uid"))

    def check(self) -> None:
        """Nothing of it is there, and all that it needs is."""
        if self._find(self.dn, "base", "(objectClass=*)", "uid") is not None:
            die(f"there is an account {self.name} already")
        if found := self.groups():
            die(f"there is no account {self.name}, and it is still a member of {'; '.join(found)}")
        missing = [
            role for role in self.wanted if self._find(self._role(role), "base", "(objectClass=*)", "dn") is None
        ]
        if missing:
            die(f"there is no role {', '.join(missing)}")

    def create(self) -> None:
        """The account, locked."""
        lines = [f"dn: {self.dn}", "changetype: add", "objectClass: account", "objectClass: simpleSecurityObject"]
        lines += [f"description: {self.mark}", f"description: change {self._env['CHANGE']}"]
        lines += ["userPassword: {CRYPT}!", f"pwdAccountLockedTime: {LOCKED}"]
        if self._change("\n".join(lines) + "\n", fine=(EXISTS,)) == EXISTS and not self.is_ours():
            die(f"there is an account {self.name} that this run has not made")

    def created(self) -> int:
        """Whether it is there, and ours."""
        return DONE if self.is_ours() else NOT_DONE

    def remove(self) -> None:
        """The account is gone, if it is ours, and with it what it is a member of: an heir of the name gets nothing."""
        if self.is_ours():
            for group in self.groups():
                self._member(group, "delete", fine=(NO_ENTRY, NO_ATTRIBUTE))
        self._change(f"dn: {self.dn}\nchangetype: delete\n", self._ours, fine=(NO_ENTRY, NOT_OURS))

    # -- its roles -----------------------------------------------------------------------------------------------

    def _role(self, name: str) -> str:
        return f"cn={name},{self._env['ROLES_BASE']}"

    def _member(self, group: str, verb: str, fine: tuple[int, ...]) -> None:
        self._change(f"dn: {group}\nchangetype: modify\n{verb}: member\nmember: {self.dn}\n", fine=fine)

    def groups(self) -> list[str]:
        """All that it is a member of, by their whole names."""
        return self._find(self._env["ROLES_BASE"], "sub", f"(member={self.dn})", "dn") or []

    def grant(self) -> None:
        """One more role."""
        if not self.is_ours():
            die(f"there is no account {self.name} that this run has made")
        self._member(self._role(self._env["TARGET"]), "add", fine=(VALUE_EXISTS,))

    def granted(self) -> int:
        """Whether it has the role."""
        found = self._find(self._role(self._env["TARGET"]), "base", f"(member={self.dn})", "dn")
        if found is None:
            die(f"there is no role {self._env['TARGET']}")
        return DONE if found else NOT_DONE

    def revoke(self) -> None:
        """Without the role. Who has the name meanwhile keeps it."""
        there = self._find(self.dn, "base", "(objectClass=*)", "uid") is not None
        if not there or self.is_ours():
            self._member(self._role(self._env["TARGET"]), "delete", fine=(NO_ENTRY, NO_ATTRIBUTE))

    def exact(self) -> None:
        """Neither more rights than asked for nor fewer."""
        asked = {role: self._find(self._role(role), "base", f"(member={self.dn})", "dn") for role in self.wanted}
        if fewer := [role for role, found in asked.items() if not found]:
            die(f"{self.name} does not have: {', '.join(fewer)}")
        right = {group for found in asked.values() for group in found or ()}
        if more := [group for group in self.groups() if group not in right]:
            die(f"{self.name} is a member of what nobody asked for: {'; '.join(more)}")

    # -- its way in ----------------------------------------------------------------------------------------------

    def _logs_in(self, token: str) -> bool:
        asked = self._tool("ldapwhoami", given=token, as_itself=True)
        if asked.returncode not in (0, WRONG_PASSWORD):
            _no_answer(asked)
        return asked.returncode == 0

    def enable(self) -> None:
        """Its token and the unlocking. One change: OpenLDAP unlocks by itself whoever gets a new password."""
        self.exact()
        token = _token()
        salt = secrets.token_bytes(16)
        # Chance of 256 bits can't be tried out, so a quick hash is enough; every OpenLDAP has this one.
        digest = hashlib.sha1(token.encode() + salt, usedforsecurity=False).digest()
        lines = [f"dn: {self.dn}", "changetype: modify", "replace: userPassword"]
        lines += [f"userPassword: {{SSHA}}{base64.b64encode(digest + salt).decode()}"]
        lines += ["-", "delete: pwdAccountLockedTime"]
        answer = self._change("\n".join(lines) + "\n", f"(&{self._ours}(pwdAccountLockedTime=*))", fine=(NOT_OURS,))
        if answer == NOT_OURS and not self._logs_in(token):
            die(f"{self.name} is not the locked account that this run has made")

    def enabled(self) -> int:
        """Whether it logs in."""
        if self._logs_in(_token()):
            return DONE
        if self._find(self.dn, "base", f"(&{self._ours}(pwdAccountLockedTime=*))", "uid"):
            return NOT_DONE
        die(f"{self.name} is not locked, and does not log in with its token")

    def disable(self) -> None:
        """Locked, if it is ours."""
        lock = f"dn: {self.dn}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: {LOCKED}\n"
        self._change(lock, self._ours, fine=(NO_ENTRY, NOT_OURS))


def main(what: str) -> int:
    """Do what the argument says. The exit code."""
    directory = Directory(dict(os.environ))
    asked = {"created": directory.created, "granted": directory.granted, "enabled": directory.enabled}
    if what in asked:
        return asked[what]()
    told = ("check", "create", "grant", "exact", "enable", "disable", "revoke", "remove")
    if what not in told:
        die(f"usage: directory.py {'|'.join((*told, *asked))}", 2)
    getattr(directory, what)()
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
