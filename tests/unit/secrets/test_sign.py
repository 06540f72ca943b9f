"""Signatures, and the key that makes them."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from durun.secrets.keys import SigningKey
from durun.secrets.sign import Ed25519Signer, from_pem, key_id, new_signing_key, signing_public_key, to_pem, verifies

# RFC 8032, 7.1, test 2
PRIVATE = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_test_vector_of_the_rfc():
    signer = Ed25519Signer(PRIVATE)
    assert signing_public_key(PRIVATE) == signer.public == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert verifies(PUBLIC, SIGNATURE, b"\x72")
    assert not verifies(PUBLIC, SIGNATURE, b"\x73")
    assert signer.key == key_id(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()


def test_openssl_verifies_with_the_pem(tmp_path):
    private, public = new_signing_key()
    (tmp_path / "message").write_bytes(b"text")
    (tmp_path / "signature").write_bytes(Ed25519Signer(private).sign(b"text"))
    (tmp_path / "key.pem").write_bytes(to_pem(public))
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature"
    said = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "Signature Verified Successfully\n")
    assert from_pem(to_pem(public)) == public


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused(pem):
    with pytest.raises(ValueError):
        from_pem(pem)


def test_a_key_of_another_kind_is_refused():
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="Ed25519"):
        from_pem(pem)


def test_it_is_a_file_although_there_is_a_keyring_until_it_is_moved(home, keyring):
    key = SigningKey(home, keyring, {})
    private = key.private()
    assert key.place() == "file"
    assert (home / "sign.key").stat().st_mode & 0o7777 == 0o600
    assert keyring.entries() == {}
    key.move("keyring")
    assert not (home / "sign.key").exists()
    assert SigningKey(home, keyring, {}).private() == private
    [name] = keyring.entries()
    assert name == f"durun: signing key of {key.public().hex()[:16]}"
