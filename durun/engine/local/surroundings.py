"""What a step gets from the place where durun runs: taken down at the start, compared at every resume."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from durun.errors import Changed, StorageFailed
from durun.language.environment import makes_other_code_run
from durun.model.runbook import Runbook
from durun.model.values import Json

_PLAIN = ("HOST", "UID", "HOME")
_ALWAYS = ("HOME", "LANG", "LANGUAGE", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES")
_NOT_COMPARED = frozenset({"SSH_AUTH_SOCK", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES"})
"""Inherited variables that may differ at a resume: another terminal, another agent's socket."""


def take_down(runbook: Runbook, key: bytes, environ: Mapping[str, str]) -> dict[str, Any]:
    """`host`, `uid`, `home`, `path`, `env` (every `env.X` that is read) and `inherited` (name → fingerprint)."""
    return {
        "host": os.uname().nodename,
        "uid": os.getuid(),
        "home": environ.get("HOME"),
        "path": environ.get("PATH", os.defpath),
        "env": {name: environ[name] for name in runbook.env_names if name in environ},
        "inherited": {
            name: _fingerprint(key, name, environ[name])
            for name in inherited_names(_patterns(runbook), environ)
            if name not in _NOT_COMPARED
        },
    }


def base_environment(then: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """What every step gets: PATH as at the start, HOME, locale and terminal variables."""
    kept = {name: value for name, value in environ.items() if name in _ALWAYS or name.startswith("LC_")}
    return {"PATH": then["path"], **kept}


def inherited_names(patterns: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """The caller's variables that names and globs choose, sorted; none that makes programs run other code."""
    chosen = {name for pattern in patterns for name in environ if fnmatch.fnmatchcase(name, pattern)}
    return sorted(name for name in chosen if not makes_other_code_run(name))


def refuse_differences(
    then: Mapping[str, Json], now: Mapping[str, Json], accepted: Iterable[str], run_id: str
) -> list[str]:
    """The names that differ and are accepted; Changed if any other differs.

    PATH is not compared: the start's is used. `HOST`, `UID` and `HOME` are accepted by these names.
    """
    different = [name for name in _PLAIN if then[name.lower()] != now[name.lower()]]
    for name in sorted({*then["inherited"], *now["inherited"]}):
        if then["inherited"].get(name) != now["inherited"].get(name):
            different.append(name)
    accepted = set(accepted)
    refused = [name for name in different if name not in accepted]
    if refused:
        options = " ".join(f"--accept-env {name}" for name in refused)
        other = ", ".join(f"{name} ({then[name.lower()]})" if name in _PLAIN else name for name in refused)
        raise Changed(
            f"run {run_id} was started under another {other}",
            f"set it as at the start, or go on with: durun resume {run_id} {options}",
        )
    return different


def fingerprint_key(home: Path) -> bytes:
    """The state directory's own key for fingerprints, made when it is first wanted. Raises StorageFailed."""
    path = home / "fingerprint.key"
    try:
        if not path.exists():
            _make_key(path)
        return path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"{path}: {error.strerror}", "see to the disk, then try again") from error


def fingerprint(key: bytes, value: Json) -> str:
    """A keyed digest of a secret value, in hex: equal for equal values, and of no use without the key."""
    text = "secret:" + json.dumps(value, sort_keys=True)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _make_key(path: Path) -> None:
    """Written under another name and linked: nobody ever reads half a key, and the first one stays."""
    draft = path.with_name(f"fingerprint.{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, os.urandom(32))
        os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink()


def _patterns(runbook: Runbook) -> list[str]:
    steps = (name for step in runbook.every_step() for name in step.inherit_env)
    return [*runbook.inherit_env, *(name for one in runbook.includes for name in one.inherit_env), *steps]


def _fingerprint(key: bytes, name: str, value: str) -> str:
    return hmac.new(key, f"{name}={value}".encode(errors="surrogateescape"), hashlib.sha256).hexdigest()
