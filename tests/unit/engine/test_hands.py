"""The runner's side, and what the supervisor loads."""

import os
import signal
import subprocess
import sys

from durun.engine.local.hands import _places
from durun.engine.local.wire import Gone

EXPENSIVE = (
    "dataclasses",
    "inspect",
    "asyncio",
    "datetime",
    "typer",
    "rich",
    "yaml",
    "jsonschema",
    "jinja2",
    "sqlite3",
)


def test_the_supervisor_loads_the_standard_library_and_its_formats_only():
    program = (
        f"import sys; sys.path += {_places()!r}; import durun.engine.local.supervisor.main; print(*sorted(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = told.stdout.split()
    ours = {name for name in loaded if name.startswith("durun.")}
    formats = {
        f"durun.engine.local.{name}"
        for name in ("folder", "names", "procs", "records", "scope", "secret_files", "wire")
    }
    assert {name for name in ours if ".supervisor" not in name} == {"durun.engine", "durun.engine.local", *formats}
    assert not set(loaded) & set(EXPENSIVE)


def test_the_supervisor_can_redact_and_seal_where_durun_is_installed():
    program = (
        f"import sys; sys.path += {_places()!r}; from durun.secrets.redact import Redactor; "
        "from durun.secrets.seal import new_key; redactor = Redactor(); "
        "assert 'ahocorasick_rs' not in sys.modules and 'cryptography' not in sys.modules; "
        "redactor.add(['a-secret']); print(redactor.scrub('this is a-secret'), len(new_key()))"
    )
    told = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "this is *** 2\n"


def test_a_killed_supervisor_is_told_once_after_its_last_replies(rig):
    started = rig.start("sleep", "100")
    rig.kill()
    os.kill(started.pid, signal.SIGKILL)
    assert rig.wait(Gone) == Gone()
    assert rig.hands.receive() == [] and not rig.hands.unsent


def test_orders_to_a_dead_supervisor_do_no_harm(rig):
    rig.kill()
    rig.hands.send([rig.order("true")])
    assert rig.wait(Gone) == Gone()


def test_a_stopped_supervisor_blocks_nobody(rig):
    os.kill(rig.pid, signal.SIGSTOP)
    rig.hands.send([rig.order("true", stdin="x" * 5_000_000)])
    assert rig.hands.unsent and rig.hands.receive() == []


def test_close_takes_the_exit_status(rig):
    rig.run("true")
    rig.hands.close(10)
    try:
        os.waitpid(rig.pid, os.WNOHANG)
    except ChildProcessError:
        return
    raise AssertionError("a zombie was left")
