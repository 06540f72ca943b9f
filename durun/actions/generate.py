"""`generate`: a value that is made once and then fixed for the run; what must not be seen is sealed.

`durun.model.runbook.GENERATED` has the kinds, the names of their outputs, and which of them are secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from durun.actions.api import Context, Done, Failed, Work
from durun.actions.options import Options, WrongOption
from durun.model.clock import to_iso
from durun.model.runbook import GENERATED, Shell
from durun.model.values import Json, Value

Outputs: TypeAlias = Mapping[str, Json]


def prepare(spec: Value, shell: Shell, context: Context) -> Work:
    """Make the value now: the journal, or a seal, keeps it."""
    (kind, options) = next(iter(spec.items()))
    make = _MAKERS.get(kind)
    if make is None:
        return Failed("generate", f"durun can't generate {kind!r}")
    try:
        outputs = make(Options(context.render(options)), context)
    except WrongOption as problem:
        return Failed("generate", f"generate: {kind}: {problem}")
    return Done(outputs, frozenset(name for name, secret in GENERATED[kind].items() if secret))


def _uuid(options: Options, context: Context) -> Outputs:
    import uuid  # here and below: what a start does not use is not loaded

    return {"uuid": str(uuid.UUID(bytes=context.random_bytes(16), version=4))}


def _timestamp(options: Options, context: Context) -> Outputs:
    return {"timestamp": to_iso(context.now())}


def _choice(options: Options, context: Context) -> Outputs:
    values = options.values("from")
    # 64 bits over any list that fits a runbook: the bias is far below what anyone could see.
    return {"choice": values[int.from_bytes(context.random_bytes(8)) % len(values)]}


def _password(options: Options, context: Context) -> Outputs:
    from durun.actions.passwords import new_password

    return {"password": new_password(options, context.random_bytes)}


def _token(options: Options, context: Context) -> Outputs:
    import base64

    content = context.random_bytes(options.number("bytes", 32, 16, 1024))
    return {"token": base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")}


def _bytes(options: Options, context: Context) -> Outputs:
    import base64

    content = context.random_bytes(options.number("length", 32, 8, 65536))
    return {"bytes": base64.b64encode(content).decode("ascii")}


def _ssh_key(options: Options, context: Context) -> Outputs:
    from durun.actions.key_pairs import ssh_key

    return ssh_key(options)


def _rsa_key(options: Options, context: Context) -> Outputs:
    from durun.actions.key_pairs import rsa_key

    return rsa_key(options)


def _x509_request(options: Options, context: Context) -> Outputs:
    from durun.actions.key_pairs import x509_request

    return x509_request(options)


_MAKERS: Mapping[str, Callable[[Options, Context], Outputs]] = {
    "uuid": _uuid,
    "timestamp": _timestamp,
    "choice": _choice,
    "password": _password,
    "token": _token,
    "bytes": _bytes,
    "ssh_key": _ssh_key,
    "rsa_key": _rsa_key,
    "x509_request": _x509_request,
}
