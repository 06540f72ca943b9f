"""Approvals by other users of the machine: real ones, who may put a file into a folder, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.people import Person, people

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users")

MARK = f"du{os.getpid()}"
GROUP, RUNS, CAROL, DAVE, MALLORY = (f"{MARK}-{name}" for name in ("oncall", "runs", "carol", "dave", "mallory"))

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

WHAT_IS_TO_RUN = """
what is to run:
  act: echo "act $TICKET" >> "$DURUN_WORK/../../../effects"
  tell: printf %s ${{ steps.approved.outputs.ticket }}
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


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with people(GROUP, RUNS, CAROL, DAVE, MALLORY) as found:
        yield World(found)


@pytest.fixture
def runs(world: World, tmp_path: Path) -> Runs:
    return Runs(tmp_path, world.owner, GROUP)


def writes(author: Person, runs: Runs, run: str, uid: int, **content: Any) -> Path:
    """A file as durun would write it, by whoever it is, for whomever it pleases."""
    path = runs.home / "approvals" / f"{run}.{content.pop('nonce', runs.nonce(run))}.{uid}.json"
    whole = {"verdict": "approve", "digest": runs.digest(run), "set": ["ticket=T-1"], **content}
    script = 'umask 027; cat > "$1" && chmod 640 "$1"'
    assert author.does(["sh", "-c", script, "sh", str(path)], stdin=json.dumps(whole) + "\n").returncode == 0
    return path


