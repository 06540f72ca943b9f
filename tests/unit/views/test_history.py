from __future__ import annotations

import re

import pytest

from durun.model.task import Decision, RunRecord, TaskKey, TaskState, Waiting
from durun.views.history import Listed, history_json, history_text
from durun.views.text import short_time
from durun.views.why import explaining, why_of

DAY = 86400.0
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
NOW = START + 12 * 3600
ASKED = {
    "approvers": ["root", "alice"],
    "min_approvals": 1,
    "allow_requester": False,
    "message": "Go?",
    "fields": {},
}


def record(status="failed", **more):
    facts = {"total": 6, "counts": {"succeeded": 3, "failed": 1}, "ended_at": START + 65, "sessions": 1}
    return RunRecord("k7qd2m9xwp", "restart-web-frontends", "d", status, START, **{**facts, **more})


def task(status="failed", reason="exit code 5", at=START + 60, **more):
    return TaskState(status=status, reason=reason, changed_at=at, **more)


def listed(status="failed", tasks=None, yours=(), now_is=None, said=None, **more):
    found = [(TaskKey("restart", "web3"), task())] if tasks is None else tasks
    run = record(status, **more)
    because = explaining(run, now_is or status, found)
    return Listed(run, now_is or status, why_of(run, now_is or status, because, yours, said))


def why(*args, **more):
    return history_json([listed(*args, **more)])[0]["why"]


def test_the_first_failure_of_each_step_is_told_with_its_reason_and_how_many_more_there_are():
    tasks = [(TaskKey("restart", "web3"), task()), (TaskKey("check"), task(reason="timed out after 30s"))]
    assert why(counts={"failed": 2}) == "restart[web3]: exit code 5; and 1 more"
    assert why(tasks=tasks, counts={"failed": 2}) == "restart[web3]: exit code 5; check: timed out after 30s"
    tidy = (TaskKey("tidy", None, 1), task(reason="exit code 9"))
    told = why(tasks=[*tasks, (TaskKey("last"), task(reason="exit code 4")), tidy], counts={"failed": 19})
    assert told == "restart[web3]: exit code 5; last: exit code 4; and 17 more"


def test_what_a_step_said_last_is_told_where_it_says_more_than_its_reason():
    said = {TaskKey("restart", "web3"): "systemctl: \x1b[31munit not found"}
    assert why(said=said) == "restart[web3]: exit code 5: systemctl: ␛[31munit not found"
    tasks = [(TaskKey("get"), task(reason="the server said 404: no such role"))]
    assert why(tasks=tasks, said={TaskKey("get"): "no such role"}) == "get: the server said 404: no such role"
    assert why(tasks=tasks, said={TaskKey("get"): "durun: no such role"}) == "get: the server said 404: no such role"
    assert history_json([listed(said=said)])[0]["because"][0]["said"] == "systemctl: \x1b[31munit not found"


def test_a_doubt_says_since_when():
    doubt = [(TaskKey("change"), task("in_doubt", "ended by signal 9"))]
    told = why("in_doubt", doubt, reason="in doubt: change", counts={"in_doubt": 1})
    assert told == "change: ended by signal 9 (since 2026-01-01T00:01:00.000Z)"

    settled = [(TaskKey("change"), task("failed", "undone by hand"))]
    told = why("in_doubt", settled, reason="in doubt: change", counts={"failed": 1})
    assert told == "every doubt is settled, and it has not gone on yet"


@pytest.mark.parametrize(
    ("waiting", "told"),
    [
        (Waiting("time", START + 3600), "waits since 00:01 until 01:00"),
        (
            Waiting("approval", START + 2 * DAY, ASKED),
            "waits since 00:01 until 01-03 00:00 for approval by root, alice (you may)",
        ),
        (
            Waiting("approval", None, {**ASKED, "min_approvals": 2}, (Decision("approve", {"uid": 1}, START),)),
            "waits for approval by root, alice, 1 of 2 given (you may)",
        ),
        (
            Waiting("manual", None, {"instructions": "Swap the disk.\nIn slot 4.", "fields": {}}),
            "waits since 00:01 for somebody to do it: Swap the disk.",
        ),
        (
            Waiting("poll", START + 7200, None, (), 60.0, 3, START + 600),
            "is not so yet (exit code 1), asked 3 times, waits until 02:00",
        ),
    ],
    ids=["time", "approval", "second approval", "manual", "poll"],
)
def test_what_a_run_waits_for_since_when_and_until_when(waiting, told):
    reason = "exit code 1" if waiting.kind == "poll" else ""
    tasks = [(TaskKey("ok"), task("waiting", reason, waiting=waiting))]
    mine = [TaskKey("ok")] if waiting.asked is not None else []
    run = listed("waiting", tasks, mine, reason="for people: ok", counts={"waiting": 1}, ended_at=None)
    assert " ".join(history_text([run], NOW, 80).split()).endswith(f"ok {told}")


