import hashlib
import json

from stored import everything


def test_no_output_is_kept_nor_shown(operator):
    said = operator("run", "runbook.yaml")
    assert "not-to-be-kept" not in said.out + said.err
    assert b"-not-to-be-kept" not in everything(operator.home).replace(b"echo to-stdout-not-to-be-kept", b"").replace(
        b"echo to-stderr-not-to-be-kept", b""
    )
    assert "not-to-be-kept" not in operator("logs", "@last").out
    assert "to-be-kept" in operator("logs", "@last", "loud").out


def test_nor_when_it_fails(operator):
    (operator.place / "bad").touch()
    said = operator("run", "runbook.yaml", code=1)
    assert "hush FAILED" in said.out
    assert "not-to-be-kept" not in said.out + said.err + operator("logs", "@last", "hush", code=None).out


def test_its_digest_is_keyed_and_an_output_is_taken_all_the_same(operator):
    """Whoever has the digest of four digits has the digits, were it not keyed."""
    operator("run", "output.yaml")
    hush, _ = json.loads(operator("show", "@last", "--json").out)["tasks"]
    told = hush["attempts"][0]["log"]["stdout"]
    assert set(told) == {"bytes", "hmac_sha256", "cut"}
    assert hashlib.sha256(b"1234\n").hexdigest() not in json.dumps(hush)
