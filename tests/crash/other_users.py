"""Runs that ask other users of the machine: real ones, who may put a file into a folder, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.people import Person, people

MARK = f"du{os.getpid()}"
GROUP, RUNS, CAROL, DAVE, MALLORY = (f"{MARK}-{name}" for name in ("oncall", "runs", "carol", "dave", "mallory"))

needs_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users")

BOOK = """
durun: 1
name: careful
steps:
  - id: change
    run: echo change >> "$DURUN_WORK/../../../effects"
    idempotent: true
  - id: approved
    approval:
      message: Shall it be done?
      approvers: [CAROL, DAVE]
      min_approvals: MANY
      timeout: 2h
      fields: {ticket: {type: string, pattern: '^T-[0-9]+$', required: true}}
  - id: act
    run: echo "act $TICKET" >> "$DURUN_WORK/../../../effects"
    env: {TICKET: "${{ steps.approved.outputs.ticket }}"}
  - id: tell
    run: [printf, "%s", "${{ steps.approved.outputs.ticket }}"]
"""


class Runs:
    """The owner's state directory, and what happens with it."""

    def __init__(self, folder: Path, owner: Person, group: str) -> None:
        self.owner = owner
        self.home = owner.home / folder.name
        assert owner.durun(self.home, "doctor", "--share", group).returncode in (0, 1)

    def start(self, many: int = 1, book: str = BOOK) -> str:
        path = self.owner.home / "book.yaml"
        path.write_text(book.replace("MANY", str(many)).replace("CAROL", CAROL).replace("DAVE", DAVE))
        path.chmod(0o644)
        ran = self.owner.durun(self.home, "run", str(path), "--json")
        assert ran.returncode == 5, ran.stderr
        return str(json.loads(ran.stdout.splitlines()[-1])["run"])

    def goes_on(self, run: str, code: int) -> None:
        """As cron does it; then how the run stands."""
        self.owner.durun(self.home, "resume", "--all")
        assert self.owner.durun(self.home, "resume", run).returncode == code

    def events(self, run: str, kind: str) -> list[dict[str, Any]]:
        shown = self.owner.durun(self.home, "show", run, "--events", "--json").stdout
        events = [json.loads(line) for line in shown.splitlines()]
        return [event for event in events if event["event"] == kind]

    def nonce(self, run: str) -> str:
        (path,) = [path for path in (self.home / "requests").iterdir() if path.name.startswith(run)]
        return path.name.split(".")[1]

    def digest(self, run: str) -> str:
        (path,) = [path for path in (self.home / "requests").iterdir() if path.name.startswith(run)]
        return str(json.loads(path.read_text())["asked"]["digest"])

    @property
    def effects(self) -> list[str]:
        path = self.home / "effects"
        return path.read_text().splitlines() if path.exists() else []


class World:
    """The owner of the runs, two approvers, and somebody else of the group."""

    def __init__(self, found: list[Person]) -> None:
        self.owner, self.carol, self.dave, self.mallory = found


def writes(author: Person, runs: Runs, run: str, uid: int, **content: Any) -> Path:
    """A file as durun would write it, by whoever it is, for whomever it pleases."""
    path = runs.home / "approvals" / f"{run}.{content.pop('nonce', runs.nonce(run))}.{uid}.json"
    whole = {"verdict": "approve", "digest": runs.digest(run), "set": ["ticket=T-1"], **content}
    script = 'umask 027; cat > "$1" && chmod 640 "$1"'
    assert author.does(["sh", "-c", script, "sh", str(path)], stdin=json.dumps(whole) + "\n").returncode == 0
    return path


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with people(GROUP, RUNS, CAROL, DAVE, MALLORY) as found:
        yield World(found)


@pytest.fixture
def runs(world: World, tmp_path: Path) -> Runs:
    return Runs(tmp_path, world.owner, GROUP)
