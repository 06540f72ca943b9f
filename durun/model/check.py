"""What `durun doctor` found in one place."""

from __future__ import annotations

from typing import Literal

from durun.model.tuples import NamedTuple


class Check(NamedTuple):
    """One thing that was looked at. `exit_code` is that of a failure, 0 otherwise; `hint` is what to do, or empty."""

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    hint: str = ""
    exit_code: int = 0
