"""A step by a plugin in the middle of which durun is killed: the tickets that it has opened are counted."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from crash.harness import POINTS_OF_A_STEP, Bench, wait_until
from packages import install

PLUGIN = """\
import json, os
from pathlib import Path
from durun.plugins import Action, Done, NotDone, Output

class Blind(Action):
    schema = {"properties": {"system": {"type": "string"}}, "required": ["system"]}
    outputs = {"number": Output("integer")}

    def run(self, call):
        system = Path(call.with_["system"])
        path = system / f"{os.getpid()}.json"
        path.write_text(json.dumps({"key": call.idempotency_key}))
        print("opened", flush=True)
        if (system / "gate").exists():
            (system / "gate").read_bytes()
        return {"number": 7}

class Ticket(Blind):
    def verify(self, call):
        keys = [json.loads(path.read_text())["key"] for path in Path(call.with_["system"]).glob("*.json")]
        return Done({"number": 7}) if call.idempotency_key in keys else NotDone("no such ticket")
"""
STEPS = """
steps:
  - id: change
    uses: %s
    with: {system: "%s"}
%s
  - {id: next, run: 'eval "$MARK"', idempotent: true}
"""


class Shop:
    """The ticket system of a bench, with the plugin installed."""

    def __init__(self, bench: Bench, *, gate: bool = False) -> None:
        self.system = bench.folder / "tickets"
        self.system.mkdir()
        self.gate = self.system / "gate"
        if gate:
            os.mkfifo(self.gate)
        site = bench.folder / "site"
        install(site, PLUGIN, actions={"shop.ticket": "Ticket", "shop.blind": "Blind"})
        bench.env["PYTHONPATH"] += f"{os.pathsep}{site}"

    def keys(self) -> Counter[str]:
        """How often a ticket was opened, by key."""
        return Counter(json.loads(path.read_text())["key"] for path in self.system.glob("*.json"))

    def open(self) -> int:
        """Wait until the plugin is at its gate. What it was to do has been done by then."""
        descriptor = os.open(self.gate, os.O_WRONLY)
        self.gate.unlink()
        return descriptor


@pytest.fixture
def shop(bench: Bench) -> Shop:
    return Shop(bench, gate=True)


def start(bench: Bench, shop: Shop, action: str = "shop.ticket", more: str = "") -> tuple[int, int]:
    """Start a run and wait until the plugin is in the middle: the pid of the runner, and what holds its gate."""
    process = bench.start("run", str(bench.write(STEPS % (action, shop.system, more))))
    return process.pid, shop.open()


@pytest.mark.fault(3, 4)
@pytest.mark.parametrize("ended", ["before", "after"])
def test_a_killed_runner_costs_nothing(bench: Bench, shop: Shop, ended: str) -> None:
    runner, gate = start(bench, shop)
    bench.kill(runner)
    if ended == "before":
        os.close(gate)
        wait_until(lambda: not bench.processes())
        ran = bench("resume", bench.last() or "")
    else:
        process = bench.start("resume", bench.last() or "")
        os.close(gate)
        ran = bench.finish(process)
    assert ran.code == 0, ran
    assert list(shop.keys().values()) == [1]
    task = bench.task("change")
    assert (task["how"], task["outputs"]) == ("adopted", {"number": 7})
    assert bench.effects() == {"next": 1}
    bench.check()


@pytest.mark.fault(9, 17)
@pytest.mark.parametrize("worker", ["lives", "is killed"])
@pytest.mark.parametrize(("action", "code"), [("shop.ticket", 0), ("shop.blind", 3)])
def test_with_the_supervisor_gone_only_the_plugin_can_tell(
    bench: Bench, shop: Shop, worker: str, action: str, code: int
) -> None:
    runner, gate = start(bench, shop, action)
    steps = bench.steps()
    bench.kill(runner, *bench.supervisors())
    if worker == "is killed":
        bench.kill(*steps)
    os.close(gate)
    wait_until(lambda: not bench.steps())
    ran = bench("resume", bench.last() or "")
    assert ran.code == code, ran
    assert list(shop.keys().values()) == [1]
    if code == 0:
        assert (bench.task("change")["how"], bench.task("change")["outputs"]) == ("verified", {"number": 7})
    else:
        assert bench("resume", bench.last() or "").code == 3
        assert list(shop.keys().values()) == [1]
    bench.check()


@pytest.mark.fault(9)
def test_what_is_idempotent_is_done_again_under_the_same_key(bench: Bench, shop: Shop) -> None:
    runner, gate = start(bench, shop, "shop.blind", "    idempotent: true")
    bench.kill(runner, *bench.supervisors(), *bench.steps())
    os.close(gate)
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert list(shop.keys().values()) == [2]


@pytest.mark.fault(46)
def test_a_killed_worker_is_a_doubt_at_once(bench: Bench, shop: Shop) -> None:
    process = bench.start("run", str(bench.write(STEPS % ("shop.blind", shop.system, ""))))
    gate = shop.open()
    bench.kill(*bench.steps())
    os.close(gate)
    ran = bench.finish(process)
    assert ran.code == 3, ran
    assert bench.task("change")["reason"] == f"ended by signal {int(signal.SIGKILL)}"


@pytest.mark.fault(15)
def test_a_cancel_in_the_middle_is_a_doubt(bench: Bench, shop: Shop) -> None:
    runner, gate = start(bench, shop, "shop.blind")
    bench.kill(runner)
    ran = bench("cancel", bench.last() or "", "--reason", "enough")
    os.close(gate)
    assert ran.code in (3, 12), ran
    assert bench.task("change")["status"] == "in_doubt"
    assert list(shop.keys().values()) == [1]


def test_a_timeout_is_a_doubt_that_the_plugin_ends(bench: Bench, shop: Shop) -> None:
    book = str(bench.write(STEPS % ("shop.ticket", shop.system, "    timeout: 100ms")))
    process = bench.start("run", book, env={"CRASH_PATIENT": "1"})
    gate = shop.open()
    ran = bench.finish(process)
    os.close(gate)
    assert ran.code == 0 and "stopped at its timeout" in ran.out, ran
    assert (bench.task("change")["how"], list(shop.keys().values())) == ("verified", [1])


@pytest.mark.fault(1, 2, 3, 4, 8, 9)
@pytest.mark.parametrize("at", POINTS_OF_A_STEP)
def test_killed_anywhere_it_is_done_once_and_nobody_is_asked(bench: Bench, at: str) -> None:
    """Every hit of the point. Its own `verify` ends each doubt, once what it left behind has ended."""
    hit, sprung = 0, True
    while sprung:
        hit += 1
        (bench.folder / str(hit)).mkdir()
        trial = Bench(bench.folder / str(hit))
        shop = Shop(trial)
        book = str(trial.write(STEPS % ("shop.ticket", shop.system, "")))
        sprung, ran = trial.crash("run", book, at=f"{at} {hit}")
        assert sprung or hit > 1, "the point is not reached at all: does it still have this name?"
        while ran.code != 0:
            wait_until(lambda trial=trial: not trial.steps())
            ran = trial("resume", trial.last() or "") if trial.last() else trial("run", book)
        assert list(shop.keys().values()) == [1], (at, hit)
        trial.check()
        trial.close()


def test_no_plugin_s_code_is_in_the_runner(bench: Bench) -> None:
    """Loaded where it must not be, this one would end the process."""
    shop = Shop(bench)
    trap = "import os, sys\nif 'durun.plugins' not in ' '.join(sys.orig_argv): os._exit(9)\n"
    install(bench.folder / "site", trap + PLUGIN)
    ran = bench("run", str(bench.write(STEPS % ("shop.ticket", shop.system, ""))))
    assert ran.code == 0 and Path(shop.system).exists(), ran
