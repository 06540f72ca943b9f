"""Where we are: equal as long as a missing gate proves something."""

import os
import shutil
import subprocess
import sys

import pytest

from durun.engine.local import place, procs


def test_the_place_stays_the_same(tmp_path):
    assert place.here(tmp_path) == place.here(tmp_path)
    assert place.here(tmp_path).host == os.uname().nodename


def test_another_process_is_at_the_same_place(tmp_path):
    program = (
        f"from pathlib import Path; from durun.engine.local.place import here; print(here(Path({str(tmp_path)!r})))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=path())
    assert told.stdout.strip() == repr(place.here(tmp_path))


def path():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_the_mount_id_is_one_that_the_kernel_never_gives_out_twice(tmp_path):
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if os.uname().sysname == "Linux" and release >= (6, 8):
        assert place.mount_id(tmp_path).startswith("unique:")


def test_an_older_kernel_tells_the_mount_too(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "_unique_mount_id", lambda path: "")
    assert place.mount_id(tmp_path).startswith("mount:") and " device:" in place.mount_id(tmp_path)


def in_new_namespaces(*options, script):
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, *options, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make namespaces")
    return subprocess.run(
        [unshare, *options, "sh", "-c", script], capture_output=True, text=True, check=True, env=path()
    )


def test_unmounting_and_mounting_again_is_another_place(tmp_path):
    ask = f"{sys.executable} -c 'from pathlib import Path; from durun.engine.local.place import mount_id; "
    ask += f'print(mount_id(Path("{tmp_path}")))' + "'"
    mount = f"mount -t tmpfs none {tmp_path}"
    told = in_new_namespaces("--mount", script=f"{mount}; {ask}; umount {tmp_path}; {mount}; {ask}; umount {tmp_path}")
    first, second = told.stdout.split()
    assert first != second


def test_another_pid_namespace_is_another_place():
    ask = f"{sys.executable} -c 'from durun.engine.local.procs import pid_namespace; print(pid_namespace())'"
    told = in_new_namespaces("--pid", "--fork", "--mount-proc", script=ask)
    assert told.stdout.strip() not in ("", procs.pid_namespace())
