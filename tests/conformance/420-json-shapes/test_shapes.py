import json
import re

import pytest

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
STATUSES = {"pending", "skipped", "waiting", "running", "succeeded", "failed", "cancelled", "in_doubt", "rolled_back"}
COUNTS = {"total", *STATUSES}


def is_time(value):
    return isinstance(value, str) and TIME.fullmatch(value) is not None


def check_run(run):
    assert run["schema"] == 1
    assert isinstance(run["id"], str)
    assert run["runbook"] == "json-shapes"
    assert is_time(run["started_at"])
    assert run["ended_at"] is None or is_time(run["ended_at"])


def test_every_line_of_a_run(operator):
    lines = operator("run", "runbook.yaml", "--json").lines
    run = operator("history", "--json").json[0]["id"]
    for line in lines:
        assert line["schema"] == 1
        assert line["run"] == run
        assert isinstance(line["event"], str)
        assert is_time(line["at"])
        if line["event"].startswith("task_"):
            assert line["step"] in ("one", "each", "flaky", "last")
            assert {"target", "attempt"} <= line.keys()
    started = [(line["step"], line["target"], line["attempt"]) for line in lines if line["event"] == "task_started"]
    assert started == [("one", None, 1), ("each", "a", 1), ("flaky", None, 1), ("flaky", None, 2), ("last", None, 1)]
    assert [line["event"] for line in lines].count("run_ended") == 1
    end = lines[-1]
    assert (end["event"], end["status"], end["exit_code"], end["outputs"]) == ("run_ended", "succeeded", 0, {"n": 1})


@pytest.mark.parametrize(("code", "exit_code", "status"), [("1", 1, "failed"), ("76", 3, "in_doubt")])
def test_the_last_line_says_how_it_ended_or_parked_also_of_a_resume(operator, code, exit_code, status):
    (operator.place / "code").write_text(code)
    for command in (("run", "runbook.yaml"), ("resume", "@last")):
        lines = operator(*command, "--json", code=exit_code).lines
        assert [line["event"] for line in lines].count("run_ended") == 1
        end = lines[-1]
        assert (end["event"], end["status"], end["exit_code"]) == ("run_ended", status, exit_code)


def test_a_resume_of_what_has_ended_gives_the_whole_last_line(operator):
    end = operator("run", "runbook.yaml", "--json").lines[-1]
    assert operator("resume", "@last", "--json").lines == [end]


def test_a_notice_is_a_line_like_any(operator):
    (operator.place / "code").write_text("1")
    operator("run", "runbook.yaml", "-q", code=1)
    lines = operator("resume", "@last", "--latest", "--json", code=1).lines
    (notice,) = [line for line in lines if line["event"] == "notice"]
    assert notice["text"] == "the runbook has not changed"
    assert is_time(notice["at"])


def test_history(operator):
    operator("run", "runbook.yaml", "-q")
    (operator.place / "code").write_text("76")
    operator("run", "runbook.yaml", "-q", code=3)
    doubt, good = operator("history", "--json").json
    for run in (doubt, good):
        check_run(run)
        assert run["tasks"].keys() >= COUNTS
        assert all(isinstance(count, int) for count in run["tasks"].values())
    assert (good["status"], good["tasks"]["total"], good["tasks"]["skipped"]) == ("succeeded", 5, 1)
    assert (doubt["status"], doubt["ended_at"], doubt["tasks"]["in_doubt"]) == ("in_doubt", None, 1)
    assert operator("history", "--json", "--status", "in_doubt").json == [doubt]
    assert operator("history", "--json", "--limit", "1").json == [doubt]
    assert operator("history", "--json", "--runbook", "another").json == []


def test_show(operator):
    operator("run", "runbook.yaml", "-q", "--request-id", "r1")
    run = operator.show()
    check_run(run)
    assert run["inputs"] == {"word": "w"}
    assert run["outputs"] == {"n": 1}
    assert run["request_id"] == "r1"
    assert {"uid", "user", "host"} <= run["requested_by"].keys()
    assert re.fullmatch(r"[0-9a-f]{64}", run["runbook_digest"])
    assert run["waiting_for"] is None
    for task in run["tasks"]:
        assert {"step", "target", "status", "how", "attempts", "outputs"} <= task.keys()
        assert task["status"] in STATUSES
        for attempt in task["attempts"]:
            assert {"number", "status", "started_at", "ended_at", "exit_code", "reason"} <= attempt.keys()
            assert is_time(attempt["started_at"])
            assert is_time(attempt["ended_at"])
    by_name = {(task["step"], task["target"]): task for task in run["tasks"]}
    assert by_name["each", "b"]["status"] == "skipped"
    assert by_name["each", "b"]["attempts"] == []
    assert [attempt["number"] for attempt in by_name["flaky", None]["attempts"]] == [1, 2]
    assert by_name["one", None]["outputs"] == {"n": 1}
    events = operator("show", "@last", "--events", "--json").lines
    assert events[0]["event"] == "run_created"
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["schema"] == 1 for event in events)


def test_a_run_in_doubt_says_what_it_waits_for(operator):
    (operator.place / "code").write_text("76")
    operator("run", "runbook.yaml", "-q", code=3)
    assert "last" in json.dumps(operator.show()["waiting_for"])


@pytest.mark.parametrize(
    ("command", "exit_code", "error"),
    [
        (("show", "nothing"), 2, "no_such_run"),
        (("run", "nowhere.yaml"), 2, "usage"),
        (("run", "runbook.yaml", "--nonsense"), 2, "usage"),
        (("run", "runbook.yaml", "-i", "word"), 2, None),
        (("nonsense",), 2, "usage"),
    ],
)
def test_an_error_is_json_on_stderr(operator, command, exit_code, error):
    said = operator(*command, "--json", code=exit_code)
    assert said.out == ""
    found = json.loads(said.err)
    assert found["schema"] == 1
    assert found["error"].keys() >= {"code", "message", "hint"}
    assert error is None or found["error"]["code"] == error
