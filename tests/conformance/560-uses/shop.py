"""A plugin: a folder stands for a ticket system, a file in it for a ticket."""

import json
import os
import sys
from pathlib import Path

from durun.plugins import Action, Done, Failed, InDoubt, NotDone, NothingHappened, Output, Unknown

print("a plugin may print when it is loaded")


class Ticket(Action):
    schema = {
        "additionalProperties": False,
        "required": ["system", "title"],
        "properties": {
            "system": {"type": "string", "description": "the folder with the tickets"},
            "title": {"type": "string", "minLength": 1},
            "priority": {"type": "integer", "maximum": 5},
            "labels": {"type": "array", "items": {"type": "string"}},
            "token": {"type": "string", "writeOnly": True},
        },
    }
    outputs = {"number": Output("integer"), "receipt": Output(secret=True)}

    def run(self, call):
        system = Path(call.folder, call.with_["system"])
        call.log(f"asked by {call.step} {call.target} {call.attempt}")
        print(f"key {call.idempotency_key}, token {call.with_.get('token')}", file=sys.stderr)
        if (system / "says").exists():
            says = (system / "says").read_text().split()
            if says[0] != "after":
                self._say(says[0])
        number = len(list(system.glob("*.json"))) + 1
        ticket = {"number": number, "title": call.with_["title"], "key": call.idempotency_key}
        (system / f"{number}-{os.getpid()}.json").write_text(json.dumps(ticket))
        if (system / "says").exists():
            self._say(says[1])
        return {"number": number, "receipt": f"receipt-{call.idempotency_key}"}

    def _say(self, word):
        match word:
            case "failed":
                raise Failed("the system said no")
            case "for_good":
                raise Failed("the system will never do it", retryable=False)
            case "nothing":
                raise NothingHappened("the system is away")
            case "doubt":
                raise InDoubt("no answer")
            case "error":
                raise ValueError("a bug")
            case "exit":
                raise SystemExit(0)
            case "die":
                os.kill(os.getpid(), 9)

    def verify(self, call):
        call.log("it is looked for")
        system = Path(call.folder, call.with_["system"])
        if (system / "away").exists():
            return Unknown("the system is away")
        for path in system.glob("*.json"):
            ticket = json.loads(path.read_text())
            if ticket["key"] == call.idempotency_key:
                return Done({"number": ticket["number"], "receipt": f"receipt-{call.idempotency_key}"}, "it is there")
        return NotDone("there is no such ticket")


class Close(Action):
    """What undoes it: the file of the ticket is removed."""

    schema = {"required": ["system", "number"], "properties": {"number": {"type": "integer"}}}
    outputs = {"closed": Output("integer", secret=True)}
    idempotent = True

    def run(self, call):
        for path in Path(call.folder, call.with_["system"]).glob(f"{call.with_['number']}-*.json"):
            path.unlink()
        return {"closed": call.with_["number"]}
