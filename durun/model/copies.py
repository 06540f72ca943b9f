"""Where the copy of a file is, among the copies of one run."""

from __future__ import annotations


def copy_name(path: str) -> str:
    """The name of the copy of what has this path, relative to the folder of the runbook: it may lead above that."""
    return "/".join("__up__" if part == ".." else part for part in path.split("/"))
