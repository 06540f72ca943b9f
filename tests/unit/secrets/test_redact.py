"""What a reader of logs, events and errors sees of secrets: `***`, and no more delay than is needed."""

import base64
import json
import random
import string
import subprocess

import pytest

from durun.secrets.joined import REACH
from durun.secrets.redact import Redactor, keeps_output

PASSWORD = "Tr0ub4dor&3 'quoted' \"é\" a+b/c"
TOKEN = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4"
ALPHABET = string.ascii_letters + string.digits + "+/="


def redactor(*values):
    known = Redactor()
    known.add(values)
    return known


def streamed(known, chunks):
    stream = known.stream()
    return [stream.feed(chunk) for chunk in chunks] + [stream.finish()]


def test_nothing_known_nothing_changed():
    known = Redactor()
    assert not known
    assert known.scrub("any text") == "any text"
    assert known.scrub_json({"a": ["b"]}) == {"a": ["b"]}
    assert streamed(known, [b"one", b"two"]) == [b"one", b"two", b""]


def test_a_value_becomes_a_mark():
    known = redactor(TOKEN)
    assert known
    assert known.scrub(f"token={TOKEN};") == "token=***;"


def test_values_that_touch_or_overlap_become_one_mark():
    known = redactor("aaaa-bbbb", "bbbb-cccc", "dddd-eeee")
    assert known.scrub("<aaaa-bbbb-cccc>") == "<***>"
    assert known.scrub("<aaaa-bbbbdddd-eeee>") == "<***>"
    assert known.scrub("<aaaa-bbbb dddd-eeee>") == "<*** ***>"
    assert known.scrub("<aaaa-bbbbaaaa-bbbb>") == "<***>"


@pytest.mark.parametrize("cut", range(1, len(TOKEN)))
def test_a_value_is_found_wherever_chunks_end(cut):
    chunks = [b"x " + TOKEN[:cut].encode(), TOKEN[cut:].encode() + b" y"]
    assert b"".join(streamed(redactor(TOKEN), chunks)) == b"x *** y"


def test_one_mark_for_what_touches_over_the_end_of_a_chunk():
    known = redactor("aaaa-bbbb", "bbbb-cccc")
    assert b"".join(streamed(known, [b"<aaaa-bbbb", b"-cccc>"])) == b"<***>"
    assert b"".join(streamed(known, [b"<aaaa-bbbb", b"aaaa-bbbb>"])) == b"<***>"
    assert b"".join(streamed(known, [b"<aaaa-", b"bbbb", b"x"])) == b"<***x"


def test_only_what_may_become_a_secret_is_held_back():
    stream = redactor(TOKEN, "-----BEGIN KEY-----\nabcdefghij\n-----END KEY-----").stream()
    assert stream.feed(b"Are you sure? ") == b"Are you sure? "
    assert stream.feed(b"a line\n") == b"a line\n"
    assert stream.feed(b"it is ghp_") == b"it is "
    assert stream.feed(b"!\n") == b"ghp_!\n"
    assert stream.feed(b"ends with gh") == b"ends with "
    assert stream.finish() == b"gh"
    assert stream.finish() == b""


def test_a_line_end_is_not_held_back_for_a_value_that_may_go_on_in_the_next_line():
    stream = redactor(TOKEN).stream()
    assert stream.feed(b"it is g\n") == b"it is g\n"
    assert stream.feed(b"it is ghp\n") == b"it is ghp\n"
    assert stream.feed(b"it is ghp_\n") == b"it is "
    assert stream.feed(b"no\n") == b"ghp_\nno\n"


def test_what_is_added_is_found_in_streams_that_run():
    known = redactor("first-value")
    stream = known.stream()
    assert stream.feed(b"first-value second-value ") == b"*** second-value "
    known.add(["second-value"])
    assert stream.feed(b"first-value second-value ") == b"*** *** "


def test_a_value_broken_into_lines_by_an_encoder_is_found():
    known = redactor(TOKEN)
    for before in range(80):
        text = base64.encodebytes(b"x" * before + TOKEN.encode() + b"y" * 70).decode()
        for broken in (text, text.replace("\n", "\r\n"), text.replace("\n", "\n      "), json.dumps(text)):
            scrubbed = known.scrub(broken)
            # At most the 4 characters before a line end, and what depends on the neighbours, is left.
            assert "***" in scrubbed
            left = "".join(scrubbed.replace("\\n", "").replace("\\r", "").split())
            assert len(left) <= len("".join(text.split())) - len(TOKEN) * 4 // 3 + 3 + 2 + 4


def test_a_hex_dump_is_found():
    dump = subprocess.run(
        ["sh", "-c", "od -An -v -tx1 | tr -d ' \n' | fold -w 60"], input=b"xx" + 3 * TOKEN.encode(), capture_output=True
    ).stdout
    assert redactor(TOKEN).scrub_bytes(dump) == b"7878***"


def test_breaks_without_end_are_not_held_back_without_end():
    stream = redactor(TOKEN).stream()
    assert stream.feed(TOKEN[:8].encode()) == b""
    out = b"".join(stream.feed(b"\n" * 100) for _ in range(100))
    assert len(out) > 9000


