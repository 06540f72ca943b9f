"""What an attempt's folder says: the gate, the process that was started, the exit record. All in one file.

The gate file has three fixed regions. Each holds one sealed text: length and CRC-32 in hex, then JSON, then
zeros. It is made whole, its zeros written out, before it gets its name: so the later records go into room
that is already there, with one `pwrite` each, also on a full disk. Fields are added, never renamed or
reused: records outlive the durun that wrote them. Standard library only: the supervisor is built on this.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

EndReason = Literal["exit", "timeout", "cancel", "not_started"]

GATE_AT, PROCESS_AT, EXIT_AT, SIZE = 0, 640, 1024, 4096
_HEADER = 18


class Gate(NamedTuple):
    """Who may start the attempt: a supervisor, or (`fence`) nobody, ever."""

    nonce: str
    fence: bool
    session: int
    pid: int
    started: int
    pid_namespace: str
    boot_id: str
    at: float


class MainProcess(NamedTuple):
    """The process that was started for the attempt; it leads a process group of the same number."""

    pid: int
    started: int


class ExitRecord(NamedTuple):
    """How the attempt ended.

    `exit_code` or `signal` is the main process's, both None if it was not started or could not be killed. Times
    are seconds since the epoch. `log` has for each stream that wrote anything `{"bytes", "sha256", "cut"}`, and
    `redacted` if it was. `synced`: all that the attempt left is on the disk. `leftover`: pids that could not be killed.
    `error`: why it was not started, or what durun could not do. `evidence`: the SHA-256 of the list of what was taken;
    `lost`: why it could not be.
    """

    nonce: str
    reason: EndReason
    exit_code: int | None
    signal: int | None
    started_at: float
    ended_at: float
    error: str = ""
    log: Mapping[str, Mapping[str, Any]] = {}
    synced: bool = False
    leftover: tuple[int, ...] = ()
    evidence: str = ""
    lost: str = ""


class Records(NamedTuple):
    """What a gate file says; None for each part that is not there, or not whole."""

    gate: Gate | None
    process: MainProcess | None
    exit: ExitRecord | None


def new_gate_file(gate: Gate) -> bytes:
    """The content of a gate file at its beginning. Raises ValueError for a gate with too long texts."""
    sealed = _seal(gate._asdict(), PROCESS_AT - GATE_AT)
    if len(sealed) > PROCESS_AT - GATE_AT:
        raise ValueError("the gate does not fit into its region")
    return sealed.ljust(SIZE, b"\0")


def process_region(process: MainProcess) -> bytes:
    """What to write at PROCESS_AT."""
    return _seal(process._asdict(), EXIT_AT - PROCESS_AT)


def exit_region(record: ExitRecord) -> bytes:
    """What to write at EXIT_AT. The error and the leftovers are shortened if need be."""
    record = record._replace(leftover=record.leftover[:64], error=record.error[:1000])
    while len(sealed := _seal(record._asdict(), SIZE)) > SIZE - EXIT_AT:
        record = record._replace(error=record.error[: len(record.error) // 2])
    return sealed


def read_records(content: bytes) -> Records:
    """The parts of a gate file that are whole."""
    return Records(
        _gate(_unseal(content[GATE_AT:PROCESS_AT])),
        _process(_unseal(content[PROCESS_AT:EXIT_AT])),
        exit_record(_unseal(content[EXIT_AT:SIZE])),
    )


def exit_record(data: Mapping[str, Any] | None) -> ExitRecord | None:
    """The record whose `_asdict()` this is; None for anything else. Unknown fields are left out."""
    if data is None or not {"nonce", "reason"} <= data.keys():
        return None
    known = {name: data.get(name, ExitRecord._field_defaults.get(name)) for name in ExitRecord._fields}
    return ExitRecord(**{**known, "leftover": tuple(data.get("leftover", ()))})


def _gate(data: Mapping[str, Any] | None) -> Gate | None:
    if data is None or not set(Gate._fields) <= data.keys():
        return None
    return Gate(**{name: data[name] for name in Gate._fields})


def _process(data: Mapping[str, Any] | None) -> MainProcess | None:
    if data is None or not set(MainProcess._fields) <= data.keys():
        return None
    return MainProcess(data["pid"], data["started"])


def _seal(data: Mapping[str, Any], room: int) -> bytes:
    text = json.dumps(data, separators=(",", ":")).encode()
    sealed = b"%08x %08x %s" % (len(text), zlib.crc32(text), text)
    return sealed + b"\n" if len(sealed) < room else sealed


def _unseal(region: bytes) -> Mapping[str, Any] | None:
    try:
        size, crc = int(region[:8], 16), int(region[9:17], 16)
    except ValueError:
        return None
    text = region[_HEADER : _HEADER + size]
    if len(text) != size or zlib.crc32(text) != crc:
        return None
    data = json.loads(text)
    return data if isinstance(data, dict) else None
