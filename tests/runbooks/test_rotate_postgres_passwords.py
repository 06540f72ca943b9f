"""The PostgreSQL runbook, for real: what counts is which password a server accepts, whatever durun says.

How it is killed at every point stands in tests/crash/test_postgres_rotation.py.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from daemons.keyring import Keyring, needs_keyring, unlocked_keyring  # noqa: F401
from daemons.postgres import Postgres, Role

pytestmark = needs_keyring

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
RUNBOOK = RUNBOOKS / "rotate-postgres-passwords.yaml"
HOOK = RUNBOOKS / "rotate-postgres-passwords" / "hooks" / "append-to-log.sh"


class Rotation:
    """An inventory of three databases on two servers, whose passwords are in the keyring; the second has a user."""

    def __init__(self, durun: Any, servers: Sequence[Postgres], keyring: Keyring, folder: Path) -> None:
        self.durun, self.keyring = durun, keyring
        self.inventory, self.reloads = folder / "inputs.json", folder / "reloads"
        durun.environment |= keyring.env
        prefix = f"t{secrets.token_hex(4)}"
        places = [(servers[0], 2), (servers[1], 1)]
        self.roles: dict[str, tuple[Postgres, Role]] = {}
        for server, count in places:
            for role in server.new_roles(count, prefix):
                self.roles[f"name-{len(self.roles)}"] = (server, role)
        for name, (_, role) in self.roles.items():
            keyring.put("postgres", name, role.password)
        self.write()

    def write(self, hook: Path = HOOK) -> None:
        targets = [{**server.target(role), "name": name} for name, (server, role) in self.roles.items()]
        targets[1] |= {"reload_hook": str(hook), "reload_log": str(self.reloads)}
        self.inventory.write_text(json.dumps({"databases": targets}))

    @property
    def command(self) -> tuple[object, ...]:
        return ("run", RUNBOOK, "--inputs", self.inventory)

    def stored(self, name: str) -> str:
        (value,) = self.keyring.all("postgres")[name]
        return value

    def changes(self) -> list[int]:
        """How often each password was changed, and that the stored one counts."""
        for name, (server, role) in self.roles.items():
            assert server.accepts(role.name, self.stored(name))
        return [server.changes(role.name) for server, role in self.roles.values()]

    def tasks(self) -> dict[tuple[str, str], str]:
        run = self.durun.json("show", self.durun.run_id())
        return {(task["step"], task["target"]): task["status"] for task in run["tasks"]}


@pytest.fixture
def rotation(
    durun: Any,
    postgres: Sequence[Postgres],
    unlocked_keyring: Keyring,  # noqa: F811
    tmp_path: Path,
) -> Rotation:
    return Rotation(durun, postgres, unlocked_keyring, tmp_path)


def test_every_database_accepts_the_new_password_and_its_user_is_told_once(durun: Any, rotation: Rotation) -> None:
    durun(*rotation.command)
    assert rotation.changes() == [1, 1, 1]
    for name, (server, role) in rotation.roles.items():
        assert rotation.stored(f"{name}.previous") == role.password
        assert not server.accepts(role.name, role.password)
        assert len(rotation.stored(name)) == 40
    assert [line.split()[1] for line in rotation.reloads.read_text().splitlines()] == ["name-1"]
    assert rotation.tasks()["reload", "name-0"] == "skipped"


def test_a_stored_password_that_does_not_count_stops_everything_before_a_change(durun: Any, rotation: Rotation) -> None:
    right = rotation.stored("name-0")
    rotation.keyring.put("postgres", "name-0", "not this one")
    durun(*rotation.command, code=1)
    assert "is not accepted, so nothing is changed" in durun("logs", durun.run_id(), "check", "--target", "name-0")
    rotation.keyring.put("postgres", "name-0", right)
    assert rotation.changes() == [0, 0, 0]

    durun("resume", durun.run_id())
    assert rotation.changes() == [1, 1, 1]


def test_a_reload_that_fails_is_tried_again_by_a_resume_and_the_password_stays(
    durun: Any, rotation: Rotation, tmp_path: Path
) -> None:
    hook, broken = tmp_path / "hook.sh", tmp_path / "broken"
    hook.write_text(f'#!/bin/bash\n[[ $1 == verify || ! -e {broken} ]] || exit 1\nexec {HOOK} "$1"\n')
    hook.chmod(0o755)
    broken.touch()
    rotation.write(hook)
    durun(*rotation.command, code=1)
    assert rotation.changes() == [1, 1, 0]
    after = [rotation.stored(name) for name in rotation.roles]

    said = durun(*rotation.command, code=11)  # only the run that is open knows what it has made
    assert durun.run_id() in said
    broken.unlink()
    durun("resume", durun.run_id())
    assert rotation.changes() == [1, 1, 1]
    assert [rotation.stored(name) for name in rotation.roles][:2] == after[:2]
    assert len(rotation.reloads.read_text().splitlines()) == 1


def test_without_a_stored_password_nothing_starts(durun: Any, rotation: Rotation) -> None:
    rotation.roles["name-3"] = rotation.roles.pop("name-2")
    rotation.write()
    said = durun(*rotation.command, code=9)
    assert "name-3" in said
    assert [server.changes(role.name) for server, role in rotation.roles.values()] == [0, 0, 0]


def test_without_a_keyring_nothing_starts(durun: Any, rotation: Rotation) -> None:
    durun(*rotation.command, code=9, env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
    assert rotation.changes() == [0, 0, 0]
