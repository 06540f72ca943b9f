"""Problems in a runbook, and how they are shown: the place, the line itself, a caret, and what to write instead.

A checker knows where in the *document* a problem is (`("steps", 2, "env", "X")`), not where in the text;
`durun.language.source` maps the one to the other, so a checker needs no line numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where in the document.

    `path` leads to the value (keys and list indexes). `needle` is a part of that scalar to point the
    caret at; a path that ends at a mapping or list points at its key. `hint` may have several lines.
    """

    message: str
    path: Path
    hint: str = ""
    needle: str = ""
