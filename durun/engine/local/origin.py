"""What a run stands on: its id and its folder, and all that is fixed at its start and at a change of its runbook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from durun import __version__
from durun.durable import sync_folder
from durun.engine.api import Source, StartRequest
from durun.engine.changes import changes_of, tasks_added
from durun.engine.local.files import FOLDER, changed_files, copy_files, remove_folder
from durun.engine.local.folder import make_attempts
from durun.engine.requests import inputs_digest
from durun.engine.stored import stored_plan
from durun.errors import StorageFailed
from durun.language.plan import make_plan
from durun.model.event import RunbookChanged, RunCreated
from durun.model.plan import Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState
from durun.model.values import Json

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 10


def new_id() -> str:
    """Ten characters that can't be mistaken for each other, the first a letter: 2^49 ids."""
    letters = _ALPHABET[8:]
    first, *rest = os.urandom(_ID_LENGTH)
    return letters[first % len(letters)] + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in rest)


def make_run_folder(folder: Path, *, new: bool = False) -> Path:
    """The run's folder, made if it is missing; the one for its attempts only for a `new` run. Raises StorageFailed."""
    try:
        if not folder.is_dir():
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)
        if new:
            make_attempts(folder)
    except OSError as error:
        raise StorageFailed(f"{folder}: {error.strerror}", "make room, then try again") from error
    return folder


def run_created(
    request: StartRequest,
    plan: Plan,
    surroundings: Mapping[str, Json],
    sealed: Mapping[str, Json],
    group: str | None,
    run_folder: Path,
) -> RunCreated:
    """The first event of a run; its helper files are copied. Raises UsageError, StorageFailed."""
    source, runbook = request.source, request.source.runbook
    return RunCreated(
        runbook=runbook.name,
        digest=runbook.digest,
        text=runbook.text,
        file=source.file,
        place=source.place,
        inputs=request.inputs,
        inputs_digest=inputs_digest(request),
        tasks=plan.task_count(plan.roots),
        by=request.by,
        version=__version__,
        surroundings=surroundings,
        files=copy_files(runbook.file_globs, Path(source.place), run_folder),
        included=runbook.included,
        plugins=runbook.plugins,
        only_targets=tuple(request.only_targets),
        request_id=request.request_id,
        steps=plan.all_leaves(plan.roots),
        finally_steps=plan.all_leaves(plan.finals),
        sealed=sealed,
        concurrency_group=group,
        release_on=runbook.concurrency.release_on if runbook.concurrency is not None else (),
    )


def runbook_changed(
    state: RunState, old: Runbook, source: Source, by: Mapping[str, Json], run_folder: Path
) -> RunbookChanged | None:
    """The event of a changed runbook; its helper files are copied. None, if it is the very one that the run has.

    Raises Changed, UsageError, StorageFailed.
    """
    new, created = source.runbook, state.created
    changes = changes_of(old, new, state)
    changes += [f"~ {name}: helper file changed" for name in changed_files(created.files, Path(source.place))]
    has = (created.digest, created.place, Path(created.file).name, created.plugins)
    if not changes and (new.digest, source.place, Path(source.file).name, new.plugins) == has:
        return None
    # A folder of its own: until the change is recorded, the run goes on with the files that it had.
    folder = f"{FOLDER}-{state.record.sessions + 1}"
    then = created.surroundings["env"]
    env = {name: os.environ[name] for name in new.env_names if name not in then and name in os.environ}
    before, after = stored_plan(state, old), make_plan(new, created.inputs, {**then, **env}, state.record.id)
    return RunbookChanged(
        digest=new.digest,
        text=new.text,
        file=source.file,
        place=source.place,
        changes=changes,
        tasks=tasks_added(before, after, state),
        by=by,
        files=_copy_anew(source, run_folder, folder),
        included=new.included,
        plugins=new.plugins,
        env=env,
        files_folder=folder,
        steps=after.all_leaves(after.roots),
        finally_steps=after.all_leaves(after.finals),
    )


def _copy_anew(source: Source, run_folder: Path, folder: str) -> dict[str, Json]:
    """Copy the helper files into a folder that an earlier try may have left behind, half full."""
    remove_folder(run_folder / folder)
    return copy_files(source.runbook.file_globs, Path(source.place), run_folder, folder)
