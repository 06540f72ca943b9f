"""What the steps of the test about leaks do: they show all that they are given, in every form, wherever they can.

    python secret_step.py VERB

Given are the variables `S_…`, the files that `F_…` name, and stdin. Each value that a step got is a line of `$GOT`, in
JSON, and each that it made one of `$MADE`: the other side's memory, which durun does not know of.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from secret_forms import written

TARGETS = 3


def main(verb: str) -> int:
    """Do what the verb says; returns the exit code."""
    if verb == "list":
        sys.stdout.write(json.dumps([_target(number) for number in range(TARGETS)]))
        return 0
    given = _given()
    for name, value in given.items():
        _note("GOT", name, value)
    if verb == "recalls":
        given |= {
            one["name"]: one["value"] for one in map(json.loads, Path(os.environ["MADE"]).read_text().splitlines())
        }
    if verb == "check":
        _show(given)
        return 0 if _done() else 1
    made = _make() if verb.startswith("issue") else {}
    if not verb.endswith("stdout"):
        _show({**given, **made})
    _effect()
    if verb == "exposes":
        _output("open", f"here: {next(iter(given.values()))}")
    for value in made.values():
        _hand_over(verb, value)
    if verb == "doubt":
        os.kill(os.getpid(), signal.SIGKILL)
    return 7 if verb == "fails" else 0


def _given() -> dict[str, str]:
    given = {name[2:]: value for name, value in os.environ.items() if name.startswith("S_")}
    given |= {name[2:]: Path(path).read_bytes().decode() for name, path in os.environ.items() if name.startswith("F_")}
    if text := sys.stdin.buffer.read().decode():
        given[os.environ["STDIN_NAME"]] = text
    return given


def _task() -> str:
    step, target = os.environ["DURUN_STEP_ID"], os.environ.get("DURUN_TARGET_KEY")
    return step if target is None else f"{step}/{target}"


def _make() -> dict[str, str]:
    """A new secret at each call: whoever calls twice has two."""
    value = f"tok'{os.urandom(12).hex()}\"&é"
    _note("MADE", _task(), value)
    return {"made": value}


def _hand_over(verb: str, value: str) -> None:
    match verb.split("-")[1:]:
        case ["stdout"]:
            print(value)
        case ["json", "stdout"]:
            print(json.dumps({"a": {"token": value}}))
        case _:
            _output("token", value)


def _output(name: str, value: str) -> None:
    with open(os.environ["DURUN_OUTPUT"], "a", encoding="utf-8") as pipe:
        pipe.write(f"{name}<<:end:\n{value}\n:end:\n")


def _show(values: dict[str, str]) -> None:
    """On both streams in turn, each form in two writes."""
    for value in values.values():
        for number, text in enumerate(written(value)):
            data = f"{text}\n".encode()
            half = len(data) // 2
            for part in (data[:half], data[half:]):
                _write(1 + number % 2, part)


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]


def _effect() -> None:
    _append(os.environ["EFFECTS"], f"{_task()}\n")


def _done() -> bool:
    return Path(os.environ["EFFECTS"]).exists() and _task() in Path(os.environ["EFFECTS"]).read_text().split()


def _target(number: int) -> dict[str, str]:
    """The same at each call: the other side's list."""
    dsn = f'postgres://u:{os.environ["SEED"]}-p{number}"ss\\w<ord>@db{number}'
    _note("GOT", f"dsn{number}", dsn)
    return {"name": f"db{number}", "dsn": dsn}


def _note(memory: str, name: str, value: str) -> None:
    about = {"name": name, "value": value, "task": os.environ.get("DURUN_STEP_ID", "")}
    _append(os.environ[memory], f"{json.dumps(about)}\n")


def _append(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
