"""The process that does what a step's `uses` says, or asks whether it is done.

    python -m durun.plugins.worker

What is asked is a JSON object on stdin (`durun.actions.uses` makes it), so that no secret is in its argv. What the
plugin prints is the step's log. Outputs go to `$DURUN_OUTPUT`, and with them what is to be said of its end.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from durun.errors import CannotStart
from durun.model.retry import AMBIGUOUS, FOR_GOOD, NOTHING_HAPPENED
from durun.model.values import Json
from durun.plugins.api import Action, Call, Done, Failed, InDoubt, NotDone, NothingHappened, Unknown
from durun.plugins.installed import find_action
from durun.plugins.loaded import Unusable, load_action, where
from durun.working import asked, leave, tell

DONE, NOT_DONE, UNKNOWN = 0, 1, 2
"""The exit codes of a question."""
FAILED: Final = 1
_MOST: Final = 64 << 10
"""Characters of a reason."""


class End(NamedTuple):
    """How the process ends, and what is said of it."""

    code: int
    why: str
    outputs: Mapping[str, Json] = {}


def main() -> int:
    """Do what stdin says; returns the exit code."""
    order = asked()
    if order is None:
        return NOTHING_HAPPENED
    try:
        action = _action(order["uses"])
    except Unusable as error:
        return _tell(End(UNKNOWN if order["do"] == "verify" else NOTHING_HAPPENED, str(error)))
    call = _call(order["with"])
    end = _asked(action, call) if order["do"] == "verify" else _done(action, call)
    end = end._replace(why=_masked(end.why, _texts(order["with"], order["secret"])))
    return _tell(end if order["gives"] else end._replace(outputs={}))


def _action(name: str) -> Action:
    """The action, if it is of the package and version that the session began with. Raises Unusable."""
    try:
        found = find_action(name)
    except CannotStart as error:
        raise Unusable(f"{error.message} ({error.hint})") from None
    began = os.environ.get("DURUN_PLUGIN", found.code)
    if found.code != began:
        raise Unusable(
            f"{found.code} is installed now, and this session began with {began}: "
            f"durun resume {os.environ.get('DURUN_RUN_ID', 'RUN')} goes on with it"
        )
    return load_action(found)


def _call(given: Mapping[str, Json]) -> Call:
    environ = os.environ
    return Call(
        with_=given,
        idempotency_key=environ.get("DURUN_IDEMPOTENCY_KEY", ""),
        run_id=environ.get("DURUN_RUN_ID", ""),
        step=environ.get("DURUN_STEP_ID", ""),
        target=environ.get("DURUN_TARGET_KEY"),
        attempt=int(environ.get("DURUN_ATTEMPT", "1")),
        folder=str(Path.cwd()),
        env=dict(environ),
        log=_log,
        evidence_folder=Path(environ["DURUN_EVIDENCE"]) if "DURUN_EVIDENCE" in environ else None,
    )


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _done(action: Action, call: Call) -> End:
    try:
        given = action.run(call)
    except Failed as error:
        return End(FAILED if error.retryable else FOR_GOOD, _why(error))
    except NothingHappened as error:
        return End(NOTHING_HAPPENED, _why(error))
    except InDoubt as error:
        return End(AMBIGUOUS, _why(error))
    except BaseException as error:
        traceback.print_exc()
        return End(FAILED, _unforeseen(error))
    return _given(action, given, "")


def _asked(action: Action, call: Call) -> End:
    try:
        answer: Any = action.verify(call)
    except BaseException as error:
        traceback.print_exc()
        return End(UNKNOWN, _unforeseen(error))
    match answer:
        case Done(outputs, why):
            end = _given(action, outputs, why)
            return end if end.code == DONE else end._replace(code=UNKNOWN)
        case NotDone(why):
            return End(NOT_DONE, why)
        case Unknown(why):
            return End(UNKNOWN, why or "the plugin can't tell")
    return End(UNKNOWN, f"verify gave {type(answer).__name__}, and not Done, NotDone or Unknown")


def _given(action: Action, given: Any, why: str) -> End:
    """What was done, with its outputs; what is wrong with them would be wrong again."""
    if given is None and not action.outputs:
        return End(DONE, why)
    if not isinstance(given, Mapping):
        return End(FOR_GOOD, f"it gave {type(given).__name__}, and not a mapping of outputs")
    for name, value in given.items():
        if name not in action.outputs:
            return End(FOR_GOOD, f"it gave the output {name!r}, which it does not declare")
        if action.outputs[name].type == "string" and not isinstance(value, str):
            return End(FOR_GOOD, f"output `{name}` must be of type string, and is {type(value).__name__}")
    try:
        json.dumps(dict(given))
    except (TypeError, ValueError) as error:
        return End(FOR_GOOD, f"its outputs are no JSON: {type(error).__name__}")
    return End(DONE, why, given)


def _unforeseen(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}{f': {text}' if text else ''}{where(error)}"


def _why(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _texts(given: Json, places: Sequence[Sequence[str | int]]) -> Iterator[str]:
    """The texts in secret places of what was given, and at what is left of a place all of them."""
    if isinstance(given, str):
        yield from [given] if any(not place for place in places) else []
    elif isinstance(given, Mapping | list):
        for key, entry in given.items() if isinstance(given, Mapping) else enumerate(given):
            yield from _texts(entry, [place[1:] for place in places if not place or place[0] == key])


def _masked(why: str, secrets: Iterable[str]) -> str:
    """Without the secrets that were given, which an error may have quoted; also those that are too short to be found
    in a stream."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        for form in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]) if secret else ():
            why = why.replace(form, "***")
    return why if len(why) <= _MOST else "it says too much to be shown"


def _tell(end: End) -> int:
    """Tell durun what it must know; the exit code."""
    if end.code:
        _log(f"durun: {end.why}")
    lines = [_output(name, value) for name, value in end.outputs.items()]
    # As it is: what is still secret in it is looked for before it is put on one line.
    lines += [_output("DURUN_REASON", end.why)] if end.why else []
    return tell(end.code, "".join(lines), bool(end.outputs))


def _output(name: str, value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    mark = os.urandom(16).hex()
    return f"{name}<<{mark}\n{text}\n{mark}\n"


if __name__ == "__main__":
    leave(main())
