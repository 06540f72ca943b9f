"""What the live view says of each step: where it stands, how far it is, and what it waits for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence

from rich.text import Text

from durun.model.plan import Plan
from durun.model.state import RunState
from durun.model.status import TaskStatus, spoken
from durun.model.task import TaskKey
from durun.model.tuples import NamedTuple
from durun.views.pace import Pace
from durun.views.paint import DIM, STYLES, Row
from durun.views.tally import MARKS, StepTally
from durun.views.text import counted, duration, harmless, one_line
from durun.views.waits import Held, day_time, held_text
from durun.views.words import PROBES

_TOLD: tuple[TaskStatus, ...] = ("failed", "in_doubt", "cancelled", "running", "waiting", "rolled_back")
"""What is counted beside the bar of a fan-out, the most urgent first."""

_WIDE, _NARROW, _BARS = 100, 60, ((100, 24), (60, 16), (0, 6))
"""Columns from which on there is room for more than what is needed most, for that; and how long a bar is."""

_SOON = 600.0
"""Seconds; of what takes longer, the hour at which it ends is told."""


class Moment(NamedTuple):
    """What is shown now. `busy`: the fan-outs in which something runs; `full`: as many tasks run as may."""

    steps: Mapping[str, StepTally]
    state: RunState
    now: float
    width: int
    busy: Collection[str]
    full: bool


class Rows:
    """Makes a row of a step. `max_parallel` of the run and what each step comes after are told from the plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pace = Pace()
        self._before = dict(_siblings(plan))

    def moment(self, steps: Mapping[str, StepTally], state: RunState, now: float, width: int) -> Moment:
        """What the rows of one picture are made of."""
        at_work = [step for step in steps.values() if step.counts["running"]]
        busy = {step.fan for step in at_work if step.fan is not None}
        full = sum(step.counts["running"] for step in at_work) >= self._plan.max_parallel
        return Moment(steps, state, now, width, busy, full)

    def row(self, step: StepTally, moment: Moment) -> Row:
        """The row of a step."""
        standing = step.standing
        if standing == "pending" and step.held:
            standing = "waiting"
        elif standing == "pending" and _at_work(step, moment):
            standing = "running"
        mark = Text(MARKS[standing], STYLES[standing])
        name = Text(harmless(step.id), DIM if standing in ("pending", "skipped") else "")
        if step.fan is not None and (step.resolved or step.total == 0):
            return Row(mark, name, self._fan(step, moment), self._time(step, moment))
        told = self._one(step, moment)
        return Row(mark, name, [Text(told, STYLES[standing])], "" if step.held else self._time(step, moment))

    def _final(self, name: str) -> bool:
        return name in self._plan.nodes and self._plan.nodes[name].final

    def _time(self, step: StepTally, moment: Moment) -> str:
        """How long it has taken; of a fan-out at work, how long it will yet take."""
        at_work, now, width = _at_work(step, moment), moment.now, moment.width
        left = self._pace.left(step, now) if at_work else None
        if left is not None:
            hour = f", {day_time(now + left, now)}" if left >= _SOON and width >= _WIDE else ""
            return f"~{_roughly(left)}{' left' if width >= _NARROW else ''}{hour}"
        if step.began_at is None or step.standing == "skipped":
            return ""
        return duration((now if at_work else step.ended_at or now) - step.began_at)

    def _one(self, step: StepTally, moment: Moment) -> str:
        """In words, where a step stands that is one task, or a fan-out whose targets are not known."""
        held = self._held(step, moment)
        round_ = moment.state.record.round if self._final(step.id) else 0
        if held is not None:
            return held_text(held, moment.now)
        task, standing = moment.state.tasks.get(TaskKey(step.fan or step.id, None, round_)), step.standing
        if task is None:
            return self._ahead(step, moment)
        if task.probe is not None:
            return PROBES[task.probe.purpose]
        if standing == "running" and len(task.attempts) > 1:
            return f"running, attempt {len(task.attempts)}"
        return self._ahead(step, moment) if standing == "pending" else spoken(standing)

    def _held(self, step: StepTally, moment: Moment) -> Held | None:
        """The first of its tasks that are held."""
        for key, since in step.held.items():
            if (task := moment.state.tasks.get(key)) is not None:
                return Held(key, task, self._plan.node(step.id), since, moment.state.record.id)
        return None

    def _ahead(self, step: StepTally, moment: Moment) -> str:
        """Why nothing has happened to it: what it comes after, unless it stands right above it; or no slot is free."""
        around = self._around(step.id)
        needs = [need for name in around for need in self._plan.nodes[name].needs]
        open_ = [need for need in needs if any(_open(moment.steps[leaf]) for leaf in self._plan.leaves(need))]
        if not {self._before.get(name) for name in around}.issuperset(open_):
            return f"pending, after {', '.join(open_)}"
        if not open_ and not self._final(step.id) and moment.full:
            return "waits for a free slot"
        return "pending"

    def _around(self, name: str) -> list[str]:
        names = []
        at: str | None = name
        while at is not None and at in self._plan.nodes:
            names.append(at)
            at = self._plan.nodes[at].parent
        return names

    def _fan(self, step: StepTally, moment: Moment) -> Sequence[Text]:
        """A bar, and beside it the counts, what is waited for, how fast it goes, the wave."""
        if not step.total:
            return [Text("no targets", DIM)]
        told = [_bar(step, next(length for least, length in _BARS if moment.width >= least))]
        counts = [(status, step.counts[status]) for status in _TOLD if step.counts[status]]
        told += [Text(f"{count} {spoken(status)}", STYLES[status]) for status, count in counts]
        if (held := self._held(step, moment)) is not None:
            name = f"{one_line(held.key.target)}: " if held.key.target is not None else ""
            told.append(Text(f"{name}{held_text(held, moment.now)}", STYLES["waiting"]))
        rate = self._pace.rate(step, moment.now) if _at_work(step, moment) else None
        told += [Text(text, DIM) for text in (self._wave(step), _per_time(rate)) if text]
        return told

    def _wave(self, step: StepTally) -> str:
        """Of a fan-out in waves that is not over: which one it is in, told of its first step only."""
        node = self._plan.nodes.get(step.fan or "")
        if node is None or node.fan_out is None or not node.fan_out.serial or not _open(step):
            return ""
        if self._plan.leaves(node.id)[0] != step.id:
            return ""
        starts = node.fan_out.waves(step.total)
        over = min(step.done + step.wrong, step.total - 1)
        return f"wave {bisect_right(starts, over)} of {len(starts)}"


