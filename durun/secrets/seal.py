"""A secret is sealed to a public key: whoever makes one can put it away without being able to open what is there.

A sealed value is a header and a message of HPKE (RFC 9180), single-shot, base mode, with the suite DHKEM(X25519,
HKDF-SHA256), HKDF-SHA256, AES-256-GCM: the ephemeral public key and the ciphertext. Both public keys go into the
derived key, and so does the context, as `info` (RFC 9180, 8.1). The nonce is derived with the key and used once (5.2).

Standard library only until something is sealed: the supervisor and a run without secrets pay nothing for this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hpke import Suite

HEADER = b"durun-seal/1\n"
"""What a sealed value begins with; it goes into `info` as well."""

KEY_SIZE = 32
"""Bytes in a private and in a public key, of X25519 (RFC 7748) and of Ed25519 (RFC 8032)."""

_TAG_SIZE = 16


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
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return HEADER + _suite().encrypt(content, X25519PublicKey.from_public_bytes(public), _info(context))


def unseal(private: bytes, sealed: bytes, context: str) -> bytes:
    """The content. Raises Unsealable, and ValueError if `private` is not a key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    if not sealed.startswith(HEADER) or len(sealed) < len(HEADER) + KEY_SIZE + _TAG_SIZE:
        raise Unsealable("not a sealed value, or one of a newer durun")
    own = X25519PrivateKey.from_private_bytes(private)
    try:
        return _suite().decrypt(sealed[len(HEADER) :], own, _info(context))
    except (InvalidTag, ValueError):  # ValueError: a point of low order, which no sender has
        raise Unsealable("damaged, or sealed to another key or for another place") from None


def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _info(context: str) -> bytes:
    return HEADER + context.encode("utf-8", "surrogatepass")
