"""No core dump may hold a secret. Standard library only: runner and supervisor use it."""

from __future__ import annotations


def forbid_core_dumps() -> None:
    """No core file of this process or of what it starts; a step that wants one says `ulimit -c unlimited`.

    A limit of one byte rather than none: it also stops a dump that the kernel would pipe to a program (core(5);
    fs/coredump.c takes 1 for "none" there).
    """
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    soft = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
