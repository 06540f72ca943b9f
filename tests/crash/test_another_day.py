"""Days pass between one command and the next: the wall clock of the real durun is set ahead, and cron goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crash.harness import Bench, Ran, wait_until
from durun.config import whoami
from durun.model.people import name_of

DAY = 24 * 3600.0
STEPS = """
steps:
  - {id: before, run: 'eval "$MARK"'}
  - {id: pause, wait: 48h}
  - {id: after, run: 'eval "$MARK"'}
"""


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose state directory is where it is by default, so that cron finds it without a variable."""
    home = tmp_path / "home"
    home.mkdir()
    made = Bench(tmp_path, home / ".local" / "state" / "durun")
    made.env |= {"HOME": str(home)}
    made.sign = f"HOME={home}"
    for name in ("DURUN_HOME", "XDG_STATE_HOME"):
        made.env.pop(name, None)
    yield made
    made.close()


def cron(bench: Bench, *argv: str, days: float, passed: float = 0.0) -> Ran:
    """What cron runs so many days later: nothing of the caller's environment but HOME and a short PATH.

    `days` by the wall clock; `passed`: those that the machine has counted, whatever the wall clock says.
    """
    clocks = [f"CRASH_CLOCK={days * DAY}", f"CRASH_UPTIME={passed * DAY}"]
    return bench(*argv, prefix=["env", "-i", f"HOME={bench.env['HOME']}", "PATH=/usr/bin:/bin", *clocks])


def test_a_wait_of_two_days_is_left_and_taken_up_by_cron(at_home: Bench) -> None:
    bench = at_home
    ran = bench("run", "--park", str(bench.write(STEPS)))
    assert ran.code == 5, ran
    bench.quiet()
    assert bench.effects() == {"before": 1}
    for days in (0.5, 1.9):
        assert cron(bench, "resume", "--all", "--park", days=days)[:2] == (0, "")
    assert bench.effects() == {"before": 1}
    ran = cron(bench, "resume", "--all", "--park", days=2.1)
    assert ran.code == 0, ran
    assert bench.show()["status"] == "succeeded"
    assert bench.effects() == {"before": 1, "after": 1}
    assert cron(bench, "resume", "--all", "--park", days=3)[:2] == (0, "")
    bench.check()


@pytest.mark.fault(26)
@pytest.mark.parametrize("passed", [0.0, 2.1])
def test_a_clock_that_was_set_forward_is_in_the_record_and_days_that_have_passed_are_not(
    at_home: Bench, passed: float
) -> None:
    bench = at_home
    assert bench("run", "--park", str(bench.write(STEPS))).code == 5
    bench.quiet()
    ran = cron(bench, "resume", "--all", "--park", days=2.1, passed=passed)
    assert ran.code == 0, ran
    jumps = bench.events("clock_jumped")
    assert len(jumps) == (0 if passed else 1)
    assert ("the clock jumped forward by 2d" in ran.out) == bool(jumps)
    bench.check()


POLLED = """
steps:
  - {id: before, run: 'eval "$MARK"'}
  - id: ready
    wait_for: {run: 'echo x >>"$EFFECTS.asked"; test -e "$EFFECTS.come"', every: 6h, timeout: 48h}
  - {id: after, run: 'eval "$MARK"'}
"""


def questions(bench: Bench) -> int:
    return len(Path(f"{bench.effects_file}.asked").read_text().split())


@pytest.mark.parametrize("comes", [True, False])
def test_a_poll_of_two_days_is_asked_by_cron_when_it_is_due(at_home: Bench, comes: bool) -> None:
    bench = at_home
    ran = bench("run", "--park", str(bench.write(POLLED)))
    assert ran.code == 5, ran
    bench.quiet()
    for days, code, asked in ((0.2, 0, 1), (0.3, 5, 2), (0.4, 0, 2), (1.9, 5, 3), (1.95, 0, 3)):
        assert cron(bench, "resume", "--all", "--park", days=days).code == code
        assert questions(bench) == asked
        bench.quiet()
    if comes:
        Path(f"{bench.effects_file}.come").touch()
    ran = cron(bench, "resume", "--all", "--park", days=2.1)
    assert ran.code == (0 if comes else 1), ran
    assert questions(bench) == 4
    assert bench.effects() == {"before": 1, **({"after": 1} if comes else {})}
    assert len(bench.events("task_waiting")) == 1
    assert cron(bench, "resume", "--all", "--park", days=3)[:2] == (0, "")
    bench.check()


ASKED = """
steps:
  - {id: before, run: 'eval "$MARK"'}
  - id: ok
    approval: {message: Now?, approvers: [root, "${{ env.ME }}"], allow_requester: true, timeout: 48h}
  - {id: after, run: 'eval "$MARK"'}
"""


def asked(bench: Bench) -> str:
    """A run that waits for people, parked without any process; its id."""
    bench.env["ME"] = name_of(whoami())
    assert bench("run", str(bench.write(ASKED))).code == 5
    bench.quiet()
    return bench.last() or ""


def test_an_approval_after_two_days_and_cron_goes_on(at_home: Bench) -> None:
    bench = at_home
    run = asked(bench)
    for days in (0.5, 1.9):
        assert cron(bench, "resume", "--all", days=days)[:2] == (0, "")
    assert cron(bench, "approve", run, "--no-resume", days=1.95).code == 0
    ran = cron(bench, "resume", "--all", days=2.5)
    assert ran.code == 0, ran
    assert bench.effects() == {"before": 1, "after": 1}
    assert cron(bench, "resume", "--all", days=3)[:2] == (0, "")
    bench.check()


