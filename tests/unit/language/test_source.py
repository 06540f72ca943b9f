"""Bytes to a tree: what YAML may be, and that hostile files end quickly."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from durun.language.source import parse
from durun.language.text import Unreadable

ROOT = Path(__file__).parents[3]

EXPLODING = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)

HOSTILE = {
    "duplicate key": (b"durun: 1\nname: a\nname: b\n", 3, 1, "duplicate key `name`"),
    "explicit tag": (b"durun: 1\nname: !!python/object:os.system x\n", 2, 7, "the tag !!python/object:os.system"),
    "local tag": (b"durun: 1\nname: !vault x\n", 2, 7, "the tag !vault"),
    "merge key": (b"a: &a {x: 1}\nb:\n  <<: *a\n", 3, 3, "merge keys"),
    "integer key": (b"durun: 1\n7: x\n", 2, 1, "a key must be text"),
    "null key": (b"durun: 1\n~: x\n", 2, 1, "a key must be text"),
    "list as a key": (b"? [a]\n: x\n", 1, 3, "a key must be text"),
    "two documents": (b"durun: 1\n---\ndurun: 1\n", 2, 1, "a second document"),
    "directive": (b"%YAML 1.1\n---\nname: x\n", 1, 1, "YAML directives"),
    "anchors that explode": (EXPLODING.encode(), 5, 35, "more than 50000 values"),
    "alias in itself": (b"a: &x [1, *x]\n", 1, 11, "the alias *x stands inside"),
    "unknown alias": (b"a: *nowhere\n", 1, 4, "the alias *nowhere names nothing"),
    "depth 100,000 of lists": (b"[" * 100_000, 1, 33, "nested deeper than 32"),
    "depth 100,000 of mappings": (b"{" * 100_000, 1, 33, "nested deeper than 32"),
    "depth 100,000 of block lists": (b"- " * 100_000, 1, 65, "nested deeper than 32"),
    "depth 100,000 of complex keys": (b"? " * 100_000, 1, 65, "nested deeper than 32"),
    "depth by aliases": (
        b"a: &a [[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]\n",
        2,
        19,
        "the alias *a nests deeper",
    ),
    "10 MB": (b"a: " + b"x" * 10_000_000, 1, 1, "larger than 1 MiB"),
    "a million values": (b"[" + b"a," * 500_000 + b"]", 1, 100_002, "more than 50000 values"),
    "NUL": (b"durun: 1\nname: a\x00b\n", 2, 8, "a NUL character"),
    "NUL as an escape": (b'name: "a\\0b"\n', 1, 7, "a NUL character"),
    "escape character": (b"name: \x1b[31mred\n", 1, 7, "invisible character (U+001B)"),
    "UTF-16": ("durun: 1\n".encode("utf-16"), 1, 1, "not UTF-8"),
    "UTF-16 without mark": ("durun: 1\n".encode("utf-16-le"), 1, 1, "not UTF-8"),
    "UTF-32": ("durun: 1\n".encode("utf-32"), 1, 1, "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbfdurun: 1\n", 1, 1, "byte order mark"),
    "not UTF-8": (b"durun: 1\nname: caf\xe9\n", 2, 10, "byte 0xe9 is not UTF-8"),
    "bidi override": ("name: a\nrun: x \u202e y\n".encode(), 2, 8, "bidirectional control character (U+202E)"),
    "bidi isolate": ("name: \u2066x\u2069\n".encode(), 1, 7, "bidirectional control character (U+2066)"),
    "line separator": ("name: a\u2028b: c\n".encode(), 1, 8, "invisible character (U+2028)"),
    "5000-digit integer": (b"timeout: " + b"9" * 5000, 1, 10, "more than 18 digits"),
    "5000-digit hexadecimal": (b"timeout: 0x" + b"f" * 5000, 1, 10, "more than 18 digits"),
    "infinity": (b"a: .inf\n", 1, 4, "JSON doesn't have"),
    "not a number": (b"a: .nan\n", 1, 4, "JSON doesn't have"),
    "huge float": (b"a: 1e999\n", 1, 4, "too large"),
    "empty file": (b"", 1, 1, "the file is empty"),
    "only a comment": (b"# nothing\n", 1, 1, "the file is empty"),
    "tab": (b"steps:\n\t- id: a\n", 2, 1, "a tab can't indent"),
    "open quote": (b"a: 'abc\nb: c\n", 1, 4, "never closed"),
    "open mapping": (b"a: {b: c\nd: e\n", 2, 2, "isn't closed"),
}


@pytest.mark.fault(35)
@pytest.mark.parametrize("name", HOSTILE)
def test_bad_files_are_refused_with_their_place(name):
    raw, line, column, message = HOSTILE[name]
    with pytest.raises(Unreadable) as caught:
        document = parse(raw)
        raise Unreadable(document.problems, document.text)
    first = caught.value.diagnostics[0]
    assert (first.place.line, first.place.column) == (line, column)
    assert message in first.message


def _small_process() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (200_000_000, 200_000_000))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


MEASURE = """
import sys, time
from durun.errors import InvalidRunbook
from durun.language.load import load, read_file
began = time.process_time()
try:
    load(read_file(sys.argv[1]), "book.yaml")
