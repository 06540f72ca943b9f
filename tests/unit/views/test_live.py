from __future__ import annotations

import os
import re
import signal

import pytest

from durun.model import event as ev
from durun.model.plan import FanOutPolicy, Node, Plan, Retry, Share
from durun.model.task import Target
from durun.views.live import LiveView
from events import started


class Paper:
    """Takes what a channel would."""

    def __init__(self):
        self.text = ""
        self.picture = []

    def write(self, text):
        self.text += text

    def frame(self, lines):
        self.picture = lines

    def close(self, patience=0):
        pass

    def forget(self):
        self.forgotten = True


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()


@pytest.fixture
def paper(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Paper()


def test_steps_are_listed_with_their_states(paper, story):
    view, tale = LiveView(paper, -1), story("dump", "copy", "check")
    tale.begin(view)
    tale.tell(view, started("dump"), ev.TaskSucceeded(step="dump", how="ran"), started("copy"))
    assert [plain(line) for line in paper.picture] == [
        "✔ dump  succeeded 1.0s",
        "▶ copy  running   0.0s",
        "· check pending",
        "  2.0s  1 of 3 tasks  1 running",
    ]


def test_ten_thousand_targets_are_one_calm_line(paper, story):
    keys = [f"host-{number}" for number in range(10_000)]
    view, tale = LiveView(paper, -1), story("patch", fans=("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in keys], tasks=len(keys)))
    tale.tell(view, *(started("patch", key) for key in keys[:5000]))
    tale.tell(view, *(ev.TaskSucceeded(step="patch", target=key, how="ran") for key in keys[:4000]))
    tale.tell(view, *(ev.TaskFailed(step="patch", target=key, code="exit", reason="no") for key in keys[4000:4900]))
    line, last, _ = map(plain, paper.picture)
    assert last.startswith("  last: patch[host-4899] FAILED: no")
    assert line.startswith("▶ patch ━━━━━━━━──────── 4000/10000  900 failed  100 running ~1h 25m left")
    assert paper.text.count("FAILED") == 20
    assert "more of that kind: durun show run-1" in paper.text


def test_failures_stay_above_the_picture(paper, story):
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"), ev.TaskFailed(step="dump", code="exit", reason="exit code 7\x1b[2J"))
    assert paper.text.splitlines()[-1] == "dump FAILED: exit code 7␛[2J (after 1.0s)"


def test_more_steps_than_lines_keep_those_that_matter(paper, story):
    names = [f"step_{number:02}" for number in range(60)]
    view, tale = LiveView(paper, -1), story(*names)
    tale.begin(view)
    tale.tell(view, *(one for name in names[:40] for one in (started(name), ev.TaskSucceeded(step=name, how="ran"))))
    tale.tell(view, started("step_40"), ev.TaskFailed(step="step_40", code="exit", reason="no"), started("step_41"))
    lines = [plain(line) for line in paper.picture]
    assert len(lines) <= 24
    assert any("step_40" in line and "failed" in line for line in lines)
    assert any("step_41" in line and "running" in line for line in lines)
    assert lines[-2] == "  … 40 more steps: 40 succeeded"


def test_long_names_that_begin_alike_are_told_apart(paper, story):
    names = [f"restart_the_service_of_the_shop_on_host_{number}" for number in (1, 2)]
    view, tale = LiveView(paper, -1), story(*names)
    tale.begin(view)
    tale.tell(view, started(names[0]))
    first, second, _ = map(plain, paper.picture)
    assert first.startswith("▶ restart_the_s…op_on_host_1 running")
    assert second.startswith("· restart_the_s…op_on_host_2 pending")


def test_no_colour_is_honoured(paper, story, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", "".join(paper.picture))


def test_at_the_end_the_picture_stays_with_a_summary(paper, story):
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"), ev.TaskSucceeded(step="dump", how="ran"))
    tale.tell(view, ev.RunEnded(status="succeeded", exit_code=0))

    class Outcome:
        run_id, status, exit_code, state, head = "run-1", "succeeded", 0, tale.state, "5eed"

    view.ended(Outcome())
    view.close(0)
    assert paper.picture == []
    assert plain(paper.text.splitlines()[-3]).split()[:3] == ["✔", "dump", "succeeded"]
    assert paper.text.splitlines()[-2:] == ["run run-1 of backup succeeded after 3.0s: 1 succeeded", "  head 5eed"]


def test_of_a_long_fan_out_the_end_is_expected_and_the_last_failure_is_told(paper, story, monkeypatch):
    keys = [f"host-{number}" for number in range(1000)]
    view, tale = LiveView(paper, -1), story("patch", fans=("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in keys], tasks=len(keys)))
    tale.tell(view, *(started("patch", key) for key in keys))
    assert "left" not in plain(paper.picture[0])
    for key in keys[:100]:
        tale.tell(view, ev.TaskSucceeded(step="patch", target=key, how="ran"))
    row = plain(paper.picture[0])
    assert row == "▶ patch ━─────────────── 100/1000  900 running  1.0/s ~15m left"
    monkeypatch.setattr("durun.views.live.size_of", lambda descriptor: (120, 24))
    view.tick(tale.now + 1)
    assert re.search(r" 59/min ~15m left, \d\d:\d\d$", plain(paper.picture[0]))
    for key in keys[100:130]:
        tale.tell(view, ev.TaskFailed(step="patch", target=key, code="exit", reason="exit code 3"))
    assert plain(paper.picture[-2]).startswith("  last: patch[host-129] FAILED: exit code 3")
    assert paper.text.count("FAILED") == 20


def waiting(step, kind, until, asked=None, target=None):
    return ev.TaskWaiting(step=step, target=target, kind=kind, until=until, asked=asked)


def asked_of(*approvers, needed=1):
    return {"approvers": list(approvers), "min_approvals": needed, "message": "?", "fields": {}}


def test_what_waits_says_for_whom_and_until_when(paper, story):
    view, tale = LiveView(paper, -1), story("approved", "four_eyes", "pause", "ready", "by_hand")
    tale.begin(view)
    tale.tell(
        view,
        waiting("approved", "approval", tale.now + 86400, asked_of("oncall-lead", "dba-lead")),
        waiting("four_eyes", "approval", None, asked_of("ann", "bob", "cy", needed=2)),
        waiting("pause", "time", tale.now + 3600),
        waiting("ready", "poll", None),
        waiting("by_hand", "manual", None, {"instructions": "turn the key", "fields": {}}),
    )
    assert [plain(line) for line in paper.picture] == [
        "◷ approved  waits for oncall-lead or dba-lead until tomorrow 00:00, since 00:00",
        "◷ four_eyes waits for 2 of ann, bob, cy, since 00:00",
        "◷ pause     waits until 01:00, 59m 55s left",
        "◷ ready     is asked whether it is so",
        "◷ by_hand   waits for somebody to do it, since 00:00",
        "  4.0s  0 of 5 tasks",
    ]


def test_a_step_that_is_tried_again_says_when_and_is_no_failure_yet(paper, story):
    view, tale = LiveView(paper, -1), story("flaky")
    tale.plan = Plan({"flaky": Node("flaky", retry=Retry(max_attempts=5))}, ("flaky",))
    tale.begin(view)
    failed = ev.TaskFailed(step="flaky", code="exit", reason="exit code 7")
    tale.tell(view, started("flaky"), failed, ev.TaskRetried(step="flaky", due=tale.now + 9))
    assert plain(paper.picture[0]) == "◷ flaky attempt 2 of 5 in 6.0s (exit code 7)"
    assert "FAILED" not in paper.text
    tale.tell(view, started("flaky", attempt=2))
    assert plain(paper.picture[0]) == "▶ flaky running, attempt 2 3.0s"


def test_a_step_whose_doubt_is_over_says_when_it_is_repeated(paper, story):
    view, tale = LiveView(paper, -1), story("flaky")
    tale.plan = Plan({"flaky": Node("flaky", retry=Retry(delay=9, jitter=0))}, ("flaky",))
    tale.begin(view)
    doubt = ev.TaskInDoubt(step="flaky", reason="exit code 76")
    tale.tell(view, started("flaky"), doubt, ev.TaskRepeated(step="flaky", proof="idempotent"))
    assert plain(paper.picture[0]) == "◷ flaky repeat 1 of 5 in 8.0s (exit code 76)"
    tale.tell(view, started("flaky", attempt=2))
    assert plain(paper.picture[0]) == "▶ flaky running, attempt 2 3.0s"


def test_after_the_end_nothing_is_said_to_be_repeated(paper, story):
    view, tale = LiveView(paper, -1), story("flaky")
    tale.plan = Plan({"flaky": Node("flaky", retry=Retry(max_attempts=5, delay=10))}, ("flaky",))
    tale.begin(view)
    doubt = ev.TaskInDoubt(step="flaky", reason="stopped by a cancel")
    tale.tell(view, started("flaky"), doubt, ev.TaskRepeated(step="flaky", proof="not_done"))
    tale.tell(view, ev.RunEnded(status="cancelled", exit_code=12))
    view.close(12)
    assert plain(paper.text.splitlines()[-1]) == "· flaky pending 2.0s"


def test_a_pending_step_says_what_it_comes_after_and_that_no_slot_is_free(paper, story):
    view, tale = LiveView(paper, -1), story("one", "two", "three", "last")
    nodes = (Node("one"), Node("two"), Node("three"), Node("last", needs=("one", "three")))
    tale.plan = Plan({node.id: node for node in nodes}, tuple(node.id for node in nodes), max_parallel=2)
    tale.begin(view)
    tale.tell(view, started("one"), started("two"))
    assert [plain(line) for line in paper.picture[2:]] == [
        "· three waits for a free slot",
        "· last  pending, after one, three",
        "  1.0s  0 of 4 tasks  2 running (max_parallel)",
    ]


def test_waves_and_waiting_targets_stand_beside_the_bar(paper, story):
    view, tale = LiveView(paper, -1), story("patch")
    policy = FanOutPolicy(max_parallel=2, serial=(Share(1), Share(100, percent=True)))
    tale.plan = Plan({"patch": Node("patch", fan="patch", fan_out=policy)}, ("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in "abc"], tasks=3))
    tale.tell(view, started("patch", "a"), ev.TaskSucceeded(step="patch", target="a", how="ran"))
    tale.tell(view, waiting("patch", "time", tale.now + 31, target="b"))
    assert re.search(r" 1/3  1 waiting  b: waits until \d\d:\d\d.* 2.0s$", plain(paper.picture[0]))
    tale.tell(view, started("patch", "c"))
    assert re.search(r" 1/3  1 running  1 waiting  b: waits until .*…? 3.0s$", plain(paper.picture[0]))
    tale.tell(view, ev.TaskSucceeded(step="patch", target="b", how="ran"))
    assert plain(paper.picture[0]).endswith(" 2/3  1 running  wave 2 of 2 4.0s")


@pytest.mark.parametrize("size", [(40, 10), (40, 15), (80, 24), (200, 60)])
def test_no_line_is_wider_than_the_terminal_and_the_last_is_seen(paper, story, monkeypatch, size):
    monkeypatch.setattr("durun.views.live.size_of", lambda descriptor: size)
    names = [f"a_rather_long_name_of_a_step_{number}" for number in range(70)]
    view, tale = LiveView(paper, -1), story(*names, fans=names[:3])
    tale.begin(view)
    keys = [f"größe-{number}" for number in range(100)]
    for name in names[:3]:
        tale.tell(view, ev.TargetsResolved(step=name, targets=[Target(key, key) for key in keys], tasks=100))
        tale.tell(view, *(started(name, key) for key in keys[:9]))
        tale.tell(view, *(ev.TaskFailed(step=name, target=key, code="exit", reason="x" * 300) for key in keys[:8]))
    tale.tell(view, waiting(names[5], "approval", None, asked_of(*("group:people-who-may" for _ in range(9)))))
    lines = [plain(line) for line in paper.picture]
    assert len(lines) < size[1]
    assert max(map(len, lines)) < size[0]
    assert "3 running" in lines[-1]


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (19, 4)])
def test_a_terminal_for_which_it_is_too_large_ends_no_run(paper, story, monkeypatch, size):
    monkeypatch.setattr("durun.views.live.size_of", lambda descriptor: size)
    view, tale = LiveView(paper, -1), story("one_step", "another", fans=("another",))
    tale.begin(view)
    tale.tell(view, started("one_step"), ev.TaskFailed(step="one_step", code="exit", reason="x" * 300))
    view.said("a notice that is longer than any line there is")
    assert [len(plain(line)) <= 20 for line in paper.picture] == [True] * 3
    view.close(1)
    assert "FAILED" in paper.text


def test_of_a_fan_out_that_does_not_get_on_no_end_is_expected(paper, story):
    keys = [f"host-{number}" for number in range(20)]
    view, tale = LiveView(paper, -1), story("patch", fans=("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in keys], tasks=len(keys)))
    tale.tell(view, *(started("patch", key) for key in keys))
    for key in keys[:19]:
        tale.tell(view, ev.TaskSucceeded(step="patch", target=key, how="ran"))
    assert plain(paper.picture[0]).endswith(" 19/20  1 running  1.0/s ~1.0s left")
    view.tick(tale.now + 6)
    assert plain(paper.picture[0]).endswith(" 19/20  1 running 44s")


def test_after_the_shell_had_the_terminal_the_picture_is_painted_anew(paper, story):
    before = signal.getsignal(signal.SIGCONT)
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"))
    paper.picture = []
    view.tick(tale.now + 0.1)
    assert paper.picture == []  # it is not time yet
    os.kill(os.getpid(), signal.SIGCONT)
    view.tick(tale.now + 0.1)
    assert paper.picture
    assert paper.forgotten
    view.close(0)
    assert signal.getsignal(signal.SIGCONT) == before


def test_while_another_run_holds_the_group_time_goes_on(paper):
    view = LiveView(paper, -1)
    view.said("waiting: run x holds the concurrency group `db`")
    view.tick(100.0)
    view.tick(112.0)
    assert paper.picture == ["◷ waiting  12s"]
    view.close(130)
    assert paper.picture == []
