"""Starting a step's process: its pipes, its environment, and the words for what can go wrong.

With `posix_spawn` rather than `subprocess`: half the cost, which every step pays. Every descriptor of the supervisor
is close-on-exec, so a step gets its three and no other.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from durun.engine.local.folder import OUTPUT, output_path
from durun.engine.local.procs import NONCE
from durun.engine.local.wire import StartOrder

_IGNORED_BY_PYTHON = [number for name in ("SIGPIPE", "SIGXFSZ") if (number := getattr(signal, name, None)) is not None]


class NotStarted(Exception):
    """The command could not be started; the text says which, and why."""


class Spawned(NamedTuple):
    """A started process and our ends of its pipes, which never block; `stdin` is None if it reads /dev/null."""

    pid: int
    stdin: int | None
    stdout: int
    stderr: int


def spawn(order: StartOrder, folder: Path, more: Mapping[str, str], held: int | None = None) -> Spawned:
    """Start the order's command in a process group of its own, with `more` variables. Raises NotStarted.

    `held` is a descriptor that it gets beside its three, as number 3.
    """
    env = {**order.env, **more, NONCE: order.nonce, OUTPUT: output_path(folder)}
    theirs: list[int] = []
    ours: list[int] = []
    try:
        if not order.argv:
            raise NotStarted("there is no command to start")
        theirs.append(_their_stdin(order, ours))
        for _ in ("stdout", "stderr"):
            reading, writing = os.pipe()
            ours.append(reading)
            theirs.append(writing)
        if held is not None:
            theirs.append(os.dup(held))
        pid = _start(order, env, theirs)
    except (OSError, ValueError) as error:
        _close(ours)
        raise NotStarted(explain(order, error)) from error
    except NotStarted:
        _close(ours)
        raise
    finally:
        _close(theirs)
    for end in ours:
        os.set_blocking(end, False)
    *stdin, stdout, stderr = ours
    return Spawned(pid, stdin[0] if stdin else None, stdout, stderr)


def _their_stdin(order: StartOrder, ours: list[int]) -> int:
    if order.stdin is None:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    reading, writing = os.pipe()
    ours.append(writing)
    return reading


def _start(order: StartOrder, env: Mapping[str, str], ends: list[int]) -> int:
    """Start it in its working directory: there is one thread, so the supervisor can go there for a moment."""
    os.chdir(order.cwd)
    try:
        return os.posix_spawn(
            find_command(order.argv[0], env.get("PATH", os.defpath)),
            order.argv,
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends)],
            setpgroup=0,
            setsigmask=[],
            setsigdef=_IGNORED_BY_PYTHON,
        )
    finally:
        os.chdir("/")


def find_command(command: str, path: str) -> str:
    """The file of a command, as execvp(3) finds it: one with a slash is taken as it is. Raises FileNotFoundError.

    Of several, the first that may be executed; else the first that is there, so that the error names the reason.
    """
    if "/" in command:
        return command
    candidates = [f"{folder or '.'}/{command}" for folder in path.split(os.pathsep)]
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):  # noqa: PTH112  (every step pays for it)
            return candidate
    for candidate in candidates:
        if os.path.isfile(candidate):  # noqa: PTH113
            return candidate
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command)


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
