from __future__ import annotations

import io
import json
import os
import pty
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemons.keyring import Keyring, needs_keyring, start_keyring

SECRET_SERVICE = "keyring.backends.SecretService.Keyring"
LOCKED = "durun: the keyring is locked, and nobody can unlock it here\n"


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyring]:
    """The caller's keyring."""
    with start_keyring(tmp_path) as found:
        monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
        for name, value in found.env.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keyring, no D-Bus, no home."""
    for name in ("HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What comes in on stdin."""

    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    give(b"")
    return give


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, *argv: str) -> None:
        self.shown = b""
        self._pid, self._end = pty.fork()
        if self._pid == 0:
            os.environ["PYTHONPATH"] = str(Path(__file__).parents[3])
            os.execv(sys.executable, [sys.executable, "-m", "durun", *argv])

    def until(self, text: bytes) -> None:
        """Read on until it shows this, after what was read before."""
        seen = b""
        deadline = time.monotonic() + 30
        while text not in seen:
            assert select.select([self._end], [], [], deadline - time.monotonic())[0], self.shown
            seen += os.read(self._end, 1000)
        self.shown += seen

    def type(self, text: bytes) -> None:
        os.write(self._end, text)

    def end(self) -> int:
        try:
            while chunk := os.read(self._end, 1000):
                self.shown += chunk
        except OSError:
            pass
        os.close(self._end)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


# -- set and delete ------------------------------------------------------------------------------------------------


@needs_keyring
def test_set_reads_the_secret_from_stdin_without_the_newline_at_its_end(durun, keyring, given):
    given(b"hunter22\n")
    ran = durun("secret", "set", "db", "app")
    assert ran == (0, f"service db, username app: stored in the keyring ({SECRET_SERVICE})\n", "")
    assert keyring.get("db", "app") == "hunter22"
    given(b"hunter22")
    assert durun("secret", "set", "db", "app").out == "service db, username app: it had this value already\n"


@needs_keyring
def test_set_on_a_terminal_asks_twice_and_shows_nothing(home, keyring):
    terminal = Terminal("secret", "set", "db", "app")
    terminal.until(b"Secret for service db, username app: ")
    terminal.type(b"hunter22\n")
    terminal.until(b"The same again: ")
    terminal.type(b"hunter22\n")
    assert terminal.end() == 0
    assert keyring.get("db", "app") == "hunter22"
    assert b"hunter22" not in terminal.shown


@needs_keyring
@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (b"hunter22\n", b"hunter23\n", b"these were two different secrets; nothing was stored"),
        (b"\n", b"\n", b"what was typed is empty"),
        (b"\x04", b"", b"no secret was given"),
    ],
)
def test_what_is_typed_wrongly_is_not_stored(home, keyring, first, second, why):
    terminal = Terminal("secret", "set", "db", "app")
    terminal.until(b": ")
    terminal.type(first)
    if second:
        terminal.until(b": ")
        terminal.type(second)
    assert terminal.end() == 2
    assert why in terminal.shown
    assert keyring.all("db") == {}


@needs_keyring
def test_ctrl_c_while_it_asks_stores_nothing(home, keyring):
    terminal = Terminal("secret", "set", "db", "app")
    terminal.until(b": ")
    terminal.type(b"\x03")
    assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
    assert keyring.all("db") == {}


@pytest.mark.fault(30)
def test_without_a_keyring_nobody_is_asked_for_the_secret(home, nothing):
    terminal = Terminal("secret", "set", "db", "app")
    assert terminal.end() == 9
    assert b"Secret for" not in terminal.shown
    assert b"no keyring can be used here: none is running" in terminal.shown


@needs_keyring
@pytest.mark.parametrize("data", [b"", b"\n", b"a\0b", b"\xff", b"x" * ((1 << 20) + 2)])
def test_what_is_no_secret_is_not_stored(durun, keyring, given, data):
    given(data)
    ran = durun("secret", "set", "db", "app")
    assert ran.code == 2
    assert ran.err.startswith("durun: what was given on stdin ")
    assert keyring.all("db") == {}


def test_a_secret_is_never_an_argument(durun):
    ran = durun("secret", "set", "db", "app", "hunter22")
    assert ran.code == 2
    assert "hunter22" not in ran.out


@pytest.mark.parametrize("names", [("", "app"), ("db", "")])
def test_names_are_not_empty(durun, nothing, given, names):
    assert durun("secret", "set", *names).code == 2
    assert durun("secret", "delete", *names).code == 2


