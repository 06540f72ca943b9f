"""What `durun doctor` found: a list for people, an object for programs."""

from __future__ import annotations

from collections.abc import Sequence

from durun.model.check import Check
from durun.model.status import spoken
from durun.model.values import Json
from durun.views.json import SCHEMA
from durun.views.text import one_line, wrapped

_STATUS, _NAME = 4, 15


def doctor_text(checks: Sequence[Check], mended: Sequence[str] = (), width: int | None = None) -> str:
    """A line for each check, with its hint below. `mended`: the checks that were not well a moment ago."""
    indent = _STATUS + _NAME + 4 if width is None or width >= 60 else _STATUS + 2
    lines = "".join(_lines(check, check.name in mended, indent) for check in checks).splitlines()
    return "".join(f"{line if _typed(line) else wrapped(line, width, indent)}\n" for line in lines)


def _typed(line: str) -> bool:
    """Whether it is a command to be copied, which a line end would break."""
    return line.lstrip().startswith(("hint: durun ", "hint: mkdir ", "hint: echo ", "hint: chmod "))


def _lines(check: Check, mended: bool, indent: int) -> str:
    text = f"{check.status:<{_STATUS}}  {spoken(check.name):<{_NAME}}  {one_line(check.message)}"
    text += " (mended)\n" if mended else "\n"
    return text + (f"{'':{indent}}hint: {one_line(check.hint)}\n" if check.hint else "")


def doctor_json(checks: Sequence[Check], mended: Sequence[str] = ()) -> dict[str, Json]:
    """The same as one object."""
    found: list[Json] = [
        {"name": check.name, "status": check.status, "message": check.message, "hint": check.hint} for check in checks
    ]
    return {"schema": SCHEMA, "checks": found, "mended": list(mended)}
