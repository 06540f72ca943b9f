"""The process in which what durun did not write deals with secrets: the `keyring` library, and plugins.

So D-Bus and its like are never loaded into a runner, and whatever hangs can be killed. It has no terminal to ask on.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from durun.secrets.cores import forbid_core_dumps
from durun.secrets.wire import Refusal

if TYPE_CHECKING:
    from durun.secrets.backends import Chosen


_MANY = 100
"""Values under the same names."""


class Worker:
    """Answers requests."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._chosen: Chosen | None = None

    def say(self, answer: Mapping[str, Any]) -> None:
        """One line of JSON to the other side."""
        self._answers.write(f"{json.dumps(answer)}\n")
        self._answers.flush()

    def answer(self, request: Mapping[str, Any]) -> None:
        """Do what is asked. What goes wrong is an answer too, without any value in it."""
        try:
            self.say(self._do(request))
        except Refusal as refusal:
            self.say(refusal.answer)
        except Exception as error:
            self.say({"error": "failed", "why": _without(request.get("value"), error)})

    def _do(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if request["do"] == "provide":
            from durun.secrets.plugins import provide

            return {"value": provide(request["provider"], request["spec"], request["folder"])}
        chosen = self._choose()
        if request["do"] == "backend":
            return {"name": chosen.name, "why_not": chosen.why_not}
        if chosen.why_not:
            raise Refusal("unusable", chosen.why_not)
        return {"value": self._call(chosen.backend, request)}

    def _choose(self) -> Chosen:
        if self._chosen is None:
            from durun.secrets.backends import choose
            from durun.secrets.secret_service import keep_connection

            keep_connection()
            self._chosen = choose()
        return self._chosen

    def _call(self, backend: Any, request: Mapping[str, Any]) -> Any:
        from keyring.errors import KeyringLocked, PasswordDeleteError

        from durun.secrets.secret_service import is_locked

        if is_locked(backend):
            if not request.get("ask"):
                raise Refusal("locked")
            self.say({"waits": "locked"})
        names = request["service"], request["username"]
        try:
            match request["do"]:
                case "get":
                    return backend.get_password(*names)
                case "put":
                    return _put(backend, names, request["value"])
                case "delete":
                    return _delete_until(backend, names, None)
                case other:
                    raise ValueError(other)
        except KeyringLocked:
            raise Refusal("locked") from None
        except PasswordDeleteError as error:
            raise Refusal("failed", _without(None, error)) from None


def _put(backend: Any, names: tuple[str, str], value: str) -> None:
    """Store the value. What other programs stored under the same names, beside it, would be found in its place."""
    backend.set_password(*names, value)
    if backend.get_password(*names) is not None:
        _delete_until(backend, names, value)


def _delete_until(backend: Any, names: tuple[str, str], wanted: str | None) -> bool:
    """Delete what is found under the names until it is `wanted`; whether there was anything to delete."""
    for deleted in range(_MANY):
        if backend.get_password(*names) == wanted:
            return deleted > 0
        backend.delete_password(*names)
    raise Refusal("failed", "what was stored there before is still there")


def _without(value: object, error: Exception) -> str:
    """What an exception says, in one line, but for the value that was to be stored."""
    text = str(error)
    if isinstance(value, str) and value:
        text = text.replace(value, "***")
    return f"{type(error).__name__}: {' '.join(text.split())[:200]}".rstrip(": ")


def main() -> None:
    """Answer until stdin ends. Whatever a library prints or reads goes nowhere."""
    forbid_core_dumps()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks us
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    _leave_terminal()
    worker = Worker(answers)
    for line in requests:
        worker.answer(json.loads(line))


def _leave_terminal() -> None:
    """Have no terminal any more: backends that ask for a passphrase open /dev/tty for it, and would wait for ever.

    A session of its own would do it too, but a step's group of processes is how all of it is stopped.
    """
    import fcntl
    import termios

    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.ioctl(terminal, termios.TIOCNOTTY)
    finally:
        os.close(terminal)
