"""What a resume finds of an attempt: only what is proved, everything else is unknown."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from durun.engine.local import folder as folders
from durun.engine.local import procs
from durun.engine.local.examine import Alive, NeverBegan, Orphaned, Recorded, Unknown, examine, fence
from durun.engine.local.place import here
from durun.engine.local.wire import Refused
from durun.errors import StorageFailed


@pytest.fixture
def find(tmp_path):
    """Examine an attempt of a rig, as if the intent had been committed elsewhere where `then` differs."""
    now = here(tmp_path)

    def do(rig, number=1, **then):
        return examine(rig.run_folder, number, rig.nonce(number), 1, now._replace(**then), now)

    return do


OTHERS = [{"boot_id": "other"}, {"pid_namespace": "pid:[1]@2"}, {"mount_id": "unique:1"}]


def test_a_living_supervisor_is_waited_for(rig, find, fifo):
    rig.start("sh", "-c", f"read x < {fifo}")
    assert find(rig) == Alive(rig.pid)
    assert find(rig) == Alive(rig.pid), "to look does not disturb it"
    rig.leave()
    fifo.write_text("\n")
    rig.wait_for_end()
    assert find(rig).record.exit_code == 0


def test_a_record_is_adopted(rig, find):
    ended = rig.script("echo x; exit 7")
    assert find(rig) == Recorded(ended.record), "also while the supervisor lives"
    rig.kill()
    assert find(rig) == Recorded(ended.record)


def test_a_record_of_an_attempt_without_its_supervisor_but_another_mount_is_adopted(rig, find):
    rig.run("true")
    rig.kill()
    assert isinstance(find(rig, mount_id="unique:1", pid_namespace="pid:[1]@2"), Recorded)


def reboot(rig, number=1):
    """Let the gate say that it is of an earlier start of the machine."""
    gate = Path(folders.gate_path(rig.folder(number)))
    said = folders.read_gate(rig.folder(number))
    content = bytearray(gate.read_bytes())
    content[0:640] = folders.new_gate_file(said.gate._replace(boot_id="other"))[0:640]
    gate.write_bytes(content)


def test_a_synced_record_is_adopted_across_boots(rig, find):
    rig.run("true")
    rig.leave()
    rig.wait_for_end()
    reboot(rig)
    assert find(rig, boot_id="other").record.synced


def test_an_unsynced_record_of_another_boot_proves_nothing(rig, find):
    rig.run("true")
    rig.kill()
    reboot(rig)
    assert find(rig, boot_id="other") == Unknown("the machine restarted", gone=True)


def test_a_restart_in_mid_step_is_unknown(rig, find):
    started = rig.start("sleep", "100")
    rig.kill()
    os.kill(started.pid, 9)
    reboot(rig)
    assert find(rig, boot_id="other") == Unknown("the machine restarted", gone=True)


def test_without_a_gate_it_never_began_and_never_will(rig, find, tmp_path):
    rig.kill()
    assert isinstance(find(rig), NeverBegan)
    assert folders.read_gate(rig.folder()).gate.fence
    assert isinstance(find(rig), NeverBegan), "also to the next resume"
    assert isinstance(find(rig, boot_id="other"), NeverBegan), "also after a restart"


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: next(iter(other)))
def test_without_a_gate_elsewhere_nothing_is_proved(rig, find, other):
    rig.kill()
    assert isinstance(find(rig, **other), Unknown)
    assert not rig.folder().exists(), "nothing is fenced on such a ground"


def test_without_the_folder_of_all_attempts_nothing_is_proved(rig, find):
    """Somebody made room by removing what is in the state directory: gates are gone with it."""
    rig.run("true")
    rig.kill()
    shutil.rmtree(rig.folder().parent)
    found = find(rig)
    assert isinstance(found, Unknown) and found.reason == "the run's folder was removed"
    assert not rig.folder().parent.exists(), "nor does looking make the next resume believe that one was there"


def test_a_living_supervisor_and_no_gate_is_fenced_and_not_waited_for(rig, find, fifo):
    rig.start("sh", "-c", f"read x < {fifo}")
    assert isinstance(find(rig, number=2), NeverBegan)
    rig.hands.send([rig.order("true", number=2)])
    assert rig.wait(Refused, 2).code == "fenced"
    fifo.write_text("\n")


def test_a_supervisor_killed_before_the_gate_never_began(make_rig, find, tmp_path):
    rig = make_rig("import os, signal; os.link = lambda *a: os.kill(os.getpid(), 9)")
    rig.hands.send([rig.order("touch", str(tmp_path / "effect"))])
    rig.wait_for_end()
    assert isinstance(find(rig), NeverBegan)
    assert not (tmp_path / "effect").exists()


KILL_AT_SPAWN = (
    "import os\n"
    "posix_spawn = os.posix_spawn\n"
    "def spawn(*a, **k):\n"
    "    {before}\n"
    "    posix_spawn(*a, **k)\n"
    "    os.kill(os.getpid(), 9)\n"
    "os.posix_spawn = spawn"
)


def program(before):
    return KILL_AT_SPAWN.replace("{before}", before)


def test_a_supervisor_killed_between_gate_and_start_is_unknown(make_rig, find, tmp_path):
    rig = make_rig(program("os.kill(os.getpid(), 9)"))
    rig.hands.send([rig.order("touch", str(tmp_path / "effect"))])
    rig.wait_for_end()
    assert find(rig) == Unknown("its supervisor was killed", gone=True)
    assert not (tmp_path / "effect").exists()


def test_a_step_whose_pid_was_not_noted_any_more_is_found_by_its_nonce(make_rig, find, wait):
    rig = make_rig(program("pass"))
    rig.hands.send([rig.order("sleep", "100")])
    rig.wait_for_end()
    # Until its exec is over, the step itself still holds the supervisor's lock.
    found = wait(lambda: None if isinstance(found := find(rig), Alive) else found)
    assert isinstance(found, Orphaned) and found.main
    os.kill(found.pids[0], 9)


def test_a_step_that_closed_all_its_descriptors_is_seen_without_its_supervisor(rig, find, python, fifo, wait, alive):
    """Like ssh: no lock, no pipe and no socket of ours is left in it."""
    closes = f"import os; open({str(fifo)!r}).close(); os.closerange(0, 100); import time; time.sleep(100)"
    started = rig.start(python, "-c", closes)
    fifo.open("w").close()
    rig.kill()
    found = find(rig)
    assert found == Orphaned((started.pid,), True, "its supervisor was killed; the step still runs")
    os.kill(started.pid, 9)
    wait(lambda: not alive(started.pid))
    assert find(rig) == Unknown("its supervisor was killed", gone=True)


def test_a_daemon_that_a_finished_step_left_is_told_apart_from_the_step(rig, find, fifo, wait):
    started = rig.start("sh", "-c", f"setsid sleep 100 & echo $!; read x < {fifo}")
    wait(rig.log)
    daemon = int(rig.text())
    rig.kill()
    os.kill(started.pid, 9)
    wait(lambda: find(rig).pids == (daemon,))
    assert find(rig).main is False
    os.kill(daemon, signal.SIGKILL)


def test_a_gate_of_another_pid_namespace_is_unknown_and_nothing_is_known_to_be_gone(rig, find, tmp_path):
    started = rig.start("sleep", "100")
    rig.kill()
    now = here(tmp_path)._replace(pid_namespace="pid:[1]@2")
    found = examine(rig.run_folder, 1, rig.nonce(), 1, here(tmp_path), now)
    assert isinstance(found, Unknown) and not found.gone and "pid namespace" in found.reason
    os.kill(started.pid, 9)


def test_what_cannot_be_read_is_not_gone(rig, find, monkeypatch):
    started = rig.start("sleep", "100")
    rig.kill()
    os.kill(started.pid, 9)
    hidden = procs.Process(99999, 1, 99999, rig.pid, 1 << 60, False)
    table = procs.Table([procs.Process(1, 0, 1, 1, 0, False), hidden])
    table._nonces = {1: "", 99999: procs.UNREADABLE}
    monkeypatch.setattr("durun.engine.local.examine.look_around", lambda: table)
    assert find(rig) == Unknown("its supervisor was killed", gone=False)


def test_a_damaged_gate_is_unknown(rig, find):
    rig.run("true")
    rig.kill()
    Path(folders.gate_path(rig.folder())).write_bytes(b"")
    assert find(rig) == Unknown("its gate is damaged", gone=False)


def test_a_torn_exit_record_is_no_record(rig, find):
    rig.run("true")
    rig.kill()
    gate = Path(folders.gate_path(rig.folder()))
    content = bytearray(gate.read_bytes())
    content[1060] ^= 1
    gate.write_bytes(content)
    assert find(rig) == Unknown("its supervisor was killed", gone=True)


def test_a_record_with_another_nonce_is_not_taken(rig, tmp_path):
    rig.run("true")
    rig.kill()
    found = examine(rig.run_folder, 1, "another", 1, here(tmp_path), here(tmp_path))
    assert isinstance(found, Unknown)


def test_a_fence_does_not_undo_a_gate(rig):
    rig.run("true")
    assert not fence(rig.run_folder, 1, rig.nonce())
    assert fence(rig.run_folder, 2, rig.nonce(2)) and fence(rig.run_folder, 2, rig.nonce(2))


def test_a_folder_that_cannot_be_made_is_a_storage_failure(tmp_path):
    (tmp_path / "attempts").write_text("in the way")
    with pytest.raises(StorageFailed):
        examine(tmp_path, 1, "n", 1, here(tmp_path), here(tmp_path))
