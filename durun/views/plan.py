"""What a runbook or a run will do, told beforehand: readable with 10,000 targets, for they stand together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from durun.model.forecast import OVER, Forecast, Verdict
from durun.model.values import Json
from durun.views.json import SCHEMA
from durun.views.secrets import Checked, KeyringFound, check_text
from durun.views.summary import following
from durun.views.text import counted, one_line, pad, spoken, wrapped

_NAMED = 5
"""How many targets are named where many stand together."""
_REASONS = 5
"""How many different reasons are told for one verdict of a step."""
_VERDICT = 16


class Missing(NamedTuple):
    """A command that is not there, and the steps that start it; `required`: a run is refused without it."""

    command: str
    steps: tuple[str, ...]
    required: bool = False


class Used(NamedTuple):
    """An action from a plugin, the package and version that the runbook was checked with, and what is here now."""

    action: str
    package: str
    version: str
    steps: tuple[str, ...]
    installed: str | None


class Asked(NamedTuple):
    """What people are asked: an `approval` of these, or something `manual`."""

    step: str
    kind: str
    text: str
    who: tuple[str, ...] = ()


class Fan(NamedTuple):
    """A fan-out: its targets, or why they are not known (`wrong`: why they can't be used), and how they are worked
    through. `waves`: their sizes."""

    step: str
    keys: tuple[str, ...] | None
    why: str
    wrong: bool
    max_parallel: int
    max_failures: int | None
    waves: tuple[int, ...]
    forgiving: bool


class Foresight(NamedTuple):
    """All that is told. `inside`: step → the step whose targets multiply it. `lasting`: steps nothing takes back."""

    forecasts: Sequence[Forecast]
    fans: Sequence[Fan]
    inside: Mapping[str, str]
    keyring: KeyringFound | None
    secrets: Sequence[Checked]
    missing: Sequence[Missing]
    plugins: Sequence[Used]
    people: Sequence[Asked]
    lasting: Sequence[str]
    privileges: Sequence[str]
    groups: Sequence[str]


class Subject(NamedTuple):
    """What is planned: lines about it, what stands against it, and what to type next."""

    facts: Sequence[tuple[str, str]]
    against: Sequence[str]
    next: Sequence[str]
    json: Mapping[str, Json]


def plan_text(subject: Subject, seen: Foresight, width: int | None = None) -> str:
    """The whole text, in lines that fit into `width`; but for commands, which are to be copied."""
    lines = [f"{name:<11}{one_line(text)}" for name, text in subject.facts if text]
    lines += ["", *_steps(seen)]
    lines += _section("secrets", check_text(seen.keyring, seen.secrets).splitlines() if seen.secrets else [])
    lines += _section("plugins", [_used(entry) for entry in seen.plugins if entry.installed is not None])
    gone = [_gone(entry) for entry in seen.plugins if entry.installed is None]
    lines += _section("not on this machine", [*(_missing(entry) for entry in seen.missing), *gone])
    lines += _section("asks people", map(_asked, seen.people))
    if seen.lasting:
        lines += ["", f"not undone by a rollback: {_some(seen.lasting, 12)}"]
    if seen.privileges:
        lines += _section("privileges", map(one_line, seen.privileges))
    lines += _section("in the way", map(one_line, subject.against))
    told = [wrapped(line, width) for line in lines]
    told += ["", *following(subject.next)] if subject.next else []
    return "\n".join(told) + "\n"


def plan_json(subject: Subject, seen: Foresight) -> dict[str, Json]:
    """The same as one object; every task by itself."""
    return {
        "schema": SCHEMA,
        **subject.json,
        "against": list(subject.against),
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


def _steps(seen: Foresight) -> Iterator[str]:
    """A line for each step and verdict; those of one fan-out below a line about it."""
    fans = {fan.step: fan for fan in seen.fans}
    width = max((len(one.step) for one in seen.forecasts), default=0)
    around = ""
    for step, members in _by_step(seen.forecasts).items():
        fan = seen.inside.get(step, "")
        if fan and fan != around:
            yield f"  {_fan_line(fans[fan])}"
        around = fan
        for verdict, found in members.items():
            for line in _lines(step, verdict, found, width):
                yield f"  {'  ' if fan else ''}{line}"


def _by_step(forecasts: Iterable[Forecast]) -> dict[str, dict[Verdict, list[Forecast]]]:
    steps: dict[str, dict[Verdict, list[Forecast]]] = {}
    for one in forecasts:
        steps.setdefault(one.step, {}).setdefault(one.verdict, []).append(one)
    return steps


def _lines(step: str, verdict: Verdict, found: Sequence[Forecast], width: int) -> Iterator[str]:
    """The tasks of a step with one verdict: together, by their reasons."""
    reasons: dict[str, list[Forecast]] = {}
    for one in found:
        reasons.setdefault(one.why, []).append(one)
    told = list(reasons.items())
    for why, members in told[:_REASONS]:
        targets = [one.target for one in members if one.target is not None]
        said = "  ".join(part for part in (_targets(targets, verdict), one_line(why)) if part)
        yield f"{pad(spoken(verdict), _VERDICT)}  {pad(step, width)}  {said}".rstrip()
    if rest := sum(len(members) for _, members in told[_REASONS:]):
        yield f"{pad(spoken(verdict), _VERDICT)}  {pad(step, width)}  {counted(rest, 'target')} for other reasons"


def _targets(keys: Sequence[str], verdict: Verdict) -> str:
    """How many; those that need a look by their names."""
    if not keys:
        return ""
    if verdict in ("in_doubt", "failed", "will_be_adopted", "running", "waiting"):
        return _some(keys, _NAMED)
    return counted(len(keys), "target")


def _some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return one_line(", ".join(names[:most])) + more


def _fan_line(fan: Fan) -> str:
    if fan.keys is None:
        return f"{fan.step}: {'can not be resolved' if fan.wrong else 'targets unknown'}: {one_line(fan.why)}"
    said = [f"{counted(len(fan.keys), 'target')}{f' ({_some(fan.keys, _NAMED)})' if fan.keys else ''}"]
    if len(fan.waves) > 1:
        said.append(f"in {len(fan.waves)} waves ({_some(list(map(str, fan.waves)), _NAMED)})")
    said.append(f"{fan.max_parallel} at once" if fan.max_parallel > 1 else "one after the other")
    if fan.max_failures is not None and not fan.forgiving:
        some = f"stops when more than {fan.max_failures} have failed"
        said.append(some if fan.max_failures else "stops at the first failure")
    return f"{fan.step}: {', '.join(said)}"


def _asked(entry: Asked) -> str:
    of = f" of {_some(entry.who, _NAMED)}" if entry.who else ""
    return f"{entry.step}: {entry.kind}{of}: {one_line(entry.text)}"


def _missing(entry: Missing) -> str:
    by = f" (for {_some(entry.steps, _NAMED)})" if entry.steps else ""
    return f"{one_line(entry.command)}{by}{': without it no run is started' if entry.required else ''}"


def _used(entry: Used) -> str:
    then = f"{entry.package} {entry.version}"
    other = "" if entry.installed == then else f"; installed is {entry.installed}, with which it goes on"
    return f"{entry.action} of {then} (for {_some(entry.steps, _NAMED)}){other}"


def _gone(entry: Used) -> str:
    by = _some(entry.steps, _NAMED)
    return f"{entry.package} {entry.version}, which brings {entry.action} (for {by}): without it nothing is started"


def open_tasks(seen: Foresight) -> int:
    """How many tasks something is still to happen to."""
    return sum(one.verdict not in OVER for one in seen.forecasts)
