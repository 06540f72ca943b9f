"""The helper of the PostgreSQL runbook against a real server: what it says is what the server does."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import secrets
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "runbooks" / "rotate-postgres-passwords" / "password.py"


def _helper() -> ModuleType:
    spec = importlib.util.spec_from_file_location("postgres_password", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tell(target: dict[str, Any], what: str, *passwords: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {f"TARGET_{name.upper()}": str(value) for name, value in target.items()}
    environment = {"PATH": os.environ["PATH"], "DURUN_IDEMPOTENCY_KEY": secrets.token_hex(16), **given, **env}
    lines = "".join(f"{password}\n" for password in passwords)
    return subprocess.run([SCRIPT, what], env=environment, input=lines, capture_output=True, text=True, check=False)


@pytest.fixture
def role(postgres: Sequence[Any]) -> tuple[Any, Any]:
    server = postgres[0]
    return server, server.new_roles(1, f"r{secrets.token_hex(4)}")[0]


@pytest.mark.parametrize("password", ["pencil", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ", "x" * 500])
def test_the_verifier_is_what_the_server_itself_would_have_stored(role: Any, password: str) -> None:
    server, made = role
    literal = password.replace("'", "''")
    server.sql(f"SET standard_conforming_strings = on; ALTER ROLE {made.name} PASSWORD '{literal}'")
    stored = server.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{made.name}'")
    salt = re.fullmatch(r"SCRAM-SHA-256\$4096:([^$]+)\$.*", stored)
    assert salt
    assert _helper().verifier(password, base64.b64decode(salt[1])) == stored
    assert server.accepts(made.name, password)


@pytest.mark.parametrize("password", ["", "zoë", "a\tb"])
def test_a_password_that_would_have_to_be_normalised_is_refused(password: str) -> None:
    with pytest.raises(SystemExit):
        _helper().verifier(password, b"salt")


def test_a_change_is_seen_by_a_login_and_the_password_is_in_no_log(role: Any) -> None:
    server, made = role
    target, new = server.target(made), secrets.token_urlsafe(30)
    assert _tell(target, "verify", new, made.password).returncode == 3
    changed = _tell(target, "set", new, made.password)
    assert changed.returncode == 0, changed.stderr
    assert _tell(target, "verify", new, made.password).returncode == 0
    assert server.accepts(made.name, new) and not server.accepts(made.name, made.password)
    assert server.changes(made.name) == 1
    assert new not in server.log() and made.password not in server.log()
    assert new not in changed.stdout + changed.stderr


def test_a_role_whose_name_needs_quotes(postgres: Sequence[Any]) -> None:
    server, name, new = postgres[0], "Odd \"role'; --", secrets.token_urlsafe(30)
    quoted = '"' + name.replace('"', '""') + '"'
    server.sql(f"DROP ROLE IF EXISTS {quoted}; CREATE ROLE {quoted} LOGIN PASSWORD 'first'")
    target = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "role": name}
    assert _tell(target, "set", new, "first").returncode == 0
    assert _tell(target, "verify", new, "first").returncode == 0


def test_a_server_that_cannot_be_asked_says_neither_yes_nor_no(role: Any) -> None:
    from daemons.process import reserve_port

    server, made = role
    nowhere = {**server.target(made), "port": reserve_port()}
    assert _tell(nowhere, "verify", "new", made.password).returncode == 1
    assert _tell(nowhere, "set", "new", made.password).returncode == 75
    assert _tell(nowhere, "check", made.password).returncode == 1
    gone = {**server.target(made), "database": "no_such_database"}
    assert _tell(gone, "verify", "new", made.password).returncode == 1


def test_neither_password_is_accepted(role: Any) -> None:
    server, made = role
    said = _tell(server.target(made), "verify", "new", "other")
    assert said.returncode == 1
    assert "neither password is accepted" in said.stderr


def test_a_change_that_the_server_refuses_has_failed(role: Any) -> None:
    server, made = role
    server.sql(f"ALTER ROLE {made.name} SET default_transaction_read_only = on")
    said = _tell(server.target(made), "set", "new-password", made.password)
    assert said.returncode == 1
    assert "read-only transaction" in said.stderr
    assert "SCRAM" not in said.stderr
    assert server.accepts(made.name, made.password)


def test_a_change_that_a_dead_client_left_behind_is_waited_for(role: Any) -> None:
    """The server still works at it, held up by a lock: the answer is not "not done"."""
    server, made = role
    target, new, key = server.target(made), secrets.token_urlsafe(30), secrets.token_hex(16)
    helper = _helper()
    environment = {"PATH": os.environ["PATH"], "DURUN_IDEMPOTENCY_KEY": key}
    environment |= {f"TARGET_{name.upper()}": str(value) for name, value in target.items()}
    name = helper.Server(environment)._name
    psql = ["psql", "-Xqw", "-h", "127.0.0.1", "-p", str(server.port), "-U", made.name, "-d", made.name]
    known = {"PATH": os.environ["PATH"], "PGPASSWORD": made.password}
    stored = helper.verifier(new, b"0123456789abcdef")
    lock = "SELECT pg_advisory_lock(1)"
    with subprocess.Popen(psql, env=known, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        print(f"{lock};\n\\echo held", file=holder.stdin, flush=True)
        while holder.stdout.readline() != "held\n":
            assert holder.poll() is None
        late = subprocess.Popen(
            [*psql, "-c", f"{lock}; ALTER ROLE {made.name} PASSWORD '{stored}'"], env={**known, "PGAPPNAME": name}
        )
        held_up = f"application_name = '{name}' AND wait_event_type = 'Lock'"
        while server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE {held_up}") != "1":
            assert late.poll() is None
        late.kill()
        late.wait()
        with ThreadPoolExecutor() as pool:
            verified = pool.submit(_tell, target, "verify", new, made.password, DURUN_IDEMPOTENCY_KEY=key)
            while f"pg_catalog.pg_stat_activity WHERE application_name = '{name}'" not in server.log():
                assert not verified.done()
            holder.communicate()
            assert verified.result().returncode == 0
    assert server.accepts(made.name, new)


def test_the_stored_password_must_count_before_anything_is_changed(role: Any) -> None:
    server, made = role
    assert _tell(server.target(made), "check", made.password).returncode == 0
    said = _tell(server.target(made), "check", "another")
    assert said.returncode == 1
    assert "is not accepted, so nothing is changed" in said.stderr


def test_a_server_that_asks_for_no_password_proves_nothing(role: Any) -> None:
    server, made = role
    target = {**server.target(made), "host": str(server.sockets)}
    said = _tell(target, "check", made.password)
    assert said.returncode == 1
    assert "without a password" in said.stderr


@pytest.mark.parametrize("lines", [(), ("one",), ("one", ""), ("one", "two", "three")])
def test_other_than_two_passwords_are_refused(role: Any, lines: Sequence[str]) -> None:
    server, made = role
    assert _tell(server.target(made), "set", *lines).returncode == 1
    assert server.changes(made.name) == 0