def summed_up(moment: Moment, since: float) -> list[Text]:
    """How far the whole run is, and how long it has been driven now."""
    record, steps = moment.state.record, moment.steps.values()
    running = sum(step.counts["running"] for step in steps)
    over, total = sum(step.done + step.wrong for step in steps), sum(step.total for step in steps)
    told = [duration(moment.now - since), f"{over} of {counted(total, 'task')}"]
    if record.status == "rolling_back":
        told.append("rolling back")
    if running:
        told.append(f"{running} running{' (max_parallel)' if moment.full else ''}")
    return [Text(text, DIM) for text in told]


def _at_work(step: StepTally, moment: Moment) -> bool:
    """Whether it runs; one of a fan-out that is not over, and has begun, goes on as long as anything there does."""
    return step.counts["running"] > 0 or (step.fan in moment.busy and _open(step) and step.began_at is not None)


def _bar(step: StepTally, length: int) -> Text:
    good = step.done * length // step.total
    bad = min(length - good, -(-step.wrong * length // step.total))
    rest = length - good - bad
    return Text.assemble(
        ("━" * good, STYLES["succeeded"]),
        ("━" * bad, STYLES["failed"]),
        ("─" * rest, DIM),
        f" {step.done}/{step.total}",
    )


def _open(step: StepTally) -> bool:
    return step.done + step.wrong < step.total


def _roughly(seconds: float) -> str:
    """A duration that is an estimate: no seconds beside many minutes."""
    return f"{round(seconds / 60)}m" if _SOON <= seconds < 3570 else duration(seconds)


def _per_time(rate: float | None) -> str:
    """`880/s`, `2.4/s`, `31/min`, `12/h`."""
    if not rate:
        return ""
    if rate >= 1:
        return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    return f"{rate * 60:.0f}/min" if rate * 60 >= 1 else f"{rate * 3600:.0f}/h"


def _siblings(plan: Plan) -> list[tuple[str, str]]:
    """Each step with the one before it in the same group."""
    groups = [plan.roots, plan.finals, *(node.children for node in plan.nodes.values() if node.children)]
    return [pair for group in groups for pair in zip(group[1:], group, strict=False)]
