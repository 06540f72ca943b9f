"""The scope of its own: asked for in the words of systemd's interface, and nothing is lost where it is not there."""

import os
from pathlib import Path

import pytest

from durun.engine.local import scope
from durun.engine.local.procs import control_group


def test_without_systemd_there_is_no_scope_and_nothing_is_started(monkeypatch):
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd runs here")
    monkeypatch.setattr(scope.subprocess, "run", lambda *a, **k: pytest.fail("something was started"))
    assert not scope.scope_available()
    assert not scope.enter_scope("durun-x-1")


def test_the_call_moves_our_own_pid(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    words = scope.command("durun-x-1", 42)
    assert words[:4] == ["busctl", "--user", "--quiet", "call"]
    assert words[-10:] == ["fail", "2", "PIDs", "au", "1", "42", "CollectMode", "s", "inactive-or-failed", "0"]
    assert "durun-x-1.scope" in words


@pytest.mark.parametrize("answer", ["exit 1", "exit 0", "exec sleep 100"])
def test_a_manager_that_refuses_lies_or_hangs_is_given_up(monkeypatch, tmp_path, answer):
    busctl = tmp_path / "busctl"
    busctl.write_text(f"#!/bin/sh\n{answer}\n")
    busctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(scope, "scope_available", lambda: True)
    monkeypatch.setattr(scope, "_PATIENCE", 0.1)
    assert not scope.enter_scope("durun-x-1")


def test_being_there_is_seen(monkeypatch):
    monkeypatch.setattr(scope, "scope_available", lambda: True)
    monkeypatch.setattr(scope, "command", lambda name, pid: ["true"])
    monkeypatch.setattr(scope, "control_group", lambda pid: "0::/user.slice/durun-x-1.scope")
    assert scope.enter_scope("durun-x-1")
    assert control_group("self") == control_group(os.getpid())
