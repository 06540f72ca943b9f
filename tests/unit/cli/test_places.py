"""Every command where the state directory is no fit place, and where its output goes nowhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BOOK = "durun: 1\nname: backup\nsteps: [{id: dump, run: 'echo done >>EFFECTS', idempotent: true}]\n"
RUN = "mqczv9hckw"

CHANGING = (
    "run BOOK", "run BOOK --resume-or-start -q", "run BOOK --request-id k --json", f"resume {RUN}", "resume --all",
    f"cancel {RUN} --reason x", f"settle {RUN} dump --done --reason x", f"approve {RUN}", f"reject {RUN} --reason x",
    f"complete {RUN} dump --note x", f"rollback {RUN}", "reap", "prune --older-than 0s", f"export {RUN} -o OUT.tar.gz",
)  # fmt: skip
LOOKING = (
    "history", "history --json", f"show {RUN}", f"show {RUN} --events", f"logs {RUN}", f"plan {RUN}", f"graph {RUN}",
    "verify", f"report {RUN} -o OUT.html", "report --controls", "secret list", "secret key", "doctor",
)  # fmt: skip
ELSEWHERE = (
    "plan BOOK",
    "graph BOOK",
    "validate BOOK",
    "secret check BOOK",
    "schema",
    "man",
    "completion bash",
    "--help",
)
"""Commands that need no state directory."""

DRIVER = """
import json, os, sys
from durun.cli.main import run
from durun.journal import place
asked = json.load(sys.stdin)
place.NETWORK |= set(asked["network"])
out, err = (os.open(asked["scratch"] + name, os.O_RDWR | os.O_CREAT, 0o600) for name in ("/out", "/err"))
for words in asked["commands"]:
    for descriptor in (out, err):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
    if (child := os.fork()) == 0:
        os.dup2(out, 1)
        os.dup2(err, 2)
        code = run(words)
        sys.stdout.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    texts = [os.pread(descriptor, 1 << 20, 0).decode() for descriptor in (out, err)]
    os.write(3, json.dumps([code, *texts]).encode() + b"\\n")
