"""The picture of a runbook, or of a run with where each step stands: for the terminal, Mermaid, and graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from durun.model.plan import Node, Plan
from durun.model.runbook import Action, Runbook, Step
from durun.model.state import RunState
from durun.model.status import TaskStatus, spoken
from durun.model.values import Json
from durun.views.json import SCHEMA
from durun.views.tally import MARKS, StepTally, Tally
from durun.views.text import counted, counts_text, one_line, pad, width_of, wrapped

COLOURS: Mapping[TaskStatus, tuple[str, str]] = {
    "succeeded": ("#d7f0d7", "#2e7d32"),
    "skipped": ("#eeeeee", "#9e9e9e"),
    "running": ("#d6e9fb", "#1565c0"),
    "waiting": ("#fff3cd", "#b8860b"),
    "failed": ("#f9d6d5", "#c62828"),
    "in_doubt": ("#f3d9fa", "#8e24aa"),
    "cancelled": ("#e0e0e0", "#616161"),
    "rolled_back": ("#e0e0e0", "#616161"),
    "pending": ("#ffffff", "#757575"),
}
"""Of each status the colours of its box and of the box's edge."""


class Graph(NamedTuple):
    """What is drawn. `state` is a run's, or None for a runbook alone."""

    runbook: Runbook
    plan: Plan
    steps: Mapping[str, Step]
    tally: Mapping[str, StepTally] | None
    targets: Mapping[str, int]

    def standing(self, name: str) -> TaskStatus | None:
        """Where a leaf stands; None for a runbook alone."""
        return self.tally[name].standing if self.tally is not None else None

    def notes(self, name: str) -> list[str]:
        """What stands beside a step's name: what it does, for how many targets, how these stand."""
        node, step = self.plan.nodes[name], self.steps[name]
        notes = [_does(step.call.action)] if step.call is not None else []
        if step.include is not None:
            notes.append(f"runbook {one_line(step.include.file)}")
        if node.fan_out is not None:
            notes.append(counted(self.targets[name], "target") if name in self.targets else "per target")
        if step.condition is not None:
            notes.append(f"if {one_line(step.condition.source)}")
        if self.tally is not None and node.leaf:
            counts, standing = self.tally[name].counts, self.tally[name].standing
            if node.fan is not None:
                notes.append(counts_text((status, counts[status]) for status in MARKS if counts[status]))
            elif standing not in ("succeeded", "pending"):
                notes.append(spoken(standing))
        return [note for note in notes if note]


def _does(action: Action) -> str:
    """The word for it; of an action from a plugin, its name."""
    return f"uses {action.spec['uses']}" if action.kind == "uses" else action.kind


def graph_of(runbook: Runbook, plan: Plan, state: RunState | None) -> Graph:
    """The graph of a runbook, or of a run under it."""
    steps = {step.id: step for step in runbook.every_step()}
    if state is None:
        return Graph(runbook, plan, steps, None, {})
    targets = {step: len(found.index) for (step, _), found in state.resolved.items()}
    return Graph(runbook, plan, steps, Tally(plan, state).steps, targets)


