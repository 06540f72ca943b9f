"""Whether the secrets of a runbook can be had here. Each is asked for, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from durun.errors import SecretUnavailable
from durun.language.expressions import expressions_in, references, render
from durun.language.frames import Frame, Frames, known_early
from durun.language.needed import names_target
from durun.language.plain import ExpressionError
from durun.model.runbook import Runbook, Secret
from durun.model.values import Json
from durun.secrets.api import Keyring
from durun.secrets.providers import Resolver
from durun.views.secrets import Checked, KeyringFound

_LATER = {
    "target": "it depends on the target, and is looked for when a step that needs it is reached",
    "run": "it depends on the run, and is looked for when that starts",
}


_MOST = 50
"""For how many targets a secret is asked for that depends on the target."""


def check_secrets(
    runbook: Runbook,
    names: Iterable[str],
    scope: Mapping[str, Any],
    resolver: Resolver,
    keyring: Keyring,
    targets: Mapping[str, Mapping[str, Json]] | None = None,
) -> tuple[KeyringFound | None, list[Checked]]:
    """These secrets, in the order of the file, and the keyring, if one of them is there.

    `scope` has inputs and env; `targets` the targets, by their keys, for which a secret is wanted that depends on them.
    """
    wanted = set(names)
    known = targets or {}
    declared = [(name, secret) for name, secret in runbook.secrets.items() if name in wanted]
    frames = Frames(runbook)
    checked = [
        _check_targets(name, secret, frames.of_secret(name), scope, resolver, known[name])
        if known.get(name) and names_target(secret)
        else _check(name, secret, frames.of_secret(name), scope, resolver, {})
        for name, secret in declared
    ]
    if not any(entry.provider == "keyring" for entry in checked):
        return None, checked
    backend = keyring.backend()
    return KeyringFound(backend.name, backend.why_not), checked


def _check_targets(
    name: str,
    secret: Secret,
    frame: Frame,
    scope: Mapping[str, Any],
    resolver: Resolver,
    targets: Mapping[str, Json],
) -> Checked:
    """For each of the first targets, as far as the first one for which it is missing."""
    asked = list(targets.items())[:_MOST]
    for key, value in asked:
        found = _check(name, secret, frame, scope, resolver, {"target": value})
        if found.verdict != "ok":
            return found._replace(why=f"for target {key}: {found.why}")
    some = "all" if len(asked) == len(targets) else f"the first {len(asked)} of"
    return Checked(name, secret.provider, "ok", f"for {some} {len(targets)} targets")


def _check(
    name: str,
    secret: Secret,
    frame: Frame,
    scope: Mapping[str, Any],
    resolver: Resolver,
    target: Mapping[str, Json],
) -> Checked:
    scope = {**frame.foreseen(scope), **target}
    named = [
        reference.path
        for expression in expressions_in(secret.spec)
        for reference in references(expression)
        if not reference.optional
    ]
    for root, why in _LATER.items():
        if root not in target and any(path[0] == root for path in named):
            return Checked(name, secret.provider, "later", why)
    if frame.outer is not None and not known_early(secret.spec, scope["inputs"]):
        why = f"it depends on what {frame.holds.file} is given, and is looked for when a step needs it"
        return Checked(name, secret.provider, "later", why)
    missing = [path[1] for path in named if path[0] == "inputs" and path[1:2] and path[1] not in scope["inputs"]]
    if missing:
        why = f"it depends on input `{missing[0]}`, which is not given"
        return Checked(name, secret.provider, "unavailable", why, f"give it with -i {missing[0]}=VALUE")
    try:
        resolver.get(name, secret.provider, render(secret.spec, scope), secret.folder)
    except ExpressionError as error:
        return Checked(name, secret.provider, "unavailable", error.message, error.hint)
    except SecretUnavailable as error:
        why = error.message.removeprefix(f"secret {name}: ")
        return Checked(name, secret.provider, "unavailable", why, error.hint)
    return Checked(name, secret.provider, "ok")
