from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jeepney import HeaderFields, message_bus
from jeepney.io.blocking import DBusConnection, Proxy

from daemons.keyring import Keyring, bus_at, needs_keyring, start_bus, unlocked_keyring
from durun.errors import SecretUnavailable
from durun.secrets.keyrings import WorkerKeyring

__all__ = ["unlocked_keyring"]
HERE = Path(__file__).parent
LOCKED = "the keyring is locked, and nobody can unlock it here"
NONE = "no keyring can be used here: none is running, or it can't be reached"


@contextlib.contextmanager
def worker(environ: Mapping[str, str], limit: float = 10.0, patience: float = 0.0) -> Iterator[WorkerKeyring]:
    keyring = WorkerKeyring(environ, limit, patience)
    try:
        yield keyring
    finally:
        keyring.close()


def refusal(environ: Mapping[str, str], **more: float) -> SecretUnavailable:
    with worker(environ, **more) as keyring, pytest.raises(SecretUnavailable) as caught:
        keyring.get("db", "app")
    return caught.value


def odd(name: str, **more: str) -> dict[str, str]:
    return {"PYTHONPATH": str(HERE), "PYTHON_KEYRING_BACKEND": f"odd_keyrings.{name}", **more}


def names_what_would_work(error: SecretUnavailable) -> bool:
    return all(source in error.hint for source in ("`env`", "`file`", "systemd credential", "`command`"))


# -- none ----------------------------------------------------------------------------------------------------------


@pytest.mark.fault(30)
def test_with_nothing_at_all_the_sources_that_would_work_are_named():
    error = refusal({})
    assert error.message == NONE
    assert names_what_would_work(error)


@pytest.mark.fault(30)
@pytest.mark.parametrize("address", ["unix:path=/nowhere", "rubbish", "", "unix:abstract=durun-nobody"])
def test_a_bus_that_is_not_there(address):
    assert refusal({"DBUS_SESSION_BUS_ADDRESS": address}).message == NONE


@needs_keyring
@pytest.mark.fault(30)
def test_a_bus_on_which_nobody_keeps_secrets(tmp_path):
    with start_bus(tmp_path) as env:
        assert refusal(env).message == NONE


def test_a_backend_that_can_t_be_used_is_told_and_not_raised():
    with worker({}) as keyring:
        backend = keyring.backend()
    assert (backend.name, backend.usable) == ("keyring.backends.fail.Keyring", False)
    assert backend.why_not == "none is running, or it can't be reached"


