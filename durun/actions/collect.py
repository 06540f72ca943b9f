"""`collect: {files: …}`: files as evidence. What a `run` or `http` gives as evidence is their own action's work."""

from __future__ import annotations

from durun.actions.api import Context, Failed, Process, Work
from durun.model.runbook import Shell
from durun.model.values import Value


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """The globs of the files that are to be taken; they are looked up when the attempt has begun."""
    globs = context.render(spec["files"])
    if not isinstance(globs, list) or not globs or not all(isinstance(glob, str) and glob for glob in globs):
        return Failed("collect", "collect: `files` must be a list of globs")
    if any("\0" in glob for glob in globs):
        return Failed("collect", "collect: a glob in `files` holds a NUL character")
    return Process(globs=tuple(globs))
