"""Key pairs, and requests for certificates, as other programs read them."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from durun.actions.options import Options, WrongOption

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_RSA_BITS = 3072
_NAME_SIZE = 64
"""Characters in a common name or the name of an organization (X.520, ub-common-name)."""
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?{_LABEL}(\.{_LABEL})*")


def ssh_key(options: Options) -> dict[str, str]:
    """An Ed25519 key: `public` is a line for authorized_keys, `private` a file in OpenSSH's own format."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    comment = options.line("comment", "", 1024)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode("ascii")
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    return {"public": f"{public} {comment}".rstrip(), "private": private.decode("ascii")}


def rsa_key(options: Options) -> dict[str, str]:
    """An RSA key: `public` is SubjectPublicKeyInfo, `private` PKCS #8, both PEM."""
    from cryptography.hazmat.primitives import serialization as form

    bits = options.one_of("bits", _RSA_BITS, (2048, 3072, 4096))
    key = _new_rsa(int(bits))
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return {"public": public.decode("ascii"), "private": _pkcs8(key)}


def x509_request(options: Options) -> dict[str, str]:
    """A request for a certificate (PKCS #10, PEM) and its private key (PKCS #8, PEM): P-256, or RSA."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    request = x509.CertificateSigningRequestBuilder().subject_name(_subject(options))
    if names := _alternative_names(options):
        request = request.add_extension(x509.SubjectAlternativeName(names), critical=False)
    kind = options.one_of("key", "ec", ("ec", "rsa"))
    key = _new_rsa(_RSA_BITS) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    signed = request.sign(key, SHA256())
    return {"x509_request": signed.public_bytes(Encoding.PEM).decode("ascii"), "private": _pkcs8(key)}


def _subject(options: Options) -> x509.Name:
    from cryptography import x509

    common_name = options.line("common_name", "", _NAME_SIZE)
    organization = options.line("organization", "", _NAME_SIZE)
    if not common_name:
        raise WrongOption("`common_name` is missing")
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _alternative_names(options: Options) -> list[x509.GeneralName]:
    from cryptography import x509

    names: list[x509.GeneralName] = []
    for name in options.lines("dns_names"):
        if not _DNS_NAME.fullmatch(name):
            raise WrongOption(f"`dns_names`: {name!r} is not a DNS name (others than ASCII are written as xn--…)")
        names.append(x509.DNSName(name))
    for text in options.lines("ip_addresses"):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            raise WrongOption(f"`ip_addresses`: {text!r} is not an address") from None
    return names


def _new_rsa(bits: int) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return generate_private_key(public_exponent=65537, key_size=bits)


def _pkcs8(key: RSAPrivateKey | EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode("ascii")
