"""What the environment sets."""

from __future__ import annotations

from durun.config import check_seconds
from durun.doctor.here import Here
from durun.model.check import Check


def variables(here: Here) -> Check:
    """What durun is told by the environment, it understands."""
    check_seconds(here.environ)
    told = sorted(name for name in here.environ if name.startswith("DURUN_"))
    return Check("variables", "ok", f"the environment sets {', '.join(told)}" if told else "the environment sets none")
