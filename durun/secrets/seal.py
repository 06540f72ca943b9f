"""A secret is sealed to a public key: whoever makes one can put it away without being able to open what is there.

A sealed value is a header and a message of HPKE (RFC 9180), single-shot, base mode, with the suite DHKEM(X25519,
HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Every message has an ephemeral key of its own; both public keys go into the
derived key, and so does the context, as `info` (RFC 9180, 8.1). The nonce is derived with the key and used once (5.2).
The key schedule stands here because `cryptography` has HPKE only since version 47; a test opens each one's messages
with the other.

Standard library only until something is sealed: the supervisor and a run without secrets pay nothing for this.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER = b"durun-seal/1\n"
"""What a sealed value begins with; it goes into `info` as well."""

KEY_SIZE = 32
"""Bytes in a private and in a public key (RFC 7748)."""

_TAG_SIZE = 16
_KEM = b"KEM\x00\x20"
_SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"
_BASE_MODE = b"\x00"


class Unsealable(Exception):
    """This is not a sealed value, or it was not sealed to this key, or not for this context."""


def new_key() -> tuple[bytes, bytes]:
    """A new pair: private key, public key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def public_key(private: bytes) -> bytes:
    """The public key that belongs to a private one. Raises ValueError if that is not a key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(public: bytes, content: bytes, context: str) -> bytes:
    """Close `content` so that only the private key opens it, and only for the same context.

    Raises ValueError if `public` is not a key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    ephemeral = X25519PrivateKey.generate()
    sender = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    key, nonce = _schedule(shared, sender + public, context)
    return HEADER + sender + _cipher(key).encrypt(nonce, content, None)


def unseal(private: bytes, sealed: bytes, context: str) -> bytes:
    """The content. Raises Unsealable, and ValueError if `private` is not a key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    start = len(HEADER) + KEY_SIZE
    if not sealed.startswith(HEADER) or len(sealed) < start + _TAG_SIZE:
        raise Unsealable("not a sealed value, or one of a newer durun")
    own = X25519PrivateKey.from_private_bytes(private)
    sender = sealed[len(HEADER) : start]
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(sender))
        key, nonce = _schedule(shared, sender + own.public_key().public_bytes_raw(), context)
        return _cipher(key).decrypt(nonce, sealed[start:], None)
    except (InvalidTag, ValueError):  # ValueError: a point of low order, which no sender has
        raise Unsealable("damaged, or sealed to another key or for another place") from None


def write_sealed(path: str | os.PathLike[str], sealed: bytes) -> None:
    """Put a sealed value, or a key, into the file: 0600, whole or not at all, durable with its name. Raises OSError."""
    target = os.fspath(path)
    draft = f"{target}.{os.urandom(8).hex()}"
    try:
        _write_file(draft, sealed)
        os.rename(draft, target)  # noqa: PTH104  (the supervisor's files are plain strings)
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)  # noqa: PTH108
        raise
    _sync_folder(os.path.dirname(target) or ".")  # noqa: PTH120


def _write_file(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # whatever the umask
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _schedule(shared: bytes, keys: bytes, context: str) -> tuple[bytes, bytes]:
    """Key and nonce of the one message: ExtractAndExpand (RFC 9180, 4.1) and KeySchedule (5.1) of the base mode."""
    shared = _expand(_KEM, _extract(_KEM, b"", b"eae_prk", shared), b"shared_secret", keys, 32)
    info = HEADER + context.encode("utf-8", "surrogatepass")
    bound = _BASE_MODE + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", info)
    secret = _extract(_SUITE, shared, b"secret", b"")
    return _expand(_SUITE, secret, b"key", bound, 32), _expand(_SUITE, secret, b"base_nonce", bound, 12)


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    """LabeledExtract of RFC 9180, 4."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + material, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180, 4, for what fits one block of HKDF-Expand (RFC 5869): up to 32 bytes."""
    text = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, text + b"\x01", "sha256")[:size]
