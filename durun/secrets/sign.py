"""Signatures that show who vouches for a history: Ed25519 (RFC 8032), of the very bytes that a stranger has before him.

A key is named by the SHA-256 of its public half. To verify, openssl wants it as PEM.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_signing_key() -> tuple[bytes, bytes]:
    """A new pair: private key, public key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def signing_public_key(private: bytes) -> bytes:
    """The public key that belongs to a private one. Raises ValueError if that is not a key."""
    return _private(private).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """How a key is named: the SHA-256 of its 32 bytes, in hex."""
    return sha256(public).hexdigest()


class Ed25519Signer:
    """Signs with a private key. `key` is its id, `public` its public half."""

    def __init__(self, private: bytes) -> None:
        self._private = _private(private)
        self.public = self._private.public_key().public_bytes_raw()
        self.key = key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """The signature: always the same for the same message."""
        return self._private.sign(message)


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key has signed the message. Raises ValueError if `public` is not a key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def to_pem(public: bytes) -> bytes:
    """A public key as PEM (SubjectPublicKeyInfo, RFC 8410)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def from_pem(pem: bytes) -> bytes:
    """The public key in a PEM. Raises ValueError if that is not one of Ed25519."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError("a key of a kind that is not known") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key")
    return key.public_bytes_raw()


def _private(private: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private)
