from __future__ import annotations

import json

import pytest

from durun.model import event as ev
from events import session, started

from .conftest import START


def test_a_failed_run_says_what_failed_and_what_to_type(durun, recorded):
    recorded.failed("aaaa")
    out = durun("show", "aaaa").out
    assert "status     failed" in out
    assert "started    2026-01-01 00:00:00 by alice on ops1" in out
    assert "inputs     role=app" in out
    assert "  next: durun logs aaaa copy\n        durun resume aaaa\n" in out
    assert "succeeded  dump  1.0s" in out
    assert "failed     copy  1.0s  exit code 7" in out
    assert "\nwhy        copy: exit code 7\n" in out
    assert durun("show", "aaaa", "--step", "copy").out.endswith("  1.0s  exit code 7\n")


def test_a_run_in_doubt_names_the_commands_that_end_the_doubt(durun, recorded):
    recorded.in_doubt("aaaa", ["it's"])
    out = durun("show", "aaaa").out
    assert "status     in doubt" in out
    assert """durun settle aaaa rotate --target 'it'"'"'s' --done|--not-done|--failed --reason "…\"""" in out
    assert "in doubt   rotate[it's]  1.0s  ended by signal 9" in out


def test_ten_thousand_targets_are_a_line_with_counts_and_the_troubles(durun, recorded):
    keys = [f"host-{number:05}" for number in range(10_000)]
    events = [ev.TargetsResolved(step="patch", targets=[ev.Target(key, key) for key in keys], tasks=len(keys))]
    events += [ev.TaskSkipped(step="patch", target=key, reason="if is false") for key in keys[:50]]
    events += [ev.TaskFailed(step="patch", target=key, code="exit", reason="exit code 1") for key in keys[50:90]]
    recorded.many({"aaaa": [recorded.created(tasks=1), *events]})
    lines = durun("show", "aaaa").out.splitlines()
    assert len(lines) < 50
    assert "  failed     patch  10000 targets: 50 skipped, 40 failed, 9910 pending" in lines
    assert "    … 30 more failed: --step patch" in lines
    assert "why        nobody drives it any more" in lines
    assert durun("show", "aaaa", "--step", "patch").out.count("patch[host-") == 90


def test_one_target_of_many_is_shown_alone_and_one_that_has_not_begun_is_told_from_none(durun, recorded):
    fan = ev.TargetsResolved(step="patch", targets=[ev.Target(key, key) for key in ("web1", "web2", "web3")], tasks=3)
    failed = ev.TaskFailed(step="patch", target="web1", code="exit", reason="exit code 1")
    recorded("aaaa", recorded.created(tasks=1, steps=["patch"]), fan, failed)
    lines = durun("show", "aaaa", "--target", "web1").out.splitlines()
    assert "  failed     patch  1 target: 1 failed" in lines
    for more in ((), ("--step", "patch"), ("--events",)):
        assert durun("show", "aaaa", "--target", "web3", *more).err.startswith(
            "durun: nothing has happened to target web3 of run aaaa yet\n"
        )
        assert "has no target web4" in durun("show", "aaaa", "--target", "web4", *more).err
    assert durun("show", "aaaa", "--events", "--step", "ptch").code == 2


def test_of_many_steps_in_a_row_that_went_well_the_ends_are_named(durun, recorded):
    names = [f"s{number:03}" for number in range(100)]
    done = [
        event
        for folder, name in enumerate(names, 1)
        for event in (started(name, folder=folder), ev.TaskSucceeded(step=name, how="ran", exit_code=0))
    ]
    failed = [started("last", folder=101), ev.TaskFailed(step="last", code="exit", reason="exit code 1")]
    recorded.many({"aaaa": [recorded.created(tasks=101, steps=[*names, "last"]), *done, *failed]})
    assert durun("show", "aaaa").out.splitlines()[-4:] == [
        "  succeeded  s000  0.0s",
        "  succeeded  … 98 steps, s001 to s098: 98 succeeded",
        "  succeeded  s099  0.0s",
        "  failed     last  0.0s  exit code 1",
    ]


