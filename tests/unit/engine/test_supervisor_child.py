"""What a step gets, what is told of its end, and what of its output is kept."""

import hashlib
import json
import os
import resource
from pathlib import Path

import pytest

from durun.engine.local.wire import Ended


def test_exit_code_and_both_streams_are_told(rig):
    ended = rig.script("echo out; echo err >&2; exit 7")
    assert (ended.record.reason, ended.record.exit_code, ended.record.signal) == ("exit", 7, None)
    assert (rig.text("stdout"), rig.text("stderr")) == ("out\n", "err\n")
    assert ended.record.log["stdout"] == {"bytes": 4, "sha256": hashlib.sha256(b"out\n").hexdigest(), "cut": False}


def test_a_step_that_writes_nothing_leaves_no_log(rig):
    ended = rig.run("true")
    assert ended.record.exit_code == 0 and ended.record.log == {}
    assert [path.name for path in rig.folder().iterdir()] == ["gate"]


def test_a_kill_from_outside_is_told_as_the_signal(rig):
    """Row 46: an operator's kill -9 of the step alone is no exit code."""
    started = rig.start("sleep", "100")
    os.kill(started.pid, 9)
    record = rig.wait(Ended).record
    assert (record.reason, record.exit_code, record.signal) == ("exit", None, 9)


def test_the_streams_are_in_order_of_arrival(rig, fifo, wait):
    rig.hands.send([rig.order("sh", "-c", f"exec 3< {fifo}; echo 1; read a <&3; echo 2 >&2; read a <&3; echo 3")])
    with fifo.open("w") as pipe:
        for number in (1, 2):
            wait(lambda number=number: len(rig.log()) >= number)
            print(file=pipe, flush=True)
    rig.wait(Ended)
    assert rig.log() == [("stdout", b"1\n"), ("stderr", b"2\n"), ("stdout", b"3\n")]


def test_binary_output_comes_back_byte_by_byte(rig, python):
    rig.run(python, "-c", "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3)")
    assert b"".join(data for _, data in rig.log()) == bytes(range(256)) * 3


def test_a_character_split_over_two_writes_is_kept_whole(rig, fifo, wait):
    rig.hands.send([rig.order("sh", "-c", rf"printf 'a\303'; read x < {fifo}; printf '\244b'")])
    with fifo.open("w") as pipe:
        wait(rig.log)
        pipe.write("\n")
    rig.wait(Ended)
    assert rig.log() == [("stdout", b"a"), ("stdout", "äb".encode())]


def test_a_character_cut_off_at_the_end_is_kept_as_it_is(rig):
    rig.script(r"printf 'x\303'")
    assert b"".join(data for _, data in rig.log()) == b"x\xc3"


def test_stdin_is_the_text_or_nothing(rig):
    text = "grüße " * 100_000
    assert rig.run("sha256sum", stdin=text).record.exit_code == 0
    assert rig.text().split()[0] == hashlib.sha256(text.encode()).hexdigest()
    rig.run("cat", number=2)
    assert rig.log(2) == []


def test_a_step_need_not_read_its_stdin(rig):
    assert rig.run("true", stdin="x" * 1_000_000).record.exit_code == 0


def test_the_environment_is_the_orders_with_nonce_and_output(rig, python):
    rig.run(
        python,
        "-c",
        "import os, json; print(json.dumps(dict(os.environ)))",
        env={"A": "grün"},
    )
    seen = json.loads(rig.text())
    seen.pop("LC_CTYPE", None)
    assert seen == {
        "PATH": os.environ["PATH"],
        "A": "grün",
        "DURUN_NONCE": rig.nonce(),
        "DURUN_OUTPUT": str(rig.folder() / "output"),
    }


def test_bytes_that_are_no_utf8_reach_the_step(rig):
    rig.run("printenv", "A", env={"A": b"\xff\xfe".decode("utf-8", "surrogateescape")})
    assert rig.log() == [("stdout", b"\xff\xfe\n")]


def test_the_step_leads_a_group_of_its_own_and_has_usual_signals(rig, python):
    program = (
        "import os, signal; print(os.getpgid(0) == os.getpid(), os.getcwd(), "
        "[s.name for s in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE) "
        "if signal.getsignal(s) == signal.SIG_IGN and s != signal.SIGPIPE], signal.pthread_sigmask(0, []))"
    )
    rig.run(python, "-c", program, cwd="/usr")
    assert rig.text() == "True /usr [] set()\n"


def test_no_descriptor_of_the_supervisor_is_inherited(rig):
    rig.script("ls /proc/self/fd")
    assert rig.text().split() == ["0", "1", "2", "3"]  # 3 is what ls reads the folder with


def test_a_command_that_is_not_there(rig):
    record = rig.run("no-such-command", "x").record
    assert (record.reason, record.exit_code, record.error) == (
        "not_started",
        None,
        "command not found: no-such-command",
    )


