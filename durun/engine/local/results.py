"""What an attempt has given: its outputs, and what it wrote."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from durun.engine.local.folder import evidence_path, manifest_path, output_path, stdout_path
from durun.engine.local.logs import read_stream
from durun.engine.local.names import attempt_folder
from durun.engine.local.prepare import Preparer
from durun.engine.local.records import ExitRecord
from durun.engine.polling import Given
from durun.language.outputs import MAX_STDOUT, OutputError, collect_outputs, said_reason, said_status
from durun.model.runbook import Step
from durun.model.task import TaskKey
from durun.model.values import Json

OUTPUT_CAP = 64 << 20
"""Bytes that a step may write to `$DURUN_OUTPUT`, all outputs together."""


class Outputs(NamedTuple):
    """The outputs of a task. `log` stands in the place of what the supervisor could tell, where it held back."""

    plain: Mapping[str, Json] = {}
    sealed: Mapping[str, Json] = {}
    log: Json = None


class Results:
    """Reads what attempts of one run have left (of a run that has secrets: `sealed_results`)."""

    def __init__(self, preparer: Preparer, run_folder: Path) -> None:
        self._preparer = preparer
        self._run_folder = run_folder

    def outputs(self, key: TaskKey, folder: int) -> Outputs:
        """The step's declared outputs, as this process left them.

        Raises OutputError, and where something is sealed SecretUnavailable, StorageFailed.
        """
        step = self._preparer.step(key)
        place = attempt_folder(self._run_folder, folder)
        written = _written(output_path(place))
        if not step.outputs and not written:
            return Outputs()
        return Outputs(collect_outputs(step.outputs, written, logged_stdout(step, place)))

    def log(self, key: TaskKey, folder: int, told: Json) -> Json:  # noqa: ARG002  (the seam of `sealed_results`)
        """What is known of the streams of an attempt that gave no outputs: `told`, or more where they were held back.

        Raises, where something is sealed, SecretUnavailable, StorageFailed.
        """
        return told

    def evidence(self, folder: int, record: ExitRecord) -> tuple[Json, str]:
        """What was taken as evidence of an attempt, and why that is not all of it (or "")."""
        if record.lost:
            return None, "; ".join(filter(None, (record.lost, self.left(folder, gone=True))))
        try:
            content = Path(manifest_path(attempt_folder(self._run_folder, folder))).read_bytes()
        except OSError as error:
            return None, f"the list of its evidence can't be read: {error.strerror}"
        if hashlib.sha256(content).hexdigest() != record.evidence:
            return None, "the list of its evidence was changed since it was written"
        taken = json.loads(content)
        return taken, "; ".join(taken.get("problems", ()))

    def left(self, folder: int, *, gone: bool) -> str:  # noqa: ARG002  (the seam of `sealed_results`)
        """What is to be said of something that an attempt left as evidence and nobody has taken; "" if that is nothing.

        `gone`: no process of it is left.
        """
        attempt = attempt_folder(self._run_folder, folder)
        for place in (Path(stdout_path(attempt)), Path(evidence_path(attempt))):
            with suppress(OSError):
                if place.is_file() or any(place.iterdir()):
                    return f"evidence that it may have left was not taken, and is in {place}"
        return ""

    def said(self, folder: int) -> str:
        """The reason that a process gave for its end; empty if it gave none. Raises as `log` does."""
        try:
            return said_reason(_written(output_path(attempt_folder(self._run_folder, folder))))
        except OutputError:
            return ""

    def given(self, key: TaskKey, folder: int, limit: int) -> Given:  # noqa: ARG002
        """What a probe of a `wait_for` has left. Raises, where it is sealed, SecretUnavailable."""
        place = attempt_folder(self._run_folder, folder)
        try:
            status = said_status(_written(output_path(place)))
        except OutputError:
            status = None
        return Given(read_stream(place, "stdout", limit), status)

    def stdout(self, key: TaskKey, folder: int, limit: int) -> bytes:  # noqa: ARG002
        """The first `limit` bytes that a process wrote to stdout. Raises, where they are sealed, SecretUnavailable."""
        return read_stream(attempt_folder(self._run_folder, folder), "stdout", limit)


def logged_stdout(step: Step, place: Path) -> bytes:
    """What the step wrote to stdout, if an output is taken from there."""
    if any(output.source == "stdout" for output in step.outputs.values()):
        return read_stream(place, "stdout", MAX_STDOUT + 1)
    return b""


def _written(path: str) -> bytes:
    """What the step wrote to `$DURUN_OUTPUT`. Raises OutputError: it may have put anything there, also a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise OutputError(f"$DURUN_OUTPUT can't be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OutputError("$DURUN_OUTPUT is no file any more: the step made something else of it")
        if found.st_size > OUTPUT_CAP:
            raise OutputError(f"$DURUN_OUTPUT has more than {OUTPUT_CAP >> 20} MiB")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(OUTPUT_CAP)
    finally:
        os.close(descriptor)
