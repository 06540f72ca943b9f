"""Providers from plugins: entry points of the group `durun.secrets`. Only a worker loads them."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points

from durun.errors import SecretUnavailable
from durun.model.values import Json
from durun.secrets.api import ProviderContext
from durun.secrets.wire import Refusal

GROUP = "durun.secrets"


def provide(name: str, spec: Json, folder: str) -> str:
    """The secret from the plugin's provider of this name. Raises Refusal."""
    entry = _find(name)
    try:
        value = entry.load()(spec, ProviderContext(folder, dict(os.environ)))
    except SecretUnavailable as error:
        raise Refusal("failed", error.message, error.hint) from None
    except Exception as error:
        # Its text could hold the secret, and nobody knows yet what that is.
        raise Refusal("failed", f"the provider ended with {type(error).__name__}") from None
    if not isinstance(value, str):
        raise Refusal("failed", f"the provider gave {type(value).__name__}, not text")
    return value


def _find(name: str) -> EntryPoint:
    known = entry_points(group=GROUP)
    found = {entry.value: entry for entry in known if entry.name == name}
    if len(found) > 1:
        raise Refusal("failed", f"several packages bring this provider: {', '.join(sorted(found))}")
    if not found:
        others = ", ".join(sorted({entry.name for entry in known})) or "none"
        raise Refusal("failed", f"no package brings this provider; installed are: {others}")
    return next(iter(found.values()))
