"""Whom a request trusts, and as whom it shows itself. A server's certificate is always checked."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from durun.http.order import NotARequest

_PEM = "-----BEGIN "


def context(given: Mapping[str, str], *, known: bool) -> ssl.SSLContext:
    """The settings of a connection; to a host that is not `known` (a redirect's) without a certificate of our own.

    `ca`, `cert` and `key` are each a path, or the PEM itself. Raises NotARequest.
    """
    try:
        made = _trusting(given.get("ca"))
    except (OSError, ssl.SSLError) as error:
        raise NotARequest(f"tls.ca can't be used: {_why(error)}") from error
    if known and "cert" in given:
        try:
            _show(made, given["cert"], given.get("key"))
        except (OSError, ssl.SSLError) as error:
            raise NotARequest(f"tls.cert and tls.key can't be used: {_why(error)}") from error
    return made


def _trusting(ca: str | None) -> ssl.SSLContext:
    if ca is None:
        return ssl.create_default_context(cafile=None if _has_certificates() else _bundled())
    if ca.startswith(_PEM):
        return ssl.create_default_context(cadata=ca)
    if Path(ca).is_dir():
        return ssl.create_default_context(capath=ca)
    return ssl.create_default_context(cafile=ca)


def _has_certificates() -> bool:
    """Whether this system says whom it trusts."""
    paths = ssl.get_default_verify_paths()
    folder: str | None = paths.capath
    return bool(paths.cafile) or (bool(folder) and any(Path(str(folder)).iterdir()))


def _bundled() -> str:
    import certifi

    return certifi.where()


def _show(made: ssl.SSLContext, cert: str, key: str | None) -> None:
    """OpenSSL reads them from files only: what is given as PEM gets one that is nowhere but in memory."""
    held: list[int] = []
    try:
        paths = [part if part is None or not part.startswith(_PEM) else _in_memory(part, held) for part in (cert, key)]
        # A key with a passphrase would be asked for on the terminal.
        made.load_cert_chain(str(paths[0]), paths[1], password=lambda: "")
    finally:
        for descriptor in held:
            os.close(descriptor)


def _in_memory(pem: str, held: list[int]) -> str:
    descriptor = os.memfd_create("pem") if hasattr(os, "memfd_create") else _unlinked()
    held.append(descriptor)
    os.write(descriptor, pem.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return f"/dev/fd/{descriptor}"


def _unlinked() -> int:
    import tempfile

    descriptor, path = tempfile.mkstemp()
    Path(path).unlink()
    return descriptor


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {error.filename}" if error.filename else "there is no such file"
    return str(getattr(error, "strerror", "") or error)
