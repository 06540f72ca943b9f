"""RFC 3161: what an authority is asked, and what its answer says and proves. Only what needs it loads this.

An answer is kept as it came (DER, a TimeStampResp), so that `openssl ts` and others' programs take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

    Authorities: TypeAlias = Sequence[Certificate]

INSTALL = "pip install 'durun[timestamp]'"
MISSING = f"rfc3161-client is not installed: {INSTALL}"

_SHA256 = "2.16.840.1.101.3.4.2.1"


class NoStamp(Exception):
    """There is no timestamp, or none that proves what it should; the message says why."""


class Request(NamedTuple):
    """A TimeStampReq, as it is sent, with the number that the answer to it must have."""

    content: bytes
    nonce: int


def available() -> bool:
    """Whether timestamps can be asked for and read here."""
    return find_spec("rfc3161_client") is not None


def request(body: bytes) -> Request:
    """What is asked to have these bytes stamped: only their SHA-256 is told. Raises NoStamp where that can't be had."""
    if not available():
        raise NoStamp(MISSING)
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    made = TimestampRequestBuilder().data(body).hash_algorithm(HashAlgorithm.SHA256).build()
    assert made.nonce is not None
    return Request(made.as_bytes(), made.nonce)


def stamped_at(answer: bytes, body: bytes, nonce: int | None = None) -> float:
    """When these very bytes were stamped, as the answer says it. Raises NoStamp: it is none, or one of something else.

    Who has signed it is not looked at.
    """
    found = _read(answer)
    told = found.tst_info
    imprint = told.message_imprint
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != sha256(body).digest():
        raise NoStamp("the timestamp is one of something else")
    if nonce is not None and told.nonce != nonce:
        raise NoStamp("the timestamp is the answer to another request")
    return told.gen_time.timestamp()


def read_authorities(pem: bytes) -> Authorities:
    """The certificates in a PEM file. Raises ValueError."""
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(pem)


def require_signed(answer: bytes, body: bytes, authorities: Authorities) -> None:
    """Raise NoStamp unless one whom these certificates vouch for has stamped the bytes, valid at that time."""
    from rfc3161_client import VerificationError, VerifierBuilder

    builder = VerifierBuilder()
    for certificate in authorities:
        builder = builder.add_root_certificate(certificate)
    try:
        builder.build().verify_message(_read(answer), body)
    except VerificationError as error:
        raise NoStamp(f"its signature proves nothing: {error}") from error


def _read(answer: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    try:
        found = decode_timestamp_response(answer)
        refused = found.status != 0
        why = "; ".join(found.status_string) if refused else ""
        _ = None if refused else found.tst_info
    except ValueError as error:
        raise NoStamp("what the authority sent is no timestamp") from error
    if refused:
        raise NoStamp(f"the authority refused: {why or f'status {found.status}'}")
    return found
