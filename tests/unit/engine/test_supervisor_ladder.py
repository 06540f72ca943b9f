"""Timeouts and stops: INT, TERM, KILL, until nothing of the attempt is left."""

import os
import time

import pytest

from durun.engine.local.hands import _ROOT
from durun.engine.local.procs import Origin, Process, Table, look_around, members
from durun.engine.local.wire import Ended

ROOT = str(_ROOT)


def test_a_timeout_stops_a_step_that_obeys(rig):
    record = rig.run("sleep", "100", timeout=0.1, stop_grace=30.0).record
    assert (record.reason, record.exit_code, record.signal) == ("timeout", None, 2)


def test_a_step_that_ends_in_time_is_not_touched(rig):
    assert rig.run("true", timeout=60.0).record.reason == "exit"


def test_a_timeout_of_years_is_one(rig, fifo):
    rig.start("sh", "-c", f"read x < {fifo}", timeout=1e9)
    fifo.write_text("\n")
    assert rig.wait(Ended).record.reason == "exit"


def test_a_stop_is_told_as_a_cancel_and_the_step_may_clean_up(rig, wait):
    rig.start("sh", "-c", "trap 'echo cleaned; exit 9' INT; echo ready; while :; do sleep 0.01; done", stop_grace=30.0)
    wait(rig.log)
    rig.stop()
    record = rig.wait(Ended).record
    assert (record.reason, record.exit_code) == ("cancel", 9)
    assert rig.text() == "ready\ncleaned\n"


def test_a_stop_of_what_has_ended_or_never_was_does_nothing(rig):
    rig.run("true")
    rig.stop(1)
    rig.stop(99)
    assert rig.run("true", number=2).record.reason == "exit"


@pytest.mark.fault(15)
def test_a_tree_that_ignores_int_and_term_is_killed_after_the_grace(rig, alive, wait):
    tree = "trap '' INT TERM; sh -c 'echo $$; while :; do sleep 1; done' & echo $$; while :; do sleep 1; done"
    rig.start("sh", "-c", tree, stop_grace=0.2)
    pids = wait(lambda: rig.text().count("\n") == 2 and [int(pid) for pid in rig.text().split()])
    begun = time.monotonic()
    rig.stop()
    record = rig.wait(Ended).record
    assert (record.reason, record.signal, record.leftover) == ("cancel", 9, ())
    assert not any(alive(pid) for pid in pids)
    assert time.monotonic() - begun > 0.4


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    "escape",
    [
        pytest.param("setsid sh -c 'trap \"\" INT TERM; echo $$; sleep 100' & sleep 100", id="session"),
        pytest.param("(setsid sh -c 'echo $$; exec sleep 100' &) ; sleep 100", id="orphan with the nonce"),
        pytest.param("env -i setsid sh -c 'echo $$; sleep 100; true' & sleep 100", id="child without the nonce"),
    ],
)
def test_a_child_in_a_session_of_its_own_is_stopped_too(rig, alive, wait, escape):
    rig.start("sh", "-c", escape, stop_grace=0.1)
    wait(rig.log)
    rig.stop()
    record = rig.wait(Ended).record
    assert (record.reason, record.leftover) == ("cancel", ())
    assert not alive(int(rig.text()))


def test_a_step_that_forks_while_it_is_killed_is_killed_all_the_same(rig):
    rig.script("trap '' INT TERM; while :; do (sleep 100 &) ; done", timeout=0.1, stop_grace=0.05)
    assert members(look_around(), Origin(rig.nonce(), rig.pid, None, None)) == []


def test_a_stopped_process_is_killed(rig):
    record = rig.script("kill -STOP $$", timeout=0.1, stop_grace=0.1).record
    assert (record.reason, record.signal) == ("timeout", 9)


def test_what_cannot_be_killed_is_told_and_not_waited_for(make_rig, alive, wait):
    """A supervisor whose KILLs go nowhere: like a child of another uid, or one in uninterruptible sleep."""
    rig = make_rig(
        "import os, signal\n"
        "signal.pidfd_send_signal = os.killpg = lambda *a: None\n"
        "import durun.engine.local.supervisor.ladder as ladder\n"
        "ladder.LAST_GRACE = 0.1".replace("import durun", f"import sys; sys.path.append({ROOT!r}); import durun")
    )
    started = rig.start("sleep", "100", timeout=0.05, stop_grace=0.05)
    record = rig.wait(Ended).record
    assert (record.reason, record.exit_code, record.signal, record.leftover) == ("timeout", None, None, (started.pid,))
    os.kill(started.pid, 9)
    wait(lambda: not alive(started.pid))


def test_attempts_are_stopped_side_by_side(rig):
    orders = [rig.order("sleep", "100", number=n, timeout=0.1, stop_grace=30.0) for n in range(1, 21)]
    begun = time.monotonic()
    rig.hands.send(orders)
    assert {rig.wait(Ended, n).record.reason for n in range(1, 21)} == {"timeout"}
    assert time.monotonic() - begun < 30


def process(pid, parent=1, group=0, session=0, dead=False):
    return Process(pid, parent, group, session, 1000 + pid, dead)


class KnownTable(Table):
    def __init__(self, *processes, nonces=()):
        super().__init__(processes)
        self._nonces = {**dict.fromkeys(self.processes, ""), **dict(nonces)}


def pids(table, origin, seen=()):
    return sorted(p.pid for p in members(table, origin, seen))


ORIGIN = Origin("mine", 50, (100, 1100), 100)


def test_members_are_main_group_nonce_and_descendants():
    table = KnownTable(
        process(100),
        process(101, group=100, session=50),
        process(102),
        process(103, parent=102),
        process(104, parent=103),
        process(105),
        nonces={102: "mine"},
    )
    assert pids(table, ORIGIN) == [100, 101, 102, 103, 104]


def test_a_pid_that_is_another_process_now_is_no_member():
    table = KnownTable(process(100)._replace(started=9999))
    assert pids(table, ORIGIN) == []


def test_a_group_of_the_same_number_in_another_session_or_attempt_is_no_member():
    table = KnownTable(process(101, group=100, session=51), process(102, group=100, session=50), nonces={102: "other"})
    assert pids(table, ORIGIN) == []


def test_an_unreadable_member_of_the_group_is_one():
    assert pids(KnownTable(process(101, group=100, session=50), nonces={101: "?"}), ORIGIN) == [101]


def test_the_dead_are_left_out_and_their_children_are_not():
    assert pids(KnownTable(process(100, dead=True), process(101, parent=100)), ORIGIN) == [101]


def test_who_was_seen_as_a_member_stays_one():
    assert pids(KnownTable(process(107)), ORIGIN, {(107, 1107)}) == [107]