def graph_text(graph: Graph, columns: int | None = None) -> str:
    """A tree in the order of the file, in so many columns; what does not follow the line above says what it follows."""
    rows = list(_rows(graph, graph.plan.roots, ""))
    if graph.plan.finals:
        rows += [("finally", ""), *_rows(graph, graph.plan.finals, "  ")]
    width = max(width_of(name) for name, _ in rows)
    lines = (f"{pad(name, width)}  {notes}".rstrip() for name, notes in rows)
    inner = width + 2 if columns is None else min(width + 2, columns // 2)
    return "".join(f"{wrapped(line, columns, inner)}\n" for line in lines)


def _rows(graph: Graph, siblings: Sequence[str], indent: str) -> Iterator[tuple[str, str]]:
    before: str | None = None
    for name in siblings:
        node = graph.plan.nodes[name]
        standing = graph.standing(name) if node.leaf else None
        mark = MARKS[standing] if standing is not None else "•" if node.leaf else "▾"
        yield f"{indent}{mark} {name}", "  ".join([*_after(node, before), *graph.notes(name)])
        yield from _rows(graph, node.children, f"{indent}  ")
        before = name


def _after(node: Node, before: str | None) -> list[str]:
    if node.needs == ((before,) if before is not None else ()):
        return []
    return [f"after {', '.join(node.needs)}" if node.needs else "at once"]


def graph_json(graph: Graph) -> dict[str, Json]:
    """The same as one object: every step with what it comes after and what it is in."""
    steps: list[Json] = [
        {
            "id": name,
            "in": node.parent,
            "needs": list(node.needs),
            "action": call.action.kind if (call := graph.steps[name].call) is not None else None,
            "per_target": node.fan,
            "finally": node.final,
            "status": graph.standing(name) if node.leaf else None,
        }
        for name, node in graph.plan.nodes.items()
    ]
    return {"schema": SCHEMA, "runbook": graph.runbook.name, "steps": steps}


def graph_mermaid(graph: Graph) -> str:
    """A flowchart in Mermaid, as GitHub and many wikis draw it."""
    lines = ["flowchart TD", *(f"  {line}" for line in _mermaid_nodes(graph, graph.plan.roots))]
    if graph.plan.finals:
        lines += ['  subgraph finally__["finally"]']
        lines += [f"    {line}" for line in _mermaid_nodes(graph, graph.plan.finals)]
        lines += ["  end", *(f"  {_safe(name)} -.-> finally__" for name in _ends(graph))]
    for name, node in graph.plan.nodes.items():
        lines += [f"  {_safe(need)} --> {_safe(name)}" for need in node.needs]
    used = dict.fromkeys(graph.standing(name) for name, node in graph.plan.nodes.items() if node.leaf)
    lines += [
        f"  classDef {status} fill:{COLOURS[status][0]},stroke:{COLOURS[status][1]},color:#222"
        for status in used
        if status is not None
    ]
    return "\n".join(lines) + "\n"


_MERMAID_CODES: Mapping[int, str] = str.maketrans(
    {"#": "#35;", "%": "#37;", "&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;"}
    | {mark: f"{mark}<wbr>" for mark in "$\\"}  # it decodes what is encoded before it looks for formulas and for `\n`
)
"""How a label says what Mermaid would read: entities, directives, tags, formulas, and the `\\n` of a line's end."""


def _mermaid_nodes(graph: Graph, siblings: Sequence[str]) -> Iterator[str]:
    for name in siblings:
        node = graph.plan.nodes[name]
        # The title of a subgraph has room for one line: a second one would lie over what is in it.
        parts = (part.translate(_MERMAID_CODES) for part in (name, *graph.notes(name)))
        label = ("<br/>" if node.leaf else " · ").join(parts)
        if node.leaf:
            status = graph.standing(name)
            yield f'{_safe(name)}["{label}"]{f":::{status}" if status is not None else ""}'
            continue
        yield f'subgraph {_safe(name)}["{label}"]'
        yield from (f"  {line}" for line in _mermaid_nodes(graph, node.children))
        yield "end"


def _safe(name: str) -> str:
    """A name that is no word of Mermaid's or of dot's (`end`, `graph`, `node`), nor any other step's: ids are small."""
    return "s_" + name.replace(".", "_I_").replace(":", "_O_")


def _ends(graph: Graph) -> list[str]:
    """The top-level steps that nothing comes after."""
    needed = {need for name in graph.plan.roots for need in graph.plan.nodes[name].needs}
    return [name for name in graph.plan.roots if name not in needed]


def graph_dot(graph: Graph) -> str:
    """The graph in graphviz's language."""
    lines = [
        f"digraph {_quoted(graph.runbook.name)} {{",
        "  compound=true; rankdir=TB; nodesep=0.35; ranksep=0.4;",
        '  graph [fontname="Helvetica,Arial,sans-serif", fontsize=11, color="#9e9e9e", style=rounded];',
        '  node [shape=box, style="rounded,filled", fillcolor=white];',
        '  node [fontname="Helvetica,Arial,sans-serif", fontsize=11];',
        '  edge [color="#757575", arrowsize=0.7];',
        *(f"  {line}" for line in _dot_nodes(graph, graph.plan.roots)),
    ]
    if graph.plan.finals:
        lines += ["  subgraph cluster_finally__ {", '    label="finally"; style="rounded,dashed";']
        lines += [f"    {line}" for line in _dot_nodes(graph, graph.plan.finals)]
        lines += ["  }"]
        first = graph.plan.leaves(graph.plan.finals[0])[0]
        for name in _ends(graph):
            tail = f", ltail=cluster_{_safe(name)}" if not graph.plan.nodes[name].leaf else ""
            last = _safe(graph.plan.leaves(name)[-1])
            lines.append(f"  {last} -> {_safe(first)} [style=dashed, lhead=cluster_finally__{tail}];")
    for name, node in graph.plan.nodes.items():
        lines += [f"  {_dot_edge(graph, need, name)}" for need in node.needs]
    return "\n".join([*lines, "}"]) + "\n"


def _dot_nodes(graph: Graph, siblings: Sequence[str]) -> Iterator[str]:
    for name in siblings:
        node, label = graph.plan.nodes[name], "\\n".join(_escaped(part) for part in [name, *graph.notes(name)])
        if node.leaf:
            status = graph.standing(name)
            paint = f', fillcolor="{COLOURS[status][0]}", color="{COLOURS[status][1]}"' if status is not None else ""
            yield f'{_safe(name)} [label="{label}"{paint}];'
            continue
        yield f"subgraph cluster_{_safe(name)} {{"
        yield f'  label="{label}";'
        yield from (f"  {line}" for line in _dot_nodes(graph, node.children))
        yield "}"


def _dot_edge(graph: Graph, need: str, name: str) -> str:
    """An edge of graphviz joins leaves; `ltail` and `lhead` let it end at the box of a group."""
    last, first = graph.plan.leaves(need)[-1], graph.plan.leaves(name)[0]
    clips = [f"ltail=cluster_{_safe(need)}"] if last != need else []
    clips += [f"lhead=cluster_{_safe(name)}"] if first != name else []
    clipped = f" [{', '.join(clips)}]" if clips else ""
    return f"{_safe(last)} -> {_safe(first)}{clipped};"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'
