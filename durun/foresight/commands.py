"""Commands that steps start and that are not there on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from shutil import which

from durun.language.frames import Frame, Frames
from durun.model.runbook import Call, Runbook, Step, TargetsRun
from durun.views.foreseen import Missing


def missing_commands(runbook: Runbook, steps: Iterable[str], place: str, path: str) -> list[Missing]:
    """What `requires` names and what these steps start, as far as it can be told; each with the steps that want it."""
    required = [name for requires in runbook.all_requires for name in requires.commands]
    wanted: dict[str, list[str]] = {name: [] for name in required}
    chosen, frames = set(steps), Frames(runbook)
    for step in runbook.every_step():
        if step.id in chosen:
            for name in _started_by(step, frames.of[step.id], place):
                wanted.setdefault(name, []).append(step.id)
    return [
        Missing(name, tuple(dict.fromkeys(by)), name in required)
        for name, by in wanted.items()
        if which(name, path=path) is None
    ]


def _started_by(step: Step, frame: Frame, place: str) -> Iterator[str]:
    """The commands of a step, of its verify or poll, and of what lists its targets; not those that expressions name."""
    for call in _calls(step):
        if "PATH" in call.env or "PATH" in frame.holds.env:
            continue  # it looks elsewhere
        word = _command_of(call)
        if "/" not in word:
            yield from [word] if word else []
        elif call.working_directory is None or Path(word).is_absolute():
            yield os.path.normpath(Path(frame.place(place)) / word)


def _calls(step: Step) -> Iterator[Call]:
    if step.call is not None:
        yield step.call
    if step.verify is not None:
        yield step.verify.call
    if step.poll is not None:
        yield step.poll.call
    if step.fan_out is not None and isinstance(step.fan_out.source, TargetsRun):
        yield step.fan_out.source.call


def _command_of(call: Call) -> str:
    if call.action.kind != "run":
        return ""
    spec = call.action.spec
    first = call.shell.argv[0] if isinstance(spec, str) else spec[0] if spec and not isinstance(spec, Mapping) else ""
    return first if isinstance(first, str) else ""
