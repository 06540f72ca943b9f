from __future__ import annotations

import base64
import itertools
import os
import re
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durun.actions.api import Done, Failed
from durun.actions.generate import prepare
from durun.model.runbook import GENERATED, Shell

SHELL = Shell(("bash",), ".sh")


class ContextDouble:
    """Renders to what is given. `random` says which bytes nobody can guess."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self.random_bytes = random

    def render(self, value: Any) -> Any:
        return value

    def holds(self, expression: Any) -> bool:
        raise AssertionError

    def now(self) -> float:
        return 0.0


SMALLEST = {"choice": {"from": ["a", "b"]}, "x509_request": {"common_name": "a.example"}}


def make(kind: str, options: Any = None, random: Callable[[int], bytes] = os.urandom) -> dict[str, Any]:
    work = prepare({kind: options or {}}, SHELL, ContextDouble(random))
    assert isinstance(work, Done), work
    return dict(work.outputs)


def refusal(kind: str, options: Any) -> str:
    work = prepare({kind: options}, SHELL, ContextDouble())
    assert isinstance(work, Failed), work
    assert work.code == "generate"
    assert work.reason.startswith(f"generate: {kind}: ")
    return work.reason.removeprefix(f"generate: {kind}: ")


@pytest.mark.parametrize("kind", GENERATED)
def test_each_kind_gives_what_the_model_says_and_says_what_is_secret(kind):
    work = prepare({kind: SMALLEST.get(kind, {})}, SHELL, ContextDouble())
    assert isinstance(work, Done)
    assert {name: name in work.secret for name in work.outputs} == GENERATED[kind]


@pytest.mark.parametrize("kind", sorted(GENERATED.keys() - {"choice", "timestamp"}))
def test_no_two_are_the_same(kind):
    assert make(kind, SMALLEST.get(kind)) != make(kind, SMALLEST.get(kind))


def test_a_kind_that_is_not_known_fails():
    assert prepare({"horoscope": {}}, SHELL, ContextDouble()) == Failed("generate", "durun can't generate 'horoscope'")


def test_plain_values_load_no_cryptography():
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from test_generate import make
for kind in ("uuid", "timestamp", "password", "token", "bytes"):
    make(kind)
print("cryptography" in sys.modules)
"""
    argv = [sys.executable, "-c", script, str(Path(__file__).parent)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "False\n"


class TestPassword:
    def test_it_is_32_letters_and_digits(self):
        assert re.fullmatch(r"[A-Za-z0-9]{32}", make("password")["password"])

    @pytest.mark.parametrize("length", [8, 9, 40, 1024])
    def test_its_length(self, length):
        assert len(make("password", {"length": length})["password"]) == length

    @pytest.mark.parametrize(
        ("alphabet", "characters"),
        [
            ("letters", string.ascii_letters),
            ("digits", string.digits),
            ("alphanumeric", string.ascii_letters + string.digits),
            ("ascii", "".join(map(chr, range(33, 127)))),
            ("abc", "abc"),
            ("a-z", "a-z"),
            ("äöü€", "äöü€"),
            ("aab", "ab"),
        ],
    )
    def test_every_character_of_the_alphabet_is_as_likely_as_any_other(self, alphabet, characters):
        """Of all bytes in turn, each character takes equally many, and the rest is not used."""
        bytes_in_turn = itertools.cycle(range(256))
        size = len(characters) * (256 // len(characters))
        length = size * (1024 // size)
        made = make(
            "password",
            {"alphabet": alphabet, "length": length},
            lambda count: bytes(itertools.islice(bytes_in_turn, count)),
        )
        counts = {character: made["password"].count(character) for character in set(made["password"])}
        assert set(counts) == set(characters)
        assert set(counts.values()) == {length // len(characters)}

    @pytest.mark.parametrize("length", [8, 32])
    def test_every_class_that_is_required_is_there(self, length):
        options = {"length": length, "alphabet": "ascii", "require": ["lower", "upper", "digit", "symbol"]}
        for _ in range(200):
            password = make("password", options)["password"]
            assert all(re.search(pattern, password) for pattern in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))

    def test_one_without_a_required_class_is_thrown_away_whole(self):
        drawn = iter([b"\x00" * 8, b"\x00" * 7 + b"\x01"])
        assert make("password", {"length": 8, "alphabet": "a1", "require": ["digit"]}, lambda _: next(drawn)) == {
            "password": "aaaaaaa1"
        }

    def test_a_class_of_which_there_is_one_character_in_many_is_reached(self):
        options = {"length": 8, "alphabet": string.ascii_lowercase + "A1!", "require": ["upper", "digit", "symbol"]}
        assert len(make("password", options)["password"]) == 8

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"length": 7}, "`length` must be a whole number from 8 to 1024"),
            ({"length": 1025}, "`length` must be a whole number from 8 to 1024"),
            ({"length": "32"}, "`length` must be a whole number from 8 to 1024"),
            ({"length": True}, "`length` must be a whole number from 8 to 1024"),
            ({"length": None}, "`length` must be a whole number from 8 to 1024"),
            (
                {"alphabet": "a"},
                "`alphabet` must be letters, digits, alphanumeric, ascii, or the",
            ),
            (
                {"alphabet": ""},
                "`alphabet` must be letters, digits, alphanumeric, ascii, or the",
            ),
            (
                {"alphabet": "aa"},
                "`alphabet` must be letters, digits, alphanumeric, ascii, or the",
            ),
            ({"alphabet": "ab\n"}, "`alphabet` must be a text on one line"),
            ({"alphabet": "ab\0"}, "`alphabet` must be a text on one line"),
            ({"alphabet": ["a", "b"]}, "`alphabet` must be a text on one line"),
            ({"require": ["vowel"]}, "`require` must be a list of lower, upper, digit, symbol"),
            ({"require": "digit"}, "`require` must be a list of texts"),
            ({"require": ["symbol"]}, "`alphabet` has no symbol, which `require` asks for; `alphabet: ascii` has all"),
            ({"alphabet": "abc", "require": ["upper"]}, "`alphabet` has no upper, which `require` asks for"),
        ],
    )
    def test_wrong_options_are_refused(self, options, reason):
        assert refusal("password", options).startswith(reason)

    def test_an_alphabet_that_hardly_ever_does_is_refused_in_good_time(self):
        alphabet = "".join(chr(0x4E00 + number) for number in range(253)) + "a1!"
        options = {"length": 8, "alphabet": alphabet, "require": ["lower", "digit", "symbol"]}
        work = prepare({"password": options}, SHELL, ContextDouble(lambda count: bytes(count)))
        assert work == Failed(
            "generate", "generate: password: `alphabet` has too few of the characters that `require` asks for"
        )


