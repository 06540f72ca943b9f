"""What must stay out of sight of an attempt: redaction, sealed outputs, secret files, held streams, keyed digests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import resource
import shutil
from pathlib import Path

import pytest

from durun.engine.local.folder import read_gate, seal_context, sealed_path
from durun.engine.local.secret_files import memory_place
from durun.engine.local.wire import Discretion, Ended, RedactOrder
from durun.secrets.seal import new_key, unseal
from stored import everything

PRIVATE, PUBLIC = new_key()
DIGEST_KEY = b"k" * 32
SECRET = "correct-horse-battery"


def discreet(files=None, held=False, stdout=False):
    return Discretion(files or {}, PUBLIC.hex(), DIGEST_KEY.hex(), held, stdout)


@pytest.fixture
def knowing(rig):
    """A supervisor that knows the secret."""
    rig.hands.send([RedactOrder([SECRET])])
    return rig


def opened(rig, number=1):
    """What was sealed of an attempt."""
    sealed = Path(sealed_path(rig.folder(number)))
    parts = json.loads(unseal(PRIVATE, sealed.read_bytes(), seal_context(rig.folder(number))))
    return {name: base64.b64decode(part) if isinstance(part, str) else part for name, part in parts.items()}


def test_a_known_value_is_redacted_before_it_is_written(knowing):
    rig = knowing
    ended = rig.script(f"echo a {SECRET} b; echo {SECRET} >&2", discretion=discreet())
    assert (rig.text("stdout"), rig.text("stderr")) == ("a *** b\n", "***\n")
    told = ended.record.log["stdout"]
    digest = hashlib.sha256(b"a *** b\n").hexdigest()
    assert told == {"bytes": 8, "sha256": digest, "cut": False, "redacted": True}
    assert SECRET.encode() not in everything(rig.run_folder)


def test_a_value_that_is_written_in_pieces_is_redacted(knowing, fifo, wait):
    rig = knowing
    rig.hands.send(
        [rig.order("sh", "-c", f"printf 'x correct-'; read a < {fifo}; echo horse-battery", discretion=discreet())]
    )
    with fifo.open("w") as pipe:
        wait(lambda: rig.text("stdout") == "x ")
        pipe.write("\n")
    rig.wait(Ended)
    assert rig.text("stdout") == "x ***\n"


def test_what_becomes_known_while_a_step_runs_is_redacted_in_the_rest_of_it(rig, fifo, wait):
    rig.hands.send([rig.order("sh", "-c", f"echo a; read a < {fifo}; echo {SECRET}", discretion=discreet())])
    wait(lambda: rig.text("stdout") == "a\n")
    rig.hands.send([RedactOrder([SECRET])])
    rig.run("true", number=2, discretion=discreet())  # orders are obeyed one after the other
    with fifo.open("w") as pipe:
        pipe.write("\n")
    rig.wait(Ended, 1)
    assert rig.text("stdout") == "a\n***\n"


def test_outputs_come_through_a_pipe_and_are_sealed_before_the_end_is_told(rig):
    rig.script(
        '[ -p "$DURUN_OUTPUT" ] && echo password=x1 >> "$DURUN_OUTPUT"; echo b=2 > "$DURUN_OUTPUT"',
        discretion=discreet(),
    )
    assert opened(rig) == {"output": b"password=x1\nb=2\n"}
    assert (rig.folder() / "output").readlink() == Path("/dev/null")
    assert b"x1" not in everything(rig.run_folder)


def test_outputs_are_sealed_for_their_attempt_only(rig):
    rig.script('echo a=1 >> "$DURUN_OUTPUT"', discretion=discreet())
    sealed = Path(sealed_path(rig.folder())).read_bytes()
    with pytest.raises(Exception, match="another"):
        unseal(PRIVATE, sealed, seal_context(rig.folder(2)))


def test_a_child_that_closes_its_descriptors_can_write_outputs(rig, python):
    program = "import os; os.closerange(3, 100); open(os.environ['DURUN_OUTPUT'], 'a').write('a=1\\n')"
    rig.run(python, "-c", program, discretion=discreet())
    assert opened(rig) == {"output": b"a=1\n"}


def test_many_outputs_are_all_taken(rig, python):
    rig.run(
        python, "-c", "import os; open(os.environ['DURUN_OUTPUT'], 'a').write('x' * 3_000_000)", discretion=discreet()
    )
    assert len(opened(rig)["output"]) == 3_000_000


def test_a_step_that_gives_nothing_leaves_nothing_sealed(rig):
    rig.run("true", discretion=discreet())
    assert {path.name for path in rig.folder().iterdir()} == {"gate", "output"}


def test_the_runner_gone_the_outputs_are_sealed_and_the_record_is_durable(rig, fifo):
    rig.hands.send([rig.order("sh", "-c", f'read a < {fifo}; echo p=q >> "$DURUN_OUTPUT"', discretion=discreet())])
    rig.wait_for_process()
    rig.leave()
    with fifo.open("w") as pipe:
        pipe.write("\n")
    rig.wait_for_end()
    assert opened(rig) == {"output": b"p=q\n"}
    assert read_gate(rig.folder()).exit.synced


def test_a_step_with_secret_outputs_is_held_back(rig):
    ended = rig.script("echo out; echo err >&2", discretion=discreet(held=True))
    assert not (rig.folder() / "log").exists()
    parts = opened(rig)
    assert "stdout" not in parts
    assert [base64.b64decode(text) for _, text in parts["stderr"]] == [b"err\n"]
    keyed = hmac.new(DIGEST_KEY, b"out\n", "sha256").hexdigest()
    assert ended.record.log["stdout"] == {"bytes": 4, "hmac_sha256": keyed, "cut": True}


def test_stdout_is_sealed_where_an_output_comes_from_it(rig):
    rig.script("echo the-token", discretion=discreet(held=True, stdout=True))
    assert opened(rig)["stdout"] == b"the-token\n"
    assert b"the-token" not in everything(rig.run_folder)


def test_of_a_step_that_shows_nothing_only_what_an_output_comes_from_is_sealed(rig):
    rig.script("echo the-token; echo more >&2", redact=True, discretion=discreet(held=True, stdout=True))
    assert opened(rig) == {"stdout": b"the-token\n"}


def test_what_is_not_kept_has_a_keyed_digest(rig):
    ended = rig.script("echo 1234", redact=True, discretion=discreet())
    keyed = hmac.new(DIGEST_KEY, b"1234\n", "sha256").hexdigest()
    assert ended.record.log == {"stdout": {"bytes": 5, "hmac_sha256": keyed, "cut": True}}


def test_secret_files_are_in_memory_private_and_gone_afterwards(rig):
    files = {"KEY_FILE": "-----KEY-----\n", "OTHER": "x"}
    rig.script(
        'stat -c "%a %F %U" "$KEY_FILE"; cat "$KEY_FILE"; echo "$KEY_FILE"; echo "$OTHER"',
        discretion=discreet(files=files),
    )
    facts, content, path, other = rig.text("stdout").splitlines()
    assert facts.startswith("600 regular file") and content == "-----KEY-----"
    assert path.startswith(memory_place()) and path != other
    assert not Path(path).parent.exists()


def test_secret_files_are_gone_when_the_command_is_not_there(rig):
    rig.run("no-such-command", discretion=discreet(files={"KEY_FILE": "x"}))
    assert not Path(f"{memory_place()}/durun-{rig.nonce()}").exists()


def test_a_folder_that_is_there_already_is_not_used(rig):
    foreign = Path(f"{memory_place()}/durun-{rig.nonce()}")
    foreign.mkdir()
    try:
        ended = rig.run("true", discretion=discreet(files={"KEY_FILE": "x"}))
        assert ended.record.reason == "not_started" and "exists" in ended.record.error
    finally:
        shutil.rmtree(foreign, ignore_errors=True)


def test_nothing_is_written_where_there_is_no_memory(monkeypatch, tmp_path):
    from durun.engine.local import secret_files

    place = tmp_path / "disk"
    place.mkdir()
    monkeypatch.setattr(secret_files, "_places", lambda: iter([str(place)]))
    with pytest.raises(OSError, match="no file system in memory"):
        secret_files.write_secret_files("n", {"A": "x"})
    assert not list(place.iterdir())


def test_no_core_is_dumped_of_a_supervisor_that_knows_secrets(rig):
    rig.run("true", discretion=discreet())
    soft, _ = resource.prlimit(rig.pid, resource.RLIMIT_CORE)
    assert soft <= 1


def test_outputs_that_cannot_be_sealed_leave_no_record_of_a_good_end(rig):
    broken = discreet()._replace(seal_key="00" * 32)
    ended = rig.script('echo a=1 >> "$DURUN_OUTPUT"', discretion=broken)
    assert "could not be sealed" in ended.problem
    assert read_gate(rig.folder()).exit is None


def test_a_step_whose_supervisor_was_killed_can_write_its_outputs_and_end(rig, fifo, wait, alive):
    rig.hands.send([rig.order("sh", "-c", f'read a < {fifo}; echo p=q >> "$DURUN_OUTPUT"', discretion=discreet())])
    step = rig.wait_for_process()
    rig.kill()
    with fifo.open("w") as pipe:
        pipe.write("\n")
    wait(lambda: not alive(step.pid))


def test_a_daemon_that_a_step_leaves_is_not_waited_for(rig, fifo):
    after = fifo.with_name("after")
    os.mkfifo(after)
    late = f'(read a < {fifo}; echo b=2 >> "$DURUN_OUTPUT"; read a < {after}) >/dev/null 2>&1 &'
    ended = rig.script(f'echo a=1 >> "$DURUN_OUTPUT"; {late} exit 0', discretion=discreet())
    assert ended.record.exit_code == 0 and opened(rig) == {"output": b"a=1\n"}
    for asked in (fifo, after):
        with asked.open("w") as pipe:
            pipe.write("\n")
    assert b"b=2" not in everything(rig.run_folder)
