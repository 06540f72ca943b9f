"""A disk that is full or broken, and a kill in the middle of a COMMIT: the real command on a real file system."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from crash.harness import Bench

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")

THREE = """
steps:
  - id: one
    run: 'eval "$MARK"; echo x=1 >> "$DURUN_OUTPUT"'
    outputs: {x: {type: integer}}
  - id: hosts
    targets: [a, b]
    max_parallel: 2
    run: eval "$MARK"
  - id: three
    run: 'test "$X" = 1; eval "$MARK"'
    env: {X: "${{ steps.one.outputs.x }}"}
"""
ALL = {"one": 1, "hosts/a": 1, "hosts/b": 1, "three": 1}


def strace(calls: str, inject: str) -> list[str]:
    """Meddle with system calls of the runner only: what it starts is not followed."""
    return ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{inject}"]


def on(bench: Bench, room: Path) -> None:
    """Put the state directory there."""
    bench.home = room / "state"
    bench.env["DURUN_HOME"] = str(bench.home)


@pytest.mark.fault(21)
def test_disk_full_at_the_journal_and_at_the_exit_record(bench: Bench, room: Path) -> None:
    """The step itself fills the disk. Its exit record was reserved; its outcome can't be committed."""
    on(bench, room)
    book = bench.write(
        f"""
steps:
  - id: one
    run: |
      eval "$MARK"
      cat /dev/zero > {room}/fill 2> /dev/null || true
      exit 0
  - id: two
    run: eval "$MARK"
"""
    )
    ran = bench("run", str(book))
    assert ran.code == 8, ran
    assert "durun resume" in ran.err
    bench.quiet()
    assert bench.effects() == {"one": 1}
    again = bench("resume", bench.last() or "")
    assert again.code == 8, again
    (room / "fill").unlink()
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert bench.task("one")["how"] == "adopted"
    assert bench.effects() == {"one": 1, "two": 1}
    bench.check()


@pytest.mark.fault(23)
def test_a_disk_that_was_mounted_read_only(bench: Bench, room: Path) -> None:
    """Who only looks is refused in the same words: SQLite keeps what readers share beside the journal."""
    on(bench, room)
    book = bench.write("steps: [{id: one, run: 'eval \"$MARK\"'}]")
    assert bench("run", str(book)).code == 0
    read_only = ["unshare", "--mount", "sh", "-c", f'mount -o remount,bind,ro {room} && exec "$@"', "sh"]
    for command in (("run", str(book)), ("resume", "--all"), ("history",), ("show", "@last"), ("verify",)):
        refused = bench(*command, prefix=read_only)
        assert refused.code == 13, refused
        assert "remount it writable" in refused.err
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(21)
def test_disk_full_in_the_output_of_a_step(bench: Bench, room: Path) -> None:
    """The log is cut with a mark, the step goes on; it makes room again before it ends."""
    on(bench, room)
    book = bench.write(
        f"""
steps:
  - id: one
    run: |
      head -c 300000 /dev/zero > {room}/balloon
      head -c 6000000 /dev/zero | tr '\\0' x
      eval "$MARK"
      rm {room}/balloon
"""
    )
    ran = bench("run", str(book))
    assert ran.code == 0, ran
    assert bench.effects() == {"one": 1}
    log = bench.task("one")["attempts"][0]["log"]["stdout"]
    assert log["bytes"] == 6_000_000
    assert log["cut"] is True
    marks = [line for line in bench("logs", bench.last() or "", "--json").lines if line.get("stream") == "mark"]
    assert "No space left" in marks[-1]["text"]


@pytest.mark.fault(21)
def test_disk_full_before_the_run(bench: Bench, room: Path) -> None:
    on(bench, room)
    book = str(bench.write(THREE))
    with (room / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError, match="No space"):
        while True:
            fill.write(bytes(4096))
    ran = bench("run", book)
    assert ran.code == 8, ran
    assert not bench.effects()
    (room / "fill").unlink()
    assert bench("run", book).code == 0
    assert bench.effects() == ALL


@pytest.mark.fault(21)
def test_a_small_disk_with_small_blocks_that_is_full(bench: Bench, tmp_path: Path) -> None:
    """What SQLite shares beside the journal is mapped: there, such a disk kills (SIGBUS) instead of refusing."""
    place, image = tmp_path / "small", tmp_path / "image"
    place.mkdir()
    with image.open("wb") as made:
        made.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", "-O", "^has_journal", "-m", "0", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(place)], capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own can't be mounted here (needs root)")
    try:
        on(bench, place)
        book = str(bench.write(THREE))
        assert bench("run", book).code == 0
        with (place / "fill").open("wb", buffering=0) as fill, pytest.raises(OSError, match="No space"):
            while True:
                fill.write(bytes(1024))
        for command in (("history",), ("show", "@last"), ("verify",), ("run", book)):
            refused = bench(*command)
            assert (refused.code, refused.err) == (
                8,
                f"durun: the disk is full: {bench.home}\n  hint: make room there, then try again\n",
            )
        (place / "fill").unlink()
        bench.check()
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("most", [9, 11, 13, 15])
def test_no_more_files_can_be_opened(bench: Bench, most: int) -> None:
    """Wherever the limit is met: what helps is a higher limit, and not room on the disk."""
    book = str(bench.write(THREE))
    ran = bench("run", book, prefix=["prlimit", f"--nofile={most}"])
    assert ran.code == 4, ran
    assert "allow more: ulimit -n 1024" in ran.err or "bash can't be started: Too many open files" in ran.out, ran
    assert "room" not in ran.err, ran
    assert not bench.effects()
    bench("resume", "--all", "--failed")
    assert bench.effects() in ({}, ALL)


