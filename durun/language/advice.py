"""What is allowed in a runbook and probably not meant, such as helper files that are not listed."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from durun.language.diagnostics import Path
from durun.language.expressions import expressions_in, references
from durun.language.http import host_in_clear
from durun.language.places import places, steps_with_paths
from durun.language.taint import Taint
from durun.language.values import Reader
from durun.model.runbook import SAFE_METHODS, Call, Runbook, Step, TargetsFile, TargetsRun
from durun.model.values import Value

_WORD = re.compile(r"[\w.@%+~-]+(?:/[\w.@%+~-]+)*")
_MOST = 5000
"""How many words are looked up in the folder; a script with more of them is not worth the time."""


def advise(reader: Reader, runbook: Runbook, folder: str | None) -> None:
    """Note what is probably not meant. `folder` is the runbook's; None: files are not looked for."""
    lookup = _Lookup(folder, runbook) if folder is not None else None
    if folder is not None:
        _advise_files(reader, FilePath(folder))
    for path, step in _all_that_act(runbook):
        if lookup is not None:
            for at, value in _commands(step, path):
                for word in lookup.unlisted(value):
                    hint = f"add {word} to `files`, so that a resume still runs what was started"
                    reader.warn(f"`{word}` stands beside the runbook and isn't in `files`", at, hint, word)
        _advise_verify(reader, step, path)
        _advise_clear(reader, step, path)
    if runbook.secrets:
        _advise_secrets(reader, runbook)
    if any(not one.required and not one.has_default for one in runbook.inputs.values()):
        _advise_inputs(reader, runbook)
    _advise_skipped(reader, runbook)
    _advise_kept(reader, runbook)
    _advise_rollback(reader, runbook)
    _advise_keys(reader, runbook)


def _all_that_act(runbook: Runbook) -> Iterator[tuple[Path, Step]]:
    """Every step and every rollback, and where it stands."""
    for path, step in steps_with_paths(runbook):
        yield path, step
        if step.rollback is not None:
            yield (*path, "rollback"), step.rollback.step


def _advise_files(reader: Reader, folder: FilePath) -> None:
    for glob, at in reader.globs.items():
        if not any(path.is_file() for path in folder.glob(glob)):
            reader.warn(
                f"nothing matches `{glob}`, and no run is started without it", at, "correct the glob, or leave it out"
            )


def _advise_rollback(reader: Reader, runbook: Runbook) -> None:
    if runbook.on_failure == "rollback" and not runbook.rollbacks():
        hint = "write `rollback: {run: …}` on the steps that can be undone"
        reader.warn("no step has a `rollback`, so there is nothing to undo", ("on_failure",), hint, at_key=True)


def _advise_inputs(reader: Reader, runbook: Runbook) -> None:
    """An input that nobody need give, where it is read as if it were always there. None that is asked for."""
    first: dict[str, Path] = {}
    asked: set[str] = set()
    for place in places(runbook):
        for path, optional in references(place.expression):
            if path[0] == "inputs" and len(path) > 1:
                name = str(path[1])
                if optional:
                    asked.add(name)
                first.setdefault(name, place.path)
    for name, at in first.items():
        declared = runbook.inputs.get(name)
        if declared is not None and name not in asked and not (declared.required or declared.has_default):
            hint = f"give the input `required: true` or a `default`, or write `inputs.{name} | default(…)`"
            reader.warn(f"the input `{name}` may be left out, and then this fails", at, hint, f"inputs.{name}")


def _advise_skipped(reader: Reader, runbook: Runbook) -> None:
    """What a step gives that may be skipped, read by one that is not under an `if` itself."""
    asking = {path: step.id for path, step in steps_with_paths(runbook) if step.condition is not None}
    if not asking:
        return
    skipped = set(asking.values())
    for place in places(runbook):
        if any(place.path[:end] in asking for end in range(1, len(place.path) + 1)):
            continue
        found = references(place.expression)
        if any(one.optional for one in found):
            continue
        for name in sorted(
            str(one.path[1]) for one in found if one.path[0] == "steps" and one.path[2:3] == ("outputs",)
        ):
            if name in skipped:
                message = f"`{name}` may be skipped, and then it has no outputs"
                reader.warn(message, place.path, "write `| default(…)` behind it", f"steps.{name}.")


