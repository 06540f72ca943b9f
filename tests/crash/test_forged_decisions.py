"""Decisions of other users that are not what they should be: not counted, recorded, and no run stops by them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from crash.other_users import CAROL, Runs, World, needs_users, runs, world, writes

__all__ = ["runs", "world"]
pytestmark = needs_users


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
