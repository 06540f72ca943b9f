"""The public half of a private key is shown, although the private key has it as well."""

import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from durun.secrets.armour import public_ranges
from durun.secrets.redact import Redactor

KEYS = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
FORMATS = {
    "PKCS #8": PrivateFormat.PKCS8,
    "traditional": PrivateFormat.TraditionalOpenSSL,
    "OpenSSH": PrivateFormat.OpenSSH,
}
CASES = [(key, form) for key in KEYS for form in FORMATS if (key, form) != ("ed25519", "traditional")]


def private(key, form):
    return KEYS[key].private_bytes(Encoding.PEM, FORMATS[form], NoEncryption()).decode()


def requests(key):
    for size in range(1, 50):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * size)])
        hashed = None if key == "ed25519" else hashes.SHA256()
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(KEYS[key], hashed)
        yield request.public_bytes(Encoding.PEM).decode()


def redactor(*values):
    known = Redactor()
    known.add(values)
    return known


@pytest.mark.parametrize(("key", "form"), CASES)
def test_public_keys_and_requests_are_shown(key, form):
    known = redactor(private(key, form))
    public = KEYS[key].public_key()
    shown = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        *requests(key),
    ]
    assert [known.scrub(text) for text in shown] == shown
    assert known.scrub_json(shown) == shown


@pytest.mark.parametrize(("key", "form"), CASES)
def test_the_private_key_is_not(key, form):
    text = private(key, form)
    known = redactor(text)
    assert known.scrub(text) == "***\n"
    assert known.scrub(repr(text)) == "'***\\n'"
    assert known.scrub(text.replace("\n", "\r\n")) == "***\r\n"
    for line in text.splitlines():
        if len(line) >= 8 and not line.startswith("-----"):
            assert known.scrub(f"> {line}\n") == "> ***\n"


def test_chunks_make_no_difference_to_what_is_shown():
    text = private("rsa", "PKCS #8")
    request = next(request for request in requests("rsa") if redactor(text).scrub(request[30:]) != request[30:])
    known = redactor(text, "BEGIN CERT", "mZ0A")
    shown = f"--{request}{text.splitlines()[3]}\\{request}\\-----BEGIN CERTIFICATE".encode()
    whole = known.scrub_bytes(shown)
    assert whole.count(b"***") == 4 and request[40:].encode() in whole
    for cut in range(len(shown)):
        stream = known.stream()
        assert stream.feed(shown[:cut]) + stream.feed(shown[cut:]) + stream.finish() == whole


def test_a_block_without_end_is_not_held_back_without_end():
    stream = redactor(private("rsa", "PKCS #8")).stream()
    assert stream.feed(b"-----BEGIN CERTIFICATE-----\n") == b""
    assert len(b"".join(stream.feed(b"A" * 64 + b"\n") for _ in range(1000))) > 40_000


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_an_encrypted_key_hides_nothing_of_its_public_key(tmp_path, kind):
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", "password", "-f", tmp_path / "key"]
    subprocess.run(argv, check=True)
    text, public = (tmp_path / "key").read_text(), (tmp_path / "key.pub").read_text()
    known = redactor(text)
    assert known.scrub(text) == "***\n"
    assert known.scrub(public) == public
    assert known.scrub(text.splitlines()[-3]) == "***"


def test_a_certificate_beside_its_key_in_one_file_is_shown():
    request = next(iter(requests("rsa")))
    for bundle in (request + private("rsa", "PKCS #8"), private("p256", "PKCS #8") + request):
        known = redactor(bundle)
        assert known.scrub(bundle) == "***\n"
        assert known.scrub(request) == request


def test_a_certificate_that_is_declared_a_secret_is_one():
    request = next(iter(requests("rsa")))
    assert redactor(request).scrub(request.splitlines()[3]) == "***"


@pytest.mark.parametrize(
    "body", ["AAAA", "!", "MIIB", "MAMCAQA=", "b3BlbnNzaC1rZXktdjEA", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU="]
)
def test_what_is_no_key_has_no_public_parts(body):
    text = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    assert public_ranges(text) == []
    assert redactor(text).scrub(f"<{text}>") == "<***\n>"
