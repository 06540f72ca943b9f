"""Runs that have secrets: opening their secrecy, seeing that all is there before the first effect, and their end.

The seam at which all about secrets is loaded: other runs pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durun.config import Config
from durun.engine.local.files import read_targets
from durun.engine.local.folder import discard_evidence, remove_all
from durun.engine.local.marks import mark_of, marked
from durun.engine.local.names import attempt_folder
from durun.engine.local.secret_files import left_over, remove_secret_files
from durun.engine.requests import append_newest
from durun.engine.stored import stored_runbook
from durun.engine.values import Values
from durun.errors import DurunError, SecretUnavailable
from durun.journal.api import Journal
from durun.journal.claim import RunLock
from durun.journal.reading import read_state
from durun.language.expressions import render
from durun.language.frames import known_early
from durun.language.needed import names_target, secrets_by_step
from durun.language.plain import to_text
from durun.model.clock import Clock
from durun.model.event import SealsDestroyed
from durun.model.plan import Plan
from durun.model.runbook import Runbook, TargetsFile
from durun.model.state import RunState
from durun.model.status import RunStatus
from durun.model.task import TaskKey
from durun.model.values import Json

if TYPE_CHECKING:
    from durun.engine.local.secrecy import LocalSecrecy
    from durun.engine.local.session import Charge


DONE_WITH: frozenset[RunStatus] = frozenset({"succeeded", "rolled_back"})
"""Statuses of runs whose sealed values nobody needs any more."""


def open_secrecy(config: Config, run_id: str, place: str, runbook: Runbook) -> LocalSecrecy | None:
    """The secrecy of a run, None if it has nothing secret. Raises StorageFailed.

    A run that had secrets keeps its secrecy, whatever a changed runbook says: what was sealed is still to be destroyed.
    """
    if not runbook.has_secrets and not mark_of(config.home, run_id).exists():
        return None
    from durun.engine.local.secrecy import LocalSecrecy

    return LocalSecrecy(config.home, config.run_folder(run_id), place, runbook)


def seal_inputs(secrecy: LocalSecrecy | None, values: Mapping[str, Json]) -> Mapping[str, Json]:
    """Seal the secret inputs of a run; each one's seal. Raises SecretUnavailable, StorageFailed."""
    return secrecy.seal("sealed/inputs", values) if secrecy is not None and values else {}


def see_to_secrets(charge: Charge) -> list[str]:
    """See that every secret can be had that steps which are not over name, and what was sealed be opened.

    Nothing has had an effect yet in this session. Gives what the operator should know. Raises SecretUnavailable.
    """
    state, plan, runbook, secrecy = charge
    if secrecy is None:
        return []
    secrecy.ready()
    if state.destroyed:
        secrecy.recall_if_possible(state)
    else:
        secrecy.recall(state)
    values = Values(state, plan, runbook, secrecy)
    _see_to_lists(values)
    if any(not _over(step, state, plan) for step in runbook.keyring_steps):
        secrecy.require_keyring()
    wanted = {
        name for step, names in secrets_by_step(runbook).items() if not _over(step, state, plan) for name in names
    }
    short = secrecy.probe(early_scopes(values, sorted(wanted)))
    return [
        f"secret {name} is too short to be found in texts: no output of a step that gets it is kept" for name in short
    ]


def _see_to_lists(values: Values) -> None:
    """See that no file is open to others that lists targets with secrets in them, as far as its name is known yet.

    One that is not there may be made by a step. Raises SecretUnavailable, ExpressionError.
    """
    state = values.state
    for step in values.runbook.every_step():
        fan_out, key = step.fan_out, (step.id, 0)
        if fan_out is None or not fan_out.secret_fields or key in state.resolved or _over(step.id, state, values.plan):
            continue
        frame, source = values.frames.of[step.id], fan_out.source
        scope = values.early_scope(frame)
        if isinstance(source, TargetsFile) and known_early(source.path, scope["inputs"]):
            name = frame.beside(to_text(render(source.path, scope)))
            try:
                read_targets(Path(state.created.place) / name, private=True)
            except OSError:
                continue
            except SecretUnavailable as error:
                raise SecretUnavailable(f"targets of {step.id}: {error.message}", error.hint) from error


