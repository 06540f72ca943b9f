"""The action `example.list`: what the ticket system has, kept as evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durun.plugins import Action, Call, Output


class ListTickets(Action):
    """Counts the tickets, and leaves the list of them as evidence."""

    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["system"],
        "properties": {"system": {"type": "string", "description": "the folder with the tickets"}},
    }
    outputs = {"tickets": Output("integer")}
    idempotent = True

    def run(self, call: Call) -> Mapping[str, Any]:
        found = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in Path(call.folder, call.with_["system"]).glob("*.json")
        ]
        if call.evidence_folder is not None:
            (call.evidence_folder / "tickets.json").write_text(json.dumps(found), encoding="utf-8")
        return {"tickets": len(found)}
