"""What chain, register and signatures cost, per event and per run, and what it takes to prove and to export.

By hand: `python tests/bench/bench_audit.py`. Nothing is asserted. The chain's share is measured by itself: there is no
journal without it. A run with and without its signature is measured in turns.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from audited import KEYS, SIGNER, Made, created, session, started, whole  # noqa: E402
from durun.audit.export import export  # noqa: E402
from durun.audit.history import History, prove  # noqa: E402
from durun.audit.opened import prove_bundle  # noqa: E402
from durun.journal.chain import ORIGIN, seal  # noqa: E402
from durun.journal.register import begin, enter  # noqa: E402
from durun.journal.sqlite import open_journal  # noqa: E402
from durun.model import event as ev  # noqa: E402

EVENTS, RUNS = 100_000, 1_000


def each(what: str, times: int, call: Callable[[], object]) -> None:
    begun = time.perf_counter()
    for _ in range(times):
        call()
    print(f"{what:<58} {(time.perf_counter() - begun) / times * 1e6:10.1f} µs")


def once(what: str, call: Callable[[], object]) -> None:
    begun = time.perf_counter()
    call()
    print(f"{what:<58} {time.perf_counter() - begun:10.3f} s")


def per_event() -> None:
    event = started("a", 1, "host-000001")
    body = seal("r", ORIGIN, 1, 1.0, event).body.encode()
    each("an event as a link of the chain, its JSON included", 20_000, lambda: seal("r", ORIGIN, 1, 1.0, event))
    each("of that, the hash", 20_000, lambda: sha256(ORIGIN + body).digest())
    first = begin([], 1.0)
    each("an entry of the register (3 in a run)", 20_000, lambda: enter(first, "run_ended", "r", 1, ORIGIN, 1.0))
    each("a signature (1 in a short run)", 5_000, lambda: SIGNER.sign(body))


def cpu(home: str, book: Path, **more: str) -> float:
    """CPU milliseconds of a run of one step."""
    env = {**os.environ, "DURUN_HOME": home, "PYTHONPATH": str(ROOT), "DURUN_SYSLOG": "", **more}
    command = [sys.executable, "-m", "durun", "run", "-q", str(book)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return (usage.ru_utime + usage.ru_stime) * 1000


def per_run(folder: Path) -> None:
    book = folder / "one.yaml"
    book.write_text("durun: 1\nname: one\nsteps:\n  - {id: a, run: ['true']}\n")
    signed, unsigned = str(folder / "signed"), str(folder / "unsigned")
    for home in (signed, unsigned):
        cpu(home, book)
    (Path(unsigned) / "sign.key").unlink()  # then there is nothing to sign with, and cryptography is not loaded
    turns = [(cpu(signed, book), cpu(unsigned, book)) for _ in range(15)]
    with_it, without = (min(side) for side in zip(*turns, strict=True))
    print(f"{'a run of one step, CPU: signed, and without the key':<58} {with_it:7.1f} and {without:.1f} ms")


def proofs(folder: Path) -> None:
    made = Made(folder / "state")
    made.write("many", [[created("many", tasks=EVENTS), session()]], 1.0)
    with open_journal(made.path) as journal:
        journal.sign_with(SIGNER)
        head = journal.head("many")
        for first in range(0, EVENTS // 2, 1000):
            numbers = range(first, first + 1000)
            batch: list[ev.Event] = [started("b", number + 1, f"h{number}") for number in numbers]
            batch += [ev.TaskSucceeded(step="b", target=f"h{number}", how="ran", exit_code=0) for number in numbers]
            head = journal.append("many", head, batch, 2.0)
        journal.append("many", head, [ev.RunEnded(status="succeeded", exit_code=0)], 3.0)
        history = History(journal, folder / "state" / "runs")
        once(f"verify, one run of {EVENTS} events", lambda: prove(history, "many", KEYS, []))
        bundle: list[bytes] = []
        once("export of it", lambda: bundle.extend(export(history, "many", SIGNER, "gzip", str)))
        content = b"".join(bundle)
        once(f"verify of the bundle ({len(content) >> 10} KiB)", lambda: prove_bundle(io.BytesIO(content), KEYS, []))
    made = Made(folder / "runs")
    for number in range(RUNS):
        made.write(f"r{number:04}", whole("short"), float(number))
    once(f"verify, {RUNS} short runs, all signed", lambda: prove(made.history(), None, KEYS, []))


def main() -> None:
    """Print the table."""
    per_event()
    with tempfile.TemporaryDirectory(prefix="durun-bench-") as name:
        per_run(Path(name))
        proofs(Path(name))


if __name__ == "__main__":
    main()