def test_duruns_own_key_is_not_touched(durun, nothing, given):
    for verb in ("set", "delete"):
        ran = durun("secret", verb, "durun", "seal key")
        assert ran.code == 2
        assert "where durun keeps its own key" in ran.err


@needs_keyring
def test_delete_removes_whoever_put_it_there_and_what_is_not_there_is_fine(durun, keyring):
    keyring.put("db", "app", "hunter22", "another program")
    ran = durun("secret", "delete", "db", "app")
    assert ran == (0, f"service db, username app: deleted from the keyring ({SECRET_SERVICE})\n", "")
    assert keyring.get("db", "app") is None
    ran = durun("secret", "delete", "db", "app")
    assert ran == (0, f"service db, username app: not in the keyring ({SECRET_SERVICE})\n", "")


@needs_keyring
def test_set_and_delete_for_programs(durun, keyring, given):
    names = {"schema": 1, "service": "db", "username": "app", "keyring": SECRET_SERVICE}
    for verb, status in (("set", "stored"), ("set", "unchanged"), ("delete", "deleted"), ("delete", "not_there")):
        given(b"hunter22")
        assert json.loads(durun("secret", verb, "db", "app", "--json").out) == {**names, "status": status}


@needs_keyring
@pytest.mark.fault(30)
def test_a_locked_keyring_is_said_and_not_waited_for(durun, keyring, given):
    keyring.lock()
    for verb in ("set", "delete"):
        ran = durun("secret", verb, "db", "app")
        assert ran.code == 9
        assert ran.err.startswith(LOCKED)


# -- list ----------------------------------------------------------------------------------------------------------


@needs_keyring
def test_list_has_what_durun_put_and_whether_it_is_still_there(durun, home, keyring, given):
    keyring.put("mail", "me", "not put by durun")
    for username in ("web", "app"):
        given(b"hunter22")
        durun("secret", "set", "db", username)
    keyring.delete("db", "web")
    ran = durun("secret", "list")
    assert ran == (
        0,
        f"keyring: {SECRET_SERVICE}\nSERVICE  USERNAME  STATE\ndb       app       there\ndb       web       gone\n",
        "",
    )
    shown = json.loads(durun("secret", "list", "--json").out)
    assert shown["schema"] == 1
    assert shown["keyring"] == {"name": SECRET_SERVICE, "usable": True, "why_not": ""}
    assert shown["secrets"] == [
        {"service": "db", "username": "app", "state": "there"},
        {"service": "db", "username": "web", "state": "gone"},
    ]
    assert stat.S_IMODE((home / "keyring.json").stat().st_mode) == 0o600
    durun("secret", "delete", "db", "web")
    assert "web" not in durun("secret", "list").out


@needs_keyring
def test_list_of_a_locked_keyring_has_the_names_and_says_why_no_more_is_known(durun, keyring, given):
    given(b"hunter22")
    durun("secret", "set", "db", "app")
    keyring.lock()
    ran = durun("secret", "list")
    assert ran.code == 9
    assert ran.out.endswith("db       app       unknown\n")
    assert ran.err.startswith(LOCKED)


def test_list_without_a_keyring_says_so_and_makes_nothing(durun, home, nothing):
    assert durun("secret", "list") == (0, "keyring: none can be used: none is running, or it can't be reached\n", "")
    assert not home.exists()


