"""What `durun plan` says of the steps: those targets together that stand alike, so that 10,000 are a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durun.model.forecast import Forecast, Verdict
from durun.model.status import spoken
from durun.views.foreseen import Fan, Foresight
from durun.views.text import counted, fit, one_line, pad, some_of, width_of, wrapped

NAMED = 5
"""How many targets are named where many stand together."""
_REASONS = 5
"""How many different reasons are told for one verdict of a step."""
_NAMED_NARROW, _NARROW = 2, 60
"""How many on a terminal with fewer columns than that."""
_VERDICT = 16
_STARTED: frozenset[Verdict] = frozenset({"will_run", "may_run", "will_be_verified"})
_TOLD, _WORTH = 80, 12
"""How many characters of what a step does are told at most, and how many at least."""


def steps_text(seen: Foresight, width: int | None) -> Iterator[str]:
    """A line for each step and verdict; those of one fan-out below a line about it, those of `finally` below a word."""
    fans = {fan.step: fan for fan in seen.fans}
    page = _Page(seen, width)
    around, final = "", False
    for step, members in _by_step(seen.forecasts).items():
        if step in seen.finals and not final:
            final = True
            yield "  finally:"
        fan = seen.inside.get(step, "")
        outer = "    " if final else "  "
        if fan and fan != around:
            yield wrapped(f"{outer}{_fan_line(fans[fan], page.named)}", width)
        around = fan
        for verdict, found in members.items():
            for line in page.lines(step, verdict, found):
                yield page.fitted(f"{outer}{'  ' if fan else ''}{line}", step, verdict)


def _by_step(forecasts: Iterable[Forecast]) -> dict[str, dict[Verdict, list[Forecast]]]:
    steps: dict[str, dict[Verdict, list[Forecast]]] = {}
    for one in forecasts:
        steps.setdefault(one.step, {}).setdefault(one.verdict, []).append(one)
    return steps


class _Page:
    """What the lines about steps have in common: how wide their columns are."""

    def __init__(self, seen: Foresight, width: int | None) -> None:
        self._seen = seen
        self._width = width
        narrow = width is not None and width < _NARROW
        self.named = _NAMED_NARROW if narrow else NAMED
        self._verdicts = max((len(one.verdict) for one in seen.forecasts), default=0) if narrow else _VERDICT
        self._steps = max((len(one.step) for one in seen.forecasts), default=0)

    def lines(self, step: str, verdict: Verdict, found: Sequence[Forecast]) -> Iterator[str]:
        """The tasks of a step with one verdict: together, by their reasons."""
        head = f"{pad(spoken(verdict), self._verdicts)}  {pad(step, self._steps)}"
        reasons: dict[str, list[Forecast]] = {}
        for one in found:
            reasons.setdefault(self._seen.waits.get((one.step, one.target), one.why), []).append(one)
        told = list(reasons.items())
        for why, members in told[:_REASONS]:
            targets = [one.target for one in members if one.target is not None]
            said = "  ".join(part for part in (self._targets(targets, verdict), one_line(why)) if part)
            yield f"{head}  {said}".rstrip()
        if rest := sum(len(members) for _, members in told[_REASONS:]):
            yield f"{head}  {counted(rest, 'target')} for other reasons"

    def _targets(self, keys: Sequence[str], verdict: Verdict) -> str:
        """How many; those that need a look by their names."""
        if not keys:
            return ""
        if verdict in ("in_doubt", "failed", "will_be_adopted", "running", "waiting"):
            return some_of(keys, self.named)
        return counted(len(keys), "target")

    def fitted(self, line: str, step: str, verdict: Verdict) -> str:
        """The line, and what the step does as far as there is room for that, if it is to be started."""
        does = one_line(self._seen.does.get(step, "")) if verdict in _STARTED else ""
        start = max(width_of(line) + 2, self._verdicts + self._steps + 8)
        if self._width is None:
            return f"{pad(line, start)}{fit(does, _TOLD)}".rstrip()
        if width_of(line) > self._width:
            return wrapped(line, self._width, self._verdicts + 6)
        room = self._width - start
        return f"{pad(line, start)}{fit(does, room)}".rstrip() if room >= _WORTH else line


def _fan_line(fan: Fan, named: int) -> str:
    if fan.keys is None:
        return f"{fan.step}: {'can not be resolved' if fan.wrong else 'targets unknown'}: {one_line(fan.why)}"
    said = [f"{counted(len(fan.keys), 'target')}{f' ({some_of(fan.keys, named)})' if fan.keys else ''}"]
    if len(fan.waves) > 1:
        said.append(f"in {len(fan.waves)} waves ({some_of(list(map(str, fan.waves)), NAMED)})")
    said.append(f"{fan.max_parallel} at once" if fan.max_parallel > 1 else "one after the other")
    if fan.max_failures is not None and not fan.forgiving:
        some = f"stops when more than {fan.max_failures} have failed"
        said.append(some if fan.max_failures else "stops at the first failure")
    return f"{fan.step}: {', '.join(said)}"