"""
"""Runs each of the commands in a fork, so that Python starts but once."""


@pytest.fixture
def commands(tmp_path: Path, home: Path) -> Callable[..., Iterator[tuple[str, int, str, str]]]:
    """Runs command lines as their user and no more: root, too, is stopped by modes of files."""
    book, scratch = tmp_path / "backup.yaml", tmp_path / "scratch"
    book.write_text(BOOK.replace("EFFECTS", str(tmp_path / "effects")))
    scratch.mkdir(mode=0o700)

    def run(lines: tuple[str, ...], network: tuple[str, ...] = (), **env: str) -> Iterator[tuple[str, int, str, str]]:
        named = [line.replace("BOOK", str(book)).replace("OUT", str(scratch / "out")).split() for line in lines]
        plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        script = ["sh", "-c", 'exec "$@" 3>&1 >&2', "sh", *plain, sys.executable, "-c", DRIVER]
        asked = json.dumps({"commands": named, "scratch": str(scratch), "network": network})
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DURUN_HOME": str(home), **env}
        done = subprocess.run(script, input=asked, env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for line, answer in zip(lines, done.stdout.splitlines(), strict=True):
            code, out, err = json.loads(answer)
            yield line, code, out, err

    return run


@pytest.fixture
def state(home: Path, recorded, request: pytest.FixtureRequest) -> Iterator[str]:
    """A run that was interrupted, in a place that is made unfit; what is said of it."""
    if (kind := request.param).startswith("fs ") and os.geteuid() != 0:
        pytest.skip("mounts need root")
    if kind.startswith("fs "):
        home.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "none", home], check=True)
    recorded.running(RUN, steps=["dump"], text=BOOK)
    journal = home / "journal.db"
    try:
        yield spoil(kind, home, journal)
    finally:
        if kind.startswith("fs "):
            subprocess.run(["umount", home], check=True)
        else:
            home.chmod(0o700)
            if os.geteuid() == 0:
                os.chown(home, 0, 0)


def spoil(kind: str, home: Path, journal: Path) -> str:
    match kind:
        case "read-only":
            home.chmod(0o500)
            return f"durun: can't write to {home}\n  hint: chmod u+rwx {home}, or remount it writable\n"
        case "no way in":
            home.chmod(0)
            return f"durun: can't look into {home}\n  hint: chmod u+rwx {home}\n"
        case "of another user":
            if os.geteuid() != 0:
                pytest.skip("only root can give a folder away")
            os.chown(home, 4242, 4242)
            return f"durun: {home} belongs to another user (uid 4242)\n  hint: set DURUN_HOME to a folder of your own\n"
        case "open":
            home.chmod(0o755)
            return f"durun: {home} is open to other users (mode 0755)\n  hint: chmod 700 {home}\n"
        case "journal open":
            journal.chmod(0o644)
            return f"durun: {journal} is open to other users (mode 0644)\n  hint: chmod 600 {journal}\n"
        case "journal read-only":
            journal.chmod(0o400)
            return f"durun: can't write to {journal}\n  hint: chmod u+rw {journal}, or remount it writable\n"
        case "fs read-only":
            subprocess.run(["mount", "-o", "remount,ro", home], check=True)
            return f"durun: can't write to {home}\n  hint: chmod u+rwx {home}, or remount it writable\n"
        case _:
            hint = "set DURUN_HOME to a folder on a local disk"
            return f"durun: {home} is on a network file system (tmpfs)\n  hint: {hint}\n"


def in_two_lines(err: str) -> str:
    """An error as people see it, if it is in JSON."""
    if not err.startswith("{"):
        return err
    error = json.loads(err)["error"]
    return f"durun: {error['message']}\n  hint: {error['hint']}\n"


PLACES = (
    "read-only",
    "no way in",
    "of another user",
    "open",
    "journal open",
    "journal read-only",
    "fs read-only",
    "fs network",
)


@pytest.mark.fault(23)
@pytest.mark.parametrize("state", PLACES, indirect=True)
def test_no_command_works_in_a_place_that_is_unfit_and_each_says_what_mends_it(state, commands, tmp_path, request):
    network = ("tmpfs",) if request.node.callspec.params["state"] == "fs network" else ()
    for line, code, out, err in commands(CHANGING, network):
        assert (line, code, out, in_two_lines(err)) == (line, 13, "", state)
    assert not (tmp_path / "effects").exists()
    for line, code, _, err in commands(LOOKING, network):
        if line == "doctor":
            assert code == 13
        elif code != 0:  # what is there may be looked at, where it can be read
            assert (line, code) == (line, 13), err
            assert re.fullmatch(r"durun: .*\n  hint: .*\n", in_two_lines(err)), err
    for line, code, _, err in commands(ELSEWHERE, network):
        assert (line, code, err) == (line, 0, "")


@pytest.mark.parametrize("state", PLACES[:-1], indirect=True)
def test_the_doctor_mends_modes_and_leaves_alone_what_is_not_yours(state, commands, home, request):
    kind = request.node.callspec.params["state"]
    owner = home.stat().st_uid
    (_, code, out, err), *rest = commands(("doctor --fix --json", "history --json"))
    found = json.loads(out)
    assert err == ""
    if kind in ("of another user", "fs read-only"):
        assert (code, found["mended"], home.stat().st_uid) == (13, [], owner)
        return
    assert (code, "state_directory" in found["mended"]) == (0, True)
    assert [path.stat().st_mode & 0o777 for path in (home, home / "journal.db")] == [0o700, 0o600]
    assert rest[0][1] == 0


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HOME": "", "TERM": "", "LANG": "C", "LC_ALL": "C"},
        {"HOME": "relative", "TERM": "nonsense", "LANG": "xx_YY"},
    ],
    ids=["bare", "empty", "odd"],
)
def test_no_command_needs_more_than_a_path(recorded, commands, env, home):
    recorded.running(RUN, steps=["dump"], text=BOOK)
    for line, code, out, err in commands((*LOOKING, *ELSEWHERE), **env):
        assert (line, code) == (line, 0), err
        assert out or line in ("report --controls", f"report {RUN} -o OUT.html", f"logs {RUN}")
        assert "Traceback" not in err


@pytest.mark.fault(40)
@pytest.mark.parametrize("line", ["--version", "__complete show ", f"show {RUN}", "history --json", "man", "--help"])
@pytest.mark.parametrize(
    ("redirect", "codes"),
    [(">&-", {0}), ("| true", {0}), (">/dev/full", {0, 8})],
    ids=["closed", "nobody reads", "full"],
)
def test_what_can_t_be_written_is_no_traceback(durun_process, recorded, line, redirect, codes):
    recorded.running(RUN, steps=["dump"], text=BOOK)
    process = durun_process(*line.split(" "), redirect=redirect, stderr=subprocess.PIPE)
    said = process.communicate()[1].decode()
    assert process.returncode in codes
    assert said.count("\n") == (2 if process.returncode and "--json" not in line else bool(process.returncode))
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_setpriv_is_here():
    """Without it the places above would be fit for root."""
    assert shutil.which("setpriv") or os.geteuid() != 0
