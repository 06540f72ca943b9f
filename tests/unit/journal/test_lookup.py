"""Which run is meant by what a person typed."""

from __future__ import annotations

import pytest

from durun.journal.lookup import SHOWN, ambiguous, near


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("8kq2mz4", "did you mean `8kq2mx4`?"),
        ("8kqm2x4", "did you mean `8kq2mx4`?"),
        ("8kx", "did you mean `8kq2mx4`?"),
        ("kq2mx4", "did you mean `8kq2mx4`?"),
        ("zzzzzzz", "`durun history` lists the runs"),
        ("", "`durun history` lists the runs"),
        ("z", "`durun history` lists the runs"),
    ],
)
def test_near_matches_are_offered_and_far_ones_are_not(typed: str, hint: str) -> None:
    assert near(typed, ["8kq2mx4", "p01xr77"]).hint == hint


def test_candidates_are_named_but_not_all_of_many() -> None:
    many = [f"run-{number}" for number in range(SHOWN + 1)]
    assert "run-4, …" in ambiguous("run", many).message
    assert "…" not in ambiguous("run", many[:2]).message
