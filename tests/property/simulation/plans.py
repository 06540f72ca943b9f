"""Random plans: every construct of the language that `decide` knows, in small numbers."""

from __future__ import annotations

from random import Random

from durun.model.plan import FanOutPolicy, Node, Plan, Retry, Share, VerifyPolicy
from durun.model.task import ROLLBACK


def foresee(plan: Plan, asking: set[str], rng: Random) -> None:
    """Say in the plan what comes after the steps that ask people, and what targets are made of."""
    nodes = plan.nodes
    steps = [node for node in nodes.values() if not node.final]
    for node in steps:
        before = [other for other in steps if comes_before(nodes, other.id, node.id)]
        if node.fan_out is not None and before:
            reads = rng.sample(before, rng.choice([0, 0, 1, min(2, len(before))]))
            nodes[node.id] = nodes[node.id]._replace(reads=tuple(read.id for read in reads))
    for name in asking:
        if not nodes[name].final:
            after = tuple(node.id for node in steps if comes_before(nodes, name, node.id))
            nodes[name] = nodes[name]._replace(after=after)


def comes_before(nodes: dict[str, Node], first: str, second: str) -> bool:
    """Whether the first has always ended when the second starts."""
    wanted = set(lineage(nodes, first))
    if second in wanted or first in lineage(nodes, second):
        return False
    rest, seen = [need for one in lineage(nodes, second) for need in nodes[one].needs], set()
    while rest:
        need = rest.pop()
        if need in wanted:
            return True
        if need not in seen:
            seen.add(need)
            rest.extend(nodes[need].needs)
    return False


def between(plan: Plan, first: str, last: str) -> frozenset[str]:
    """The steps that come after the first, and not after the last."""
    nodes = plan.nodes
    after = {name for name, node in nodes.items() if not node.final and comes_before(nodes, first, name)}
    return frozenset(name for name in after if not comes_before(nodes, last, name))


def lineage(nodes: dict[str, Node], step: str) -> list[str]:
    found = [step]
    while (parent := nodes[found[-1]].parent) is not None:
        found.append(parent)
    return found


class PlanMaker:
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.nodes: dict[str, Node] = {}
        self.forgiving = rng.choice([0.0, 0.1, 0.3])
        self.verifying = rng.choice([0.0, 0.3, 0.7])
        self.retrying = rng.choice([0.0, 0.3, 0.7])
        self.idempotent = rng.choice([0.0, 0.2, 0.5])

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def make(self) -> Plan:
        roots = self.siblings(self.rng.choice([1, 2, 3, 4, 5]), 0, None, None, final=False)
        finals = self.siblings(self.rng.choice([1, 2]), 1, None, None, final=True) if self.chance(0.35) else ()
        plan = Plan(self.nodes, roots, finals, self.rng.choice([1, 2, 3, 8]))
        return plan._replace(undo=self.undo(plan), roll_back=self.chance(0.4)) if self.chance(0.5) else plan

    def undo(self, plan: Plan) -> dict[str, Node]:
        """Rollbacks of some of the steps."""
        share = self.rng.choice([0.3, 0.7, 1.0])
        private = self.rng.choice([0.0, 0.3, 0.7])
        found = {name: self.rollback(self.nodes[name]) for name in plan.all_leaves(plan.roots) if self.chance(share)}
        for name, node in found.items():
            later = self.later(plan, name)
            if later and self.chance(private):
                until = self.rng.choice(later)
                found[name] = node._replace(until=until, most=self.rng.choice([600.0, 5000.0]))
        return found

    def later(self, plan: Plan, name: str) -> list[str]:
        """The steps beside this one that always come after it."""
        parent = self.nodes[name].parent
        siblings = plan.nodes[parent].children if parent else plan.roots
        after = {name}
        for one in siblings:
            if after & set(self.nodes[one].needs):
                after.add(one)
        return [one for one in siblings if one in after and one != name]

    def rollback(self, node: Node) -> Node:
        when = ("succeeded", *(word for word in ("failed", "in_doubt", "found") if self.chance(0.3)))
        return Node(f"{node.id}{ROLLBACK}", fan=node.fan, undoes=node.id, when=when, **self.leaf())

    def siblings(self, count: int, depth: int, parent: str | None, fan: str | None, final: bool) -> tuple[str, ...]:
        names: list[str] = []
        for _ in range(count):
            names.append(self.node(tuple(names), depth, parent, fan, final))
        return tuple(names)

    def needs(self, before: tuple[str, ...]) -> tuple[str, ...]:
        kind = self.rng.random()
        if not before or kind < 0.25:
            return ()
        if kind < 0.65:
            return before[-1:]
        return tuple(sorted(self.rng.sample(before, self.rng.randint(1, len(before)))))

    def node(self, before: tuple[str, ...], depth: int, parent: str | None, fan: str | None, final: bool) -> str:
        name = f"s{len(self.nodes)}"
        self.nodes[name] = Node(name)  # its place, before its children's
        fan_out = self.fan_out() if fan is None and self.chance(0.3) else None
        fan = name if fan_out else fan
        children: tuple[str, ...] = ()
        if depth < 2 and self.chance(0.3):
            children = self.siblings(self.rng.choice([1, 2, 3]), depth + 1, name, fan, final)
        self.nodes[name] = Node(
            id=name,
            needs=self.needs(before),
            parent=parent,
            children=children,
            fan=fan,
            fan_out=fan_out,
            final=final,
            continue_on_error=self.chance(self.forgiving),
            **({} if children else self.leaf()),
        )
        return name

    def leaf(self) -> dict[str, object]:
        verify = None
        if self.chance(self.verifying):
            settle = self.rng.choice([None, None, 3.0])
            verify = VerifyPolicy(before=self.chance(0.25), after=self.chance(0.25), settle=settle)
        idempotent = self.chance(self.idempotent)
        policies = ["ask", "fail"] + ["verify"] * (4 if verify else 0) + ["rerun"] * (3 if idempotent else 0)
        return {
            "retry": self.retry() if self.chance(self.retrying) else Retry(),
            "verify": verify,
            "idempotent": idempotent,
            "idempotent_ttl": self.rng.choice([None, None, 5.0]) if idempotent else None,
            "on_in_doubt": self.rng.choice(policies),
        }

    def retry(self) -> Retry:
        return Retry(
            max_attempts=self.rng.choice([2, 2, 3]),
            delay=self.rng.choice([0.0, 1.0, 5.0]),
            jitter=self.rng.choice([0.0, 0.5]),
            on_exit_codes=self.rng.choice([None, None, (3,)]),
        )

    def fan_out(self) -> FanOutPolicy:
        limit = self.rng.choice(
            [Share(0), Share(0), Share(1), Share(2), Share(30, percent=True), Share(100, percent=True)]
        )
        serial = self.rng.choice([(), (), (Share(1), Share(2)), (Share(1), Share(30, percent=True)), (Share(2),)])
        return FanOutPolicy(self.rng.choice([1, 1, 2, 3, 8]), limit, serial)