def _advise_secrets(reader: Reader, runbook: Runbook) -> None:
    """A secret that nobody names is looked for all the same; one that is inherited is had by all."""
    found = (reference.path for place in places(runbook) for reference in references(place.expression))
    used = {path[1] for path in found if path[0] == "secrets" and len(path) > 1}
    for name, secret in runbook.secrets.items():
        if "." in name:
            continue  # that of an included file, where it is looked at
        if name not in used:
            reader.warn(f"no step names the secret `{name}`", ("secrets", name), "remove it", at_key=True)
        if secret.provider != "env" or not isinstance(secret.spec, str):
            continue
        for path, patterns in _inherited(runbook):
            for index, pattern in enumerate(patterns):
                if fnmatch.fnmatchcase(secret.spec, pattern):
                    message = f"`{pattern}` hands the secret `{name}` to steps that don't name it"
                    reader.warn(message, (*path, index), f"leave {secret.spec} out")


def _inherited(runbook: Runbook) -> Iterator[tuple[Path, tuple[str, ...]]]:
    yield ("inherit_env",), runbook.inherit_env
    yield from (((*path, "inherit_env"), step.inherit_env) for path, step in steps_with_paths(runbook))


def _advise_kept(reader: Reader, runbook: Runbook) -> None:
    taint: Taint | None = None
    for path, step in steps_with_paths(runbook):
        if step.call is None or step.call.action.kind != "secret" or "put" not in step.call.action.spec:
            continue
        taint = taint or Taint(runbook)
        value = step.call.action.spec["put"].get("value")
        if not any(taint.of(expression, step.id) for expression in expressions_in(value)):
            hint = "take a secret, an input with `secret: true`, or what a step gave with `secret: true`"
            reader.warn("what is put into the keyring is journalled too", (*path, "secret", "put", "value"), hint)


def _advise_verify(reader: Reader, step: Step, path: Path) -> None:
    if step.verify is None:
        return
    script = step.verify.call.action.spec
    hint = "write the step's outputs to $DURUN_OUTPUT here too"
    if step.verify.call.action.kind == "http":
        if step.call is not None and step.call.action.kind == "http":
            return
        script, hint = "", "ask by `run:`, or take the output `from: stdout` or by `json:`, which a body gives too"
    from_file = [name for name, output in step.outputs.items() if output.source == "file"]
    if from_file and isinstance(script, str) and "DURUN_OUTPUT" not in script and "/" not in script:
        message = f'this verify doesn\'t give the output `{from_file[0]}`, so its "done" counts as unknown'
        reader.warn(message, (*path, "verify"), hint, at_key=True)


def _advise_clear(reader: Reader, step: Step, path: Path) -> None:
    """A password or token must not cross a network unencrypted."""
    for at, call in _requests(step, path):
        spec = call.action.spec
        host = host_in_clear(spec.get("url"))
        named = {name.lower() for name in spec.get("headers", {})}
        if host is not None and ("auth" in spec or named & {"authorization", "cookie", "proxy-authorization"}):
            hint = "write https://"
            reader.warn(f"who asks {host} is told to everybody on the way", (*at, "http", "url"), hint, "http://")


