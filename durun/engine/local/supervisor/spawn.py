"""Starting a step's process: its pipes, its environment, and the words for what can go wrong."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from durun.engine.local.folder import OUTPUT, output_path
from durun.engine.local.procs import NONCE
from durun.engine.local.wire import StartOrder


class NotStarted(Exception):
    """The command could not be started; the text says which, and why."""


class Spawned(NamedTuple):
    """A started process and our ends of its pipes, which never block; `stdin` is None if it reads /dev/null."""

    pid: int
    stdin: int | None
    stdout: int
    stderr: int


def spawn(order: StartOrder, folder: Path) -> Spawned:
    """Start the order's command in a process group of its own. Raises NotStarted."""
    env = {**order.env, NONCE: order.nonce, OUTPUT: str(output_path(folder))}
    pipes: list[int] = []
    try:
        if not order.argv:
            raise NotStarted("there is no command to start")
        for _ in range(2 if order.stdin is None else 3):
            pipes.extend(os.pipe())
        process = subprocess.Popen(
            order.argv,
            stdin=pipes[4] if order.stdin is not None else subprocess.DEVNULL,
            stdout=pipes[1],
            stderr=pipes[3],
            cwd=order.cwd,
            env=env,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        _close(pipes)
        raise NotStarted(explain(order, error)) from error
    except NotStarted:
        _close(pipes)
        raise
    # The loop waits for every child by itself; subprocess must not wait for a pid that is long another's.
    process.returncode = 0
    ours = [pipes[0], pipes[2], *pipes[5:6]]
    _close([end for end in pipes if end not in ours])
    for end in ours:
        os.set_blocking(end, False)
    return Spawned(process.pid, pipes[5] if order.stdin is not None else None, pipes[0], pipes[2])


def explain(order: StartOrder, error: OSError | ValueError) -> str:
    """One line: which thing was not there, or not allowed."""
    command = order.argv[0]
    if isinstance(error, ValueError):
        return f"{command!r} can't be started: {error}"
    if not Path(order.cwd).is_dir():
        return f"working directory not found: {order.cwd}"
    if not os.access(order.cwd, os.X_OK):
        return f"working directory can't be entered: {order.cwd}"
    if error.errno == errno.ENOENT:
        there = "/" in command and (Path(order.cwd) / command).exists()
        return f"the interpreter that {command} names is not found" if there else f"command not found: {command}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"command not executable: {command}"
    if error.errno == errno.ENOEXEC:
        return f"command not executable: {command} is neither a program nor begins with #!"
    return f"{command} can't be started: {error.strerror}"


def _close(ends: list[int]) -> None:
    for end in ends:
        os.close(end)