def test_the_reasons_of_many_failures_are_counted(durun, recorded):
    keys = [f"h{number}" for number in range(40)]
    fan = ev.TargetsResolved(step="patch", targets=[ev.Target(key, key) for key in keys], tasks=40)
    reasons = ["exit code 7"] * 25 + ["timed out after 30s"] * 8 + [f"odd {number}" for number in range(7)]
    failed = [
        ev.TaskFailed(step="patch", target=key, code="exit", reason=why) for key, why in zip(keys, reasons, strict=True)
    ]
    recorded.many({"aaaa": [recorded.created(tasks=1), fan, *failed]})
    assert durun("show", "aaaa").out.splitlines()[-1] == (
        "    … 30 more failed (of all: 25 × exit code 7, 8 × timed out after 30s, 1 × odd 0, 1 × odd 1, 1 × odd 2, "
        "4 others): --step patch"
    )


def test_steps_that_have_not_begun_are_named(durun, recorded):
    plan = {"steps": ["dump", "copy", "fan"], "finally_steps": ["tidy"]}
    fan = ev.TargetsResolved(step="fan", targets=[ev.Target("a", "a"), ev.Target("b", "b")], tasks=2)
    recorded("aaaa", recorded.created(tasks=3, **plan), fan, ev.TaskSkipped(step="dump", reason="if is false"))
    lines = durun("show", "aaaa").out.splitlines()
    assert [line for line in lines if line.startswith("  ") and "next" not in line] == [
        "  skipped    dump  if is false",
        "  pending    copy",
        "  pending    fan  2 targets",
        "  pending    tidy",
    ]
    assert durun("show", "aaaa", "--step", "copy").out.splitlines()[-1] == "  pending    copy"
    assert durun("show", "aaaa", "--step", "cpy").code == 2
    shown = json.loads(durun("show", "aaaa", "--json").out)
    assert shown["steps"] == ["dump", "copy", "fan", "tidy"]


def test_nothing_is_to_come_after_the_end(durun, recorded):
    recorded("aaaa", recorded.created(tasks=2, steps=["dump", "copy"]), ev.RunEnded(status="cancelled", exit_code=12))
    out = durun("show", "aaaa").out
    assert "copy" not in out
    assert out.endswith("\n\n  pending    2 tasks that never began\n")
    assert "status     cancelled\n" in out


def test_of_many_targets_at_work_those_that_began_first_are_listed(durun, recorded):
    keys = [f"h{number}" for number in range(9)]
    fan = ev.TargetsResolved(step="patch", targets=[ev.Target(key, key) for key in keys], tasks=9)
    begun = [started("patch", key, folder=number) for number, key in enumerate(reversed(keys[1:]), 1)]
    recorded("aaaa", recorded.created(tasks=1, steps=["patch"]), session(), fan, *begun)
    lines = durun("show", "aaaa").out.splitlines()
    assert "  running    patch  9 targets: 8 running, 1 pending" in lines
    assert [line.split()[1] for line in lines if line.startswith("    running")] == [
        "patch[h8]", "patch[h7]", "patch[h6]", "patch[h5]", "patch[h4]"
    ]  # fmt: skip
    assert lines[-1] == "    … 3 more running: --step patch"


def test_a_run_that_waits_for_a_time_says_when_there_is_something_to_do(durun, recorded):
    waits = ev.TaskWaiting(step="pause", kind="time", until=START + 3600)
    recorded("aaaa", recorded.created(steps=["pause"]), session(), waits, ev.RunParked(status="waiting", reason="x"))
    out = durun("show", "aaaa").out
    assert "why        pause waits since 2026-01-01 00:00:02 until 2026-01-01 01:00:00\n" in out
    assert "  there is nothing to do before 2026-01-01 01:00:00\n  next: durun resume aaaa\n" in out


def test_events_are_broken_between_words_below_what_they_say(durun, recorded, monkeypatch):
    monkeypatch.setattr("durun.cli.show.width_of_terminal", lambda: 60)
    recorded.failed("aaaa")
    lines = durun("show", "aaaa", "--events").out.splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.startswith(" " * 29) and line[29] != " " for line in lines)


