"""Values that are secret, as every engine sees them: given when an expression reads them, kept sealed, out of sight.

An engine brings a `Secrecy` of its own; `NO_SECRETS` is that of a run that has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from durun.errors import SecretUnavailable
from durun.language.expressions import evaluate, expressions_in, render
from durun.model.values import Expression, Json, Template, Value


class Secrecy(Protocol):
    """The secrets of one run, for one session."""

    @property
    def active(self) -> bool:
        """Whether the run has any."""

    @property
    def disclosed(self) -> int:
        """How often a secret value was given, so far: what an expression read in between is secret itself."""

    def declared(self, name: str, scope: Mapping[str, Any]) -> str:
        """The value of a secret that the runbook declares, had anew. Raises SecretUnavailable, ExpressionError."""

    def sealed(self, seal: Json, name: str) -> Json:
        """The value of this name under a seal. Raises SecretUnavailable."""

    def seal(self, at: str, values: Mapping[str, Json]) -> dict[str, Json]:
        """Seal these values under one name in the run's folder, durably; each one's seal. Raises StorageFailed."""

    def fingerprint(self, value: Json) -> str:
        """A keyed digest of a value, in hex: equal for equal values, and of no use without the key."""

    def note(self, value: Json) -> None:
        """Keep a value, and all texts in it, out of sight from now on."""

    def exposes(self, value: Json) -> bool:
        """Whether a value holds a secret in any form."""

    def scrub(self, text: str) -> str:
        """A text with every secret taken out of it."""


class NoSecrets:
    """The secrecy of a run that has nothing secret."""

    active = False
    disclosed = 0

    def declared(self, name: str, scope: Mapping[str, Any]) -> str:
        """There is none."""
        raise SecretUnavailable(f"there is no secret {name} here", "this engine has no secrets")

    def sealed(self, seal: Json, name: str) -> Json:
        """There is none."""
        raise SecretUnavailable(f"{name} is sealed, and can't be opened here", "this engine has no secrets")

    def seal(self, at: str, values: Mapping[str, Json]) -> dict[str, Json]:
        """It can't be done."""
        raise SecretUnavailable(f"{', '.join(values)} can't be sealed here", "this engine has no secrets")

    def fingerprint(self, value: Json) -> str:
        """There is no key."""
        return ""

    def note(self, value: Json) -> None:
        """Nothing is secret."""

    def exposes(self, value: Json) -> bool:
        """Nothing is secret."""
        return False

    def scrub(self, text: str) -> str:
        """Nothing is secret."""
        return text


NO_SECRETS = NoSecrets()


class Rendered(NamedTuple):
    """A rendered value, and what may be told of it: where a template read a secret, its source stands."""

    value: Json
    told: Json


def render_discreetly(value: Value, scope: Mapping[str, Any], secrecy: Secrecy) -> Rendered:
    """Render a Value; what an expression has made of a secret is one too. Raises ExpressionError, SecretUnavailable."""
    before = secrecy.disclosed
    rendered = render(value, scope)
    if secrecy.disclosed == before:
        return Rendered(rendered, rendered)
    for expression in expressions_in(value):
        before = secrecy.disclosed
        part = evaluate(expression, scope)
        if secrecy.disclosed != before:
            secrecy.note(part)
    return Rendered(rendered, source_of(value))


def told_of(value: Value, scope: Mapping[str, Any], secrecy: Secrecy) -> Json:
    """What may be told of a Value, part by part: rendered, but where a secret was read as it was written."""
    if isinstance(value, Mapping):
        return {key: told_of(entry, scope, secrecy) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [told_of(entry, scope, secrecy) for entry in value]
    return render_discreetly(value, scope, secrecy).told


def source_of(value: Value) -> Json:
    """A Value as it was written."""
    if isinstance(value, Template):
        return "".join(f"${{{{ {part.source} }}}}" if isinstance(part, Expression) else part for part in value.parts)
    if isinstance(value, Mapping):
        return {key: source_of(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [source_of(entry) for entry in value]
    return value
