"""Reads `runbook: {file, inputs}`: the steps of another file become a group, whose ids begin with the step's own."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from durun.errors import DurunError
from durun.language.calls import DEFAULT_SHELL
from durun.language.diagnostics import Path, did_you_mean
from durun.language.expressions import expressions_in
from durun.language.fitting import problems_with
from durun.language.frames import Frames
from durun.language.places import steps_with_paths
from durun.language.references import early_inputs
from durun.language.shelf import Shelf
from durun.language.sources import chosen_by
from durun.language.taint import Taint
from durun.language.values import Reader
from durun.model.runbook import Action, Call, Include, Input, Output, Runbook, Step, TargetsFile, inputs_step
from durun.model.values import Json, Value

MAX_NESTING: Final = 8
"""How many files may lead to one that is included."""
MAX_STEPS: Final = 10_000
"""How many steps a file may have with all that it includes."""
_NOTHING: Final = Call(Action("run", ""), DEFAULT_SHELL)


class Grafted(NamedTuple):
    """A step with the steps of the file that it includes; `runbook` is that file's, None if it can't be used."""

    step: Step
    runbook: Runbook | None


def read_include(
    reader: Reader, step: Step, raw: Mapping[str, Json], path: Path, shelf: Shelf, *, in_fan_out: bool, room: int
) -> Grafted:
    """The step with what stands under `runbook`.

    `in_fan_out`: it stands in one, or is one. `room`: so many steps may become a part of the file.
    """
    file, at = raw.get("file"), (*path, "file")
    given = {key: reader.value(value, (*path, "inputs", key)) for key, value in raw.get("inputs", {}).items()}
    found = _fetch(reader, file, at, shelf) if isinstance(file, str) else None
    # What is given is looked at all the same.
    nothing = step._replace(call=_NOTHING, include=Include(str(file), given=given))
    if found is None:
        return Grafted(nothing, None)
    name, runbook = found
    if in_fan_out and (fanned := next((one for one in runbook.every_step() if one.fan_out is not None), None)):
        message = f"a fan-out inside a fan-out: step `{fanned.id}` of {name} has `targets` too"
        reader.problem(message, at, "one level is possible: around what is included, or in it")
    if len(runbook.every_step()) > room:
        reader.problem(f"with all that it includes, the runbook has more than {MAX_STEPS:,} steps", at, "split it")
        return Grafted(nothing, None)
    _check_given(reader, given, runbook.inputs, name, path)
    return Grafted(_graft(step, runbook, name, given), runbook)


def _fetch(reader: Reader, file: str, path: Path, shelf: Shelf) -> tuple[str, Runbook] | None:
    """The path of the file, and its runbook."""
    if posixpath.isabs(file):
        reader.problem(
            "an included runbook is named relative to the file that includes it",
            path,
            "write it as in `file: lib/x.yaml`",
        )
        return None
    name = posixpath.normpath(posixpath.join(shelf.folder, file))
    if name in shelf.chain:
        circle = [*shelf.chain[shelf.chain.index(name) :], name]
        what = "these runbooks include each other: " if len(circle) > 2 else "a runbook that includes itself: "
        reader.problem(what + " → ".join(circle), path)
        return None
    if len(shelf.chain) > MAX_NESTING:
        reader.problem(f"runbooks include each other more than {MAX_NESTING} deep", path, "include fewer in each other")
        return None
    try:
        runbook = shelf.get((*shelf.chain, name))
    except DurunError as error:
        reader.problem(error.message, path, error.hint)
        return None
    return None if runbook is None else (name, runbook)


def _check_given(
    reader: Reader, given: Mapping[str, Value], declared: Mapping[str, Input], name: str, path: Path
) -> None:
    for key, value in given.items():
        at = (*path, "inputs", key)
        if key not in declared:
            known = ", ".join(f"`{one}`" for one in declared)
            hint = did_you_mean(key, declared) or (f"its inputs are {known}" if known else "it has no inputs")
            reader.problem(f"{name} has no input `{key}`", at, hint, at_key=True)
        elif not any(expressions_in(value)):
            # What is written out is known now, and so is what is wrong with it.
            for why in problems_with(key, _plain(value), declared[key]):
                reader.problem(f"input `{key}` {why}", at, f"see `{key}` under the `inputs` of {name}")
    for key, one in declared.items():
        if one.required and key not in given:
            what = f" ({one.description})" if one.description else ""
            hint = f"write `inputs: {{{key}: …}}` beside `file`"
            reader.problem(f"{name} needs the input `{key}`{what}", (*path, "file"), hint)


def _plain(value: Value) -> Any:
    """A Value without expressions, as the data that it is."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def check_copies(reader: Reader, runbook: Runbook) -> None:
    """A file with secrets must not be one that the `files` of another file copy into the run."""
    frames = Frames(runbook)
    paths = {step.id: (*path, "runbook", "file") for path, step in steps_with_paths(runbook)}
    globs = [("", "", runbook.files)]
    globs += [(step.id, step.include.folder, step.include.files) for step in runbook.every_step() if step.include]
    for owner, what, file in _secret_files(runbook, frames):
        for other, folder, ours in globs:
            inside = f"{folder}/" if folder else ""
            tops = owner.partition(".")[0], other.partition(".")[0]
            # What is between two files that one step includes has been told in the first of them.
            if tops[0] == tops[1] or not file.startswith(inside):
                continue
            for glob in ours:
                if chosen_by(file.removeprefix(inside), glob):
                    hint = "choose the helper files by narrower globs: what is secret is never copied"
                    message = f"`{inside}{glob}` in `files` would copy the file with {what} into the run"
                    reader.problem(message, paths[tops[0] or tops[1]], hint)


