"""The PostgreSQL rotation on a bench: real servers, a real keyring, and what must hold when it is done.

Each database is a role of its own on one of the servers, so that the server's log tells how often its password was
changed. Where a password must not be found is looked through byte by byte: the state directory, the servers' logs, and
the command lines of all processes that were there meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crash.harness import ROOT, Bench
from crash.secret_forms import clues, seen
from daemons.keyring import Keyring
from daemons.postgres import Postgres, Role
from durun.journal.api import RunQuery
from durun.journal.sqlite import open_journal
from durun.model.task import RunRecord
from stored import files

RUNBOOK = ROOT / "runbooks" / "rotate-postgres-passwords.yaml"
DATABASES = 8


class CommandLines(threading.Thread):
    """Every command line that any process of this machine has had while this thread ran."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self.seen.add((process / "cmdline").read_bytes())

    def stop(self) -> None:
        """Look no more."""
        self._end.set()
        self.join()


class Rotation(Bench):
    """A state directory in which the shipped runbook is run, again and again, on the same eight databases."""

    def __init__(self, folder: Path, keyring: Keyring, servers: Sequence[Postgres]) -> None:
        super().__init__(folder)
        self.env |= keyring.env
        self.keyring = keyring
        self.servers = servers
        self.service = f"s{secrets.token_hex(4)}"
        roles = [server.new_roles(DATABASES // len(servers), self.service) for server in servers]
        self.roles = {f"db-{at}-{role.name}": (servers[at], role) for at, found in enumerate(roles) for role in found}
        self.stored = {name: role.password for name, (_, role) in self.roles.items()}
        self.reloads = folder / "reloads"
        self._inputs = folder / "inputs.json"
        self._inputs.write_text(json.dumps({"keyring_service": self.service, "databases": self._databases()}))
        for name, password in self.stored.items():
            keyring.put(self.service, name, password)
        self._known = set(self.stored.values())
        self.rotations = 0

    def _databases(self) -> list[dict[str, Any]]:
        hook = {
            "reload_hook": "./rotate-postgres-passwords/hooks/append-to-log.sh",
            "reload_log": str(self.reloads),
        }
        return [{**server.target(role), "name": name, **hook} for name, (server, role) in self.roles.items()]

    def command(self, *argv: str) -> list[str]:
        """As on any bench, but for the inputs: they are those of the runbook."""
        given = ["--inputs", str(self._inputs)] if argv and argv[0] == "run" else []
        return [*super().command(*argv)[: 2 + len(argv)], *given]

    # -- driving --------------------------------------------------------------------------------------------------

    def runs(self) -> list[dict[str, Any]]:
        """The runs, newest first."""
        shown = self("history", "--json")
        assert shown.code == 0, shown.err
        return list(json.loads(shown.out))

    def _stored_runs(self) -> list[RunRecord]:
        if not (self.home / "journal.db").exists():
            return []
        with open_journal(self.home / "journal.db", read_only=True) as journal:
            return journal.runs(RunQuery())

    def open_run(self) -> str | None:
        """The run that has not succeeded yet, by the journal."""
        found = [run.id for run in self._stored_runs() if run.status != "succeeded"]
        assert len(found) < 2, found
        return found[0] if found else None

    def one_more(self) -> bool:
        """Whether one more rotation is done. Then everything must hold."""
        found = self._stored_runs()
        if len(found) == self.rotations or found[0].status != "succeeded":
            return False
        self.whole()
        return True

    def argv(self) -> list[str]:
        """How it is run, or gone on with."""
        run = self.open_run()
        return ["run", str(RUNBOOK)] if run is None else ["resume", run]

    def changes(self) -> int:
        """How many passwords the servers have changed, in all rotations."""
        return sum(server.changes(role.name) for server, role in self.roles.values())

    # -- what must hold ------------------------------------------------------------------------------------------

    def whole(self) -> None:
        """One more rotation is done: every password was changed once, and is where it belongs and nowhere else."""
        self.rotations += 1
        runs = self.runs()
        assert [run["status"] for run in runs] == ["succeeded"] * self.rotations
        self.check(runs[0]["id"])
        self.quiet()
        self._keyring_and_servers_agree()
        told = [line.split()[1] for line in self.reloads.read_text().splitlines()]
        assert sorted(told) == sorted([*self.stored] * self.rotations)

    def _keyring_and_servers_agree(self) -> None:
        found = self.keyring.all(self.service)
        assert all(len(values) == 1 for values in found.values())
        now = {name: found[name][0] for name in self.stored}
        before = {name: found[f"{name}.previous"][0] for name in self.stored}
        assert len(found) == 2 * len(self.stored)
        assert before == self.stored
        assert len({*now.values(), *self._known}) == len(self._known) + len(now)
        for name, (server, role) in self.roles.items():
            assert server.accepts(role.name, now[name])
            assert server.changes(role.name) == self.rotations
        self._refuses_the_old_one(*next(iter(self.roles.items())))
        self.stored = now
        self._known |= set(now.values())

    def _refuses_the_old_one(self, name: str, place: tuple[Postgres, Role]) -> None:
        server, role = place
        assert not server.accepts(role.name, self.stored[name])

    def nothing_in_clear(self, lines: CommandLines) -> None:
        """None of the passwords is in a file of the state directory, in a server's log, or in a command line."""
        places = {str(path): content for path, content in files(self.home)}
        places |= {f"log of {server.port}": server.log().encode() for server in self.servers}
        places["command lines"] = b"\n".join(lines.seen)
        assert b"psql" in places["command lines"], "nothing was seen"
        looked_for = {clue for password in self._known for clue in clues(password)}
        assert {place: clue for place, content in places.items() if (clue := seen(content, looked_for))} == {}
