from __future__ import annotations

import pytest

from durun.model import event as ev
from durun.model.event import Stamped
from durun.model.plan import FanOutPolicy, Node, Plan
from durun.model.runbook import Runbook
from durun.model.state import RunState

AT = 1_767_225_600.0


class Story:
    """A run that is told event by event to a view."""

    def __init__(self, *leaves: str, fans: tuple[str, ...] = ()) -> None:
        nodes = {}
        for leaf in leaves:
            fan = leaf if leaf in fans else None
            nodes[leaf] = Node(leaf, fan=fan, fan_out=FanOutPolicy() if fan else None)
        self.plan = Plan(nodes, tuple(leaves))
        self.runbook = Runbook("backup", "", "", ())
        created = ev.RunCreated(
            runbook="backup",
            digest="",
            text="",
            file="backup.yaml",
            place="/",
            inputs={},
            inputs_digest="",
            tasks=len(leaves),
            by={"uid": 0},
            version="0",
            surroundings={"env": {}},
        )
        self.state = RunState.begin("run-1", Stamped(1, AT, created))
        self.now = AT

    def begin(self, view):
        view.began(self.state, self.plan, self.runbook)

    def tell(self, view, *events):
        stamped = []
        for event in events:
            self.now += 1
            one = Stamped(self.state.record.sequence + 1, self.now, event)
            self.state.fold(one)
            stamped.append(one)
        view.saw(stamped, self.state)


@pytest.fixture
def story():
    return Story