def _secret_files(runbook: Runbook, frames: Frames) -> Iterator[tuple[str, str, str]]:
    """Each file with secrets: the step that includes the file which names it, what is in it, and its path."""
    for name, secret in runbook.secrets.items():
        if secret.provider == "file" and isinstance(secret.spec, str):
            frame = frames.of_secret(name)
            yield frame.prefix[:-1], f"the secret `{name}`", posixpath.normpath(frame.beside(secret.spec))
    for step in runbook.every_step():
        source = step.fan_out.source if step.fan_out is not None and step.fan_out.secret_fields else None
        if isinstance(source, TargetsFile) and isinstance(source.path, str):
            frame = frames.of[step.id]
            what = f"the secret fields of `{step.id}`"
            yield frame.prefix[:-1], what, posixpath.normpath(frame.beside(source.path))


def _graft(step: Step, runbook: Runbook, name: str, given: Mapping[str, Value]) -> Step:
    taint = Taint(runbook)
    secret = tuple(
        output
        for output, value in runbook.outputs.items()
        if any(taint.of(expression, None) for expression in expressions_in(value))
    )
    include = Include(
        file=name,
        inputs=runbook.inputs,
        given=given,
        early=tuple(sorted(early_inputs(runbook))),
        secrets=tuple(secret for secret in runbook.secrets if "." not in secret),
        env=runbook.env,
        inherit_env=runbook.inherit_env,
        files=runbook.files,
        requires=runbook.requires,
        secret_outputs=secret,
    )
    steps = tuple(_named(inner, step.id) for inner in runbook.steps)
    if runbook.inputs:
        first = _inputs_of(step, include)
        steps = (first, *(inner if inner.needs else inner._replace(needs=(first.id,)) for inner in steps))
    controls = tuple(dict.fromkeys([*step.controls, *runbook.controls]))
    return step._replace(controls=controls, steps=steps, group_outputs=runbook.outputs, include=include)


def _inputs_of(step: Step, include: Include) -> Step:
    """What comes before all that is included: its inputs are rendered, checked and fixed."""
    declared = {name: Output(secret=one.secret) for name, one in include.inputs.items()}
    spec = {"file": include.file, "inputs": include.given, "declared": include.inputs}
    return Step(inputs_step(step.id), step.line, call=Call(Action("runbook", spec), DEFAULT_SHELL), outputs=declared)


def _named(step: Step, outer: str) -> Step:
    undo = step.rollback
    if undo is not None:
        until = None if undo.until is None else f"{outer}.{undo.until}"
        undo = undo._replace(step=_named(undo.step, outer), until=until)
    return step._replace(
        id=f"{outer}.{step.id}",
        needs=tuple(f"{outer}.{need}" for need in step.needs),
        steps=tuple(_named(inner, outer) for inner in step.steps),
        rollback=undo,
    )
