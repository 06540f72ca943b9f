"""What /proc says."""

import os
import subprocess

from durun.engine.local import procs
from durun.engine.local.procs import NONCE, exists, look, look_around


def test_a_process_is_told_with_its_start(tmp_path):
    me = look(os.getpid())
    assert (me.pid, me.parent, me.group, me.session) == (os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0))
    assert me == look(os.getpid()) == look_around().processes[os.getpid()] and not me.dead


def test_a_name_with_brackets_and_line_breaks_does_not_confuse(tmp_path):
    command = tmp_path / "a) Z 1 2\n(b"
    command.symlink_to("/bin/sleep")
    with subprocess.Popen([command, "100"], process_group=0) as process:
        assert look(process.pid).group == process.pid
        process.kill()


def test_a_zombie_is_dead():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert look(process.pid).dead and not exists(process.pid)
    process.wait()
    assert look(process.pid) is None and not exists(process.pid)


def test_what_can_not_be_looked_at_exists_all_the_same(monkeypatch):
    monkeypatch.setattr(procs, "look", lambda _: None)
    assert exists(os.getpid()) and exists(1)


def test_the_nonce_is_read_and_only_a_whole_variable_counts():
    env = {**os.environ, f"NOT_{NONCE}": "wrong", "LAST": f"{NONCE}=wrong"}
    for given, told in (({NONCE: "right"}, "right"), ({}, "")):
        with subprocess.Popen(["sleep", "100"], env={**env, **given}) as process:
            assert look_around().nonce(process.pid) == told
            process.kill()
