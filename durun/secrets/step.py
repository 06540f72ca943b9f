"""The process that does the work of a `secret` step, or asks whether it is done.

    python -m durun.secrets.step put|delete|is_put|is_deleted

Names and value are a JSON object on stdin; the value is never written anywhere. `put` and `delete` exit 0 when it is
so, whether it was so before or not. The questions exit 0 for yes, 1 for no, and another code when nobody can tell.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from durun.config import load_config
from durun.errors import DurunError, told
from durun.secrets.cores import forbid_core_dumps
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.stored import Name, Stored

_YES, _NO = 0, 1


def main(argv: list[str]) -> int:
    """Do or ask what `argv` says; returns the exit code."""
    forbid_core_dumps()
    (verb,) = argv
    asked: dict[str, Any] = json.load(sys.stdin)
    keyring = WorkerKeyring()
    try:
        code, said = _do(verb, asked, Stored(load_config(os.environ).home, keyring))
    except DurunError as error:
        sys.stderr.write(told(error.message, error.hint))
        return error.exit_code
    finally:
        keyring.close()
    sys.stdout.write(f"{said}\n")
    return code


def _do(verb: str, asked: dict[str, Any], stored: Stored) -> tuple[int, str]:
    name = Name(str(asked["service"]), str(asked["username"]))
    match verb:
        case "put":
            return _YES, f"{'stored' if stored.put(name, asked['value']) else 'stored before'}: {name}"
        case "delete":
            return _YES, f"{'deleted' if stored.delete(name) else 'not there'}: {name}"
        case "is_put":
            there = stored.get(name)
            same = there == asked["value"]
            return (_YES if same else _NO), f"{'stored' if same else 'nothing' if there is None else 'another'}: {name}"
        case "is_deleted":
            gone = stored.get(name) is None
            return (_YES if gone else _NO), f"{'not there' if gone else 'still there'}: {name}"
        case _:
            raise ValueError(verb)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