@needs_strace
@pytest.mark.fault(22)
@pytest.mark.parametrize("when", ["2", "5", "9", "12+"])
@pytest.mark.parametrize("call", ["fdatasync", "fsync", "pwrite64"])
def test_broken_disk(bench: Bench, call: str, when: str) -> None:
    """EIO: nothing more is started, nothing that was acknowledged is lost."""
    book = str(bench.write(THREE))
    ran = bench("run", book, prefix=strace(call, f"error=EIO:when={when}"))
    assert ran.code in (0, 8), ran
    if ran.code == 8:
        assert len(ran.err.splitlines()) <= 2
        run = bench.last()
        assert run is None or f"durun resume {run}" in ran.err
        ran = bench("run", book) if run is None else bench("resume", run)
        assert ran.code == 0, ran
    elif when == "12+":
        # The run has fewer calls of this kind; else it had to notice.
        assert call == "fsync"
    assert bench.effects() == ALL
    bench.check()


@needs_strace
@pytest.mark.fault(5)
@pytest.mark.parametrize("first", range(1, 7))
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_kill_in_the_middle_of_a_commit(bench: Bench, call: str, first: int) -> None:
    """At every seventh or so system call with which the runner writes its journal."""
    stride = {"fdatasync": 6, "pwrite64": 18}[call]
    hit, killed = first * stride // 6, True
    while killed and hit < 6 * stride:
        folder = bench.folder / str(hit)
        folder.mkdir()
        trial = Bench(folder)
        book = str(trial.write(THREE))
        ran = trial("run", book, prefix=strace(call, f"signal=KILL:when={hit}"))
        killed = ran.code != 0
        run = trial.last()
        if run is not None:
            trial.check()
        if killed:
            ran = trial("run", book) if run is None else trial("resume", run)
        assert ran.code == 0, ran
        assert trial.effects() == ALL
        trial.check()
        trial.close()
        hit += stride


@pytest.mark.fault(24)
def test_older_copy_of_the_journal_is_refused_before_anything_is_done_again(bench: Bench) -> None:
    """It is whole in itself: that it is old shows only by the attempts that it does not know."""
    book = bench.write('steps:\n  - {id: one, run: test -e go}\n  - {id: two, run: eval "$MARK"; exit 1}')
    assert bench("run", str(book)).code == 1
    run, journal = bench.last() or "", bench.home / "journal.db"
    copy = journal.read_bytes()
    (bench.book / "go").touch()
    assert bench("resume", run).code == 1
    newest = journal.read_bytes()
    journal.write_bytes(copy)
    refused = bench("resume", run)
    assert refused.code == 7, refused
    assert "older copy" in refused.err
    assert bench.effects() == {"two": 1}
    journal.write_bytes(newest)
    assert bench("resume", run).code == 1
    assert bench.effects() == {"two": 2}


@pytest.mark.fault(3, 24)
def test_folders_that_were_made_ahead_are_no_attempts_that_the_journal_lacks(bench: Bench) -> None:
    names = [f"s{number}" for number in range(1, 7)]
    steps = "".join(f"  - {{id: {name}, run: 'eval \"$MARK\"; echo said'}}\n" for name in names)
    book = bench.write(f"steps:\n{steps}")
    assert bench.crash("run", str(book), at="runner land.before 4")[0]
    bench.quiet()
    run = bench.last() or ""
    folders = list((bench.home / "runs" / run / "attempts").iterdir())
    assert len(folders) > len([folder for folder in folders if any(folder.iterdir())]) == 4
    assert bench("resume", run).code == 0
    assert bench.effects() == dict.fromkeys(names, 1)
    bench.check()


@pytest.mark.fault(21)
@pytest.mark.parametrize("collect", ["run: cat $BIG, as: it", "files: [big]"])
def test_disk_full_of_evidence(bench: Bench, room: Path, collect: str) -> None:
    """What could not be kept is not done: nothing more is started, and with room it is taken whole."""
    on(bench, room)
    (bench.book / "big").write_bytes(b"x" * (12 << 20))
    book = bench.write(
        f"""
steps:
  - id: one
    collect: {{{collect}}}
    env: {{BIG: {bench.book}/big}}
    idempotent: true
  - id: two
    run: eval "$MARK"
""".replace("    env", "    env" if "run" in collect else "#   env")
    )
    ran = bench("run", str(book))
    assert (ran.code, "its evidence could not be kept: No space left on device" in ran.err) == (8, True), ran
    bench.quiet()
    for path in room.glob("state/runs/*/attempts/*/*"):
        if path.stat().st_size > 1 << 20:
            path.unlink()
    (bench.book / "big").write_bytes(b"y" * 1000)
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    first, second = bench.task("one")["attempts"]
    assert (first["status"], first["evidence"]) == ("in_doubt", None)
    assert [item["bytes"] for item in second["evidence"]["items"].values()] == [1000]
    assert bench.effects() == {"two": 1}
    bench.check()
