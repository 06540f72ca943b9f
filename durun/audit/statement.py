"""What is signed of a bundle: an in-toto Statement v1 about its files, in a DSSE envelope.

https://github.com/in-toto/attestation and https://github.com/secure-systems-lab/dsse: so others' verifiers accept it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from durun.journal.chain import canonical
from durun.model.values import Json
from durun.secrets.sign import Ed25519Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:durun:run:v1"


class Signed(NamedTuple):
    """An opened envelope: the text that was signed, by which key."""

    payload: bytes
    key: str
    signature: bytes


def envelope(digests: Mapping[str, str], predicate: Mapping[str, Json], signer: Ed25519Signer) -> bytes:
    """A signed statement that these files (name → SHA-256 in hex) are about what the predicate says."""
    subjects: list[Json] = [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)]
    statement = {"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE, "predicate": predicate}
    payload = canonical(statement).encode()
    return _envelope(Signed(payload, signer.key, signer.sign(pae(payload))))


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def open_envelope(content: bytes) -> Signed:
    """The envelope, which must be as `envelope` writes it. Raises ValueError. The signature is not looked at."""
    try:
        data = json.loads(content)
        (signature,) = data["signatures"]
        found = Signed(_decoded(data["payload"]), signature["keyid"], _decoded(signature["sig"]))
    except (KeyError, TypeError, binascii.Error) as error:
        raise ValueError("not an envelope of one signature") from error
    if _envelope(found) != content:
        raise ValueError("not written as durun writes it")
    return found


def subjects(statement: Any) -> dict[str, str]:
    """The files that a statement is about: name → SHA-256 in hex. Raises ValueError."""
    try:
        if (statement["_type"], statement["predicateType"]) != (STATEMENT, PREDICATE):
            raise ValueError("another kind of statement")
        return {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    except (KeyError, TypeError) as error:
        raise ValueError("not a statement") from error


def _envelope(signed: Signed) -> bytes:
    signature = {"keyid": signed.key, "sig": _encoded(signed.signature)}
    data = {"payload": _encoded(signed.payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}
    return f"{canonical(data)}\n".encode()


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