def test_what_people_are_asked_is_said_once(durun, recorded):
    asked = {"instructions": "Swap the disk.\nIn slot 4.", "nonce": "n", "digest": "d", "fields": {}}
    waits = ev.TaskWaiting(step="swap", kind="manual", until=None, asked=asked)
    recorded("aaaa", recorded.created(), session(), waits, ev.RunParked(status="waiting", reason="for people: swap"))
    out = durun("show", "aaaa").out
    assert out.count("for somebody to do it") == 1
    assert "for somebody to do it: Swap the disk.\n           Swap the disk.\n           In slot 4.\nstarted " in out
    assert json.loads(durun("show", "aaaa", "--json").out)["because"][0]["for_you"] is True


def test_a_step_alone_is_shown_with_attempts_and_outputs(durun, recorded):
    recorded.failed("aaaa")
    out = durun("show", "aaaa", "--step", "dump").out
    assert "copy" not in out.split("succeeded  dump")[1]
    assert "attempt 1  succeeded  2026-01-01 00:00:02  1.0s  exit code 0" in out
    assert "path = /tmp/x" in out


def test_a_step_that_is_not_there_is_refused_with_the_one_that_was_meant(durun, recorded):
    recorded.failed("aaaa")
    ran = durun("show", "aaaa", "--step", "dmp")
    assert ran.code == 2
    assert "did you mean `dump`?" in ran.err


def test_the_events_are_listed_in_order(durun, recorded):
    recorded.failed("aaaa")
    lines = durun("show", "aaaa", "--events").out.splitlines()
    assert [line.split()[0] for line in lines] == list("1234567")
    assert lines[5].endswith("copy FAILED: exit code 7")
    events = [json.loads(line) for line in durun("show", "aaaa", "--events", "--json").out.splitlines()]
    assert events[5]["event"] == "task_failed"
    assert (events[5]["step"], events[5]["attempt"], events[5]["schema"]) == ("copy", 1, 1)


def test_json_has_the_documented_shape(durun, recorded):
    recorded.in_doubt("aaaa")
    shown = json.loads(durun("show", "aaaa", "--json").out)
    assert shown["schema"] == 1
    assert shown["status"] == "in_doubt"
    assert shown["inputs"] == {"role": "app"}
    assert shown["requested_by"]["user"] == "alice"
    assert shown["runbook_digest"] == "d" * 64
    assert shown["waiting_for"]["reason"] == "a task is in doubt"
    assert shown["waiting_for"]["tasks"] == [{"step": "rotate", "target": "db1", "reason": "ended by signal 9"}]
    (task,) = shown["tasks"]
    assert (task["step"], task["target"], task["status"], task["how"]) == ("rotate", "db1", "in_doubt", None)
    (attempt,) = task["attempts"]
    assert (attempt["number"], attempt["status"], attempt["exit_code"]) == (1, "in_doubt", None)
    assert attempt["started_at"] == "2026-01-01T00:00:03.000Z"


@pytest.mark.parametrize("hostile", ["\x1b]0;owned\x07", "a\nb", "\u202eevil"])
def test_what_came_from_elsewhere_can_not_move_the_cursor(durun, recorded, hostile):
    recorded("aaaa", recorded.created(inputs={"role": hostile}), ev.CancelRequested(reason=hostile, by={}))
    out = durun("show", "aaaa").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "a\nb" not in out


def test_what_a_failed_step_said_last_is_told_with_its_exit_code(durun, recorded):
    log = {"stderr": {"bytes": 50, "sha256": "a" * 64, "cut": False}}
    failed = ev.TaskFailed(step="copy", code="exit", reason="exit code 7", exit_code=7, how="ran", log=log)
    end = ev.RunEnded(status="failed", exit_code=1)
    recorded("aaaa", recorded.created(), session(), started("copy", folder=2), failed, end)
    said = [("stderr", "no sp"), ("stdout", "copied\n"), ("stderr", "ace left\x1b[0m\n\n")]
    lines = [json.dumps({"at": "2026-01-01T00:00:02.000Z", "stream": stream, "text": text}) for stream, text in said]
    recorded.log("aaaa", 2, *lines)
    out = durun("show", "aaaa").out
    assert "\nwhy        copy: exit code 7: no space left␛[0m\n" in out
    assert "  failed     copy  1.0s  exit code 7: no space left␛[0m\n" in out
    assert durun("history").out.endswith("  copy: exit code 7: no space left␛[0m\n")
    assert json.loads(durun("history", "--json").out)[0]["because"][0]["said"] == "no space left\x1b[0m"