@pytest.mark.parametrize("size", range(REACH - len(TOKEN) - 2, REACH - len(TOKEN) + 8))
def test_the_bound_of_breaks_does_not_depend_on_chunks(size):
    known = redactor(TOKEN)
    text = TOKEN[:8].encode() + b"\n" * size + TOKEN[8:].encode()
    whole = known.scrub_bytes(text)
    # Without its first four characters, it is a match still.
    assert whole == (b"***" if size + len(TOKEN) <= REACH else b"ghp_***" if size + len(TOKEN) <= REACH + 4 else text)
    for cut in (8, 9, size + 7, size + 8, size + 9, len(text) - 1):
        assert b"".join(streamed(known, [text[:cut], text[cut:]])) == whole


def test_a_backslash_belongs_to_what_follows_it():
    known = redactor("nightly-build-token-0123456789")
    assert known.scrub("C:\\nightly-build-token-0123456789") == "C:\\***"
    text = b"\\nightly-build-tok\\nen-0123456789\\"
    whole = known.scrub_bytes(text)
    assert b"0123456789" not in whole
    for cut in range(len(text)):
        assert b"".join(streamed(known, [text[:cut], text[cut:]])) == whole


def test_a_secret_within_what_may_become_a_longer_one():
    known = redactor("12-abcdefgh-34", "abcdefgh", "cdef")
    assert streamed(known, [b"12-abcdefgh", b"!"]) == [b"", b"12-***!", b""]
    assert streamed(known, [b"12-abcdefgh", b"-34!"]) == [b"", b"***!", b""]
    assert streamed(known, [b"12-abcdefgh"]) == [b"", b"12-***"]


def test_line_ends_are_not_held_back_for_a_long_value_of_several_lines():
    for size in range(60, 90):
        noise = base64.b64encode(random.Random(size).randbytes(600)).decode()
        key = "\n".join(noise[at : at + size] for at in range(0, 800, size))
        stream = redactor(f"\n {key}\n").stream()
        assert stream.feed(b"a line\n") == b"a line\n"
        assert stream.feed(f"{key}\n".encode()) == b"***\n"
        assert stream.feed(b"Password: ") == b"Password: "
        for letter in ALPHABET:
            assert stream.feed(f"a line that ends with {letter}\n".encode()).endswith(b"\n")


def test_a_long_value_is_found_whole_and_line_by_line():
    key = (
        "-----BEGIN RSA PRIVATE KEY-----\n"
        + base64.encodebytes(bytes(range(256)) * 4).decode()
        + "-----END RSA PRIVATE KEY-----\n"
    )
    known = redactor(key)
    assert known.scrub(key.strip()) == "***"
    assert known.scrub(key.replace("\n", "\r\n").strip()) == "***"
    assert known.scrub(json.dumps({"key": key.strip()})) == '{"key": "***"}'
    assert known.scrub(base64.b64encode(key.encode()).decode()) == "***"
    assert known.scrub(base64.encodebytes(key.encode()).decode()) == "***\n"
    indented = "".join(f"  | {line}\n" for line in key.splitlines())
    lines = known.scrub(indented).splitlines()
    assert lines[0] == "  | -----BEGIN RSA PRIVATE KEY-----" and set(lines[1:-1]) == {"  | ***"}


def test_the_public_key_is_not_taken_for_the_private_one(tmp_path):
    def openssl(*argv, **options):
        return subprocess.run(["openssl", *argv], capture_output=True, text=True, check=True, **options).stdout

    for kind in (["-traditional"], []):
        private = openssl("genrsa", *kind, "2048")
        public = openssl("rsa", "-pubout", input=private)
        assert redactor(private).scrub(public) == public


@pytest.mark.parametrize("value", ["", "a", "abc", "äöü", "    ", "\n\n\n\n\n", " abc\n"])
def test_what_can_not_be_told_from_other_text_is_not_looked_for(value):
    assert not keeps_output(value)
    known = redactor(value)
    assert not known
    assert known.scrub(f"abc {value} abc") == f"abc {value} abc"


def test_four_characters_are_enough():
    assert keeps_output("ab1!")
    assert redactor("ab1!").scrub("ab1! YWIxIQ== 61623121") == "*** *** ***"


def test_data_is_scrubbed_with_its_keys():
    known = redactor(TOKEN, "another-token")
    data = {"n": 1, "none": None, TOKEN: [f"x{TOKEN}", True], "another-token": {"deep": TOKEN}, "***": 2}
    assert known.scrub_json(data) == {
        "n": 1,
        "none": None,
        "***": ["x***", True],
        "*** (2)": {"deep": "***"},
        "*** (3)": 2,
    }
    assert known.scrub_json({"a": ("b", [1.5])}) == {"a": ("b", [1.5])}


def test_text_that_was_no_utf_8_stays_what_it_was():
    text = b"\xff\xfe ".decode("utf-8", "surrogateescape")
    assert redactor(TOKEN).scrub(text + TOKEN) == text + "***"
    assert redactor(TOKEN).scrub("\ud800" + TOKEN).endswith("***")


def test_many_values_added_one_by_one_are_all_found():
    known = Redactor()
    stream = known.stream()
    for number in range(1000):
        known.add([f"password-{number:04}-of-a-target", "password-0000-of-a-target"])
        assert stream.feed(f"password-{number:04}-of-a-target\n".encode()) == b"***\n"
    text = "".join(f"password-{number:04}-of-a-target\n" for number in range(1000))
    assert known.scrub(text) == "***\n" * 1000