def test_a_command_that_is_not_executable(rig, tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert rig.run(str(tmp_path / "tool")).record.error == f"command not executable: {tmp_path}/tool"
    assert rig.run("./tool", cwd=str(tmp_path), number=2).record.error == "command not executable: ./tool"


def test_a_command_without_its_interpreter(rig, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("#!/no/such/sh\n")
    tool.chmod(0o755)
    assert rig.run(str(tool)).record.error == f"the interpreter that {tool} names is not found"


def test_a_command_that_is_no_program(rig, tmp_path):
    tool = tmp_path / "tool"
    tool.write_text("echo hi\n")
    tool.chmod(0o755)
    assert "neither a program" in rig.run(str(tool)).record.error


def test_a_working_directory_that_is_not_there(rig):
    record = rig.run("true", cwd="/no/such/place").record
    assert (record.reason, record.error) == ("not_started", "working directory not found: /no/such/place")


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["true", "a\0b"], "null byte"), ([], "no command"), (["true", "x" * 200_000], "too long")],
)
def test_arguments_that_no_process_can_have(rig, argv, said):
    record = rig.run(*argv).record
    assert record.reason == "not_started" and said in record.error


def test_a_daemon_left_behind_is_not_waited_for_and_lives_on(rig, alive):
    ended = rig.script("sleep 100 & echo $!")
    daemon = int(rig.text())
    assert ended.record.exit_code == 0 and alive(daemon)
    os.kill(daemon, 9)


def test_output_of_children_that_outlive_the_step_a_little_is_kept(rig, fifo):
    """The pipes are read to their end, if that comes soon."""
    rig.hands.send([rig.order("sh", "-c", f"(read x < {fifo}; echo late) & exit 0")])
    fifo.write_text("\n")
    assert rig.wait(Ended).record.exit_code == 0
    assert rig.text() == "late\n"


def test_output_is_cut_at_the_cap_with_a_mark_and_the_digest_of_the_whole(rig):
    ended = rig.script("head -c 5000 /dev/zero | tr '\\0' x; echo more >&2; echo end", output_cap=1000)
    whole = b"x" * 5000 + b"end\n"
    assert ended.record.log["stdout"] == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest(), "cut": True}
    assert ended.record.log["stderr"]["cut"] is True
    assert rig.log()[-1] == ("mark", b"the output is cut here: 1000 bytes are kept")
    assert rig.text() == "x" * 1000


def test_redacted_output_is_not_kept(rig):
    record = rig.script("echo geheim", redact=True).record
    assert record.log["stdout"]["bytes"] == 7
    assert not (rig.folder() / "log").exists()


def test_a_gigabyte_takes_constant_memory_and_starves_nobody(rig):
    size = 1 << 30
    rig.start("head", "-c", str(size), "/dev/zero", number=1)
    answers = [rig.run("true", number=number) for number in range(2, 12)]
    assert all(isinstance(reply, Ended) for reply in answers)
    assert not any(isinstance(reply, Ended) for reply in rig.replies), "the small ones came first"
    record = rig.wait(Ended, 1, patience=50).record
    assert record.log["stdout"]["bytes"] == size and record.log["stdout"]["cut"]
    peak = next(line for line in Path(f"/proc/{rig.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 64 * 1024
    assert (rig.folder() / "log").stat().st_size < 20 << 20


def test_a_full_disk_cuts_the_log_and_nothing_else(make_rig):
    """A limit on the size of files refuses like a full disk; only the exit record's room is there before."""
    limited = make_rig("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))")
    ended = limited.script("for i in 1 2 3 4 5 6 7 8 9; do head -c 2000 /dev/zero | tr '\\0' x; done; exit 4")
    assert ended.record.exit_code == 4 and ended.problem == ""
    assert ended.record.log["stdout"]["bytes"] == 18000 and ended.record.log["stdout"]["cut"]
    stream, text = limited.log()[-1]
    assert stream == "mark" and b"cut here: File too large" in text
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 8192


def test_many_attempts_at_once(rig):
    rig.hands.send([rig.order("sh", "-c", "echo $DURUN_NONCE", number=number) for number in range(1, 41)])
    for number in range(1, 41):
        assert rig.wait_for_process(number)
    for number in range(1, 41):
        assert rig.wait(Ended, number).record.exit_code == 0
        assert rig.text(number=number) == f"{rig.nonce(number)}\n"


def test_a_step_has_three_descriptors_and_no_other(rig):
    assert rig.script("ls /proc/self/fd").record.exit_code == 0
    # `ls` itself has the folder that it lists open.
    assert rig.text().split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize(("name", "code"), [("plain", 0), ("other", 127)])
def test_a_command_is_found_by_the_path_of_the_step(rig, tmp_path, name, code):
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "plain").write_text("not executable")
    (folders[1] / "plain").write_text("#!/bin/sh\nexit 0\n")
    (folders[1] / "plain").chmod(0o755)
    record = rig.run(name, env={"PATH": f"{folders[0]}:{folders[1]}"}).record
    assert record.exit_code == (0 if code == 0 else None)
    assert (record.reason == "not_started") == (code != 0)
