from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.secrets.seal import HEADER, Unsealable, new_key, public_key, seal, unseal

PRIVATE, PUBLIC = new_key()
CONTENT = "geheim é €".encode()


@given(st.binary(max_size=2000), st.text())
def test_what_was_sealed_is_read_again(content, context):
    assert unseal(PRIVATE, seal(PUBLIC, content, context), context) == content


def test_a_large_value():
    content = os.urandom(1 << 20)
    assert unseal(PRIVATE, seal(PUBLIC, content, "r/s"), "r/s") == content


def test_the_public_key_belongs_to_the_private_one():
    assert public_key(PRIVATE) == PUBLIC
    assert len(PRIVATE) == len(PUBLIC) == 32


def test_the_same_value_never_looks_the_same():
    assert seal(PUBLIC, CONTENT, "r/s") != seal(PUBLIC, CONTENT, "r/s")


def test_nothing_of_the_content_is_to_be_seen():
    sealed = seal(PUBLIC, b"hunter2" * 20, "r/s")
    assert b"hunter2" not in sealed
    assert b"r/s" not in sealed


@pytest.mark.parametrize("context", ["", "r", "r/", "r/t", "r/s ", "R/s"])
def test_another_context_opens_nothing(context):
    with pytest.raises(Unsealable):
        unseal(PRIVATE, seal(PUBLIC, CONTENT, "r/s"), context)


def test_another_key_opens_nothing():
    with pytest.raises(Unsealable):
        unseal(new_key()[0], seal(PUBLIC, CONTENT, "r/s"), "r/s")


def test_every_changed_bit_is_noticed():
    """The one that X25519 ignores (RFC 7748, 5) too."""
    sealed = seal(PUBLIC, CONTENT, "r/s")
    for at in range(len(sealed)):
        for bit in range(8):
            changed = bytearray(sealed)
            changed[at] ^= 1 << bit
            with pytest.raises(Unsealable):
                unseal(PRIVATE, bytes(changed), "r/s")


def test_every_truncation_and_every_appendix_is_noticed():
    sealed = seal(PUBLIC, CONTENT, "r/s")
    for size in range(len(sealed)):
        with pytest.raises(Unsealable):
            unseal(PRIVATE, sealed[:size], "r/s")
    with pytest.raises(Unsealable):
        unseal(PRIVATE, sealed + b"\0", "r/s")


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_a_point_of_low_order_opens_nothing(point):
    with pytest.raises(Unsealable):
        unseal(PRIVATE, HEADER + point + bytes(40), "r/s")


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError):
        seal(key, CONTENT, "r/s")
    with pytest.raises(ValueError):
        unseal(key, seal(PUBLIC, CONTENT, "r/s"), "r/s")


def test_what_version_1_sealed_is_still_read():
    """Recorded once; it must never be changed."""
    recorded = json.loads((Path(__file__).parent / "sealed-v1.json").read_text(encoding="utf-8"))
    opened = unseal(bytes.fromhex(recorded["private"]), bytes.fromhex(recorded["sealed"]), recorded["context"])
    assert opened.decode() == recorded["content"]


def test_to_load_it_loads_no_cryptography():
    script = "import sys, durun.secrets.seal; print('cryptography' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
