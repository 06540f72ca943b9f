"""With its runner and without: what is started, finished, made durable, and when the supervisor ends."""

import os
import signal
from pathlib import Path

import pytest

from durun.engine.local import folder as folders
from durun.engine.local.examine import fence
from durun.engine.local.wire import Ended, Gone, NotOpened, Opened, Refused, ShutdownOrder


def record(rig, number=1):
    return folders.read_gate(rig.folder(number)).exit


def test_a_step_outlives_its_runner_and_is_made_durable(rig, fifo):
    rig.start("sh", "-c", f"read x < {fifo}; echo done; echo '{{}}' > $DURUN_OUTPUT; exit 7")
    rig.leave()
    fifo.write_text("\n")
    assert rig.wait_for_end() == 0
    assert (record(rig).exit_code, record(rig).synced) == (7, True)
    assert (rig.text(), (rig.folder() / "output").read_text()) == ("done\n", "{}\n")


def test_unread_orders_of_a_dead_runner_are_not_started(rig, tmp_path):
    os.kill(rig.pid, signal.SIGSTOP)
    rig.hands.send([rig.order("touch", str(tmp_path / f"effect-{n}"), number=n) for n in (1, 2, 3)])
    rig.leave()
    os.kill(rig.pid, signal.SIGCONT)
    assert rig.wait_for_end() == 0
    assert list(tmp_path.glob("effect-*")) == [] and not rig.folder().exists()


def test_what_ended_just_before_the_runner_died_is_made_durable(rig):
    rig.run("true")
    assert not record(rig).synced
    rig.leave()
    assert rig.wait_for_end() == 0
    assert record(rig).synced


def test_a_shutdown_ends_it_without_making_durable_what_is_committed(rig):
    rig.run("true")
    rig.hands.send([ShutdownOrder()])
    assert rig.wait(Gone) == Gone()
    assert rig.wait_for_end() == 0
    assert not record(rig).synced


def test_a_shutdown_waits_for_what_runs(rig, fifo):
    rig.start("sh", "-c", f"read x < {fifo}; exit 5")
    rig.hands.send([ShutdownOrder()])
    fifo.write_text("\n")
    assert rig.wait(Ended).record.exit_code == 5
    assert rig.wait(Gone) == Gone()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_stop_signals_do_not_move_it(rig, number):
    os.kill(rig.pid, number)
    assert rig.run("true").record.exit_code == 0


def test_it_is_in_a_session_of_its_own(rig):
    assert os.getsid(rig.pid) == rig.pid


def test_without_a_runner_the_stop_file_stops_what_runs(rig, wait):
    rig.start("sh", "-c", "trap '' INT; echo up; while :; do sleep 0.01; done", stop_grace=0.1)
    wait(rig.log)
    rig.leave()
    (rig.run_folder / "stop").touch()
    assert rig.wait_for_end() == 0
    assert (record(rig).reason, record(rig).signal, record(rig).synced) == ("cancel", 15, True)


def test_a_stop_file_from_an_earlier_session_stops_nothing(make_rig, fifo):
    rig = make_rig(opened=False)
    (rig.run_folder / "stop").touch()
    rig.start("sh", "-c", f"read x < {fifo}; exit 5")
    rig.leave()
    fifo.write_text("\n")
    assert rig.wait_for_end() == 0
    assert (record(rig).reason, record(rig).exit_code) == ("exit", 5)


def test_a_fenced_attempt_is_refused(rig, tmp_path):
    assert fence(rig.run_folder, 1, rig.nonce())
    rig.hands.send([rig.order("touch", str(tmp_path / "effect"))])
    assert rig.wait(Refused).code == "fenced"
    assert not (tmp_path / "effect").exists()


def test_a_folder_is_used_once(rig):
    rig.run("true")
    rig.hands.send([rig.order("true")])
    assert rig.wait(Refused).code == "fenced"


def test_a_full_disk_at_the_gate_refuses_the_start(make_rig, tmp_path):
    rig = make_rig("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))")
    rig.hands.send([rig.order("touch", str(tmp_path / "effect"))])
    refused = rig.wait(Refused)
    assert (refused.code == "storage" and "No space left" in refused.error) or "File too large" in refused.error
    assert list(rig.folder().iterdir()) == [] and not (tmp_path / "effect").exists()


def test_a_run_folder_that_is_not_there(make_rig):
    rig = make_rig(opened=False)
    rig.wait(Opened)
    rig.hands.open(rig.run_folder / "nowhere", 2)
    assert "No such file" in rig.wait(NotOpened).error


def test_it_keeps_nothing_open_after_hundreds_of_steps(rig):
    for number in range(1, 301):
        rig.hands.send([rig.order("true", number=number)])
    for number in range(1, 301):
        assert rig.wait(Ended, number).record.exit_code == 0
    assert len(list(Path(f"/proc/{rig.pid}/fd").iterdir())) < 16
