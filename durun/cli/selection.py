"""What `--target` names, looked at before anything is run, as far as it can be told by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from durun.cli.chosen import near_matches
from durun.cli.sources import scope_of
from durun.engine.api import Source
from durun.errors import UsageError, first_of
from durun.foresight.targets import list_targets
from durun.model.values import Json


def refuse_unknown(source: Source, inputs: Mapping[str, Json], chosen: Sequence[str]) -> None:
    """Raise UsageError for a target that no step has; not while a step's targets are known only in the run."""
    listed = list_targets(source.runbook, scope_of(source.runbook, inputs), source.place)
    if not listed:
        raise UsageError("no step of this runbook has targets to choose from", "leave out --target")
    known: dict[str, None] = {}
    for entry in listed.values():
        if entry.keys is None:
            return
        known |= dict.fromkeys(entry.keys)
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"no step has the target {name}", near_matches(name, known) or f"there are {first_of(known)}"
            )
