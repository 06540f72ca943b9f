"""The folders that others may reach, with real users: what the kernel lets them do, and what of it is believed."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.people import Person, people
from durun.errors import NotAllowed, Unsafe, UsageError
from durun.sharing.answers import Answer, Forged, answer, answers
from durun.sharing.places import Shared, require_shared, share, shared
from durun.sharing.questions import Question, publish, published

MARK = f"du{os.getpid()}"
GROUP, OWNER, ALICE, BOB = (f"{MARK}-{name}" for name in ("approvers", "owner", "alice", "bob"))
RUN, NONCE = "r1", "aa11"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users")


class Users:
    """The owner of the runs, and two others of the group."""

    def __init__(self, found: list[Person]) -> None:
        self.owner, self.alice, self.bob = found
        self.home = self.owner.home / "state"
        self.home.mkdir(mode=0o700)
        os.chown(self.home, self.owner.uid, self.owner.uid)
        self.folders = Shared(self.home)
        assert self.owner.durun(self.home, "doctor", "--share", GROUP).returncode in (0, 1)

    def file(self, decides_for: int, nonce: str = NONCE) -> Path:
        return self.folders.approvals / f"{RUN}.{nonce}.{decides_for}.json"

    def writes(self, author: Person, path: Path, mode: str = "640", text: str = '{"decision":"approve"}') -> int:
        return author.does(["sh", "-c", f"echo '{text}' > {path} && chmod {mode} {path}"]).returncode


@pytest.fixture(scope="module")
def users() -> Iterator[Users]:
    with people(GROUP, OWNER, ALICE, BOB) as found:
        yield Users(found)


@pytest.fixture(autouse=True)
def no_answers(users: Users) -> None:
    for path in [*users.folders.approvals.iterdir(), *users.folders.requests.iterdir()]:
        path.unlink()


def found(users: Users) -> list[Answer | Forged]:
    return answers(users.folders, RUN)


def test_only_the_two_folders_are_open(users: Users) -> None:
    modes = {folder.name: stat.S_IMODE(folder.stat().st_mode) for folder in users.folders.modes}
    assert modes == {"requests": 0o2750, "approvals": 0o3770, "state": 0o710}
    assert require_shared(users.folders) == GROUP
    assert users.alice.does(["ls", str(users.home)]).returncode != 0
    assert users.alice.does(["touch", str(users.folders.requests / "x")]).returncode != 0
    assert users.owner.durun(users.home, "history").returncode == 0


def test_doctor_sees_what_was_opened_wider(users: Users) -> None:
    users.folders.requests.chmod(0o2770)
    try:
        ran = users.owner.durun(users.home, "doctor")
        assert ran.returncode == 13
        assert f"chmod 2750 {users.folders.requests}" in ran.stdout
    finally:
        users.folders.requests.chmod(0o2750)


def test_a_group_that_is_not_ones_own_can_t_be_let_in(users: Users) -> None:
    ran = users.owner.durun(users.home, "doctor", "--share", "root")
    assert ran.returncode == 13
    assert "group root" in ran.stderr
    assert users.owner.durun(users.home, "doctor", "--share", "no-such-group").returncode == 2


def test_an_answer_is_its_authors(users: Users) -> None:
    script = (
        "from pathlib import Path; from durun.sharing.places import Shared; from durun.sharing.answers import answer;"
        f"answer(Shared(Path('{users.home}')), '{RUN}', '{NONCE}', {{'decision': 'approve'}})"
    )
    argv = [sys.executable, "-c", script]
    assert users.alice.does(argv, python=True).returncode == 0
    (one,) = found(users)
    assert one == Answer(f"{RUN}.{NONCE}.{users.alice.uid}.json", users.alice.uid, {"schema": 1, "decision": "approve"})
    again = users.alice.does(argv, python=True)
    assert "you have decided this already" in again.stderr
    assert users.bob.does(["rm", "-f", str(users.file(users.alice.uid))]).returncode != 0


@pytest.mark.fault(53)
class TestForged:
    """What is in the folder and is not what it should be."""

    def test_for_somebody_else(self, users: Users) -> None:
        assert users.writes(users.bob, users.file(users.alice.uid)) == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.uid == users.bob.uid
        assert one.why == f"decides for uid {users.alice.uid} and belongs to uid {users.bob.uid}"

    def test_a_symbolic_link(self, users: Users) -> None:
        target = users.alice.home / "mine.json"
        assert users.writes(users.alice, target, "644") == 0
        assert users.bob.does(["ln", "-s", str(target), str(users.file(users.alice.uid))]).returncode == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.why == "is a symbolic link"

    def test_a_hard_link(self, users: Users) -> None:
        path = users.file(users.alice.uid)
        assert users.writes(users.alice, path) == 0
        assert users.alice.does(["ln", str(path), str(users.folders.approvals / "other")]).returncode == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.why == "has 2 names (hard links)"

    @pytest.mark.parametrize("mode", ["660", "642"])
    def test_one_that_others_can_change(self, users: Users, mode: str) -> None:
        assert users.writes(users.alice, users.file(users.alice.uid), mode) == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.why == f"can be written by others (mode 0{mode})"

    def test_a_pipe_does_not_hang_the_reader(self, users: Users) -> None:
        assert users.alice.does(["mkfifo", "-m", "640", str(users.file(users.alice.uid))]).returncode == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.why == "is not a regular file"

    @pytest.mark.parametrize("text", ["[1]", "yes", "{"])
    def test_no_decision(self, users: Users, text: str) -> None:
        assert users.writes(users.alice, users.file(users.alice.uid), text=text) == 0
        (one,) = found(users)
        assert isinstance(one, Forged)
        assert one.why == "holds no decision"

    def test_a_name_that_says_nothing(self, users: Users) -> None:
        assert users.writes(users.alice, users.folders.approvals / f"{RUN}.json") == 0
        (one,) = found(users)
        assert isinstance(one, Forged)

    def test_root_for_somebody_is_believed_and_marked(self, users: Users) -> None:
        path = users.file(users.alice.uid)
        path.write_text('{"decision": "approve"}\n')
        path.chmod(0o640)
        (one,) = found(users)
        assert one == Answer(path.name, users.alice.uid, {"decision": "approve"}, advisory=True)


def test_half_an_answer_is_none_yet(users: Users) -> None:
    path = users.file(users.alice.uid)
    assert users.alice.does(["sh", "-c", f"umask 027; printf '%s' '{{\"deci' > {path}"]).returncode == 0
    assert found(users) == []


def test_questions_are_seen_by_the_group_and_withdrawn(users: Users) -> None:
    publish(users.folders, RUN, [Question(RUN, "aa11", {"message": "Really?"}), Question(RUN, "bb22", {})])
    publish(users.folders, RUN, [Question(RUN, "aa11", {"message": "Really?"})])
    (path,) = users.folders.requests.iterdir()
    os.chown(path, users.owner.uid, -1)
    assert json.loads(users.alice.does(["cat", str(path)]).stdout) == {"schema": 1, "message": "Really?"}
    assert published(users.home) == [Question(RUN, "aa11", {"schema": 1, "message": "Really?"})]
    os.chown(path, users.bob.uid, -1)
    with pytest.raises(Unsafe, match="not written by the owner"):
        published(users.home)


def test_what_is_not_shared_is_said(tmp_path: Path) -> None:
    assert shared(tmp_path) is None
    with pytest.raises(Unsafe):
        published(tmp_path)
    with pytest.raises(UsageError):
        share(tmp_path / "state", "no-such-group")


def test_twice_is_refused(users: Users) -> None:
    answer(users.folders, RUN, NONCE, {"decision": "approve"})
    with pytest.raises(NotAllowed):
        answer(users.folders, RUN, NONCE, {"decision": "reject"})
