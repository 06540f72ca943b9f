"""The evidence runbook, for real, on the machine that the tests run on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durun.evidence import wrong_with
from durun.journal.reading import read_state
from durun.journal.sqlite import open_journal
from durun.model.evidence import Evidence, evidence_of

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
RUNBOOK = RUNBOOKS / "gather-evidence.yaml"
SCRIPTS = RUNBOOKS / "gather-evidence"
NO_FILES = ("-i", "config_files=[]", "-i", "log_files=[]")
ITEMS, SLOW = 13, 4


def gathered(durun: Any) -> dict[tuple[str, str | None, str], Evidence]:
    """All pieces that the journal says were taken, which lie there as they were taken."""
    run = durun.run_id()
    with open_journal(durun.home / "journal.db", read_only=True) as journal:
        found = list(evidence_of(read_state(journal, run).tasks.items()))
    assert [wrong for piece in found if (wrong := wrong_with(piece, durun.home / "runs" / run))] == []
    pieces = {(piece.key.step, piece.key.target, piece.name): piece for piece in found}
    assert len(pieces) == len(found), "something was taken twice"
    return pieces


def content(durun: Any, piece: Evidence) -> bytes:
    path = durun.home / "runs" / durun.run_id() / piece.path
    assert path.stat().st_mode & 0o777 == 0o400
    return path.read_bytes()


def item(durun: Any, name: str, step: str = "item") -> str:
    return content(durun, gathered(durun)[step, name, "item.txt"]).decode()


def test_what_is_volatile_is_taken_first_and_all_of_it_is_there(durun: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine.conf"
    mine.write_text("colour = blue\n")
    files = json.dumps(["/etc/hosts", str(mine), str(tmp_path / "missing.conf")])
    log = tmp_path / "my.log"
    log.write_bytes(bytes(range(256)) * 1000)
    durun("run", RUNBOOK, "-i", "case=2026-7", "-i", f"config_files={files}", "-i", f'log_files=["{log}"]')

    pieces = gathered(durun)
    assert content(durun, pieces["config_file", "/etc/hosts", "/etc/hosts"]) == Path("/etc/hosts").read_bytes()
    assert content(durun, pieces["config_file", str(mine), str(mine)]) == mine.read_bytes()
    assert content(durun, pieces["log_file", str(log), str(log)]) == log.read_bytes()
    assert "durun" in item(durun, "060-processes")
    assert str(os.getuid()) in item(durun, "130-accounts", "slow_item")
    assert content(durun, pieces["noted", None, "case.txt"]).startswith(b"case: 2026-7\n")

    taken = sorted(pieces.values(), key=lambda piece: piece.taken_at)
    steps = list(dict.fromkeys(piece.key.step for piece in taken))
    assert [step for step in steps if step != "programs"] == ["item", "log_file", "config_file", "slow_item", "noted"]
    names = [piece.key.target for piece in taken if piece.key.step == "item"]
    assert names == sorted(names, key=str) and len(names) == ITEMS

    tasks = {(task["step"], task["target"]): task for task in durun.json("show", durun.run_id())["tasks"]}
    missing = tasks["config_file", str(tmp_path / "missing.conf")]
    assert (missing["status"], missing["reason"]) == ("failed", f"nothing matches {tmp_path}/missing.conf")
    assert tasks["isolated", None]["status"] == "skipped"


def test_what_was_taken_before_a_kill_is_not_taken_again(
    durun: Any, kill_after: Callable[..., None], kill_all: Callable[..., None]
) -> None:
    kill_after(durun.start("run", RUNBOOK, *NO_FILES), "item", 3)
    process = durun.start("resume", durun.run_id())
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "task_succeeded" and event["target"] == "070-executables":
            break
    kill_all(process)
    before = gathered(durun)
    assert len(before) >= 7
    durun("resume", durun.run_id())

    after = gathered(durun)
    assert before.items() <= after.items()
    assert sum(step == "item" for step, _, _ in after) == ITEMS
    assert sum(step == "slow_item" for step, _, _ in after) == SLOW


def test_a_program_whose_file_was_deleted_is_kept(durun: Any, tmp_path: Path) -> None:
    program = tmp_path / "implant"
    shutil.copy("/bin/sleep", program)
    process = subprocess.Popen([program, "300"])
    try:
        program.unlink()
        durun("run", RUNBOOK, *NO_FILES)
    finally:
        process.kill()
        process.wait()
    pieces = gathered(durun)
    listed = content(durun, pieces["programs", None, "programs.tsv"]).decode()
    (line,) = [line for line in listed.splitlines() if line.startswith(f"{process.pid}\t")]
    kept = pieces["programs", None, line.rpartition("\t")[2]]
    assert content(durun, kept) == Path("/bin/sleep").read_bytes()


def test_an_item_without_its_command_is_taken_from_proc_or_said_to_be_missing() -> None:
    def taken(name: str, needs: str) -> list[str]:
        env = {"PATH": os.environ["PATH"], "TARGET_NAME": name, "TARGET_ABOUT": "a", "NEEDS": needs}
        done = subprocess.run([SCRIPTS / "take.sh"], env=env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    processes = taken("060-processes", "no-such-ps /proc/self/status")
    assert any(line.startswith(f"{os.getpid()}\t{os.getppid()}\t{os.getuid()}\t") for line in processes)
    packages = taken("150-packages", "no-such-dpkg no-such-rpm")
    assert packages == ["not taken: this machine has none of: no-such-dpkg no-such-rpm"]


class Network:
    """A network of its own, with a neighbour at each address of 192.0.2.0/24, of whom nobody answers."""

    def __init__(self, name: str) -> None:
        self.prefix = ["nsenter", f"--net=/run/netns/{name}"]

    def __call__(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False)

    def reaches(self, address: str) -> bool:
        """Whether the kernel lets something go out to this address."""
        program = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('{address}', 9))"
        return self(sys.executable, "-c", program).returncode == 0


@pytest.fixture
def network() -> Iterator[Network]:
    if os.getuid() != 0:
        pytest.skip("needs root, to make a network")
    name = f"drn-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        network = Network(name)
        for line in (
            "link set lo up", "link add drn0 type veth peer name drn1", "addr add 192.0.2.1/24 dev drn0",
            "link set drn0 up", "link set drn1 up",
        ):  # fmt: skip
            assert network("ip", *line.split()).returncode == 0
        yield network
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_the_machine_is_taken_off_the_network_once_somebody_has_approved_it(
    durun: Any, network: Network, tmp_path: Path
) -> None:
    book = tmp_path / "runbooks" / "gather-evidence.yaml"
    shutil.copytree(SCRIPTS, book.parent / "gather-evidence")
    # There is one user in this test, who has asked for it, too.
    asked = "      approvers: ${{ inputs.approvers }}\n"
    text = RUNBOOK.read_text()
    assert asked in text
    book.write_text(text.replace(asked, f"{asked}      allow_requester: true\n"))
    plain = durun.command
    durun.command = lambda *arguments: [*network.prefix, *plain(*arguments)]

    inputs = ("-i", "isolate=true", "-i", 'keep=["192.0.2.10"]')
    assert "for people: approved" in durun("run", book, *NO_FILES, *inputs, code=5)
    assert sum(step == "item" for step, _, _ in gathered(durun)) == ITEMS
    assert network.reaches("192.0.2.9")

    durun("approve", durun.run_id(), "--reason", "seen")
    assert not network.reaches("192.0.2.9")
    assert network.reaches("192.0.2.10")
    assert network.reaches("127.0.0.1")

    durun("rollback", durun.run_id(), "--reason", "over")
    assert network.reaches("192.0.2.9")
    assert sum(step == "item" for step, _, _ in gathered(durun)) == ITEMS
