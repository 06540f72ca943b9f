"""`settle` and `cancel`: what is told to the engine, and what is said of it. The engine here is a stand-in."""

from __future__ import annotations

import io
import os

import pytest

from durun.engine.api import Outcome

from .stand_in import Engine


@pytest.mark.parametrize(
    "argv",
    [
        ("resume", "@last"),
        ("cancel", "@last", "--reason", "x"),
        ("settle", "@last", "dump", "--failed", "--reason", "x"),
    ],
    ids=lambda argv: argv[0],
)
def test_what_decides_refuses_last_off_a_terminal(durun, engine, recorded, argv, monkeypatch):
    recorded.in_doubt("aaaa")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ran = durun(*argv)
    assert ran.code == 2
    assert "DURUN_LAST_OK=1" in ran.err
    assert engine.asked == []


def test_last_is_taken_where_it_is_allowed(durun, engine, recorded, monkeypatch):
    recorded.in_doubt("aaaa")
    monkeypatch.setenv("DURUN_LAST_OK", "1")
    assert durun("cancel", "@last", "--reason", "stuck").code == 0
    assert engine.asked[0].run_id == "aaaa"


@pytest.mark.fault(18)
def test_settle_needs_a_reason(durun, engine, recorded):
    recorded.in_doubt("aaaa")
    ran = durun("settle", "aaaa", "rotate", "--failed")
    assert ran == (2, "", 'durun: a reason is missing\n  hint: say why: --reason "…"\n')
    assert engine.asked == []


@pytest.mark.fault(18)
def test_settle_records_who_and_why(durun, engine, recorded):
    recorded.in_doubt("aaaa")
    ran = durun("settle", "aaaa", "rotate", "--not-done", "--reason", "looked at the server")
    assert ran.code == 0
    assert ran.out.startswith("rotate[db1] of run aaaa is settled: not done\n")
    (request,) = engine.asked
    assert (request.task.step, request.task.target, request.resolution) == ("rotate", "db1", "not_done")
    assert request.reason == "looked at the server"
    assert request.by["uid"] == os.getuid()


def test_settle_wants_one_word(durun, engine, recorded):
    recorded.in_doubt("aaaa")
    assert durun("settle", "aaaa", "rotate", "--done", "--failed", "--reason", "x").code == 2
    assert durun("settle", "aaaa", "rotate", "--reason", "x").code == 2


def test_settle_asks_which_target(durun, engine, recorded):
    recorded.in_doubt("aaaa", ["db1", "db2"])
    ran = durun("settle", "aaaa", "rotate", "--failed", "--reason", "x")
    assert ran.err == "durun: 2 targets of rotate are in doubt: db1, db2\n  hint: choose one with --target\n"
    assert durun("settle", "aaaa", "rotate", "--target", "db2", "--failed", "--reason", "x").code == 0
    assert engine.asked[0].task.target == "db2"


def test_settle_of_what_is_not_in_doubt_names_what_is(durun, engine, recorded):
    recorded.in_doubt("aaaa")
    ran = durun("settle", "aaaa", "dump", "--failed", "--reason", "x")
    assert ran == (2, "", "durun: run aaaa has no step dump\n  hint: in doubt are: rotate[db1]\n")


def test_done_needs_the_declared_outputs(durun, engine, book):
    engine.outcome = "in_doubt"
    durun("run", str(book))
    settle = ("settle", "run-1", "dump", "--done", "--reason", "x")
    assert "dump lacks path, size" in durun(*settle).err
    assert "`sise` is not an output of dump" in durun(*settle, "--output", "sise=1").err
    assert "output `size` must be of type integer" in durun(*settle, "--output", "path=1", "--output", "size=big").err
    assert durun(*settle, "--output", "path=1", "--output", "size=2").code == 0
    assert engine.asked[-1].outputs == {"path": "1", "size": 2}


def test_cancel_needs_a_reason_and_says_what_became_of_the_run(durun, engine, recorded):
    recorded.in_doubt("aaaa")
    assert durun("cancel", "aaaa").code == 2
    assert durun("cancel", "aaaa", "--reason", "wrong host") == (0, "run aaaa: cancelled\n", "")
    assert engine.asked[0].reason == "wrong host"


def test_cancel_of_a_living_run_names_who_stops_it(durun, engine, recorded, monkeypatch):
    recorded.in_doubt("aaaa")
    asked = Outcome("aaaa", "running", 0, driver="other", holder={"pid": 4711})
    monkeypatch.setattr(Engine, "cancel", lambda *_: asked)
    assert durun("cancel", "aaaa", "--reason", "x").out == "run aaaa: cancel asked for; process 4711 stops it\n"
    monkeypatch.setattr(Engine, "cancel", lambda *_: asked._replace(driver="self", status="in_doubt"))
    assert durun("cancel", "aaaa", "--reason", "x").code == 3
