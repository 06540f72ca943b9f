"""Fan-outs, for tests of what may start."""

from __future__ import annotations

from durun.model import event as ev
from durun.model.plan import FanOutPolicy, Node

FAN = FanOutPolicy(max_parallel=2)


def fan(policy: FanOutPolicy = FAN, **more) -> Node:
    return Node("f", fan="f", fan_out=policy, **more)


def chain_in_fan(policy: FanOutPolicy = FAN, **more) -> list[Node]:
    return [
        fan(policy, children=("x", "y"), **more),
        Node("x", parent="f", fan="f"),
        Node("y", parent="f", fan="f", needs=("x",)),
    ]


def cancel(run) -> None:
    run.fold(ev.CancelRequested(reason="enough", by={}))
