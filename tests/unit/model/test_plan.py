"""Waves, shares, and how many tasks a plan holds."""

from __future__ import annotations

import pytest

from durun.model.plan import FanOutPolicy, Node, Plan, Share


@pytest.mark.parametrize(
    ("share", "total", "count"),
    [
        (Share(3), 10, 3),
        (Share(30, percent=True), 10, 3),
        (Share(35, percent=True), 10, 3),
        (Share(1, percent=True), 10, 0),
        (Share(29, percent=True), 100, 29),
        (Share(100, percent=True), 7, 7),
        (Share(20, percent=True), 0, 0),
    ],
)
def test_a_share_rounds_down(share, total, count):
    assert share.of(total) == count


@pytest.mark.parametrize(
    ("serial", "total", "starts"),
    [
        ((), 5, [0]),
        ((), 0, [0]),
        ((Share(1),), 3, [0, 1, 2]),
        ((Share(1), Share(10, percent=True), Share(100, percent=True)), 20, [0, 1, 3]),
        ((Share(2), Share(3)), 10, [0, 2, 5, 8]),
        ((Share(1, percent=True),), 3, [0, 1, 2]),
        ((Share(5),), 5, [0]),
        ((Share(50),), 5, [0]),
        ((Share(1),), 0, [0]),
    ],
)
def test_where_the_waves_begin(serial, total, starts):
    assert FanOutPolicy(serial=serial).waves(total) == starts


def test_a_plan_counts_a_fan_out_as_one_task_until_its_targets_are_known():
    nodes = [
        Node("a"),
        Node("g", children=("b", "f")),
        Node("b", parent="g"),
        Node("f", parent="g", fan="f", fan_out=FanOutPolicy(), children=("x", "y")),
        Node("x", parent="f", fan="f"),
        Node("y", parent="f", fan="f"),
    ]
    plan = Plan({node.id: node for node in nodes}, ("a", "g"))
    assert plan.task_count(plan.roots) == 3
    assert plan.leaves("g") == ("b", "x", "y")
    assert plan.leaves("a") == ("a",)
