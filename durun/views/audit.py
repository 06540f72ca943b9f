"""What was proved: a few lines for people, an object for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from durun.model.values import Json
from durun.views.json import SCHEMA
from durun.views.text import counted, one_line


def proof_text(proof: Mapping[str, Json]) -> str:
    """What was looked at, and how far it can be trusted."""
    looked = [counted(proof["runs"], "run"), counted(proof["events"], "event"), _entries(proof["entries"])]
    lines = [f"nothing was changed: {', '.join(looked)}"]
    lines += (f"  signed by {key}" for key in proof["keys"])
    if proof["unsigned"] and proof["keys"]:
        lines.append(f"  not signed yet: {_entries(proof['unsigned'])}")
    if proof["stamps"]:
        lines.append(f"  {_stamps(proof['stamps'])}")
    if proof["heads"]:
        lines.append(f"  found: {counted(proof['heads'], 'head')} kept elsewhere")
    if proof["head"]:
        lines.append(f"  head {proof['head']}")
    lines += (f"  {one_line(note)}" for note in proof["notes"])
    return "".join(f"{line}\n" for line in lines)


def proof_json(what: str, proof: Mapping[str, Json]) -> dict[str, Json]:
    """The same as one object."""
    return {"schema": SCHEMA, "verified": what, **proof}


def pruned_text(told: Mapping[str, Json]) -> str:
    """A line for a run that was removed."""
    bundle = f"; it is in {one_line(told['bundle'])}" if told["bundle"] else ""
    return f"run {told['run']} of {one_line(told['runbook'])} pruned ({told['status']}, {told['ended_at']}){bundle}\n"


def _stamps(stamps: Sequence[Mapping[str, Json]]) -> str:
    newest = max(stamps, key=lambda stamp: stamp["entry"])
    by = ", by an authority that counts" if all(stamp["proved"] for stamp in stamps) else ""
    return f"stamped: {_entries(len(stamps))}, the newest at {newest['at']}{by}"


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'} of the register"
