"""Which sibling comes before which: unknown names and circles among `needs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from durun.language.diagnostics import Path, did_you_mean
from durun.language.values import Reader

Needs = tuple[str, ...]


def read_needs(
    reader: Reader, raw: Sequence[Mapping[str, object]], ids: Sequence[str], path: Path, all_ids: set[str]
) -> list[Needs]:
    """For each of the siblings, the ids that it needs: those it names, or the one before it."""
    found: list[Needs] = []
    for index, step in enumerate(raw):
        named = step.get("needs")
        at = (*path, index, "needs")
        if not isinstance(named, list):
            found.append((ids[index - 1],) if index else ())
            if index and raw[index - 1].get("needs") == []:
                _warn(reader, ids, index, (*path, index, "id"))
            continue
        for number, name in enumerate(named):
            if isinstance(name, str) and "${{" not in name and name not in ids:
                _unknown(reader, name, (*at, number), ids, all_ids)
        found.append(tuple(dict.fromkeys(name for name in named if name in ids)))
    _check_circles(reader, ids, found, path)
    return found


def _warn(reader: Reader, ids: Sequence[str], index: int, path: Path) -> None:
    before = ids[index - 1]
    message = f"`{ids[index]}` has no `needs`, so it waits for `{before}`, which starts at once"
    reader.warn(message, path, f"write `needs: [{before}]`, or `needs: []` to start at once too")


def _unknown(reader: Reader, name: str, path: Path, ids: Sequence[str], all_ids: set[str]) -> None:
    if name in all_ids:
        hint = "`needs` names steps beside it; a step inside a group: the group itself"
        reader.problem(f"`{name}` isn't beside this step", path, hint)
        return
    beside = [one for one in ids if one in all_ids]
    hint = did_you_mean(name, beside) or f"the steps beside it are {', '.join(beside[:12])}"
    reader.problem(f"there is no step `{name}`", path, hint)


def _check_circles(reader: Reader, ids: Sequence[str], needs: Sequence[Needs], path: Path) -> None:
    """Name each circle once, at the `needs` of its first step; what it holds then starts at once."""
    graph = dict(zip(ids, needs, strict=True))
    done: set[str] = set()
    for start in ids:
        circle = _circle_from(start, graph, done)
        if circle:
            index = min(ids.index(name) for name in circle)
            first = circle.index(ids[index])
            shown = [*circle[first:], *circle[:first], circle[first]]
            message = "these steps wait for each other: " if len(circle) > 1 else "a step that waits for itself: "
            reader.problem(message + " → ".join(shown), (*path, index, "needs"), at_key=True)
            done.update(circle)


def _circle_from(start: str, graph: Mapping[str, Needs], done: set[str]) -> list[str]:
    """A circle that can be reached from `start`, in the order of waiting; steps without one are put in `done`."""
    trail: list[str] = []
    rest = [(start, iter(graph[start]))] if start not in done else []
    if rest:
        trail.append(start)
    while rest:
        _, following = rest[-1]
        name = next(following, None)
        if name is None:
            done.add(trail.pop())
            rest.pop()
        elif name in trail:
            return trail[trail.index(name) :]
        elif name not in done:
            trail.append(name)
            rest.append((name, iter(graph[name])))
    return []
