"""What a runbook or a run will do, told beforehand: readable with 10,000 targets, for they stand together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from durun.model.forecast import OVER
from durun.model.tuples import NamedTuple
from durun.model.values import Json
from durun.views.foreseen import Asked, Foresight, Missing, Used
from durun.views.json import SCHEMA
from durun.views.plan_steps import NAMED, steps_text
from durun.views.secrets import check_text
from durun.views.summary import following
from durun.views.text import counted, one_line, some_of, wrapped


class Subject(NamedTuple):
    """What is planned: lines about it, what stands against it, and what to type next."""

    facts: Sequence[tuple[str, str]]
    against: Sequence[str]
    next: Sequence[str]
    json: Mapping[str, Json]


def plan_text(subject: Subject, seen: Foresight, width: int | None = None) -> str:
    """The whole text, in lines that fit into `width`; but for commands, which are to be copied."""
    lines = [wrapped(f"{name:<11}{one_line(text)}", width, 11) for name, text in subject.facts if text]
    lines += ["", *steps_text(seen, width)]
    told = _section("secrets", check_text(seen.keyring, seen.secrets).splitlines() if seen.secrets else [])
    told += _section("plugins", [_used(entry) for entry in seen.plugins if entry.installed is not None])
    gone = [_gone(entry) for entry in seen.plugins if entry.installed is None]
    told += _section("not on this machine", [*map(_missing, seen.missing), *gone])
    told += _section("asks people", map(_asked, seen.people))
    if seen.lasting:
        told += ["", f"not undone by a rollback: {some_of(seen.lasting, 12)}"]
    if seen.privileges:
        told += _section("privileges", map(one_line, seen.privileges))
    told += _section("in the way", map(one_line, in_the_way(subject, seen)))
    lines += [wrapped(line, width) for line in told]
    lines += ["", *following(subject.next)] if subject.next else []
    return "\n".join(lines) + "\n"


def in_the_way(subject: Subject, seen: Foresight) -> list[str]:
    """Why a run would be refused now, or would come to nothing."""
    lacking = [f"secret `{entry.name}` can't be had" for entry in seen.secrets if entry.verdict == "unavailable"]
    absent = [f"command `{entry.command}` is not on this machine" for entry in seen.missing if entry.required]
    gone = [entry for entry in seen.plugins if entry.installed is None]
    absent += [f"{entry.package} {entry.version} is not on this machine" for entry in gone]
    wrong = [f"the targets of {fan.step} can't be listed" for fan in seen.fans if fan.wrong]
    return [*subject.against, *lacking, *absent, *wrong]


def plan_json(subject: Subject, seen: Foresight) -> dict[str, Json]:
    """The same as one object; every task by itself."""
    return {
        "schema": SCHEMA,
        **subject.json,
        "against": in_the_way(subject, seen),
        "next": list(subject.next),
        "fan_outs": [fan._asdict() for fan in seen.fans],
        "tasks": [one._asdict() for one in seen.forecasts],
        "secrets": [entry._asdict() for entry in seen.secrets],
        "missing_commands": [entry._asdict() for entry in seen.missing],
        "plugins": [entry._asdict() for entry in seen.plugins],
        "people": [entry._asdict() for entry in seen.people],
        "not_undone": list(seen.lasting),
        "privileges": list(seen.privileges),
    }


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return ["", f"{title}:", *listed] if listed else []


def _asked(entry: Asked) -> str:
    if entry.kind == "manual":
        how = "to be done by hand"
    elif entry.needed > 1:
        how = f"approval of {entry.needed} of {some_of(entry.who, NAMED)}"
    else:
        how = f"approval of {one_line(' or '.join(entry.who))}" if entry.who else "approval"
    within = f", within {entry.within}" if entry.within else ""
    return f"{entry.step}: {how}{within}: {one_line(entry.text)}"


def _missing(entry: Missing) -> str:
    by = f" (for {some_of(entry.steps, NAMED)})" if entry.steps else ""
    return f"{one_line(entry.command)}{by}{': without it no run is started' if entry.required else ''}"


def _used(entry: Used) -> str:
    then = f"{entry.package} {entry.version}"
    other = "" if entry.installed == then else f"; installed is {entry.installed}, with which it goes on"
    return f"{entry.action} of {then} (for {some_of(entry.steps, NAMED)}){other}"


def _gone(entry: Used) -> str:
    by = some_of(entry.steps, NAMED)
    return f"{entry.package} {entry.version}, which brings {entry.action} (for {by}): without it nothing is started"


def open_tasks(seen: Foresight) -> str:
    """How many tasks something is still to happen to; those of targets that are not known count as one."""
    number = sum(one.verdict not in OVER for one in seen.forecasts)
    some = any(one.target is None and one.step in seen.inside and one.verdict not in OVER for one in seen.forecasts)
    return f"{'at least ' if some and any(fan.keys is None for fan in seen.fans) else ''}{counted(number, 'task')}"