@needs_keyring
def test_a_keyring_that_is_started_later_is_found(unlocked_keyring, tmp_path):
    unlocked_keyring.put("db", "app", "hunter22")
    later = tmp_path / "later"
    with worker({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={later}"}) as keyring:
        with pytest.raises(SecretUnavailable):
            keyring.get("db", "app")
        later.symlink_to(path_of(unlocked_keyring))
        assert keyring.get("db", "app") == "hunter22"


@needs_keyring
def test_a_bus_that_takes_its_time_is_waited_for(unlocked_keyring, tmp_path):
    unlocked_keyring.put("db", "app", "hunter22")
    path = tmp_path / "slow"
    with socket.socket(socket.AF_UNIX) as slow, ThreadPoolExecutor() as pool:
        slow.bind(str(path))
        slow.listen()
        with worker({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}"}) as keyring:
            found = pool.submit(keyring.get, "db", "app")
            unanswered, _ = slow.accept()
            with unanswered:
                path.unlink()
                path.symlink_to(path_of(unlocked_keyring))
                assert found.result() == "hunter22"


def path_of(keyring: Keyring) -> str:
    """The socket of its bus."""
    return dict(part.split("=") for part in keyring.address.removeprefix("unix:").split(","))["path"]


# -- locked --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def hold_prompter(address: str) -> Iterator[DBusConnection]:
    """A desktop at which nobody sits: its question for the password stays open for ever."""
    with bus_at(address) as connection:
        Proxy(message_bus, connection).RequestName("org.gnome.keyring.SystemPrompter")
        yield connection


@pytest.fixture
def prompter(unlocked_keyring: Keyring) -> Iterator[DBusConnection]:
    with hold_prompter(unlocked_keyring.address) as connection:
        yield connection


def was_asked(prompter: DBusConnection) -> bool:
    with contextlib.suppress(TimeoutError):
        while True:
            message = prompter.receive(timeout=0)
            if message.header.fields.get(HeaderFields.member) == "BeginPrompting":
                return True
    return False


@needs_keyring
@pytest.mark.fault(30)
def test_of_a_locked_keyring_nobody_is_asked_for_the_password(unlocked_keyring, prompter):
    unlocked_keyring.lock()
    error = refusal(unlocked_keyring.env)
    assert error.message == LOCKED
    assert "unlock it first" in error.hint
    assert names_what_would_work(error)
    assert not was_asked(prompter)


@needs_keyring
@pytest.mark.fault(30)
def test_somebody_at_the_desktop_is_asked_but_not_for_ever(unlocked_keyring, prompter):
    unlocked_keyring.lock()
    with worker(unlocked_keyring.env, patience=0.5) as keyring:
        keyring.backend()  # it has started: what it is asked next takes no time but its patience
        keyring._limit = 2.0
        with pytest.raises(SecretUnavailable, match=LOCKED):
            keyring.get("db", "app")
    assert was_asked(prompter)


@needs_keyring
@pytest.mark.fault(30)
def test_a_keyring_that_was_never_made_is_locked_too(tmp_path):
    """To make it would ask for a new password."""
    with start_bus(tmp_path, activates=True) as env, hold_prompter(env["DBUS_SESSION_BUS_ADDRESS"]) as prompter:
        assert refusal(env).message == LOCKED
        assert not was_asked(prompter)


@needs_keyring
def test_putting_and_deleting_need_it_unlocked(unlocked_keyring):
    unlocked_keyring.put("db", "app", "old")
    unlocked_keyring.lock()
    with worker(unlocked_keyring.env) as keyring:
        for call in (lambda: keyring.put("db", "app", "new"), lambda: keyring.delete("db", "app")):
            with pytest.raises(SecretUnavailable, match=LOCKED):
                call()


# -- what hangs or dies --------------------------------------------------------------------------------------------


@needs_keyring
@pytest.mark.fault(30)
def test_a_daemon_that_does_not_answer_is_given_up(unlocked_keyring):
    pid = daemon_pid(unlocked_keyring)
    os.kill(pid, signal.SIGSTOP)
    try:
        with worker(unlocked_keyring.env) as keyring:
            usual, keyring._limit = keyring._limit, 1.0
            with pytest.raises(SecretUnavailable, match="it gives no answer within 1 s"):
                keyring.get("db", "app")
            keyring._limit = usual
            os.kill(pid, signal.SIGCONT)
            assert keyring.get("db", "app") is None
    finally:
        os.kill(pid, signal.SIGCONT)


def daemon_pid(keyring: Keyring) -> int:
    with bus_at(keyring.address) as connection:
        return int(Proxy(message_bus, connection).GetConnectionUnixProcessID("org.freedesktop.secrets")[0])


@pytest.mark.parametrize("name", ["Hangs", "HangsAtStart"])
def test_a_backend_that_hangs_is_killed(name):
    with worker(odd(name), limit=1.5) as keyring:
        for _ in range(2):
            with pytest.raises(SecretUnavailable, match=r"it gives no answer within 1\.5 s"):
                keyring.get("db", "app")
            assert children() == []


def test_a_backend_that_takes_the_worker_with_it():
    assert refusal(odd("Ends")).message == "the keyring can't be used here: it ended without an answer"


def test_the_answer_to_a_request_that_was_given_up_is_never_taken_for_another():
    with worker(odd("Talks"), limit=0.0) as keyring, pytest.raises(SecretUnavailable):
        keyring.get("db", "app")
    assert children() == []


def children() -> list[str]:
    """The workers of this process that are there."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in found if b"durun.secrets.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


# -- what talks ----------------------------------------------------------------------------------------------------


def test_what_a_library_prints_is_neither_an_answer_nor_seen(capfd):
    with worker(odd("Talks")) as keyring:
        assert keyring.get("db", "app") == "hunter22"
    assert capfd.readouterr() == ("", "")


def test_an_error_is_one_line_without_the_value():
    with worker(odd("CantStore")) as keyring, pytest.raises(SecretUnavailable) as caught:
        keyring.put("db", "app", "hunter22")
    assert caught.value.message == "the keyring did not do it: PasswordSetError: can't store *** here"


ON_A_TERMINAL = """
import sys
from durun.errors import SecretUnavailable
from durun.secrets.keyrings import WorkerKeyring
keyring = WorkerKeyring(limit=20)
try:
    keyring.get("db", "app")
except SecretUnavailable as error:
    print(error.message)
keyring.close()
"""


@pytest.mark.fault(30)
def test_a_backend_that_asks_on_the_terminal_finds_none():
    """It is there, and belongs to durun's own process: the worker has let go of it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", ON_A_TERMINAL], {**os.environ, **odd("Asks")})
    said = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 1000):
            said += chunk
    os.waitpid(pid, 0)
    os.close(terminal)
    assert said.decode().strip().startswith("the keyring did not do it: EOFError")


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.fault(30)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("keyring.backends.null.Keyring", "keyring.backends.null.Keyring keeps nothing that is put into it"),
        ("keyring.backends.fail.Keyring", "none is running, or it can't be reached"),
        ("keyrings.alt.file.PlaintextKeyring", "keyrings.alt.file.PlaintextKeyring writes values to a file in clear"),
        ("odd_keyrings.SilentlyNull", "odd_keyrings.SilentlyNull keeps nothing that is put into it"),
        ("odd_keyrings.UnencryptedFileKeyring", "odd_keyrings.UnencryptedFileKeyring writes values to a file in clear"),
        ("odd_keyrings.Rot0", "odd_keyrings.Rot0 writes values to a file in clear"),
    ],
)
def test_a_backend_in_which_values_are_not_safe_is_refused(name, why, tmp_path):
    env = {"PYTHONPATH": str(HERE), "PYTHON_KEYRING_BACKEND": name, "HOME": str(tmp_path)}
    error = refusal(env)
    assert error.message == f"no keyring can be used here: {why}"
    assert names_what_would_work(error)
    with worker(env) as keyring, pytest.raises(SecretUnavailable):
        keyring.put("db", "app", "hunter22")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_backend_by_the_configuration_file_is_refused_as_well(tmp_path):
    folder = tmp_path / "python_keyring"
    folder.mkdir()
    (folder / "keyringrc.cfg").write_text("[backend]\ndefault-keyring=keyrings.alt.file.PlaintextKeyring\n")
    error = refusal({"XDG_CONFIG_HOME": str(tmp_path)})
    assert "keyrings.alt.file.PlaintextKeyring writes values to a file in clear" in error.message


