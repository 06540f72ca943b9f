"""kill -9 around `secret: put` and `delete` into a real keyring: a resume looks what is there, and asks nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from jeepney import message_bus
from jeepney.io.blocking import Proxy

from crash.harness import Bench, Ran, wait_until
from daemons.keyring import Keyring, bus_at, needs_keyring, unlocked_keyring
from stored import files

__all__ = ["unlocked_keyring"]
pytestmark = needs_keyring

STEPS = """
steps:
  - id: made
    generate: {password: {length: 24}}
  - id: keep
    secret: {put: {service: shop, username: app, value: "${{ steps.made.outputs.password }}"}}
  - id: forget
    secret: {delete: {service: shop, username: old}}
  - id: use
    run: eval "$MARK"; echo "with $PASSWORD"
    env: {PASSWORD: "${{ steps.made.outputs.password }}"}
"""


@pytest.fixture
def shop(bench: Bench, unlocked_keyring: Keyring) -> Bench:
    """A keyring with what is to be forgotten, which durun finds."""
    unlocked_keyring.put("shop", "old", "old password")
    bench.env |= unlocked_keyring.env
    return bench


@contextlib.contextmanager
def frozen(keyring: Keyring) -> Iterator[None]:
    """The daemon takes requests and answers none: whoever asks it hangs there."""
    with bus_at(keyring.address) as connection:
        (pid,) = Proxy(message_bus, connection).GetConnectionUnixProcessID("org.freedesktop.secrets")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_rotated(shop: Bench, keyring: Keyring, ran: Ran) -> None:
    """It went on by itself; the keyring has the new value once and the old one no more; no file has either."""
    assert ran.code == 0, (ran, shop("logs", shop.last() or "").out)
    assert shop.show()["status"] == "succeeded"
    assert shop.effects() == {"use": 1}
    (value,) = keyring.all("shop").pop("app")
    assert keyring.all("shop") == {"app": [value]}
    for path, content in files(shop.home):
        assert value.encode() not in content, path
    assert value not in ran.out + ran.err
    shop.check()


@pytest.mark.fault(33)
@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("point", ["process.after", "exit.before", "exit.after", "ended.after"])
def test_supervisor_killed(shop, unlocked_keyring, point, hit):
    path = shop.write(STEPS)
    sprung, ran = shop.crash("run", str(path), at=f"supervisor {point} {hit}")
    assert sprung, ran
    wait_until(lambda: not shop.steps())
    is_rotated(shop, unlocked_keyring, shop("resume", shop.last() or "") if ran.code else ran)


@pytest.mark.fault(33)
@pytest.mark.parametrize("hit", [2, 3, 4, 5])
@pytest.mark.parametrize("point", ["append.before", "append.after"])
def test_runner_killed(shop, unlocked_keyring, point, hit):
    sprung, ran = shop.crash("run", str(shop.write(STEPS)), at=f"runner {point} {hit}")
    assert sprung, ran
    is_rotated(shop, unlocked_keyring, shop("resume", shop.last() or ""))


@contextlib.contextmanager
def before_it_is_kept(shop: Bench) -> Iterator[subprocess.Popen[str]]:
    """A run that has made the new value, and comes to the keyring when the block ends."""
    pipe = shop.fifo()
    steps = STEPS.replace("  - id: keep\n", f"  - id: waits\n    run: cat {pipe}\n    idempotent: true\n  - id: keep\n")
    run = shop.start("run", str(shop.write(steps)))
    wait_until(shop.steps)
    yield run
    shop.let_go(pipe)


@pytest.mark.fault(33)
def test_all_killed_while_the_keyring_has_not_answered(shop, unlocked_keyring):
    with contextlib.ExitStack() as thawed:
        with before_it_is_kept(shop) as run:
            thawed.enter_context(frozen(unlocked_keyring))
        wait_until(lambda: [pid for pid in shop.steps() if b"secrets.step" in command_of(pid)])
        shop.kill(run.pid, *shop.supervisors(), *shop.steps())
        run.communicate()
    is_rotated(shop, unlocked_keyring, shop("resume", shop.last() or ""))


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.fault(30)
def test_a_keyring_that_locks_in_the_middle_fails_the_step_and_says_why(shop, unlocked_keyring):
    with before_it_is_kept(shop) as run:
        unlocked_keyring.lock()
    ran = shop.finish(run)
    assert ran.code == 1
    assert "the keyring is locked, and nobody can unlock it here" in shop("logs", shop.last() or "").out
