"""Whether the programs for which the keys are made take them."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from durun.actions.key_pairs import rsa_key, ssh_key, x509_request
from durun.actions.options import Options, WrongOption


def run(*argv: str, stdin: str = "") -> str:
    ran = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def request(**options: Any) -> dict[str, str]:
    return x509_request(Options({"common_name": "db1.example", **options}))


def refusal(make, **options: Any) -> str:
    with pytest.raises(WrongOption) as caught:
        make(Options(options))
    return str(caught.value)


@pytest.fixture
def key_file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "key"
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return write


def test_ssh_reads_the_private_key_and_finds_the_public_one(key_file):
    made = ssh_key(Options({}))
    assert run("ssh-keygen", "-y", "-f", key_file(made["private"])).strip() == made["public"]
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/]{68}", made["public"])


def test_ssh_reads_the_line_with_its_comment(key_file):
    made = ssh_key(Options({"comment": "deploy key of app@db1"}))
    assert made["public"].endswith(" deploy key of app@db1")
    shown = run("ssh-keygen", "-l", "-f", key_file(f"{made['public']}\n"))
    assert shown.startswith("256 SHA256:")
    assert shown.endswith(" deploy key of app@db1 (ED25519)\n")


@pytest.mark.parametrize("comment", ["two\nssh-ed25519 AAAA lines", "a\0b", 7, None, "x" * 1025])
def test_a_comment_that_is_more_than_a_line_is_refused(comment):
    assert refusal(ssh_key, comment=comment) == "`comment` must be a text on one line, of at most 1024 characters"


@pytest.mark.parametrize("bits", [None, 2048, 4096])
def test_openssl_reads_an_rsa_key(key_file, bits):
    made = rsa_key(Options({} if bits is None else {"bits": bits}))
    assert made["private"].startswith("-----BEGIN PRIVATE KEY-----\n")
    checked = run("openssl", "pkey", "-check", "-noout", "-text", "-in", key_file(made["private"]))
    assert "Key is valid" in checked
    assert f"({bits or 3072} bit" in checked
    assert run("openssl", "pkey", "-pubout", stdin=made["private"]) == made["public"]


@pytest.mark.parametrize("bits", [1024, 3000, "3072", True, None])
def test_other_sizes_are_refused(bits):
    assert refusal(rsa_key, bits=bits) == "`bits` must be one of 2048, 3072, 4096"


@pytest.mark.parametrize(("kind", "algorithm"), [("ec", "prime256v1"), ("rsa", "(3072 bit)")])
def test_openssl_verifies_a_request_and_it_belongs_to_the_key(kind, algorithm):
    made = request(key=kind)
    shown = run("openssl", "req", "-verify", "-noout", "-text", stdin=made["x509_request"])
    assert algorithm in shown
    assert "sha256" in shown.lower()
    public = run("openssl", "req", "-noout", "-pubkey", stdin=made["x509_request"])
    assert run("openssl", "pkey", "-pubout", stdin=made["private"]) == public


def test_a_request_is_for_a_p_256_key_unless_told_otherwise():
    assert "prime256v1" in run("openssl", "req", "-noout", "-text", stdin=request()["x509_request"])


def test_a_request_has_the_names_that_were_given():
    made = request(
        organization="Müller & Söhne, Inc.",
        dns_names=["db1.example", "*.db1.example", "_a.b-c.example", "xn--mller-kva.example"],
        ip_addresses=["192.0.2.7", "2001:db8::7"],
    )
    shown = run("openssl", "req", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus", stdin=made["x509_request"])
    assert "Subject: O=Müller & Söhne, Inc.,CN=db1.example\n" in shown
    names = re.search(r"Subject Alternative Name:\s*\n\s*(.*)\n", shown)
    assert names is not None
    assert names[1].split(", ") == [
        "DNS:db1.example",
        "DNS:*.db1.example",
        "DNS:_a.b-c.example",
        "DNS:xn--mller-kva.example",
        "IP Address:192.0.2.7",
        "IP Address:2001:DB8:0:0:0:0:0:7",
    ]


def test_without_names_there_is_no_extension():
    assert "Alternative" not in run("openssl", "req", "-noout", "-text", stdin=request()["x509_request"])


def test_a_certificate_is_made_of_a_request(tmp_path, key_file):
    made = request(dns_names=["db1.example"])
    (tmp_path / "csr").write_text(made["x509_request"])
    key = key_file(made["private"])
    signed = run("openssl", "x509", "-req", "-days", "1", "-in", str(tmp_path / "csr"), "-signkey", key)
    assert run("openssl", "x509", "-noout", "-pubkey", stdin=signed) == run("openssl", "pkey", "-pubout", "-in", key)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "`common_name` is missing"),
        ({"common_name": "x" * 65}, "`common_name` must be a text on one line, of at most 64 characters"),
        ({"common_name": 5}, "`common_name` must be a text on one line, of at most 64 characters"),
        ({"common_name": "a\nb"}, "`common_name` must be a text on one line, of at most 64 characters"),
        ({"common_name": "a", "organization": "x" * 65}, "`organization` must be a text on one line, of at most 64"),
        ({"common_name": "a", "dns_names": "a.example"}, "`dns_names` must be a list of texts"),
        ({"common_name": "a", "dns_names": ["ä.example"]}, "`dns_names`: 'ä.example' is not a DNS name"),
        ({"common_name": "a", "dns_names": ["a b"]}, "`dns_names`: 'a b' is not a DNS name"),
        ({"common_name": "a", "dns_names": [""]}, "`dns_names`: '' is not a DNS name"),
        ({"common_name": "a", "dns_names": ["a.example\n"]}, "`dns_names`: 'a.example\\n' is not a DNS name"),
        ({"common_name": "a", "dns_names": ["a.*.example"]}, "`dns_names`: 'a.*.example' is not a DNS name"),
        ({"common_name": "a", "dns_names": [".".join(["x" * 60] * 5)]}, "`dns_names`: 'xxxx"),
        ({"common_name": "a", "ip_addresses": ["192.0.2.0/24"]}, "`ip_addresses`: '192.0.2.0/24' is not an address"),
        ({"common_name": "a", "ip_addresses": [1]}, "`ip_addresses` must be a list of texts"),
        ({"common_name": "a", "key": "dsa"}, "`key` must be one of ec, rsa"),
    ],
)
def test_wrong_options_are_refused(options, reason):
    assert refusal(x509_request, **options).startswith(reason)


def test_longest_names_are_taken():
    made = request(common_name="x" * 64, organization="ü" * 64, dns_names=[".".join(["x" * 50] * 4)])
    shown = run("openssl", "req", "-verify", "-noout", "-text", "-nameopt", "utf8", stdin=made["x509_request"])
    assert f"CN={'x' * 64}" in shown.replace(" = ", "=")
    assert f"O={'ü' * 64}" in shown.replace(" = ", "=")