def test_a_backend_that_encrypts_is_not_refused():
    with worker(odd("Encrypts")) as keyring:
        assert keyring.backend() == ("odd_keyrings.Encrypts", True, "")


def test_a_chain_without_members_is_none():
    assert refusal({"PYTHON_KEYRING_BACKEND": "keyring.backends.chainer.ChainerBackend"}).message == NONE


@needs_keyring
def test_of_a_chain_the_first_member_is_used(unlocked_keyring):
    env = {**unlocked_keyring.env, "PYTHON_KEYRING_BACKEND": "keyring.backends.chainer.ChainerBackend"}
    with worker(env) as keyring:
        assert keyring.backend().name == "keyring.backends.SecretService.Keyring"
        keyring.put("db", "app", "hunter22")
    assert unlocked_keyring.get("db", "app") == "hunter22"


@pytest.mark.parametrize("name", ["no_such_module.Keyring", "odd_keyrings.NoSuch", "nonsense", "os.environ"])
def test_a_backend_that_can_t_be_loaded(name):
    env = {"PYTHONPATH": str(HERE), "PYTHON_KEYRING_BACKEND": name}
    assert "the one that is configured can't be loaded" in refusal(env).message


# -- what other programs stored ------------------------------------------------------------------------------------


@needs_keyring
@pytest.mark.parametrize("first", ["durun", "another"])
def test_a_value_takes_the_place_of_what_others_stored_under_the_same_names(unlocked_keyring, first):
    """Programs that describe their entries differently do not replace each other's."""
    with worker(unlocked_keyring.env) as keyring:
        if first == "durun":
            keyring.put("db", "app", "old")
        for program in ("a browser", "a mail program"):
            unlocked_keyring.put("db", "app", f"of {program}", program)
        unlocked_keyring.put("db", "web", "stays", "a browser")
        keyring.put("db", "app", "new")
        assert keyring.get("db", "app") == "new"
        assert keyring.delete("db", "app") is True
        assert keyring.get("db", "app") is None
    assert unlocked_keyring.all("db") == {"web": ["stays"]}


# -- the rest ------------------------------------------------------------------------------------------------------


def test_what_lies_in_the_working_directory_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "keyring.py").write_text("raise SystemExit('not the library')")
    monkeypatch.chdir(tmp_path)
    assert refusal({}).message == NONE


@needs_keyring
def test_nothing_of_a_value_is_in_the_workers_command_or_environment(unlocked_keyring):
    with worker(unlocked_keyring.env) as keyring:
        keyring.put("db", "app", "hunter22")
        (pid,) = children()
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    assert b"hunter22" not in shown


def test_the_worker_ends_with_us(tmp_path):
    script = (
        "import os, sys\n"
        "from durun.secrets.keyrings import WorkerKeyring\n"
        "WorkerKeyring({}).backend()\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(int(ran.stdout))
        import select

        assert select.select([descriptor], [], [], 10)[0], "it is still there"
        os.close(descriptor)
