"""What is stored, by its names: `python tests/golden/shapes.py` records it for the version of the journal that is here.

An older durun must refuse what it can't read, by the journal's version. So a version has one shape, for ever.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from durun.journal.connect import VERSION
from durun.model import task
from durun.model.event import Event

RECORD = Path(__file__).resolve().parent / "shapes.json"
STATES = (task.RunRecord, task.TaskState, task.Attempt, task.Probe, task.Decision, task.Waiting, task.Target)


def shapes() -> dict[str, Any]:
    """The version of the journal, and the fields of each event and of each part of a state."""
    stored = (*get_args(Event), *STATES)
    return {"version": VERSION, "fields": {kind.__name__: list(kind._fields) for kind in stored}}


def main() -> None:
    """Record, unless the version that is recorded would get another shape."""
    now, then = shapes(), json.loads(RECORD.read_text()) if RECORD.exists() else {"version": 0}
    if now["version"] == then["version"] and now != then:
        raise SystemExit("another shape wants another version: add a migration, and raise VERSION")
    RECORD.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    main()