@pytest.mark.parametrize(("count", "size"), [(16, 22), (32, 43), (1024, 1366)])
def test_a_token_is_base64url_without_padding(count, size):
    content = os.urandom(count)
    made = make("token", {"bytes": count}, lambda asked: content[:asked])["token"]
    assert len(made) == size
    assert re.fullmatch(r"[A-Za-z0-9_-]+", made)
    assert base64.urlsafe_b64decode(made + "=" * (-len(made) % 4)) == content


@pytest.mark.parametrize("length", [8, 32, 65536])
def test_bytes_are_base64(length):
    content = os.urandom(length)
    made = make("bytes", {"length": length}, lambda asked: content[:asked])["bytes"]
    assert base64.b64decode(made, validate=True) == content


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("token", {"bytes": 15}, "`bytes` must be a whole number from 16 to 1024"),
        ("token", {"bytes": 32.0}, "`bytes` must be a whole number from 16 to 1024"),
        ("bytes", {"length": 7}, "`length` must be a whole number from 8 to 65536"),
        ("bytes", {"length": 65537}, "`length` must be a whole number from 8 to 65536"),
        ("choice", {"from": []}, "`from` must be a list with at least one value"),
        ("choice", {"from": "abc"}, "`from` must be a list with at least one value"),
    ],
)
def test_wrong_options_are_refused(kind, options, reason):
    assert refusal(kind, options) == reason
