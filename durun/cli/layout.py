"""Lays a graph out with graphviz's `dot`, where it is installed."""

from __future__ import annotations

import subprocess

from durun.errors import CannotStart

_LIMIT = 60
"""Seconds; graphviz takes long for thousands of boxes."""


def lay_out(dot: str) -> str:
    """The picture as SVG. Raises CannotStart."""
    try:
        done = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, encoding="utf-8", timeout=_LIMIT)
    except FileNotFoundError:
        raise CannotStart(
            "graphviz's `dot`, which lays the picture out, is not on this machine",
            "install the package graphviz; or take --format text, mermaid or dot",
        ) from None
    except subprocess.TimeoutExpired:
        raise CannotStart(
            f"`dot` has not laid the picture out in {_LIMIT} s", "take --format text or mermaid"
        ) from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:200]
        raise CannotStart(f"`dot` can't lay the picture out: {said}", "take --format text or mermaid")
    return done.stdout