@pytest.mark.fault(26)
def test_an_approval_expires_when_the_clock_is_set_forward_and_does_not_come_back_with_it(at_home: Bench) -> None:
    bench = at_home
    run = asked(bench)
    late = cron(bench, "approve", run, "--json", days=400)
    assert late.code == 6 and "expired" in late.err
    assert len(bench.events("decision_refused")) == 1
    back = cron(bench, "approve", run, days=0)
    assert back.code == 6, back
    ran = cron(bench, "resume", "--all", days=0)
    assert ran.code == 6, ran
    assert (bench.show()["status"], bench.task("ok")["status"]) == ("failed", "failed")
    assert bench.effects() == {"before": 1}
    bench.check()


@pytest.mark.fault(26)
def test_an_approval_is_not_extended_when_the_clock_is_set_back(at_home: Bench) -> None:
    bench = at_home
    run = asked(bench)
    until = bench.show()["waiting_for"]["tasks"][0]["until"]
    assert cron(bench, "resume", run, days=-10).code == 5
    assert bench.show()["waiting_for"]["tasks"][0]["until"] == until
    assert cron(bench, "resume", "--all", days=2.1).code == 6
    assert "expired at" in bench.task("ok")["reason"]


@pytest.mark.fault(26)
@pytest.mark.parametrize("decided", [False, True])
def test_an_approval_expires_in_its_time_though_the_clock_was_set_back_meanwhile(at_home: Bench, decided: bool) -> None:
    bench = at_home
    run = asked(bench)
    assert cron(bench, "resume", "--all", days=-10, passed=1.9)[:2] == (0, "")
    if decided:
        late = cron(bench, "approve", run, "--json", days=-10, passed=2.1)
        assert late.code == 6 and "expired" in late.err
    assert cron(bench, "resume", "--all", days=-10, passed=2.1).code == 6
    assert "expired at" in bench.task("ok")["reason"]
    assert bench.effects() == {"before": 1}
    bench.check()


OPEN = """
steps:
  - id: grant
    run: eval "$MARK"
    rollback: {run: 'eval "$MARK"', idempotent: true}
    privileged: {until: ok, max: 4h}
  - {id: ok, approval: {message: go on?, approvers: [root]}}
"""


@pytest.mark.fault(26)
def test_a_privilege_is_closed_in_its_time_though_the_clock_was_set_back_meanwhile(at_home: Bench) -> None:
    bench = at_home
    assert bench("run", str(bench.write(OPEN))).code == 5
    bench.quiet()
    assert cron(bench, "reap", days=-10, passed=0.1) == Ran(0, "", "")
    assert bench.effects() == {"grant": 1}
    assert cron(bench, "reap", days=-10, passed=0.2).code == 0
    assert bench.effects() == {"grant": 1, "grant@rollback": 1}
    bench.check()


REMEMBERED = """
steps:
  - id: work
    run: eval "$MARK"; sleep 100
    idempotent: {ttl: 24h}
"""


@pytest.mark.fault(26)
def test_a_key_is_not_used_again_when_its_time_is_over_though_the_clock_was_set_back(at_home: Bench) -> None:
    bench = at_home
    bench.start("run", str(bench.write(REMEMBERED)))
    wait_until(lambda: bench.effects()["work"] == 1)
    bench.kill(*bench.processes())
    run = bench.last() or ""
    assert cron(bench, "resume", run, days=-10, passed=1.1).code == 3
    assert bench.effects() == {"work": 1}
    bench.check()


def test_a_clock_that_was_put_right_after_a_restart_is_believed(at_home: Bench) -> None:
    bench = at_home
    run = asked(bench)
    mark = bench.home / "runs" / run / "clock"
    place, began = mark.read_text().split()
    mark.write_text(f"another-start {float(began) + 10 * DAY}")
    assert cron(bench, "resume", "--all", days=0.5)[:2] == (0, "")
    mark.write_text(f"{place} {float(began) + 10 * DAY}")
    assert cron(bench, "resume", "--all", days=0.5).code == 6


GRANTED = """
steps:
  - id: grant
    run: eval "$MARK"
    rollback: {run: 'eval "$MARK"'}
    privileged: {until: after, max: 4h}
  - {id: ok, approval: {message: Now?, approvers: [root, "${{ env.ME }}"], allow_requester: true}}
  - {id: after, run: 'eval "$MARK"'}
  - {id: polled, needs: [], wait_for: {run: 'exit 1', every: 1h, timeout: 48h}}
"""


def test_what_was_closed_is_not_granted_again_by_cron_while_it_is_asked(at_home: Bench) -> None:
    bench = at_home
    bench.env["ME"] = name_of(whoami())
    assert bench("run", "--park", str(bench.write(GRANTED))).code == 5
    bench.quiet()
    for hour in range(5, 13):
        cron(bench, "reap", days=hour / 24)
        assert cron(bench, "resume", "--all", "--park", days=hour / 24).code == 5
        bench.quiet()
    assert bench.effects() == {"grant": 1, "grant@rollback": 1}
    told = cron(bench, "plan", bench.last() or "", days=0.6).out
    assert "again, before the next step that needs it" in told
    assert cron(bench, "approve", bench.last() or "", "ok", "--no-resume", days=0.6).code == 0
    assert cron(bench, "resume", "--all", "--park", days=0.6).code == 5
    assert bench.effects() == {"grant": 2, "grant@rollback": 2, "after": 1}
    bench.check()
