"""Outputs: a step gives exactly what it declares, or it has failed, and every reason is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.language.outputs import OutputError, collect_outputs, said_reason
from durun.model.runbook import Output

STRING = Output()
STDOUT = Output(source="stdout")


def pick(path: str, type_: Any = "string") -> Output:
    return Output(type_, "stdout", path)


def collect(file: bytes = b"", stdout: bytes = b"", **declared: Output) -> dict[str, Any]:
    return collect_outputs(declared, file, stdout)


def refusal(file: bytes = b"", stdout: bytes = b"", **declared: Output) -> str:
    with pytest.raises(OutputError) as caught:
        collect(file, stdout, **declared)
    assert caught.value.exit_code == 1
    assert caught.value.code == "outputs"
    return caught.value.message


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (b"x=1\n", "1"),
        (b"x=1", "1"),
        (b"x=\n", ""),
        (b"x= a b \n", " a b "),
        (b"x=a=b\n", "a=b"),
        (b"x=a<<b\n", "a<<b"),
        (b"\n\nx=1\n\n", "1"),
        (b"x=1\nx=2\n", "2"),
        (b"x<<END\na\n\nb=c\nEND\n", "a\n\nb=c"),
        (b"x<<END\nEND\n", ""),
        (b"x << EOF\n END\nEND \nEOF\n", " END\nEND "),
        (b"x<<a=b\n1\na=b\n", "1"),
        ("x=é🦊\n".encode(), "é🦊"),
        (b"x=$(touch y)\n", "$(touch y)"),
    ],
)
def test_a_script_writes_lines_or_blocks(file: bytes, expected: str) -> None:
    assert collect(file, x=STRING) == {"x": expected}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"))))
def test_a_block_holds_any_lines(lines: list[str]) -> None:
    kept = [line for line in lines if line != "END"]
    file = "\n".join(["x<<END", *kept, "END", "y=1"])
    assert collect(file.encode(), x=STRING, y=STRING) == {"x": "\n".join(kept), "y": "1"}


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        ("string", "3", "3"),
        ("integer", "3", 3),
        ("integer", "3.0", 3),
        ("number", "3", 3),
        ("number", "2.5", 2.5),
        ("boolean", "true", True),
        ("array", "[1, 2]", [1, 2]),
        ("object", '{"a": null}', {"a": None}),
    ],
)
def test_a_type_other_than_string_is_read_as_json(type_: Any, text: str, expected: Any) -> None:
    assert collect(f"x={text}\n".encode(), x=Output(type_)) == {"x": expected}
    assert collect(stdout=f" {text}\n".encode(), x=Output(type_, "stdout")) == {"x": expected}
    assert type(collect(f"x={text}".encode(), x=Output(type_))["x"]) is type(expected)


def test_stdout_is_trimmed() -> None:
    assert collect(stdout=b"\n  a\nb \n\n", x=STDOUT) == {"x": "a\nb"}
    assert collect(stdout=b"", x=STDOUT) == {"x": ""}


def test_a_pick_is_jmespath_over_json_on_stdout() -> None:
    page = b'{"id": "T-1", "n": 3, "list": [{"a": 1}, {"a": 2}], "none": null}\n'
    assert collect(stdout=page, t=pick("id"), n=pick("n", "integer"), a=pick("list[*].a", "array"),
                   all=pick("@", "object"), first=pick("list[0].a", "integer")) == {
        "t": "T-1", "n": 3, "a": [1, 2], "first": 1,
        "all": {"id": "T-1", "n": 3, "list": [{"a": 1}, {"a": 2}], "none": None}}  # fmt: skip


@pytest.mark.parametrize(
    ("output", "stdout", "words"),
    [
        (pick("no"), b"{}", "output `x` is missing: there is nothing at `no` in the JSON on stdout"),
        (pick("a"), b'{"a": null}', "output `x` is missing"),
        (pick("a"), b'{"a": 3}', "output `x` must be of type string, and is of type number"),
        (pick("a", "integer"), b'{"a": "3"}', "must be of type integer, and is of type string"),
        (pick("a"), b"not json", "output `x` can't be picked: stdout is not JSON: line 1, column 1"),
        (pick("a"), b"", "can't be picked: stdout is not JSON"),
        (pick("a"), b"\xff", "stdout is not UTF-8 at byte 0"),
        (pick("a["), b"{}", "output `x` can't be picked with `a[`"),
        (pick("length(a)"), b'{"a": 1}', "can't be picked with `length(a)`"),
        (pick("a"), b'{"a": "\\ud800"}', "half of a character"),
        (pick("a"), b" " * (16 * 1024 * 1024) + b"{}", "stdout has more than 16 MiB"),
        (STDOUT, b"\xff", "stdout is not UTF-8 at byte 0"),
        (STDOUT, b"a\0b", "holds a NUL character"),
        (STDOUT, b"x" * 1024 * 1024 + b"y", "output `x` is bigger than 1 MiB; leave it as a file in $DURUN_EVIDENCE"),
    ],
)
def test_a_stdout_that_does_not_give_the_output_fails(output: Output, stdout: bytes, words: str) -> None:
    message = refusal(stdout=stdout, x=output)
    assert words in message
    assert message.isprintable()


@pytest.mark.fault(36)
def test_an_output_that_is_not_declared_fails() -> None:
    assert refusal(b"y=1\n") == "output `y` is not declared"
    assert refusal(b"x=1\n", b"1", x=STDOUT) == (
        "output `x` was written to $DURUN_OUTPUT, and is declared to come from stdout")  # fmt: skip


@pytest.mark.parametrize(
    ("file", "output", "words"),
    [
        (b"", STRING, "output `x` is missing"),
        (b"x=three\n", Output("integer"), "output `x` must be of type integer, and is not JSON: line 1, column 1"),
        (b"x=3.5\n", Output("integer"), "must be of type integer, and is of type number"),
        (b"x=true\n", Output("integer"), "must be of type integer, and is of type boolean"),
        (b"x=1\n", Output("boolean"), "must be of type boolean, and is of type number"),
        (b"x=null\n", Output("object"), "must be of type object, and is of type null"),
        (b"x=NaN\n", Output("number"), "NaN is not a JSON number"),
        (b"x=1e999\n", Output("number"), "a number is too large"),
        (b"x=" + b"9" * 5000 + b"\n", Output("integer"), "a number is too long"),
        (b"x=" + b"y" * 1024 * 1024 + b"z\n", STRING, "bigger than 1 MiB"),
        (b"x=a\0b\n", STRING, "holds a NUL character"),
        (b"x=\xff\n", STRING, "$DURUN_OUTPUT is not UTF-8 at byte 2"),
        (b"x<<END\na\n", STRING, "$DURUN_OUTPUT line 1: the value of `x` has no line that ends it"),
        (b"x=1\nwhat is this\n", STRING, "$DURUN_OUTPUT line 2 is neither name=value nor name<<END"),
        (b"=1\nx=1\n", STRING, "line 1 is neither"),
        (b"x<<\nx=1\n", STRING, "line 1 is neither"),
        (b"\x1b[31m\nx=1\n", STRING, "line 1 is neither"),
    ],
)
def test_a_file_that_does_not_give_the_output_fails(file: bytes, output: Output, words: str) -> None:
    message = refusal(file, x=output)
    assert words in message
    assert message.isprintable()


def test_every_reason_is_told_at_once() -> None:
    message = refusal(b"b=x\nc=1\n", b"{}", a=STRING, b=Output("integer"), d=pick("d"))
    for words in ["`c` is not declared", "`a` is missing", "`b` must be of type integer", "`d` is missing"]:
        assert words in message


def test_a_message_never_shows_a_value() -> None:
    assert "hunter2" not in refusal(b"x=hunter2\n", b'{"a": "hunter2"}', x=Output("integer"), y=pick("a", "integer"))
    key = b"x=-----BEGIN KEY-----\nhunter2/3+4=\nhunter2 hunter2\n"
    assert refusal(key, x=STRING) == (
        "$DURUN_OUTPUT line 2 is neither name=value nor name<<END; "
        "$DURUN_OUTPUT line 3 is neither name=value nor name<<END")  # fmt: skip


def test_a_step_without_outputs_gives_none() -> None:
    assert collect(b"", b"whatever \xff") == {}


def test_a_reason_is_no_output() -> None:
    file = b"a=1\nDURUN_REASON=  it is\tfull \x1b[31m \n"
    assert collect(file, a=STRING) == {"a": "1"}
    assert said_reason(file) == "it is full [31m"
    assert said_reason(b"a=1\n") == said_reason(b"\xff") == ""
    assert len(said_reason(b"DURUN_REASON=" + b"x" * 10_000)) == 500
