"""Reads `http`: of a step, and of a verify, where it is a question that statuses answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from durun.language.diagnostics import Path
from durun.language.values import Reader
from durun.model.runbook import SAFE_METHODS, Action, Call, Shell
from durun.model.values import Json, Template, Value

SECRET_IN: Final = frozenset({"headers", "json", "form", "body", "auth"})
"""Where a secret may stand: not in a URL, which servers and proxies write down."""
_BODIES: Final = ("json", "form", "body")
_EXPECTED: Final = ("2xx",)
_AMBIGUOUS: Final = ("502", "504")
"""What a gateway says that has sent the request on, and got no good answer."""
_REDIRECTS: Final = 5


def is_safe(raw: Json) -> bool:
    """Whether what stands under `http` changes nothing."""
    return isinstance(raw, dict) and raw.get("method", "GET") in SAFE_METHODS


def read_request(
    reader: Reader,
    raw: Mapping[str, Json],
    path: Path,
    *,
    repeatable: bool = False,
    outputs: Mapping[str, str] | None = None,
    asks: Mapping[str, tuple[str, ...]] | None = None,
) -> Action:
    """The action of a request that stands at this path. `repeatable`: it may be sent twice, with the same key.

    `outputs`: which come from the status or a header (`sources`). `asks`: it is a question; the statuses that mean
    `done` and `not_done`.
    """
    safe = is_safe(raw)
    method = raw.get("method", "GET")
    if method != method.upper():
        reader.problem("a method is written in capital letters", (*path, "method"), f"write {method.upper()}")
    _check_bodies(reader, raw, path)
    _check_url(reader, raw.get("url"), (*path, "url"))
    _check_tls(reader, raw.get("tls", {}), (*path, "tls"))
    spec = {key: reader.value(raw[key], (*path, key)) for key in _VALUES if key in raw}
    expect = read_statuses(raw.get("expect_status"), _EXPECTED)
    ambiguous = read_statuses(raw.get("ambiguous_status"), _AMBIGUOUS)
    if "ambiguous_status" in raw and (both := sorted(set(expect) & set(ambiguous))):
        reader.problem(f"status {both[0]} can't be both expected and ambiguous", (*path, "ambiguous_status"))
    told: dict[str, Any] = {
        "method": method,
        "redirects": raw.get("redirects", _REDIRECTS if safe else 0),
        "expect": expect,
        "ambiguous": tuple(status for status in ambiguous if status not in expect),
        "gives": dict(outputs or {}),
        "kind": "safe" if safe else "repeatable" if repeatable else "once",
    }
    if asks is not None:
        told["asks"] = dict(asks)
    return Action("http", {**spec, **told})


_VALUES: Final = ("url", "headers", "query", *_BODIES, "auth", "tls")


def read_statuses(raw: Json, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A status, or a list of them, as texts."""
    if raw is None:
        return default
    return tuple(str(status) for status in (raw if isinstance(raw, list) else [raw]))


def sources(outputs: Mapping[str, Json]) -> dict[str, str]:
    """Where a request's outputs come from that its body doesn't give: `status`, or a header's name after `:`."""
    found = {}
    for name, raw in outputs.items():
        source = raw.get("from") if isinstance(raw, dict) else None
        if source == "status":
            found[name] = "status"
        elif isinstance(source, dict) and isinstance(source.get("header"), str):
            found[name] = f":{source['header']}"
    return found


def call_of(reader: Reader, action: Action, raw: Mapping[str, Json], path: Path, shell: Shell, timeout: Json) -> Call:
    """A request with what stands beside it."""
    limit = reader.duration(raw.get("timeout", timeout), (*path, "timeout"))
    return Call(action, shell, env=reader.env(raw.get("env", {}), (*path, "env")), timeout=limit)


def _check_bodies(reader: Reader, raw: Mapping[str, Json], path: Path) -> None:
    given = [key for key in _BODIES if key in raw]
    for second in given[1:]:
        message = f"a request has one body, and this one has `{given[0]}` and `{second}`"
        reader.problem(message, (*path, second), "keep one of them", at_key=True)
    if given and "method" not in raw:
        message = f"a request with `{given[0]}` needs a `method`"
        reader.problem(message, (*path, given[0]), "write `method: POST`, or PUT or PATCH", at_key=True)


def _check_url(reader: Reader, raw: Json, path: Path) -> None:
    if not isinstance(raw, str) or not raw or raw.startswith("${{"):
        return
    scheme, mark, rest = raw.partition("://")
    if not mark or scheme not in ("http", "https") or not rest or rest.startswith("/"):
        reader.problem("a URL begins with https:// or http:// and a host", path, _whole(raw))
    elif "@" in rest.split("/", 1)[0].split("${{", 1)[0]:
        hint = "write `auth: {basic: {username: …, password: …}}`"
        reader.problem("a name or password can't stand in a URL, which is logged", path, hint)


def _whole(raw: str) -> str:
    return f"write https://{raw}" if "." in raw and "://" not in raw and not raw.startswith("/") else ""


def _check_tls(reader: Reader, raw: Json, path: Path) -> None:
    if isinstance(raw, dict) and "key" in raw and "cert" not in raw:
        reader.problem("`key` needs `cert` beside it", (*path, "key"), at_key=True)


def host_in_clear(url: Value) -> str | None:
    """The host of a URL that is known to go over the network unencrypted."""
    first = url.parts[0] if isinstance(url, Template) else url
    if not isinstance(first, str) or not first.startswith("http://"):
        return None
    rest = first.removeprefix("http://")
    host = rest.split("/", 1)[0].rsplit(":", 1)[0].strip("[]")
    near = host in ("localhost", "::1", "") or host.endswith(".localhost") or host.startswith("127.")
    return None if near else host
