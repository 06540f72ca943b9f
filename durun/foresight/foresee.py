"""Puts together what is told beforehand, of a runbook that is to be started and of a run that is to go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from durun.engine.stored import stored_plan
from durun.foresight.commands import missing_commands
from durun.foresight.conditions import conditions
from durun.foresight.people import asked_of_people
from durun.foresight.plugins import used_plugins
from durun.foresight.resumed import take_up
from durun.foresight.secrets import check_secrets
from durun.foresight.targets import Listed, list_targets
from durun.language.needed import secrets_by_step
from durun.language.plan import make_plan
from durun.model.forecast import OVER, Facts, Forecast, forecast
from durun.model.plan import Plan
from durun.model.runbook import Runbook, Step
from durun.model.state import RunState
from durun.model.values import Json
from durun.secrets.api import Keyring
from durun.secrets.providers import Resolver
from durun.views.doing import briefly
from durun.views.foreseen import Fan, Foresight
from durun.views.secrets import Checked, KeyringFound
from durun.views.text import duration
from durun.views.waits import Held, held_text


class Surroundings(NamedTuple):
    """Where a run is, or would be, driven: the folder of its runbook, PATH, and what has the secrets."""

    place: str
    path: str
    keyring: Keyring
    resolver: Resolver


def of_runbook(
    runbook: Runbook, inputs: Mapping[str, Any], scope: Mapping[str, Any], around: Surroundings, now: float
) -> Foresight:
    """What a start would do. `scope` has inputs and env. Raises InvalidInput."""
    plan = make_plan(runbook, inputs, scope["env"])
    listed = list_targets(runbook, scope, around.place)
    known = {name: entry.keys for name, entry in listed.items() if entry.keys is not None}
    facts = Facts(None, known, conditions(runbook, plan, scope), False, now)
    return _told(runbook, plan, tuple(forecast(plan, facts)), listed, scope, around)


def of_run(runbook: Runbook, state: RunState, driven: bool, around: Surroundings, now: float) -> Foresight:
    """What goes on, or what a resume would do. The state is folded on."""
    created = state.created
    scope = {"inputs": created.inputs, "env": created.surroundings["env"]}
    plan = stored_plan(state, runbook)
    failed = {} if driven else take_up(state, plan, now)
    listed = list_targets(runbook, scope, around.place, tuple(created.only_targets))
    listed |= {step: Listed(found.index) for (step, _), found in state.resolved.items() if step in plan.nodes}
    known = {name: entry.keys for name, entry in listed.items() if entry.keys is not None}
    facts = Facts(state, known, conditions(runbook, plan, scope), driven, now, failed)
    seen = _told(runbook, plan, tuple(forecast(plan, facts)), listed, scope, around)
    return seen._replace(waits=_waits(plan, state, now))


def secrets_of(
    runbook: Runbook, inputs: Mapping[str, Any], scope: Mapping[str, Any], around: Surroundings
) -> tuple[KeyringFound | None, list[Checked]]:
    """Whether each secret of a runbook can be had, for every target that is known. Raises InvalidInput."""
    plan = make_plan(runbook, inputs, scope["env"])
    names = set(runbook.secrets)
    targets = _targets_of_secrets(runbook, plan, names, list_targets(runbook, scope, around.place))
    return check_secrets(runbook, names, scope, around.resolver, around.keyring, targets)


def _waits(plan: Plan, state: RunState, now: float) -> dict[tuple[str, str | None], str]:
    """What tasks wait for; the task that stands for a fan-out says it of the steps in it."""
    waits: dict[tuple[str, str | None], str] = {}
    for key, task in state.tasks.items():
        if task.status == "waiting":
            text = held_text(Held(key, task, plan.node(key.step), task.changed_at, state.record.id), now)
            steps = plan.leaves(key.step) if plan.stands_in(key) else (key.step,)
            waits |= {(step, key.target): text for step in steps}
    return waits


def _told(
    runbook: Runbook,
    plan: Plan,
    forecasts: tuple[Forecast, ...],
    listed: Mapping[str, Listed],
    scope: Mapping[str, Any],
    around: Surroundings,
) -> Foresight:
    ahead = {one.step for one in forecasts if one.verdict not in OVER}
    skipped = {one.step for one in forecasts if one.verdict == "will_be_skipped"}
    wanted = _secrets_of(runbook, plan, ahead | skipped)  # asked for at the start, whatever an `if` says later
    per_target = _targets_of_secrets(runbook, plan, wanted, listed)
    keyring, secrets = check_secrets(runbook, wanted, scope, around.resolver, around.keyring, per_target)
    return Foresight(
        forecasts=forecasts,
        fans=[_fan(plan, name, entry) for name, entry in listed.items()],
        inside={leaf: fan for leaf in plan.nodes if (fan := plan.nodes[leaf].fan) is not None},
        keyring=keyring,
        secrets=secrets,
        missing=missing_commands(runbook, ahead, around.place, around.path) if ahead else [],
        plugins=used_plugins(runbook, ahead) if ahead else [],
        people=asked_of_people(runbook, ahead, scope),
        lasting=[step.id for step in runbook.every_step() if step.id in ahead and _lasts(step, plan)],
        privileges=[*(_all(one.privileges for one in runbook.all_requires) if ahead else ()), *_granted(plan, ahead)],
        groups=_all(one.groups for one in runbook.all_requires) if ahead else (),
        does={step.id: briefly(step) for step in runbook.every_step() if step.id in ahead},
        finals=frozenset(plan.all_leaves(plan.finals)),
    )


def _all(words: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for some in words for word in some))


def _granted(plan: Plan, ahead: set[str]) -> list[str]:
    """The privileges that steps ahead grant, until when."""
    return [
        f"{leaf}: open until {undo.until} has ended, for {duration(undo.most)} at most"
        for leaf, undo in plan.undo.items()
        if leaf in ahead and undo.until is not None
    ]


def _lasts(step: Step, plan: Plan) -> bool:
    """Whether it may change something outside, which no rollback takes back."""
    looks = bool(step.collects) or (step.call is not None and step.call.action.kind == "wait_for")
    return step.id in plan.nodes and plan.nodes[step.id].effect and step.id not in plan.undo and not looks


def _secrets_of(runbook: Runbook, plan: Plan, ahead: set[str]) -> set[str]:
    """The secrets that the steps ahead name, they or a group around them; all, where `env` gives any to every step."""
    by_step = secrets_by_step(runbook)
    named = set().union(*by_step.values()) if by_step else set()
    if not ahead:
        return set()
    everywhere = set(runbook.secrets) - named
    around = {name for leaf in ahead for name in _with_groups(plan, leaf)}
    return everywhere.union(*(names for step, names in by_step.items() if step in around))


def _targets_of_secrets(
    runbook: Runbook, plan: Plan, wanted: set[str], listed: Mapping[str, Listed]
) -> dict[str, Mapping[str, Json]]:
    """The targets for which each secret is wanted that depends on the target, where all of them are known."""
    found: dict[str, dict[str, Json]] = {}
    unknown = set()
    sealed = {step.id for step in runbook.every_step() if step.fan_out is not None and step.fan_out.secret_fields}
    for step, names in secrets_by_step(runbook).items():
        fan = plan.nodes[step].fan if step in plan.nodes else None
        targets = listed[fan].targets if fan is not None and fan in listed and fan not in sealed else None
        for name in names & wanted:
            if targets is None:
                unknown.add(name)
            else:
                found.setdefault(name, {}).update(targets)
    return {name: targets for name, targets in found.items() if name not in unknown}


def _with_groups(plan: Plan, leaf: str) -> list[str]:
    names = [leaf]
    while (parent := plan.nodes[names[-1]].parent) is not None:
        names.append(parent)
    return names


def _fan(plan: Plan, name: str, listed: Listed) -> Fan:
    policy = plan.nodes[name].fan_out
    assert policy is not None
    total = len(listed.keys) if listed.keys is not None else None
    starts = policy.waves(total) if total else [0]
    return Fan(
        step=name,
        keys=listed.keys,
        why=listed.why,
        wrong=listed.wrong,
        max_parallel=policy.max_parallel,
        max_failures=policy.max_failures.of(total) if total is not None else None,
        waves=tuple(end - start for start, end in zip(starts, [*starts[1:], total], strict=True)) if total else (),
        forgiving=plan.nodes[name].continue_on_error,
    )
