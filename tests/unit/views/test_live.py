from __future__ import annotations

import re

import pytest

from durun.model import event as ev
from durun.model.task import Target
from durun.views.live import LiveView


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


def plain(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()


@pytest.fixture
def paper(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    return Paper()


def test_steps_are_listed_with_their_states(paper, story, started):
    view, tale = LiveView(paper, -1), story("dump", "copy", "check")
    tale.begin(view)
    tale.tell(view, started("dump"), ev.TaskSucceeded(step="dump", how="ran"), started("copy"))
    assert [plain(line).split() for line in paper.picture] == [
        ["✔", "dump", "succeeded", "1.0s"],
        ["▶", "copy", "running", "0.0s"],
        ["·", "check", "pending"],
    ]


def test_ten_thousand_targets_are_one_calm_line(paper, story, started):
    keys = [f"host-{number}" for number in range(10_000)]
    view, tale = LiveView(paper, -1), story("patch", fans=("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in keys], tasks=len(keys)))
    tale.tell(view, *(started("patch", key) for key in keys[:5000]))
    tale.tell(view, *(ev.TaskSucceeded(step="patch", target=key, how="ran") for key in keys[:4000]))
    tale.tell(view, *(ev.TaskFailed(step="patch", target=key, code="exit", reason="no") for key in keys[4000:4900]))
    line, last = map(plain, paper.picture)
    assert last.startswith("  last: patch[host-4899] FAILED: no")
    assert "4000/10000" in line
    assert "100 running" in line
    assert "900 failed" in line
    assert paper.text.count("FAILED") == 20
    assert "more of that kind: durun show run-1" in paper.text


def test_failures_stay_above_the_picture(paper, story, started):
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"), ev.TaskFailed(step="dump", code="exit", reason="exit code 7\x1b[2J"))
    assert paper.text.splitlines()[-1] == "dump FAILED: exit code 7␛[2J in 1.0s"


def test_more_steps_than_lines_keep_those_that_matter(paper, story, started):
    names = [f"step_{number:02}" for number in range(60)]
    view, tale = LiveView(paper, -1), story(*names)
    tale.begin(view)
    tale.tell(view, *(one for name in names[:40] for one in (started(name), ev.TaskSucceeded(step=name, how="ran"))))
    tale.tell(view, started("step_40"), ev.TaskFailed(step="step_40", code="exit", reason="no"), started("step_41"))
    lines = [plain(line) for line in paper.picture]
    assert len(lines) <= 24
    assert any("step_40" in line and "failed" in line for line in lines)
    assert any("step_41" in line and "running" in line for line in lines)
    assert lines[-1] == "  … 40 more steps"


def test_no_colour_is_honoured(paper, story, started, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    view, tale = LiveView(paper, -1), story("dump")
    tale.begin(view)
    tale.tell(view, started("dump"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", "".join(paper.picture))


def test_at_the_end_the_picture_stays_with_a_summary(paper, story, started):
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


def test_of_a_long_fan_out_the_end_is_expected_and_the_last_failure_is_told(paper, story, started):
    keys = [f"host-{number}" for number in range(1000)]
    view, tale = LiveView(paper, -1), story("patch", fans=("patch",))
    tale.begin(view)
    tale.tell(view, ev.TargetsResolved(step="patch", targets=[Target(key, key) for key in keys], tasks=len(keys)))
    tale.tell(view, *(started("patch", key) for key in keys))
    assert "left" not in plain(paper.picture[0])
    for key in keys[:100]:
        tale.tell(view, ev.TaskSucceeded(step="patch", target=key, how="ran"))
    row = plain(paper.picture[0])
    assert re.search(r"~15m 0\ds left", row), row  # one a second
    for key in keys[100:130]:
        tale.tell(view, ev.TaskFailed(step="patch", target=key, code="exit", reason="exit code 3"))
    assert plain(paper.picture[-1]).startswith("  last: patch[host-129] FAILED: exit code 3")
    assert paper.text.count("FAILED") == 20