@pytest.mark.fault(30)
def test_list_names_a_backend_that_is_refused(durun, home, monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    shown = json.loads(durun("secret", "list", "--json").out)
    assert shown["keyring"] == {
        "name": "keyring.backends.null.Keyring",
        "usable": False,
        "why_not": "keyring.backends.null.Keyring keeps nothing that is put into it",
    }


# -- check ---------------------------------------------------------------------------------------------------------

RUNBOOK = """\
durun: 1
name: rotate
inputs:
  role: {type: string, required: true}
  unasked: {type: string, required: true}
secrets:
  stored: {keyring: {service: db, username: "${{ inputs.role }}"}}
  variable: {env: TOKEN}
  file: {file: key}
  command: {command: [sh, -c, "echo hunter22; echo hunter22 >&2; exit $CODE"]}
  each: {file: "keys/${{ target }}"}
  of_run: {file: "keys/${{ run.id }}"}
steps:
  - id: one
    run: "true"
    env:
      A: ${{ secrets.stored }}
      B: ${{ secrets.variable }}
      C: ${{ secrets.file }}
      D: ${{ secrets.command }}
      E: ${{ secrets.of_run }}
  - id: two
    targets: [a, b]
    run: "true"
    env: {F: "${{ secrets.each }}"}
"""


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    path = tmp_path / "rotate.yaml"
    path.write_text(RUNBOOK)
    return path


@needs_keyring
def test_check_where_all_can_be_had(durun, keyring, runbook, monkeypatch):
    keyring.put("db", "app", "hunter22")
    monkeypatch.setenv("TOKEN", "hunter22")
    monkeypatch.setenv("CODE", "0")
    (runbook.parent / "keys").mkdir()
    for name in ("key", "keys/a", "keys/b"):
        (runbook.parent / name).touch(mode=0o600)
        (runbook.parent / name).write_text("hunter22")
    ran = durun("secret", "check", str(runbook), "-i", "role=app")
    assert ran == (
        0,
        f"keyring: {SECRET_SERVICE}\n"
        "stored    keyring  ok\n"
        "variable  env      ok\n"
        "file      file     ok\n"
        "command   command  ok\n"
        "each      file     ok for all 2 targets\n"
        "of_run    file     later: it depends on the run, and is looked for when that starts\n",
        "",
    )


@pytest.mark.fault(30)
def test_check_where_nothing_can_be_had_says_for_each_why_and_what_to_do(durun, nothing, runbook, monkeypatch):
    monkeypatch.setenv("CODE", "3")
    ran = durun("secret", "check", str(runbook), "-i", "role=app", "--json")
    assert (ran.code, ran.err) == (9, "")
    assert "hunter22" not in ran.out.replace("echo hunter22", "")
    shown = json.loads(ran.out)
    assert (shown["schema"], shown["runbook"], shown["keyring"]["usable"]) == (1, "rotate", False)
    found = {entry["name"]: entry for entry in shown["secrets"]}
    assert {name: entry["verdict"] for name, entry in found.items()} == {
        "stored": "unavailable",
        "variable": "unavailable",
        "file": "unavailable",
        "command": "unavailable",
        "each": "unavailable",
        "of_run": "later",
    }
    assert found["stored"]["why"] == "no keyring can be used here: none is running, or it can't be reached"
    assert found["variable"]["why"] == "the variable TOKEN is not set"
    assert found["file"]["why"] == f"there is no {runbook.parent / 'key'}"
    assert found["each"]["why"] == f"for target a: there is no {runbook.parent / 'keys/a'}"
    assert found["command"]["why"] == "the command sh ended with exit code 3"
    assert all(entry["hint"] for entry in found.values() if entry["verdict"] == "unavailable")
    lines = durun("secret", "check", str(runbook), "-i", "role=app").out.splitlines()
    assert lines[3:5] == [
        "variable  env      the variable TOKEN is not set",
        "                   hint: set it where durun is started",
    ]


def test_check_asks_for_an_input_that_a_secret_depends_on_and_for_no_other(durun, nothing, runbook):
    ran = durun("secret", "check", str(runbook))
    assert ran.code == 9
    assert "stored    keyring  it depends on input `role`, which is not given\n" in ran.out
    assert "hint: give it with -i role=VALUE\n" in ran.out
    assert "unasked" not in ran.out + ran.err


def test_check_takes_inputs_from_a_file(durun, nothing, runbook, tmp_path):
    (tmp_path / "inputs.yaml").write_text("role: app\n")
    ran = durun("secret", "check", str(runbook), "--inputs", str(tmp_path / "inputs.yaml"))
    assert "input `role`" not in ran.out
    assert durun("secret", "check", str(runbook), "-i", "nonsense=1").code == 2


def test_check_of_a_runbook_without_secrets(durun, nothing, tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("durun: 1\nname: plain\nsteps: [{id: one, run: 'true'}]\n")
    assert durun("secret", "check", str(path)) == (0, f"{path}: the runbook names no secrets\n", "")
    assert json.loads(durun("secret", "check", str(path), "--json").out) == {
        "schema": 1,
        "runbook": "plain",
        "keyring": None,
        "secrets": [],
    }


def test_check_of_what_is_no_runbook(durun, nothing, tmp_path):
    (tmp_path / "x.yaml").write_text("a: b")
    assert durun("secret", "check", str(tmp_path / "x.yaml")).code == 2