except InvalidRunbook as error:
    assert error.report or "1 MiB" in error.message
else:
    sys.exit("it was accepted")
with open("/proc/self/status") as status:  # ru_maxrss would count what was before exec
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(time.process_time() - began, peak)
"""


@pytest.mark.fault(35)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    "name",
    ["anchors that explode", "depth 100,000 of lists", "10 MB", "a million values", "5000-digit integer", "many keys",
     "one long line", "many problems", "a long script"],
)  # fmt: skip
def test_hostile_files_cost_less_than_a_second_and_100_mb(name, tmp_path):
    big = {
        "many keys": b"".join(b"key%d: 1\n" % number for number in range(49_000 // 2)),
        "one long line": b"name: '" + b"x" * 1_000_000 + b"'",
        "many problems": b"steps:\n" + b"- {id: A, rnu: x, needs: [b]}\n" * 7_000,
        "a long script": b"durun: 1\nname: x\nsteps:\n- id: a\n  run: |\n" + b"   echo ${{ x }}\n" * 60_000,
    }
    file = tmp_path / "hostile.yaml"
    file.write_bytes(big[name] if name in big else HOSTILE[name][0])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file)], cwd=ROOT, capture_output=True, text=True, preexec_fn=_small_process
    )
    assert done.returncode == 0, done.stderr
    seconds, kilobytes = done.stdout.split()
    assert float(seconds) < 1
    assert int(kilobytes) < 100_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("y", "y"), ("012", "012"), ("08", "08"),
        ("1:30", "1:30"), ("1_000", "1_000"), ("true", True), ("False", False), ("null", None), ("~", None),
        ("", None), ("0", 0), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
        ("2024-01-02", "2024-01-02"), ("1.2.3", "1.2.3"), ("0b11", "0b11"), ("'5'", "5"), ('"true"', "true"),
        ("=", "="), ("+", "+"), (".", "."), ("1e", "1e"), ("-0", 0), ("007", "007"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text, value):
    found = parse(f"key: {text}\n".encode()).root.value["key"]
    assert (type(found), found) == (type(value), value)


def test_aliases_repeat_a_value():
    assert parse(b"a: &x {k: [1, two]}\nb: *x\n").root.value == {"a": {"k": [1, "two"]}, "b": {"k": [1, "two"]}}


def test_all_line_ends_count_as_lines():
    root = parse(b"a: 1\r\nb: 2\rc: 3\nd: 4\n").root
    assert [root.keys[key].line for key in "abcd"] == [1, 2, 3, 4]


def test_several_recoverable_problems_are_all_kept():
    document = parse(b"a: 1\na: 2\nb: !x 3\n5: x\n")
    assert [problem.place.line for problem in document.problems] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: {b: ${{ inputs.x }}}\n", 1, 8),
        ("a: [${{ inputs.x }}, b]\n", 1, 5),
        ("a: ${{ x | default('b: c') }}\n", 1, 4),
        ("a: 1\nb: text ${{ {'k': 1} }}: x\n", 2, 9),
    ],
)
def test_an_expression_without_quotes_is_named_as_the_cause(problems, text, line, column):
    found = problems(text)[0]
    assert (found.line, found.column) == (line, column)
    assert found.message == "an expression needs quotes here"
    assert 'quote the value: "${{ … }}"' in found.hint


def test_braces_without_dollar_are_explained(problems):
    found = next(one for one in problems("durun: 1\nname: {{ x }}\n") if one.message == "a key must be text")
    assert (found.line, found.column) == (2, 8)
    assert 'an expression is written "${{ … }}"' in found.hint


def test_a_comment_that_cuts_an_expression_is_explained(problems):
    text = "durun: 1\nname: x\nsteps:\n- id: a\n  run: [echo, a]\n  stdin: ${{ env.A + ' #1' }}\n"
    found = problems(text)
    assert [(one.line, one.column) for one in found] == [(6, 22)]
    assert "YAML takes ` #` for a comment" in found[0].hint