def early_scopes(values: Values, names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Those of the declared secrets that can be had before anything was done, and what each may depend on.

    Raises ExpressionError.
    """
    secrets, own = values.runbook.secrets, values.frames.root.holds.secrets
    every = (name for name in names if not names_target(secrets[name]))
    scopes = {name: values.early_scope(values.frames.of_secret(name)) for name in every}
    return {
        name: scope for name, scope in scopes.items() if name in own or known_early(secrets[name].spec, scope["inputs"])
    }


def _over(step: str, state: RunState, plan: Plan) -> bool:
    """Whether nothing of the step is left to do. `finally` is to be run in every round.

    A rollback may have to be done until its step is rolled back; and once a run is rolled back, only these are left.
    """
    node = plan.node(step)
    if node.final:
        return False
    if node.undoes is None and (state.record.rollback_requested or state.record.rollback_code is not None):
        return True
    keys: list[str | None] = [None]
    if node.fan is not None:
        resolved = state.resolved.get((node.fan, 0))
        if resolved is None:
            return False
        keys = list(resolved.index)
    if node.undoes is not None:
        undone = (state.tasks.get(TaskKey(node.undoes, key)) for key in keys)
        return all(task is not None and task.status == "rolled_back" for task in undone)
    tasks = (state.tasks.get(TaskKey(leaf, key)) for leaf in plan.leaves(step) for key in keys)
    return all(task is not None and task.status in ("succeeded", "skipped") for task in tasks)


def close(secrecy: LocalSecrecy | None) -> None:
    """Let go of the processes that ask keyrings."""
    if secrecy is not None:
        secrecy.close()


def mark(secrecy: LocalSecrecy | None) -> None:
    """Note that the run has values to destroy when it succeeds, should we not live to. Raises StorageFailed."""
    if secrecy is not None:
        secrecy.vault.mark()


def destroy_seals(journal: Journal, clock: Clock, secrecy: LocalSecrecy | None, state: RunState) -> None:
    """The run has succeeded, or is rolled back: remove its sealed values, and record it once they are gone.

    Raises StorageFailed.
    """
    if secrecy is None:
        return
    values = len(state.created.sealed) + sum(len(task.sealed) for task in state.tasks.values())
    values += sum(len(found.index) for found in state.resolved.values() if found.sealed is not None)
    secrecy.vault.destroy()
    if values and not state.destroyed:
        append_newest(journal, clock, state.record.id, lambda _: SealsDestroyed(values=values))
    secrecy.vault.unmark()


def forget_files(secrecy: LocalSecrecy | None, state: RunState, run_folder: Path) -> None:
    """The run is over: remove secret files and evidence that a killed supervisor has left, and whose step has ended
    since."""
    if secrecy is None:
        return
    there = left_over()
    for task in state.tasks.values():
        for attempt in task.attempts:
            if attempt.nonce in there:
                remove_secret_files(attempt.nonce)
            discard_evidence(attempt_folder(run_folder, attempt.folder))
    with suppress(OSError):
        for spare in run_folder.glob("spare-*"):
            remove_all(str(spare))


def finish_destroying(config: Config, journal: Journal, clock: Clock) -> None:
    """Remove the sealed values of runs that have succeeded and were killed before they did so themselves.

    What can't be done now is left for the next time.
    """
    for run_id in marked(config.home):
        with suppress(DurunError):
            if journal.record(run_id).status in DONE_WITH:
                _finish(config, journal, clock, run_id)


def _finish(config: Config, journal: Journal, clock: Clock, run_id: str) -> None:
    with RunLock(config.run_lock(run_id), clock):
        state = read_state(journal, run_id)
        secrecy = open_secrecy(config, run_id, state.created.place, stored_runbook(state))
        try:
            destroy_seals(journal, clock, secrecy, state)
        finally:
            close(secrecy)
