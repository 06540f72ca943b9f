"""The folder of an attempt: where it is, and the one operation that only one process can win.

`attempts/<number>/` in the run's folder holds `gate` (see `records`), `log` (from the first byte that the step
writes to stdout or stderr), and `output` (what the step writes to `$DURUN_OUTPUT`; in a run that has secrets a pipe,
and what came through it is in `sealed`), and of its evidence `evidence`, `stdout` and
`evidence.json` (see `supervisor.taking`), or `discarded`. Standard library only: the supervisor is built on this, and
every step pays for it: so the files in it are plain strings.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from durun.engine.local.names import attempt_folder, log_path
from durun.engine.local.records import (
    EXIT_AT,
    PROCESS_AT,
    SIZE,
    ExitRecord,
    Gate,
    MainProcess,
    Records,
    exit_region,
    new_gate_file,
    process_region,
    read_records,
)

OUTPUT = "DURUN_OUTPUT"
"""The variable that tells a step where its outputs go."""

STOP = "stop"
"""The file in the run's folder that tells a supervisor without runner to stop what runs."""


def make_attempts(run_folder: Path) -> None:
    """Make the folder of all attempts, before the run is recorded: only then does its absence mean a loss."""
    attempt_folder(run_folder, 0).parent.mkdir(mode=0o700, exist_ok=True)


def output_path(folder: Path) -> str:
    """The attempt's `$DURUN_OUTPUT`; absent if it wrote none."""
    return f"{folder}/output"


def sealed_path(folder: Path) -> str:
    """What the attempt wrote to `$DURUN_OUTPUT` (and, held back, to its streams), sealed; absent if that is nothing."""
    return f"{folder}/sealed"


def evidence_path(folder: Path) -> str:
    """The attempt's `$DURUN_EVIDENCE`; absent once what was left there is taken."""
    return f"{folder}/evidence"


def discarded_path(folder: Path) -> str:
    """Says that the attempt left something in `$DURUN_EVIDENCE` which could be neither redacted nor kept."""
    return f"{folder}/discarded"


def stdout_path(folder: Path) -> str:
    """What the attempt wrote to stdout, where that is evidence; absent once it is taken."""
    return f"{folder}/stdout"


def manifest_path(folder: Path) -> str:
    """What was taken as evidence of the attempt; absent if that is nothing."""
    return f"{folder}/evidence.json"


def store_path(run_folder: Path) -> str:
    """Where the evidence of a run is, each piece under its SHA-256."""
    return f"{run_folder}/evidence"


def seal_context(folder: Path) -> str:
    """What the attempt's sealed file is bound to: its run and its number."""
    return f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}"


def gate_path(folder: Path) -> str:
    """The attempt's gate."""
    return f"{folder}/gate"


def lock_path(run_folder: Path, session: int) -> Path:
    """The file that a session's supervisor holds an `flock` on as long as it lives."""
    return run_folder / f"supervisor-{session}.lock"


def make_folder(folder: Path) -> bool:
    """Make the attempt's folder; False if it was there. Raises OSError."""
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102  (every step pays for it)
    except FileExistsError:
        return False
    except FileNotFoundError:
        folder.parent.mkdir(0o700, exist_ok=True)
        folder.mkdir(0o700, exist_ok=True)
    return True


def remove_unused(run_folder: Path, last: int) -> None:
    """Remove the empty folders after that of the last attempt: they were made ahead for some that did not come."""
    with suppress(OSError):
        while True:
            last += 1
            attempt_folder(run_folder, last).rmdir()


def discard_evidence(folder: Path) -> str:
    """Remove what lies in the attempt's `$DURUN_EVIDENCE`; what is to be said of it, or "" if there never was anything.

    Whoever comes later says the same, also after one that was cut off in this.
    """
    place, discarded = evidence_path(folder), discarded_path(folder)
    with suppress(OSError):
        os.rmdir(place)  # noqa: PTH106  (if nothing was left in it)
    try:
        if os.path.lexists(place):
            os.makedirs(discarded, 0o700, exist_ok=True)  # noqa: PTH103
            remove_all(place)
    except OSError as error:
        return f"what it left as evidence can't be removed, and secrets may be in it: {error.strerror}"
    removed = os.path.lexists(discarded)
    return "what it left as evidence is removed, for secrets may be in it" if removed else ""


def remove_all(place: str) -> None:
    """Remove a file, or a folder with what is in it, also where folders in it may not be written to; nothing if there
    is none. Raises OSError.
    """
    if os.path.islink(place) or not os.path.isdir(place):  # noqa: PTH112, PTH114
        with suppress(FileNotFoundError):
            os.unlink(place)  # noqa: PTH108
        return
    import shutil  # most leave nothing that is to be removed

    _open_up(place)
    for root, names, _ in os.walk(place):
        for name in names:
            _open_up(f"{root}/{name}")
    while os.path.isdir(place):  # noqa: PTH112
        with suppress(FileNotFoundError):  # a capture that is just ending clears up as well
            shutil.rmtree(place)


def _open_up(folder: str) -> None:
    if not os.path.islink(folder):  # noqa: PTH114
        with suppress(OSError):  # somebody else's: whether it can be removed is seen then
            os.chmod(folder, 0o700)  # noqa: PTH101


def write_script(path: Path, script: str) -> None:
    """Write a file that only its owner may read, whatever the umask is. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(script)


def make_gate(folder: Path, gate: Gate) -> int | None:
    """Put the gate into place, whole or not at all: an open descriptor of it, or None if one was there already.

    Raises OSError if it could not be written: then there is none, or it is somebody else's.
    """
    draft = f"{folder}/gate.{os.urandom(8).hex()}"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if os.pwrite(descriptor, new_gate_file(gate), 0) != SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), draft)
        os.link(draft, gate_path(folder))
    except FileExistsError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        os.unlink(draft)  # noqa: PTH108
    return descriptor


def write_process(gate: int, process: MainProcess) -> None:
    """Note which process was started, in the open gate. Raises OSError."""
    os.pwrite(gate, process_region(process), PROCESS_AT)


def write_exit(gate: int, record: ExitRecord) -> None:
    """Note how the attempt ended, in the open gate. Raises OSError."""
    os.pwrite(gate, exit_region(record), EXIT_AT)


def read_gate(folder: Path) -> Records | None:
    """What the gate says, or None if there is none. Raises OSError if that can't be told."""
    try:
        return read_records(Path(gate_path(folder)).read_bytes())
    except FileNotFoundError:
        return None


def sync_results(folder: Path, run_folder: Path) -> None:
    """Make the attempt's log and outputs durable, and the folders in which they are. Raises OSError."""
    for file in (log_path(folder), output_path(folder)):
        sync(file)
    for place in (folder, folder.parent, run_folder):
        sync(place)


def sync(path: Path | str) -> None:
    """Make a file's content, or a folder's names, durable; nothing if it is not there. Raises OSError."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