def test_another_user_approves_and_the_owner_s_cron_goes_on(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.carol.durun(runs.home, "approve", run[:8], "--set", "ticket=T-77", "--reason", "looks right")
    assert said.returncode == 0, said.stderr
    assert "whose next resume counts it" in said.stdout
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert runs.effects == ["change", "act T-77"]
    (decided,) = runs.events(run, "task_decided")
    assert decided["by"]["uid"] == world.carol.uid
    assert decided["by"]["user"] == CAROL
    assert decided["advisory"] == ""
    assert decided["reason"] == "looks right"
    assert list((runs.home / "requests").iterdir()) == []
    (kept,) = (runs.home / "runs" / run / "answers").iterdir()
    assert kept.stat().st_uid == world.carol.uid


def test_they_find_what_waits_for_them_and_see_what_it_is(world: World, runs: Runs) -> None:
    assert world.carol.durun(runs.home, "history").stdout == ""
    run = runs.start()
    for person, theirs in ((world.carol, True), (world.mallory, False)):
        (listed,) = json.loads(person.durun(runs.home, "history", "--json").stdout)
        assert (listed["id"], listed["status"], listed["runbook"]) == (run, "waiting", "careful")
        assert [task["for_you"] for task in listed["because"]] == [theirs]
        assert (person.durun(runs.home, "history", "--for-me").stdout != "") is theirs
    assert "for approval by" in world.carol.durun(runs.home, "history").stdout
    for name in (run, run[:6], "@last"):
        shown = world.carol.durun(runs.home, "show", name).stdout
        assert "Shall it be done?" in shown
        assert WHAT_IS_TO_RUN in shown
        assert f"next: durun approve {run} approved --set ticket=…\n" in shown
    assert json.loads(world.carol.durun(runs.home, "show", run, "--json").stdout)["why"].endswith("(you may)")
    assert world.carol.durun(runs.home, "history", "--status", "failed").stdout == ""
    assert world.carol.durun(runs.home, "show", "nothing").returncode == 2
    assert list((runs.home / "approvals").iterdir()) == []
    assert world.carol.durun(runs.home, "logs", run).returncode == 13


def test_who_forgets_a_value_is_told_so_at_once_and_may_say_it_again(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.carol.durun(runs.home, "approve", run)
    assert (said.returncode, said.stdout) == (2, "")
    assert "field `ticket` is missing" in said.stderr
    assert "give it with --set NAME=VALUE" in said.stderr
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0


def test_what_they_have_answered_waits_for_them_no_longer(world: World, runs: Runs) -> None:
    run = runs.start()
    assert run in world.carol.durun(runs.home, "history", "--for-me").stdout
    world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert run not in world.carol.durun(runs.home, "history", "--for-me").stdout
    assert run in world.carol.durun(runs.home, "history").stdout


def test_a_secret_of_the_run_in_what_they_say_is_not_recorded(world: World, runs: Runs) -> None:
    key = runs.owner.home / "pager.key"
    key.write_text("a-key-for-the-pager\n")
    os.chown(key, runs.owner.uid, -1)
    key.chmod(0o600)
    run = runs.start(book=f"{BOOK}    stdin: ${{{{ secrets.pager }}}}\nsecrets: {{pager: {{file: pager.key}}}}\n")
    said = world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1", "--reason", "with a-key-for-the-pager")
    assert said.returncode == 0, said.stderr
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert "a secret of the run stands in" in refused["why"]
    assert refused["by"]["uid"] == world.carol.uid
    assert b"a-key-for-the-pager" not in b"".join(path.read_bytes() for path in runs.home.glob("journal.db*"))
    assert runs.effects == ["change"]


def test_two_of_two_and_nobody_twice(world: World, runs: Runs) -> None:
    run = runs.start(many=2)
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 2
    runs.goes_on(run, 5)
    again = world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert again.returncode == 0, "what was taken is no longer there: the owner's durun tells them apart"
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert "one person counts once" in refused["why"]
    assert world.dave.durun(runs.home, "approve", run, "--set", "ticket=T-2").returncode == 0
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert runs.effects == ["change", "act T-2"]


def test_an_answer_is_taken_once_whenever_durun_is_killed(world: World, runs: Runs) -> None:
    run = runs.start(many=2)
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
    runs.goes_on(run, 5)
    (kept,) = (runs.home / "runs" / run / "answers").iterdir()
    # As if it had been killed once the decision was recorded, and before the file was kept.
    kept.rename(runs.home / "approvals" / kept.name.partition("-")[2])
    runs.goes_on(run, 5)
    assert len(runs.events(run, "task_decided")) == 1
    assert runs.events(run, "decision_refused") == []
    assert list((runs.home / "approvals").iterdir()) == []


def test_a_question_that_could_not_be_told_is_told_by_the_next(world: World, runs: Runs) -> None:
    run = runs.start()
    next(iter((runs.home / "requests").iterdir())).unlink()
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
    assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0


PER_TARGET = """
durun: 1
name: per-target
steps:
  - {id: before, targets: [x, y], run: "true"}
  - id: hosts
    targets: [a, b]
    max_parallel: 1
    steps:
      - {id: ok, approval: {message: "Reboot ${{ target }}?", approvers: [CAROL]}}
      - {id: reboot, run: "true"}
  - {id: after, run: "true"}
"""


def test_they_see_what_is_to_run_for_which_targets(world: World, runs: Runs) -> None:
    run = runs.start(book=PER_TARGET)
    assert world.carol.durun(runs.home, "approve", run).returncode == 0
    runs.goes_on(run, 5)
    _, _, ahead = world.carol.durun(runs.home, "show", run).stdout.partition("what is to run:\n")
    assert ahead.splitlines()[:4] == ["  hosts: a group", "    1 of 2 targets: b", "  reboot: true", "  after: true"]


def test_what_was_asked_before_it_was_shared_is_seen_at_once(world: World, tmp_path: Path) -> None:
    home = world.owner.home / tmp_path.name
    (book := world.owner.home / "book.yaml").write_text(
        BOOK.replace("MANY", "1").replace("CAROL", CAROL).replace("DAVE", DAVE)
    )
    ran = world.owner.durun(home, "run", str(book), "--json")
    run = json.loads(ran.stdout.splitlines()[-1])["run"]
    assert world.carol.durun(home, "history", "--for-me").returncode == 13
    assert world.owner.durun(home, "doctor", "--share", GROUP).returncode in (0, 1)
    assert run in world.carol.durun(home, "history", "--for-me").stdout
    assert world.carol.durun(home, "approve", run, "--set", "ticket=T-7").returncode == 0


def test_another_user_says_no(world: World, runs: Runs) -> None:
    run = runs.start()
    assert world.dave.durun(runs.home, "reject", run, "--reason", "not on a Friday").returncode == 0
    assert runs.owner.durun(runs.home, "resume", "--all").returncode == 6
    assert runs.effects == ["change"]


def test_what_is_asked_is_shown_to_the_group_alone(world: World, runs: Runs) -> None:
    run = runs.start()
    path = next(iter((runs.home / "requests").iterdir()))
    assert world.carol.does(["cat", str(path)]).returncode == 0
    assert world.carol.does(["cat", str(runs.home / "journal.db")]).returncode != 0
    for command in (("logs", run), ("show", run, "--events"), ("report", "--controls")):
        refused = world.carol.durun(runs.home, *command)
        assert (refused.returncode, refused.stdout) == (13, ""), command
    nothing = world.carol.durun(runs.home, "approve", "nosuch")
    assert nothing.returncode == 2
    assert run in nothing.stderr


def test_one_who_is_no_approver_is_told_so_and_it_is_recorded(world: World, runs: Runs) -> None:
    run = runs.start()
    said = world.mallory.durun(runs.home, "approve", run, "--set", "ticket=T-1")
    assert said.returncode == 6
    assert "none of the approvers" in said.stderr
    runs.goes_on(run, 5)
    (refused,) = runs.events(run, "decision_refused")
    assert refused["by"]["uid"] == world.mallory.uid
    assert runs.effects == ["change"]


@pytest.mark.fault(53)
class TestForged:
    """Not counted, and recorded."""

    def refused(self, runs: Runs, run: str, why: str) -> dict[str, Any]:
        runs.goes_on(run, 5)
        assert runs.effects == ["change"]
        (refused,) = runs.events(run, "decision_refused")
        assert why in refused["why"]
        assert [left for left in (runs.home / "approvals").iterdir() if not left.name.startswith(".")] == []
        return dict(refused["by"])

    def test_for_somebody_else(self, world: World, runs: Runs) -> None:
        run = runs.start()
        writes(world.mallory, runs, run, world.carol.uid)
        by = self.refused(runs, run, f"decides for uid {world.carol.uid} and belongs to uid {world.mallory.uid}")
        assert by["uid"] == world.mallory.uid

    def test_by_the_requester(self, world: World, runs: Runs) -> None:
        run = runs.start()
        writes(world.owner, runs, run, world.owner.uid)
        self.refused(runs, run, "is none of the approvers")
        assert runs.owner.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 6

    def test_a_symbolic_link(self, world: World, runs: Runs) -> None:
        run = runs.start()
        real = writes(world.carol, runs, run, world.carol.uid)
        elsewhere = world.carol.home / real.name
        assert world.carol.does(["mv", str(real), str(elsewhere)]).returncode == 0
        assert world.carol.does(["chmod", "644", str(elsewhere)]).returncode == 0
        assert world.mallory.does(["ln", "-s", str(elsewhere), str(real)]).returncode == 0
        self.refused(runs, run, "is a symbolic link")

    def test_a_hard_link(self, world: World, runs: Runs) -> None:
        run = runs.start()
        real = writes(world.carol, runs, run, world.carol.uid)
        assert world.carol.does(["ln", str(real), str(world.carol.home / f"{run}.json")]).returncode in (0, 1)
        os.link(real, runs.home / "aside") if real.stat().st_nlink == 1 else None
        self.refused(runs, run, "hard links")

    def test_one_that_the_group_can_change(self, world: World, runs: Runs) -> None:
        run = runs.start()
        real = writes(world.carol, runs, run, world.carol.uid)
        assert world.carol.does(["chmod", "660", str(real)]).returncode == 0
        self.refused(runs, run, "can be written by others")

    def test_a_folder_does_not_stop_the_run(self, world: World, runs: Runs) -> None:
        """It is another user's: the owner of the run can't move it into his own folder, as he does with a file."""
        run = runs.start()
        name = writes(world.carol, runs, run, world.carol.uid)
        assert world.carol.does(["sh", "-c", 'rm "$1" && mkdir "$1" && touch "$1/x"', "sh", str(name)]).returncode == 0
        self.refused(runs, run, "is not a regular file")
        runs.goes_on(run, 5)
        assert len(runs.events(run, "decision_refused")) == 1
        assert world.carol.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
        assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
        assert runs.effects == ["change", "act T-1"]

    @pytest.mark.parametrize(
        "name", [b"\x1b[2J\n.1.json", b".**.json", b"[", b"\xff", b"x" * 240, b"%NONCE%\x1b[2J.%UID%.json"]
    )
    def test_a_name_of_any_bytes_stops_no_run_and_writes_nothing_on_a_terminal(
        self, world: World, runs: Runs, name: bytes
    ) -> None:
        run = runs.start()
        name = name.replace(b"%NONCE%", runs.nonce(run).encode()).replace(b"%UID%", str(world.carol.uid).encode())
        path = os.fsencode(runs.home / "approvals" / f"{run}.") + name
        script = 'umask 027; printf "{}\\n" > "$1" && chmod 640 "$1"'
        assert world.carol.does(["sh", "-c", script, "sh", os.fsdecode(path)]).returncode == 0
        self.refused(runs, run, "the file ")
        shown = runs.owner.durun(runs.home, "show", run, "--events").stdout
        assert "does not count" in shown
        assert "\x1b" not in shown
        runs.goes_on(run, 5)
        assert len(runs.events(run, "decision_refused")) == 1

    @pytest.mark.parametrize("said", ["\x1b[2J\n", "\ud800", "\0"])
    def test_what_it_says_stops_no_run_and_writes_nothing_on_a_terminal(
        self, world: World, runs: Runs, said: str
    ) -> None:
        run = runs.start()
        claims = {"tty": said, "loginuid": said, "sudo_uid": 10**4000}
        writes(world.carol, runs, run, world.carol.uid, set=[f"{said}=1"], reason=said, digest=said, by=claims)
        self.refused(runs, run, "there is no field")
        shown = runs.owner.durun(runs.home, "show", run, "--events").stdout
        assert "does not count" in shown
        assert "\x1b" not in shown
        writes(world.dave, runs, run, world.dave.uid, set=["ticket=T-2"], reason=said, digest=said, by=claims)
        runs.goes_on(run, 5)
        assert world.dave.durun(runs.home, "approve", run, "--set", "ticket=T-1").returncode == 0
        assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0

    def test_for_another_digest(self, world: World, runs: Runs) -> None:
        run = runs.start()
        writes(world.carol, runs, run, world.carol.uid, digest="0" * 64)
        self.refused(runs, run, "it was asked anew since")

    def test_for_another_question(self, world: World, runs: Runs) -> None:
        run = runs.start()
        writes(world.carol, runs, run, world.carol.uid, nonce="0" * 32)
        self.refused(runs, run, "it was asked anew since")

    def test_with_values_that_nobody_asked_for(self, world: World, runs: Runs) -> None:
        run = runs.start()
        writes(world.carol, runs, run, world.carol.uid, set=["ticket=$(reboot)"])
        self.refused(runs, run, "field `ticket`")

    def test_who_it_says_it_is_decides_nothing(self, world: World, runs: Runs) -> None:
        run = runs.start()
        by = {"uid": world.carol.uid, "loginuid": world.carol.uid, "user": CAROL}
        writes(world.mallory, runs, run, world.mallory.uid, by=by)
        assert self.refused(runs, run, "none of the approvers")["uid"] == world.mallory.uid

    def test_a_variable_makes_nobody_another(self, world: World, runs: Runs) -> None:
        run = runs.start()
        argv = ["env", f"SUDO_UID={world.carol.uid}", f"USER={CAROL}", f"LOGNAME={CAROL}"]
        said = world.mallory.durun_under(argv, runs.home, "approve", run, "--set", "ticket=T-1")
        assert said.returncode == 6
        assert self.refused(runs, run, "none of the approvers")["uid"] == world.mallory.uid

    def test_by_root_for_somebody_is_counted_and_marked(self, world: World, runs: Runs) -> None:
        run = runs.start()
        path = writes(world.carol, runs, run, world.carol.uid)
        os.chown(path, 0, -1)
        assert runs.owner.durun(runs.home, "resume", "--all").returncode == 0
        (decided,) = runs.events(run, "task_decided")
        assert decided["advisory"] == "root wrote it, who can be anybody"
        assert runs.effects == ["change", "act T-1"]
