"""Which backend of the `keyring` library is in use, and whether values are safe in it. Only a worker loads this.

Refused: what drops values, and what writes them to a file in clear. A chain is judged by, and used as, its first
member: what the others hold must not come from there unseen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_DROPS = "{} keeps nothing that is put into it"
_CLEAR = "{} writes values to a file in clear"
_NONE = "none is running, or it can't be reached"

_BY_NAME = {
    "keyring.backends.null": _DROPS,
    "keyring.backends.fail": _NONE,
    "keyring.backends.chainer": _NONE,  # a chain without members
}
_PROBE = b"durun"


class Chosen(NamedTuple):
    """The backend that is used, its name, and why it must not be (or empty)."""

    backend: Any
    name: str
    why_not: str


def choose() -> Chosen:
    """By PYTHON_KEYRING_BACKEND, keyringrc.cfg, or the best that is here: the order of the library itself."""
    import keyring.core

    try:
        keyring.core.init_backend(limit=_fit)
        backend = first(keyring.core.get_keyring())
    except Exception as error:
        return Chosen(None, "none", f"the one that is configured can't be loaded: {_in_short(error)}")
    return Chosen(backend, name_of(backend), refusal(backend))


def name_of(backend: Any) -> str:
    """As PYTHON_KEYRING_BACKEND names it."""
    return f"{type(backend).__module__}.{type(backend).__name__}"


def first(backend: Any) -> Any:
    """What is used of a backend: the first member of a chain, else itself."""
    from keyring.backends.chainer import ChainerBackend

    if not isinstance(backend, ChainerBackend):
        return backend
    return next(iter(backend.backends), backend)


def refusal(backend: Any) -> str:
    """Why the backend must not be used; empty: it may be."""
    for kind in type(backend).__mro__:
        if kind.__module__ in _BY_NAME:
            return _BY_NAME[kind.__module__].format(name_of(backend))
        if "plain" in kind.__name__.lower():
            return _CLEAR.format(name_of(backend))
    return _CLEAR.format(name_of(backend)) if _says_so(backend) or _does_so(type(backend)) else ""


def _says_so(backend: Any) -> bool:
    """Whether it names its own scheme as none: the file backends have such an attribute."""
    scheme = str(getattr(backend, "scheme", "")).lower()
    return any(word in scheme for word in ("no enc", "plain", "unencrypted"))


def _does_so(kind: type[Any]) -> bool:
    """Whether its encryption gives back what it got. Without an object it can't ask anybody for a passphrase."""
    encrypt = getattr(kind, "encrypt", None)
    if not callable(encrypt):
        return False
    try:
        return bool(encrypt(None, _PROBE) == _PROBE)
    except Exception:
        return False


def _fit(backend: Any) -> bool:
    """What may be chosen when nobody names one: usable, and recommended by the library (a priority of 1 and more)."""
    return backend.priority >= 1 and not refusal(first(backend))


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
