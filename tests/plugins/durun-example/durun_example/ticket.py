"""The action `example.ticket`: a folder stands for a ticket system, and a file in it for a ticket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durun.plugins import Action, Answer, Call, Done, Failed, InDoubt, NotDone, NothingHappened, Output


class OpenTicket(Action):
    """Opens a ticket, once for each idempotency key."""

    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["system", "title"],
        "properties": {
            "system": {"type": "string", "description": "the folder with the tickets"},
            "title": {"type": "string", "minLength": 1, "maxLength": 200},
            "priority": {"type": "integer", "minimum": 1, "maximum": 5},
            "labels": {"type": "array", "items": {"type": "string"}},
            "token": {"type": "string", "writeOnly": True, "description": "who may open tickets"},
        },
    }
    outputs = {"number": Output("integer"), "receipt": Output(secret=True)}

    def run(self, call: Call) -> Mapping[str, Any]:
        system = Path(call.folder, call.with_["system"])
        if not system.is_dir():
            raise NothingHappened(f"{system} is not there")
        if _token(system) != call.with_.get("token", ""):
            raise Failed("the ticket system knows no such token", retryable=False)
        tickets = sorted(system.glob("*.json"))
        call.log(f"opening ticket {len(tickets) + 1}")
        ticket = {"number": len(tickets) + 1, "title": call.with_["title"], "key": call.idempotency_key}
        path = system / f"{ticket['number']}.json"
        path.write_text(json.dumps(ticket), encoding="utf-8")
        _answer(system)
        return _given(ticket)

    def verify(self, call: Call) -> Answer:
        for path in Path(call.folder, call.with_["system"]).glob("*.json"):
            ticket = json.loads(path.read_text(encoding="utf-8"))
            if ticket["key"] == call.idempotency_key:
                return Done(_given(ticket), f"ticket {ticket['number']} is there")
        return NotDone("there is no ticket with this key")


def _token(system: Path) -> str:
    try:
        return (system / "token").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _answer(system: Path) -> None:
    """Where a file `silent` is, the system gives no answer; a pipe `gate` is an answer that takes its time."""
    if (system / "silent").exists():
        raise InDoubt("the ticket system gave no answer")
    if (system / "gate").exists():
        (system / "gate").read_bytes()


def _given(ticket: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"number": ticket["number"], "receipt": f"receipt-of-{ticket['key']}"}
