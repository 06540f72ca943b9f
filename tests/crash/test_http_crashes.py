"""A request in the middle of which durun is killed: the server counts what it was asked."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from crash.harness import POINTS_OF_A_STEP, Bench, wait_until
from daemons.web import Exchange, Web, web

STEPS = """
steps:
  - id: change
    http: {method: POST, url: "%s/changes", json: {a: 1}}
    outputs: {id: {json: id, type: integer}}
%s
  - {id: next, run: 'eval "$MARK"', idempotent: true}
"""
VERIFY = """
    verify:
      http: {url: "%s/asked/${{ step.idempotency_key }}"}
      not_done_on: [404]
"""


class Late:
    """Answers the first request when a test says so, and all others at once."""

    def __init__(self, server: Web) -> None:
        self.let_go = threading.Event()
        server.on("/changes", self._first, self._say)

    def _first(self, exchange: Exchange) -> None:
        assert self.let_go.wait(50)
        self._say(exchange)

    @staticmethod
    def _say(exchange: Exchange) -> None:
        exchange.say(201, {"id": 7})


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as made:
        yield made


@pytest.fixture
def late(server: Web) -> Iterator[Late]:
    made = Late(server)
    yield made
    made.let_go.set()


def start(bench: Bench, server: Web, more: str = "") -> int:
    """Start a run and wait until the server was asked; the pid of the runner."""
    book = bench.write(STEPS % (server.url, more))
    process = bench.start("run", str(book))
    server.wait_for(1)
    return process.pid


@pytest.mark.fault(3, 4)
@pytest.mark.parametrize("answered", ["before", "after"])
def test_a_killed_runner_costs_nothing(bench: Bench, server: Web, late: Late, answered: str) -> None:
    runner = start(bench, server)
    bench.kill(runner)
    if answered == "before":
        late.let_go.set()
        wait_until(lambda: not bench.processes())
        ran = bench("resume", bench.last() or "")
    else:
        process = bench.start("resume", bench.last() or "")
        late.let_go.set()
        ran = bench.finish(process)
    assert ran.code == 0, ran
    assert list(server.keys().values()) == [1]
    task = bench.task("change")
    assert (task["how"], task["outputs"]) == ("adopted", {"id": 7})
    assert bench.effects() == {"next": 1}
    bench.check()


@pytest.mark.fault(9)
@pytest.mark.parametrize("worker", ["lives", "is killed"])
@pytest.mark.parametrize("more", ["", "    idempotent: true"], ids=["once", "idempotent"])
def test_with_the_supervisor_gone_it_is_a_doubt(bench: Bench, server: Web, late: Late, worker: str, more: str) -> None:
    runner = start(bench, server, more)
    steps = bench.steps()
    assert steps
    bench.kill(runner, *bench.supervisors())
    if worker == "is killed":
        bench.kill(*steps)
    late.let_go.set()
    wait_until(lambda: not bench.steps())
    ran = bench("resume", bench.last() or "")
    if more:
        assert ran.code == 0, ran
        assert list(server.keys().values()) == [2]
    else:
        assert ran.code == 3, ran
        assert list(server.keys().values()) == [1]
        assert bench("resume", bench.last() or "").code == 3
        assert list(server.keys().values()) == [1]
    bench.check()


@pytest.mark.fault(17)
@pytest.mark.parametrize(("found", "posts"), [(200, 1), (404, 2)])
def test_its_verify_ends_the_doubt(bench: Bench, server: Web, late: Late, found: int, posts: int) -> None:
    server.on("/asked/*", lambda exchange: exchange.say(found, {"id": 7}))
    runner = start(bench, server, VERIFY % server.url)
    bench.kill(runner, *bench.supervisors(), *bench.steps())
    late.let_go.set()
    ran = bench("resume", bench.last() or "")
    assert ran.code == 0, ran
    assert list(server.keys().values()) == [posts]
    assert bench.task("change")["outputs"] == {"id": 7}
    assert bench.effects() == {"next": 1}


@pytest.mark.fault(46)
def test_a_killed_worker_is_a_doubt_at_once(bench: Bench, server: Web, late: Late) -> None:
    book = bench.write(STEPS % (server.url, ""))
    process = bench.start("run", str(book))
    server.wait_for(1)
    bench.kill(*bench.steps())
    ran = bench.finish(process)
    assert ran.code == 3, ran
    assert bench.task("change")["reason"] == f"ended by signal {int(signal.SIGKILL)}"
    assert list(server.keys().values()) == [1]


@pytest.mark.fault(15)
def test_a_cancel_in_the_middle_is_a_doubt(bench: Bench, server: Web, late: Late) -> None:
    runner = start(bench, server)
    bench.kill(runner)
    ran = bench("cancel", bench.last() or "", "--reason", "enough")
    assert ran.code in (3, 12), ran
    assert bench.task("change")["status"] == "in_doubt"
    assert list(server.keys().values()) == [1]


@pytest.mark.fault(1, 2, 3, 4, 8, 9)
@pytest.mark.parametrize("at", POINTS_OF_A_STEP)
def test_killed_anywhere_it_is_asked_once(bench: Bench, at: str) -> None:
    """Every hit of the point. A doubt is ended as an operator would: by what the server says."""
    hit, sprung = 0, True
    while sprung:
        hit += 1
        with web() as server:
            server.on("/changes", Late._say)
            (bench.folder / str(hit)).mkdir()
            trial = Bench(bench.folder / str(hit))
            book = str(trial.write(STEPS % (server.url, "")))
            sprung, ran = trial.crash("run", book, at=f"{at} {hit}")
            assert sprung or hit > 1, "the point is not reached at all: does it still have this name?"
            while ran.code != 0:
                ran = trial("resume", trial.last() or "") if trial.last() else trial("run", book)
                if ran.code == 3:
                    settle(trial, server)
            assert list(server.keys().values()) == [1], (at, hit)
            trial.check()
            trial.close()


def settle(bench: Bench, server: Web) -> None:
    """End the doubt of the request, or of the step after it."""
    wait_until(lambda: not bench.steps())
    ((step, _),) = bench.in_doubt()
    assert step == "change"
    how = ["--done", "--output", "id=7"] if server.keys() else ["--not-done"]
    settled = bench("settle", bench.last() or "", step, *how, "--reason", "the server says so")
    assert settled.code == 0, settled
