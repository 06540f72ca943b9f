from __future__ import annotations

import json

import pytest

from durun.config import whoami
from durun.model import event as ev
from events import session, started

BOOK = """\
durun: 1
name: patch-all
steps:
  - id: patch
    targets: {run: ./hosts}
    max_parallel: 8
    max_failures: 50
    steps:
      - {id: apply, run: "true", on_in_doubt: %(doubt)s%(more)s}
      - {id: look, run: "true"}
  - {id: tell, run: "true"}
"""


def book(doubt="ask", more=""):
    return BOOK % {"doubt": doubt, "more": f", {more}" if more else ""}


@pytest.fixture
def patching(recorded):
    """A run of 10,000 hosts that a crash has left in the middle."""

    def record(text, *events, hosts=10_000):
        keys = [f"host-{number:05}" for number in range(hosts)]
        created = recorded.created(text=text, tasks=3, surroundings={"env": {}, "path": "/usr/bin:/bin"})
        resolved = ev.TargetsResolved(step="patch", targets=[ev.Target(key, key) for key in keys], tasks=2 * hosts)
        recorded.many({"aaaa": [created, session(), resolved, *events]})

    return record


def test_ten_thousand_targets_are_a_few_lines(durun, patching):
    done = [f"host-{number:05}" for number in range(3000)]
    ended = [ev.TaskSucceeded(step="apply", target=key, how="ran") for key in done]
    failed = [
        ev.TaskFailed(step="apply", target=f"host-{n:05}", code="exit", reason=f"no {n}") for n in range(3000, 3040)
    ]
    keys = [*done, *(one.target for one in failed)]
    begun = [started("apply", key, folder=number) for number, key in enumerate(keys, 1)]
    patching(book(), *begun, *ended, *failed)
    lines = durun("plan", "aaaa").out.splitlines()
    assert len(lines) < 40
    assert "    done              apply  3000 targets" in lines
    assert "    failed            apply  host-03000  no 3000" in lines
    assert "    failed            apply  35 targets for other reasons" in lines
    assert "    will run          apply  6960 targets  true" in lines
    assert "    will run          look   9960 targets  true" in lines
    assert "    blocked           look   40 targets  apply has failed for it" in lines
    told = json.loads(durun("plan", "aaaa", "--json").out)
    assert len(told["tasks"]) == 20_001
    assert told["tasks"][0] == {"step": "apply", "target": "host-00000", "verdict": "done", "why": ""}


@pytest.mark.parametrize(
    ("doubt", "more", "told"),
    [
        ("ask", "", "it is in doubt"),
        ("fail", "", "it has failed"),
        ("rerun", "idempotent: true", "it is repeated with the same key"),
        ("verify", "verify: {run: 'true', not_done_on: [1]}", "verify is asked"),
    ],
)
def test_what_ran_when_durun_was_lost_is_adopted_or_what_the_step_says(durun, patching, doubt, more, told):
    patching(book(doubt, more), started("apply", "host-00001"), hosts=3)
    out = durun("plan", "aaaa").out
    assert "status     interrupted; told is what a resume would do" in out
    assert f"will be adopted   apply  host-00001  it ran when durun was lost; if its end can't be told, {told}" in out


def test_nothing_runs_after_a_cancel_was_asked_for(durun, patching):
    patching(book(), ev.CancelRequested(reason="enough", by={}), hosts=3)
    out = durun("plan", "aaaa").out
    assert "will not run      apply  3 targets  a cancel was asked for" in out


def test_a_fan_out_that_was_skipped_is_done_without_targets(durun, recorded):
    text = "durun: 1\nname: x\nsteps:\n  - {id: a, targets: {run: ./hosts}, run: 'true'}\n  - {id: b, run: 'true'}\n"
    created = recorded.created(text=text, surroundings={"env": {}, "path": "/bin"})
    skipped = ev.TargetsResolved(step="a", targets=[], tasks=0, skipped=True)
    recorded("aaaa", created, session(), skipped)
    out = durun("plan", "aaaa").out
    assert (
        "  a: 0 targets, one after the other, stops at the first failure\n    done              a  no targets\n" in out
    )
    assert "will run          b" in out


AHEAD = """\
durun: 1
name: rotate-everything-there-is
description: Give every service of an inventory a new key and certificate, and reload it.
inputs:
  services: {type: array, required: true}
  role: {type: string, required: true}
  pin: {type: string, required: true, secret: true}
secrets:
  admin_password: {env: NOT_SET}
  other_password: {env: NOT_SET_EITHER}
requires: {commands: [no-such-command]}
steps:
  - id: first_of_all
    run: |
      # what is done first
      echo "${TARGET:-a rather long line of a script that is cut somewhere near the end of it}"
      echo more
    env: {A: "${{ secrets.admin_password }}", B: "${{ secrets.other_password }}"}
  - id: approved
    approval: {message: "Rotate?", approvers: [ann, bob, cy], min_approvals: 2, timeout: 24h}
  - id: each_of_them
    targets: ${{ inputs.services }}
    run: [psql, -c, "alter role ${{ inputs.role }}"]
  - id: by_hand
    manual: {instructions: "Turn the key.", timeout: 2h}
finally:
  - id: tell
    run: logger done
"""


