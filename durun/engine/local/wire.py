"""What the runner and its supervisor tell each other, and the socket between them.

A frame is four bytes of length and a JSON array: the message's name, then its fields in order. Neither side
ever blocks on the other: what the socket does not take is kept and sent later. Standard library only: the
supervisor is built on this.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from durun.engine.local.records import ExitRecord, exit_record


class OpenOrder(NamedTuple):
    """Work for this run; the first order."""

    run_folder: str
    session: int


class RedactOrder(NamedTuple):
    """Redact these values in all that is written from now on, also by attempts that run already."""

    values: list[str]


class Discretion(NamedTuple):
    """What must stay out of sight of an attempt.

    `files`: variable → content of a secret file. Outputs are sealed to `seal_key`, what is digested and not kept is
    digested with `digest_key` (both in hex). `held`: the streams are held back, for the step has secret outputs, or
    what it writes is not kept and an output comes from it; with `stdout`, one of the outputs is taken from there.
    """

    files: dict[str, str]
    seal_key: str
    digest_key: str
    held: bool = False
    stdout: bool = False


class Collect(NamedTuple):
    """What is evidence of an attempt beside what it leaves in `$DURUN_EVIDENCE`.

    `name`: its stdout, which is then no log, and comes from `source`. `globs`: these files; then there is no command.
    """

    name: str = ""
    source: str = ""
    globs: list[str] = []  # noqa: RUF012  (never changed)


class StartOrder(NamedTuple):
    """Start an attempt. Its intent is committed.

    `env` is all that the step gets, but for the nonce, the place of its output and its secret files. `timeout` and
    `stop_grace` are seconds, `output_cap` bytes of stdout and stderr together. `redact`: keep no output, only its size
    and digest. `discretion` is None where there is nothing secret, `collect` where nothing may be evidence.
    """

    folder: int
    nonce: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None = None
    timeout: float | None = None
    output_cap: int = 10 * 1024 * 1024
    redact: bool = False
    stop_grace: float = 5.0
    discretion: Discretion | None = None
    collect: Collect | None = None


class StopOrder(NamedTuple):
    """Stop what runs in this folder; nothing if that has ended. It ends with this reason."""

    folder: int
    reason: Literal["cancel", "timeout"] = "cancel"


class ShutdownOrder(NamedTuple):
    """All that has ended is committed: finish what runs, and end."""


class Opened(NamedTuple):
    """The supervisor holds its lock. `scope`: it has moved into a systemd scope of its own."""

    pid: int
    scope: bool


class NotOpened(NamedTuple):
    """The supervisor can't work in this folder, and ends."""

    error: str


class Refused(NamedTuple):
    """The attempt was not started, and has no gate of ours: somebody `fenced` it, or the disk refused (`storage`)."""

    folder: int
    code: Literal["fenced", "storage"]
    error: str


class Ended(NamedTuple):
    """The attempt is over; what its outcome may name is durable, unless `problem` says what the disk refused."""

    folder: int
    record: ExitRecord
    problem: str = ""


class Gone(NamedTuple):
    """The supervisor is no more: nothing else will come."""


Order: TypeAlias = OpenOrder | RedactOrder | StartOrder | StopOrder | ShutdownOrder
Reply: TypeAlias = Opened | NotOpened | Refused | Ended | Gone
Message: TypeAlias = Order | Reply

_KINDS: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (OpenOrder, RedactOrder, StartOrder, StopOrder, ShutdownOrder, Opened, NotOpened, Refused, Ended)
}
_HANGUP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def encode(message: Message) -> bytes:
    """The frame of a message."""
    fields = [part._asdict() if isinstance(part, ExitRecord) else part for part in message]
    text = json.dumps([type(message).__name__, *fields]).encode()
    return len(text).to_bytes(4, "big") + text


def decode(text: bytes | bytearray) -> Any:
    """The message in a frame, its length taken off."""
    name, *fields = json.loads(text)
    if name == "Ended":
        return Ended(fields[0], _record(fields[1]), fields[2])
    if name == "StartOrder":
        *first, discretion, collect = fields
        fields = [*first, discretion and Discretion(*discretion), collect and Collect(*collect)]
    return _KINDS[name](*fields)


def _record(data: Mapping[str, Any]) -> ExitRecord:
    record = exit_record(data)
    if record is None:
        raise ValueError("an exit record without a nonce or a reason")
    return record


class Channel:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._in = bytearray()
        self._out = bytearray()
        self.ended = False
        self._poll = select.poll()
        self._poll.register(end, _HANGUP)

    def fileno(self) -> int:
        """The descriptor to wait on: for reading, and while `unsent` for writing."""
        return self._end.fileno()

    @property
    def unsent(self) -> bool:
        """Whether there is something that the socket did not take yet."""
        return bool(self._out) and not self.ended

    def hung_up(self) -> bool:
        """Whether the other side is gone, even if something that it sent is still unread."""
        return self.ended or bool(self._poll.poll(0))

    def send(self, messages: Iterable[Message]) -> None:
        """Send what the socket takes now, and keep the rest. To a side that is gone: nothing."""
        for message in messages:
            self._out += encode(message)
        self.flush()

    def flush(self) -> None:
        """Send what was kept, as far as the socket takes it."""
        try:
            while self._out:
                del self._out[: self._end.send(self._out)]
        except BlockingIOError:
            return
        except OSError:
            # Nobody will read it. What they sent before is still to be read, so reading finds the end.
            self._out.clear()

    def receive(self) -> list[Any]:
        """All whole messages that are there; never waits. Sets `ended` when the other side is gone."""
        self._read()
        messages = []
        while len(self._in) >= 4 and len(self._in) >= 4 + (size := int.from_bytes(self._in[:4], "big")):
            messages.append(decode(self._in[4 : 4 + size]))
            del self._in[: 4 + size]
        return messages

    def _read(self) -> None:
        try:
            while not self.ended:
                chunk = self._end.recv(1 << 18)
                self._in += chunk
                self.ended = not chunk
        except BlockingIOError:
            return
        except OSError:
            self.ended = True

    def close(self) -> None:
        """Let go of the socket."""
        self._end.close()
        self.ended = True