def _advise_keys(reader: Reader, runbook: Runbook) -> None:
    """A server takes two requests with one key for one request, and does not do the second."""
    fanned = {path for path, step in steps_with_paths(runbook) if step.fan_out is not None}
    for path, step in _all_that_act(runbook):
        for name, value in _own_keys(step):
            read = {reference.path[0] for one in expressions_in(value) for reference in references(one)}
            every = "in every run" if not read else ""
            if not read & _OF_A_TARGET and any(path[:end] in fanned for end in range(1, len(path) + 1)):
                every = "for every target"
            if every:
                message = f"this key takes the place of durun's, and is the same {every}"
                hint = "leave it out, or make it of ${{ step.idempotency_key }}"
                reader.warn(message, (*path, "http", "headers", name), hint, at_key=True)


_OF_A_TARGET = frozenset({"target", "step", "steps"})
"""What may differ from target to target."""


def _own_keys(step: Step) -> Iterator[tuple[str, Value]]:
    """What a request names as its key that would else have had one of durun's."""
    if step.call is not None and step.call.action.kind == "http":
        spec = step.call.action.spec
        for name, value in spec.get("headers", {}).items() if spec["method"] not in SAFE_METHODS else ():
            if name.lower() == "idempotency-key" and value is not None:
                yield name, value


def _requests(step: Step, path: Path) -> Iterator[tuple[Path, Call]]:
    verify = step.verify.call if step.verify is not None else None
    poll = step.poll.call if step.poll is not None else None
    for at, call in ((path, step.call), ((*path, "verify"), verify), ((*path, "wait_for"), poll)):
        if call is not None and call.action.kind == "http":
            yield at, call


def _commands(step: Step, path: Path) -> Iterator[tuple[Path, Value]]:
    """The texts of a step that a shell or the system will read as commands."""
    calls: list[tuple[Path, Call]] = []
    if step.call is not None and step.call.action.kind == "run":
        calls.append((path, step.call))
    if step.verify is not None and step.verify.call.action.kind == "run":
        calls.append(((*path, "verify"), step.verify.call))
    if step.poll is not None and step.poll.call.action.kind == "run":
        calls.append(((*path, "wait_for"), step.poll.call))
    if step.fan_out is not None and isinstance(step.fan_out.source, TargetsRun):
        calls.append(((*path, "targets"), step.fan_out.source.call))
    if step.fan_out is not None and isinstance(step.fan_out.source, TargetsFile) and not step.fan_out.secret_fields:
        yield (*path, "targets", "file"), step.fan_out.source.path
    for at, call in _requests(step, path):
        body = call.action.spec.get("body")
        if isinstance(body, Mapping):
            yield (*at, "http", "body", "file"), body.get("file")
        yield from (((*at, "http", "tls", name), part) for name, part in call.action.spec.get("tls", {}).items())
    for at, call in calls:
        if isinstance(call.action.spec, str):
            yield (*at, "run"), call.action.spec
        else:
            yield from (((*at, "run", index), word) for index, word in enumerate(call.action.spec))


class _Lookup:
    """Finds words that are files beside the runbook and are in no `files`."""

    def __init__(self, folder: str, runbook: Runbook) -> None:
        self._folder = folder
        self._globs = [os.path.normpath(glob) for glob in runbook.files]
        sources = (secret.spec for secret in runbook.secrets.values() if secret.provider == "file")
        self._never = {os.path.normpath(name) for name in sources if isinstance(name, str)}
        self._known: dict[str, bool] = {}

    def unlisted(self, text: Value) -> Iterator[str]:
        """The words of a command that name such a file."""
        if isinstance(text, str):
            yield from (word for word in dict.fromkeys(_WORD.findall(text)) if self._is_unlisted(word))

    def _is_unlisted(self, word: str) -> bool:
        if word not in self._known and len(self._known) < _MOST and len(word) < 1000:
            self._known[word] = self._look(word)
        return self._known.get(word, False)

    def _look(self, word: str) -> bool:
        relative = os.path.normpath(word)
        if relative in self._never or relative.startswith("..") or ("/" not in word and "." not in word):
            return False
        if any(fnmatch.fnmatch(relative, glob) for glob in self._globs):
            return False
        return (FilePath(self._folder) / relative).is_file()
