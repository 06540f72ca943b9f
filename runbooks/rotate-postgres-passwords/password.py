#!/usr/bin/env -S python3 -IS
"""The password of one PostgreSQL role. Passwords come by standard input, one a line; never by an argument.

    password.py check    CURRENT         the server lets the role in with it, and does not without a password
    password.py set      NEW, CURRENT    change it, logged in as the role itself: no administrator's password is needed
    password.py verify   NEW, CURRENT    0: the new one holds; 3: the current one holds; else: could not tell

The server is given only what it stores, a SCRAM-SHA-256 verifier that is computed here. So the password is in no
statement, and neither in the server's log nor in pg_stat_activity.

Environment: TARGET_HOST, TARGET_PORT (else 5432), TARGET_DATABASE, TARGET_ROLE, DURUN_IDEMPOTENCY_KEY; PGSSLMODE and
its like are psql's own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import subprocess
import sys
import time
from typing import NoReturn

DONE, FAILED, NOT_DONE, MAY_BE_RETRIED, IN_DOUBT = 0, 1, 3, 75, 76
NO_CONNECTION, REFUSED_BY_SQL = 2, 3
"""How psql ends when it could not connect or lost the connection, and when a statement failed."""
ITERATIONS = 4096
PATIENCE = 10.0
CONNECTED = "connected"


def die(message: str, code: int = FAILED) -> NoReturn:
    """End with a reason that a person can read."""
    sys.stderr.write(f"{message}\n")
    raise SystemExit(code)


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """What PostgreSQL stores for a password (RFC 5802 and 7677, in its own spelling)."""
    # Other characters would have to be normalised first (SASLprep); in ASCII the text is its own normal form.
    if not password or not all(" " <= character <= "~" for character in password):
        die("a password must be printable ASCII")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


class Server:
    """The server of this target, as its role sees it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.role = environment["TARGET_ROLE"]
        # Only psql gets a password in its environment. It must not look for others: ~/.pgpass, a service file.
        self._environment = {**environment, "PGPASSFILE": "/dev/null", "PGCONNECT_TIMEOUT": "10"}
        for name in ("PGPASSWORD", "PGSERVICE", "PGSERVICEFILE"):
            self._environment.pop(name, None)
        self._argv = ["psql", "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]
        self._argv += ["--set=ON_ERROR_STOP=1", f"--username={self.role}", "--file=-"]
        self._argv += [f"--host={environment['TARGET_HOST']}", f"--port={environment.get('TARGET_PORT', '5432')}"]
        self._argv += [f"--dbname={environment['TARGET_DATABASE']}"]
        # By this name the server knows a connection of this step, whichever attempt it was that made it.
        self._name = "durun-" + hashlib.sha256(environment["DURUN_IDEMPOTENCY_KEY"].encode()).hexdigest()[:32]

    def _psql(self, password: str | None, statements: str, name: str = "durun") -> subprocess.CompletedProcess[str]:
        environment = {**self._environment, "PGAPPNAME": name}
        if password is not None:
            environment["PGPASSWORD"] = password
        return subprocess.run(
            self._argv, env=environment, input=statements, capture_output=True, encoding="utf-8", check=False
        )

    def why_not(self, password: str | None) -> str | None:
        """Log in: None if the server lets us in, else what it says."""
        asked = self._psql(password, "")
        return None if asked.returncode == 0 else asked.stderr.strip() or "psql failed"

    def change(self, current: str, new: str) -> int:
        """Change it. The exit code of the step."""
        name = '"' + self.role.replace('"', '""') + '"'
        stored = verifier(new, secrets.token_bytes(16))
        changed = self._psql(current, f"\\echo {CONNECTED}\nALTER ROLE {name} PASSWORD '{stored}';\n", self._name)
        sys.stderr.write(changed.stderr.replace(stored, "(verifier)"))
        if changed.returncode == 0:
            return DONE
        if changed.returncode == REFUSED_BY_SQL:
            return FAILED
        never_connected = changed.returncode == NO_CONNECTION and not changed.stdout.startswith(CONNECTED)
        return MAY_BE_RETRIED if never_connected else IN_DOUBT

    def at_work(self, current: str) -> int | None:
        """How many connections of the step are still open; None if we are not let in.

        A client that was killed leaves its server process behind, which may only now come to what it was told.
        """
        asked = self._psql(
            current, f"SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE application_name = '{self._name}';\n"
        )
        return int(asked.stdout) if asked.returncode == 0 else None

    def which(self, new: str, current: str) -> int:
        """Which of the two holds. The exit code of the verify."""
        if self.why_not(new) is None:
            return DONE
        until = time.monotonic() + PATIENCE
        while (at_work := self.at_work(current)) is not None:
            # Only when nothing of the step is left at the server does the current one's holding mean anything.
            if at_work == 0 and self.why_not(current) is None:
                return NOT_DONE
            if time.monotonic() > until:
                die(f"{at_work} connections of this step are still open at the server: can't tell")
            time.sleep(0.1)
        said = self.why_not(new)
        if said is not None:
            die(f"neither password is accepted: {said}")
        return DONE


def passwords(count: int) -> list[str]:
    """So many lines of standard input."""
    found = sys.stdin.read().removesuffix("\n").split("\n")
    if len(found) != count or "" in found:
        die(f"{count} passwords are expected on standard input, one a line")
    return found


def check(server: Server, current: str) -> int:
    """Whether the current password is the one that counts."""
    said = server.why_not(current)
    if said is not None:
        die(f"the stored password is not accepted, so nothing is changed: {said}")
    if server.why_not(None) is None:
        die("the server lets this role in without a password (pg_hba.conf): what it accepts proves nothing")
    return DONE


def main() -> int:
    """What the first argument says. The exit code."""
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    server = Server(dict(os.environ))
    if what == "check":
        return check(server, *passwords(1))
    new, current = passwords(2)
    if what == "set":
        return server.change(current, new)
    if what == "verify":
        return server.which(new, current)
    return die(f"usage: {sys.argv[0]} check|set|verify")


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    raise SystemExit(main())
