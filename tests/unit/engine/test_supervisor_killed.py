"""The supervisor is killed before each of its steps in turn: what is found then never contradicts the effect."""

import pytest

from durun.engine.local.examine import Alive, NeverBegan, Orphaned, Recorded, Unknown, examine
from durun.engine.local.place import here
from durun.engine.local.wire import Ended

CALLS = "('open', 'mkdir', 'pwrite', 'link', 'unlink', 'pipe', 'waitpid', 'fsync', 'ftruncate', 'write')"

KILL_AT = f"""
import os, subprocess
left = COUNT
def fatal(real):
    def call(*args, **more):
        global left
        left -= armed
        if left == 0 and armed:
            os.kill(os.getpid(), 9)
        return real(*args, **more)
    return call
for name in {CALLS}:
    setattr(os, name, fatal(getattr(os, name)))
subprocess.Popen.__init__ = fatal(subprocess.Popen.__init__)
armed = 1
"""


@pytest.mark.parametrize("lost", [False, True], ids=["with a runner", "without one"])
def test_what_is_found_fits_the_effect(make_rig, tmp_path, fifo, wait, lost):
    seen = []
    for count in range(1, 60):
        effect = tmp_path / f"effect-{count}"
        rig = make_rig(KILL_AT.replace("COUNT", str(count)), opened=False)
        step = f"echo x >> {effect}; echo out; echo y > $DURUN_OUTPUT; exit 7"
        rig.hands.send([rig.order("sh", "-c", step)])
        survived = finish(rig, lost)
        found = settle(rig, tmp_path, wait)
        effects = effect.read_text().count("x") if effect.exists() else 0
        seen.append(type(found))
        if isinstance(found, NeverBegan):
            assert effects == 0
        if isinstance(found, Recorded):
            assert (effects, found.record.exit_code) == (1, 7)
        assert effects <= 1
        if survived:
            break
    assert survived and seen[-1] is Recorded
    assert {NeverBegan, Unknown, Recorded} <= set(seen)
    assert seen == sorted(seen, key=[NeverBegan, Unknown, Recorded].index), "from one to the next, never back"


def finish(rig, lost):
    """Let it come as far as it can; whether it lived to the end."""
    try:
        rig.wait(Ended)
    except AssertionError:
        rig.wait_for_end()
        return False
    if lost:
        rig.leave()
        return rig.wait_for_end() == 0
    rig.hands.close(10)
    return True


def settle(rig, tmp_path, wait):
    """Examine it once what is left of it has ended.

    A process that was just started holds the supervisor's lock for a moment, until the kernel closes it in execve(2).
    """

    def look():
        found = examine(rig.run_folder, 1, rig.nonce(), 1, here(tmp_path), here(tmp_path))
        return None if isinstance(found, Orphaned | Alive) else found

    return wait(look)