def test_what_is_not_for_whoever_asks_is_not_marked_so():
    tasks = [(TaskKey("ok"), task("waiting", "", waiting=Waiting("approval", None, ASKED)))]
    run = history_json([listed("waiting", tasks, counts={"waiting": 1})])[0]
    assert run["why"].endswith("for approval by root, alice")
    assert run["because"][0]["for_you"] is False
    assert run["because"][0]["approvers"] == ["root", "alice"]


def test_what_the_run_itself_says_comes_first():
    assert why("cancelled", [], reason="wrong night", counts={"cancelled": 1}) == "wrong night"
    assert why("waiting", [], reason="run x holds the concurrency group `db`", counts={}, sessions=0) == (
        "run x holds the concurrency group `db`"
    )


def test_of_a_rollback_that_failed_its_own_failure_comes_before_its_cause():
    tasks = [(TaskKey("check"), task(reason="exit code 1")), (TaskKey("install@rollback"), task(reason="exit code 9"))]
    assert why("rollback_failed", tasks, counts={"failed": 2}) == ("install@rollback: exit code 9; check: exit code 1")


def test_of_an_interrupted_run_it_says_so_and_what_was_at_work():
    tasks = [(TaskKey("move"), task("running", ""))]
    told = why("running", tasks, now_is="interrupted", counts={"running": 1}, ended_at=None)
    assert told == "nobody drives it any more; move since 2026-01-01T00:01:00.000Z"


def test_privileges_that_are_open_are_told_with_what_closes_them():
    assert why("succeeded", [], counts={"succeeded": 6}, privileged=1) == "1 privilege is open: durun reap"
    assert why(privileged=2) == "restart[web3]: exit code 5; 2 privileges are open: durun reap"
    assert why("running", [], counts={"succeeded": 6}, privileged=1) == ""


def test_a_failure_of_an_earlier_round_explains_nothing():
    old = [(TaskKey("tidy", None, 1), task(reason="exit code 1"))]
    assert why("succeeded", old, round=2, counts={"failed": 1}) == ""


def test_of_a_run_that_went_well_nothing_is_to_be_explained():
    run = listed("succeeded", [], counts={"succeeded": 6})
    assert "WHY" not in history_text([run], NOW, None)


def test_off_a_terminal_each_run_is_one_line_with_whole_times():
    long = [(TaskKey("restart", "web3"), task(reason="no route to host " * 20))]
    heading, line = history_text([listed(tasks=long)], NOW, None).splitlines()
    assert heading.split() == ["RUN", "RUNBOOK", "STATUS", "STARTED", "TOOK", "TASKS", "WHY"]
    assert line.startswith("k7qd2m9xwp  restart-web-frontends  failed  2026-01-01 00:00:00  1m 05s  3/6, 1 failed  ")
    assert line.endswith("restart[web3]: " + " ".join(["no route to host"] * 20))


def test_on_a_wide_terminal_why_is_a_column_and_on_others_it_has_lines_of_its_own():
    run = listed()
    wide = history_text([run], NOW, 200).splitlines()
    assert wide[0].endswith("WHY")
    assert wide[1].endswith("3/6, 1 failed  restart[web3]: exit code 5")
    assert history_text([run], NOW, 80).splitlines()[1:] == [
        "k7qd2m9xwp  restart-web-frontends  failed  00:00    1m 05s  3/6, 1 failed",
        "  restart[web3]: exit code 5",
    ]


def test_on_a_narrow_terminal_each_run_is_a_paragraph_and_nothing_is_left_out():
    assert history_text([listed()], NOW, 40).splitlines() == [
        "k7qd2m9xwp  failed  00:00",
        "  restart-web-frontends  3/6, 1 failed",
        "  restart[web3]: exit code 5",
    ]


@pytest.mark.parametrize("width", [40, 59, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_id_is_cut(width):
    words = [(TaskKey("restart", "web3"), task(reason="the quick brown fox jumps over the lazy dog " * 9))]
    runs = [listed(tasks=words), listed("rollback_failed", words, ended_at=None), listed("succeeded", [])]
    lines = history_text(runs, NOW + 200 * DAY, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("k7qd2m9xwp  ") for line in lines) == 3
    assert all(any(f" {status}" in line for line in lines) for status in ("failed", "rollback failed", "succeeded"))
    assert any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("ago", "told"), [(60, "11:59"), (13 * 3600, "12-31 23:00"), (-60, "12:01"), (400 * DAY, "2024-11-27")]
)
def test_a_short_time_says_as_much_as_is_needed(ago, told):
    assert short_time(NOW - ago, NOW) == told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_with_colours_the_text_is_the_same_and_each_status_has_its_own(width):
    runs = [listed(), listed("rollback_failed"), listed("succeeded", [], counts={"succeeded": 6})]
    plain, coloured = history_text(runs, NOW, width), history_text(runs, NOW, width, colours=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert re.findall(r"\x1b\[([\d;]+)m(.*?)\x1b\[0m", coloured) == [
        ("31", "failed"),
        ("31", "rollback failed"),
        ("32", "succeeded"),
    ]