@pytest.fixture
def ahead(tmp_path):
    path = tmp_path / "ahead.yaml"
    path.write_text(AHEAD)
    return path


def test_what_is_not_given_is_told_once_and_can_be_typed(durun, ahead):
    out = durun("plan", str(ahead)).out
    assert "asks for   pin, without echo\nwould do   at least 5 tasks" in out
    assert "each_of_them: targets unknown: input `services` is not given" in out
    assert out.count("hint: set it where durun is started") == 1
    assert out.endswith(
        "in the way:\n  input `services` is not given\n  input `role` is not given\n"
        "  secret `admin_password` can't be had\n  secret `other_password` can't be had\n"
        "  command `no-such-command` is not on this machine\n"
        f"\n  next: durun run {ahead} -i services=… -i role=…\n"
    )


def test_what_each_step_does_whom_it_asks_and_what_comes_last(durun, ahead):
    lines = durun("plan", str(ahead), "-i", 'services=["web-1", "web-2"]').out.splitlines()
    assert any(line.startswith("  will run          first_of_all    echo ") and line.endswith("…") for line in lines)
    assert "    will run          each_of_them  2 targets  psql -c alter role ${{ inputs.role }}" in lines
    assert lines[lines.index("  finally:") + 1] == "    will run          tell          logger done"
    assert "  approved: approval of 2 of ann, bob, cy, within 24h: Rotate?" in lines
    assert "  by_hand: to be done by hand, within 2h: Turn the key." in lines


ASKS = """
durun: 1
name: asks
inputs:
  who: {type: array, items: {type: string}}
  role: {type: string, default: readers}
steps:
  - id: made
    run: echo id=7 >> "$DURUN_OUTPUT"
    outputs: {id: {}}
  - id: approved
    approval: {message: "Give ${{ inputs.role }} to ${{ steps.made.outputs.id }}?", approvers: "${{ inputs.who }}"}
"""


def test_what_is_known_of_a_question_is_filled_in(durun, tmp_path):
    (book := tmp_path / "asks.yaml").write_text(ASKS)
    asked = "Give readers to ${{ steps.made.outputs.id }}?"
    assert f"  approved: approval of ann or bob: {asked}\n" in durun("plan", str(book), "-i", 'who=["ann", "bob"]').out
    assert f"  approved: approval of ${{{{ inputs.who }}}}: {asked}\n" in durun("plan", str(book)).out


@pytest.mark.parametrize(("others", "may"), [([], False), (["somebody-else"], True), (["group:root"], True)])
def test_an_approval_that_only_its_requester_could_give_is_in_the_way(durun, tmp_path, others, may):
    (book := tmp_path / "asks.yaml").write_text(ASKS)
    me = whoami()["login_user"] or whoami()["user"]
    told = durun("plan", str(book), "-i", f"who={json.dumps([me, *others])}").out
    assert (f"step `approved` can't be approved: {me}, who starts the run, does not count" in told) is not may
    book.write_text(ASKS.replace('"${{ inputs.who }}"', '"${{ inputs.who }}", allow_requester: true'))
    assert "in the way" not in durun("plan", str(book), "-i", f"who={json.dumps([me])}").out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_graph_fits_into_the_terminal_and_names_every_step(durun, ahead, monkeypatch, width):
    monkeypatch.setattr("durun.cli.graph.width_of_terminal", lambda: width)
    ahead.write_text(
        AHEAD + "  - id: at_the_very_end\n    run: 'true'\n    if: run.status == 'failed' and inputs.role != 'nobody'\n"
    )
    lines = durun("graph", str(ahead)).out.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[1] for line in lines if line.split()[0] in "•▾"] == [
        "first_of_all", "approved", "each_of_them", "by_hand", "tell", "at_the_very_end"
    ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_into_the_terminal(durun, ahead, monkeypatch, width):
    monkeypatch.setattr("durun.cli.plan.width_of_terminal", lambda: width)
    services = json.dumps([f"web-{number}" for number in range(10_000)])
    (ahead.parent / "inputs.json").write_text(f'{{"services": {services}, "role": "app"}}')
    ran = durun("plan", str(ahead), "--inputs", str(ahead.parent / "inputs.json"))
    assert ran.code == 0, ran
    lines = ran.out.splitlines()
    assert [line for line in lines if len(line) > width and "durun run" not in line and str(ahead) not in line] == []
    assert len(lines) < 60
    assert any(line.startswith("    will run") and "each_of_them" in line for line in lines)
