"""Evidence of an attempt: what is taken, where it is, what is said of it; whatever happens to the supervisor."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import tracemalloc
from glob import escape
from pathlib import Path

import pytest

from durun.engine.local.folder import read_gate
from durun.engine.local.supervisor import capture
from durun.engine.local.wire import Collect, Discretion, Ended, RedactOrder

SECRET = "correct-horse-battery"


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    """The folder of an attempt."""
    folder = tmp_path / "run" / "attempts" / "1"
    folder.mkdir(parents=True)
    return folder


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest(rig, ended, number=1):
    """What the exit record names."""
    content = (rig.folder(number) / "evidence.json").read_bytes()
    assert ended.record.evidence == digest(content)
    return json.loads(content)


def kept(rig, item):
    """The content of a piece, which nobody can write any more."""
    path = rig.run_folder / "evidence" / item["sha256"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    content = path.read_bytes()
    assert (digest(content), len(content)) == (item["sha256"], item["bytes"])
    return content


def test_what_is_left_in_the_folder_is_taken(rig):
    text = 'mkdir "$DURUN_EVIDENCE/deep"; echo one > "$DURUN_EVIDENCE/a"; echo two > "$DURUN_EVIDENCE/deep/b c"'
    ended = rig.script(text, collect=Collect())
    taken = manifest(rig, ended)
    assert {name: kept(rig, item) for name, item in taken["items"].items()} == {"a": b"one\n", "deep/b c": b"two\n"}
    assert taken["host"] == socket.gethostname()
    assert taken["uid"] == os.getuid()
    assert taken["command"] == ["sh", "-c", text]
    assert taken["items"]["a"]["source"] == "$DURUN_EVIDENCE/a"
    assert "problems" not in taken
    assert not (rig.folder() / "evidence").exists()


def test_a_step_that_leaves_nothing_pays_nothing(rig):
    ended = rig.script('test -d "$DURUN_EVIDENCE"', collect=Collect())
    assert (ended.record.exit_code, ended.record.evidence, ended.record.lost) == (0, "", "")
    assert [path.name for path in rig.folder().iterdir()] == ["gate"]
    assert not (rig.run_folder / "evidence").exists()


def test_an_empty_folder_is_lent_again_and_nobody_finds_the_next_one_by_its_old_name(rig, fifo):
    late = f'(read x < {fifo}; echo late > "$DURUN_EVIDENCE/late") 2>/dev/null & stat -c %i "$DURUN_EVIDENCE"'
    first = rig.script(f"exec 2>&-; {late}; exec >&-", collect=Collect())
    text = f'stat -c %i "$DURUN_EVIDENCE"; echo > {fifo}; echo x > "$DURUN_EVIDENCE/mine"'
    second = rig.script(text, number=2, collect=Collect())
    assert rig.text(number=1) == rig.text(number=2)
    assert first.record.evidence == ""
    assert list(manifest(rig, second, 2)["items"]) == ["mine"]
    rig.hands.close(20)
    assert list(rig.run_folder.glob("spare-*")) == []


def test_a_stdout_is_taken_whole_and_is_no_log(rig):
    ended = rig.script("echo noise >&2; seq 1 200000", collect=Collect("numbers", "stdout"), output_cap=10)
    (item,) = manifest(rig, ended)["items"].values()
    assert kept(rig, item) == b"".join(b"%d\n" % number for number in range(1, 200_001))
    assert [stream for stream, _ in rig.log()] == ["stderr"]


def test_a_stdout_that_is_empty_is_evidence_too(rig):
    ended = rig.script("exit 3", collect=Collect("nothing", "stdout"))
    assert ended.record.exit_code == 3
    assert kept(rig, manifest(rig, ended)["items"]["nothing"]) == b""


def test_files_are_taken_without_any_command(rig, tmp_path):
    tmp_path = tmp_path / "a [b] *"
    tmp_path.mkdir()
    (tmp_path / "a.log").write_text("a")
    (tmp_path / "b.log").write_text("b")
    (tmp_path / ".c.log").write_text("a")
    ended = rig.run(cwd=str(tmp_path), collect=Collect(globs=["*.log", f"{escape(str(tmp_path))}/b.log", "a.log"]))
    assert ended.record.exit_code == 0
    taken = manifest(rig, ended)
    assert {name: kept(rig, item) for name, item in taken["items"].items()} == {
        ".c.log": b"a",
        "a.log": b"a",
        "b.log": b"b",
        f"{tmp_path}/b.log": b"b",
    }
    assert len(list((rig.run_folder / "evidence").iterdir())) == 2  # the same content is there once
    assert taken["command"][0] == "collect"


def test_what_can_not_be_taken_is_said_and_the_rest_is_taken(rig, tmp_path):
    (tmp_path / "there").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    ended = rig.run(cwd=str(tmp_path), collect=Collect(globs=["there", "pipe", "not-there*"]))
    taken = manifest(rig, ended)
    assert list(taken["items"]) == ["there"]
    assert taken["problems"] == ["pipe: not a regular file", "nothing matches not-there*"]


def test_two_pieces_of_one_name_are_not_taken_for_one(rig):
    ended = rig.script('echo x; echo y > "$DURUN_EVIDENCE/n"', collect=Collect("n", "stdout"))
    taken = manifest(rig, ended)
    assert kept(rig, taken["items"]["n"]) == b"x\n"
    assert taken["problems"] == ["two pieces of evidence are named n"]
    assert (rig.folder() / "evidence" / "n").read_text() == "y\n"


def test_hostile_names_can_be_printed(rig):
    ended = rig.script("printf x > \"$DURUN_EVIDENCE/$(printf 'a\\033[2Jb\\n\\377')\"", collect=Collect())
    assert list(manifest(rig, ended)["items"]) == ["a\\x1b[2Jb\\x0a\\xff"]


def test_secrets_are_taken_out_before_anything_is_hashed(rig, tmp_path):
    rig.hands.send([RedactOrder([SECRET])])
    (tmp_path / "conf").write_text(f"key={SECRET}\n")
    discretion = Discretion({}, "", b"k".hex())
    written = f'echo a {SECRET}; echo b {SECRET} > "$DURUN_EVIDENCE/{SECRET}"'
    for number, (argv, collect) in enumerate(
        [(("sh", "-c", written), Collect("out", "stdout")), ((), Collect(globs=[f"{tmp_path}/*"]))], 1
    ):
        ended = rig.run(*argv, number=number, collect=collect, discretion=discretion)
        taken = manifest(rig, ended, number)
        assert all(item["redacted"] for item in taken["items"].values())
        assert all(b"***" in kept(rig, item) for item in taken["items"].values())
        assert SECRET not in json.dumps(taken)
    assert not any(SECRET.encode() in path.read_bytes() for path in rig.run_folder.rglob("*") if path.is_file())


def test_nothing_stays_in_clear_beside_what_can_not_be_taken(rig):
    rig.hands.send([RedactOrder([SECRET])])
    left = f'echo {SECRET} > "$DURUN_EVIDENCE/{SECRET}"; ln -s nowhere "$DURUN_EVIDENCE/{SECRET}.link"'
    ended = rig.run("sh", "-c", left, collect=Collect(), discretion=Discretion({}, "", b"k".hex()))
    taken = manifest(rig, ended)
    assert kept(rig, taken["items"]["***"]) == b"***\n"
    assert taken["problems"] == ["***.link: No such file or directory"]
    for path in rig.run_folder.rglob("*"):
        assert SECRET not in path.name
        assert not (path.is_file() and SECRET.encode() in path.read_bytes())


@pytest.mark.parametrize("redacted", [False, True])
def test_gigabytes_go_through_in_constant_memory(attempt, tmp_path, redacted):
    from durun.secrets.redact import Redactor

    redactor = Redactor()
    redactor.add([SECRET])
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(96 << 20)
    work = capture.Capture(attempt, ["x"], [str(big)], "/", None, redactor.stream if redacted else None)
    tracemalloc.start()
    try:
        assert work.run() == 0
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_too_many_files_are_not_all_taken(attempt, tmp_path, monkeypatch):
    monkeypatch.setattr(capture, "MOST_ITEMS", 3)
    for number in range(5):
        (tmp_path / f"{number}.log").write_text("x")
    assert capture.Capture(attempt, ["x"], ["*.log"], str(tmp_path), None, None).run() == 0
    taken = json.loads((attempt / "evidence.json").read_text())
    assert len(taken["items"]) == 3
    assert taken["problems"] == ["more than 3 files: pack them into one"] * 2


def test_evidence_of_a_step_that_is_stopped_is_taken(rig, wait):
    rig.start("sh", "-c", 'echo x > "$DURUN_EVIDENCE/a"; echo y; sleep 100', collect=Collect("out", "stdout"))
    wait((rig.folder() / "stdout").exists)
    rig.stop()
    ended = rig.wait(Ended)
    assert ended.record.reason == "cancel"
    assert {kept(rig, item) for item in manifest(rig, ended)["items"].values()} == {b"x\n", b"y\n"}


def test_files_whose_reading_hangs_are_given_up_at_the_timeout(rig, tmp_path):
    """Looking for files below a tree without end takes for ever."""
    ended = rig.run(
        collect=Collect(globs=["/proc/*/task/*/net/**/**/**/*"]), timeout=0.3, stop_grace=0.1, cwd=str(tmp_path)
    )
    assert ended.record.reason == "timeout"
    assert ended.record.evidence == ""


def test_without_a_runner_evidence_is_taken_and_durable(rig, fifo):
    rig.start("sh", "-c", f'read x < {fifo}; echo late > "$DURUN_EVIDENCE/a"', collect=Collect())
    rig.leave()
    fifo.write_text("\n")
    assert rig.wait_for_end() == 0
    record = read_gate(rig.folder()).exit
    assert record.synced
    assert kept(rig, manifest(rig, Ended(1, record))["items"]["a"]) == b"late\n"


def test_other_attempts_go_on_while_one_is_captured(rig, tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    rig.hands.send([rig.order(number=1, collect=Collect(globs=[str(big)]))])
    assert rig.run("true", number=2).record.exit_code == 0
    assert (read_gate(rig.folder(1)) or pytest.fail()).exit is None
    rig.stop(1)
    rig.wait(Ended, 1)


def test_a_disk_that_refuses_is_told_as_such(rig):
    (rig.run_folder / "evidence").write_text("in the way")
    ended = rig.script('echo x > "$DURUN_EVIDENCE/a"', collect=Collect())
    assert ended.problem == "its evidence could not be kept: Not a directory"
    assert read_gate(rig.folder()).exit is None
    assert (rig.folder() / "evidence" / "a").read_text() == "x\n"
