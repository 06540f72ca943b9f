"""Inputs: what an operator types or a file holds reaches the step as it is, or is refused with all that is wrong."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durun.errors import InvalidInput
from durun.language import fitting
from durun.language.fitting import problems_with
from durun.language.inputs import Given, digest_of, given_inputs, read_inputs_file, to_ask
from durun.model.runbook import Input, Runbook


def book(**inputs: Input) -> Runbook:
    return Runbook(name="x", text="", digest="", steps=(), inputs=inputs)


BOOK = book(
    role=Input({"type": "string", "pattern": "^[a-z_]+$"}, has_default=True, default="app"),
    count=Input({"type": "integer", "minimum": 1, "maximum": 9}),
    on=Input({"type": "boolean"}),
    hosts=Input({"type": "array", "items": {"type": "object", "required": ["name"]}}),
    zone=Input({"enum": ["a", "b"]}),
    note=Input({}),
)


def refusal(*pairs: str, file: dict[str, Any] | None = None, of: Runbook = BOOK) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        given_inputs(pairs, file, of)
    assert caught.value.exit_code == 2
    return caught.value


def test_what_is_given_counts_over_the_file_and_that_over_the_default() -> None:
    assert given_inputs([], None, BOOK).plain == {"role": "app"}
    assert given_inputs([], {"role": "db", "count": 2}, BOOK).plain == {"role": "db", "count": 2}
    assert given_inputs(["role=x", "role=web", "count=3"], {"role": "db"}, BOOK).plain == {"role": "web", "count": 3}


def test_a_string_is_literal_and_everything_else_json() -> None:
    found = given_inputs(["note=true", "count=3", "on=true", 'hosts=[{"name": "a"}]', "zone=a"], None, BOOK).plain
    assert found == {"role": "app", "note": "true", "count": 3, "on": True, "hosts": [{"name": "a"}], "zone": "a"}


@pytest.mark.parametrize("written", ["3.0", "3e0", "0.3e1"])
def test_an_integer_reaches_a_script_as_one_however_it_is_written(written: str) -> None:
    defaulted = book(count=Input({"type": "integer"}, has_default=True, default=json.loads(written)))
    for pairs, file, of in (
        ([f"count={written}"], None, BOOK),
        ([], {"count": json.loads(written)}, BOOK),
        ([], None, defaulted),
    ):
        assert repr(given_inputs(pairs, file, of).plain["count"]) == "3"
    assert given_inputs(["ratio=3.0"], None, book(ratio=Input({"type": "number"}))).plain == {"ratio": 3.0}


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    "text",
    ["", "$(touch x)", "`touch x`", "'; rm -rf / #", '"', "two\nlines\n", "-rf", "--", "a=b=c", "  spaced  ", "🦊é",
     "\\\\", "${{ x }}", "\x1b[31m", "null", "123"],
)  # fmt: skip
def test_a_string_comes_through_as_it_is_typed(text: str) -> None:
    assert given_inputs([f"note={text}"], None, BOOK).plain["note"] == text
    assert given_inputs([], {"note": text}, BOOK).plain["note"] == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_without_nul_comes_through(text: str) -> None:
    assert given_inputs([f"note={text}"], None, BOOK).plain["note"] == text


@pytest.mark.fault(38)
def test_a_nul_is_refused_for_no_environment_can_hold_it() -> None:
    assert refusal("note=a\0b").message == (
        "input `note` holds a NUL character, which no environment variable can hold")  # fmt: skip
    assert "NUL" in refusal(file={"note": "a\0b"}).message


@pytest.mark.fault(38)
def test_a_value_too_big_for_the_environment_is_refused_with_the_way_out() -> None:
    error = refusal("note=" + "x" * 200_000)
    assert "has 200,012 bytes" in error.message
    assert "131,072" in error.message
    assert "write it to a file and give the file's path" in error.message
    largest = 128 * 1024 - len("INPUT_NOTE=") - 1
    assert given_inputs(["note=" + "x" * largest], None, BOOK).plain["note"] == "x" * largest
    refusal("note=" + "x" * (largest + 1))
    refusal("note=" + "é" * (largest // 2 + 1))
    assert "bytes as an environment variable" in refusal(file={"hosts": [{"name": "x" * 200_000}]}).message


def test_many_big_values_together_are_refused_too() -> None:
    names = [f"n{number}" for number in range(12)]
    error = refusal(*(f"{name}={'x' * 100_000}" for name in names), of=book(**{name: Input({}) for name in names}))
    assert "together" in error.message


def test_half_a_character_is_refused() -> None:
    assert refusal("note=\udc80").message == "input `note` is not text in UTF-8"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("count=0", "input `count` must be at least 1"),
        ("count=10", "input `count` must be at most 9"),
        ("count=1.5", "input `count` must be of type integer, and is of type number"),
        ('count="3"', "input `count` must be of type integer, and is of type string"),
        ("count=true", "input `count` must be of type integer, and is of type boolean"),
        ("count=three", "input `count` must be an integer, written as JSON; `three` is not JSON"),
        ("count=", "input `count` must be an integer, written as JSON; `` is not JSON"),
        ("count=NaN", "input `count` must be an integer, written as JSON; `NaN` is not JSON"),
        ("on=yes", "input `on` must be a boolean, written as JSON; `yes` is not JSON"),
        ("role=App 1", "input `role` must match the pattern ^[a-z_]+$"),
        ("zone=c", 'input `zone` must be one of "a", "b"'),
        ("hosts={}", "input `hosts` must be of type array, and is of type object"),
        ('hosts=[{"name": "a"}, {}]', "input `hosts` at `[1]` lacks `name`"),
        ("hosts=" + "[" * 100_000, "input `hosts` must be an array, written as JSON; `" + "[" * 60 + "…` is not JSON"),
        ("cuont=1", "there is no input `cuont`; did you mean `count`?"),
        ("zzz=1", "there is no input `zzz`; there are `role`, `count`, `on`, `hosts`, `zone`, `note`"),
        ("count", "`count` is not NAME=VALUE"),
        ("=1", "there is no input ``; there are `role`, `count`, `on`, `hosts`, `zone`, `note`"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(pair: str, message: str) -> None:
    assert refusal(pair).message == message


def test_what_is_no_pair_is_told_how_pairs_are_written() -> None:
    assert refusal("count").hint == "give inputs with -i NAME=VALUE or --inputs FILE"
    assert refusal("count=x").hint == "for example: -i count=3"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    needed = book(
        must=Input({"type": "string"}, required=True, description="whom to ask"),
        count=Input({"type": "integer", "minimum": 1}),
        size=Input({"type": "integer"}),
    )
    error = refusal("count=0", "nope=1", "size=x", file={"also": 1}, of=needed)
    first, *rest = error.message.split("\n")
    assert first == "5 things are wrong with the inputs:"
    assert sorted(line.strip() for line in rest) == [
        "input `count` must be at least 1",
        "input `must` is missing (whom to ask)",
        "input `size` must be an integer, written as JSON; `x` is not JSON",
        "there is no input `also`; there are `must`, `count`, `size`",
        "there is no input `nope`; there are `must`, `count`, `size`",
    ]
    assert error.hint == "give inputs with -i NAME=VALUE or --inputs FILE"


def test_a_wrong_value_is_never_shown_as_it_may_be_private() -> None:
    assert "hunter2" not in refusal("role=HUNTER-hunter2").message


def test_an_input_without_default_that_is_not_given_is_absent_and_a_null_default_is_null() -> None:
    assert given_inputs([], None, book(a=Input({}), b=Input({}, has_default=True, default=None))).plain == {"b": None}


def test_a_runbook_without_inputs_says_so() -> None:
    assert refusal("a=1", of=book()).message == "there is no input `a`; there are none"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("in.json", '{"count": 3, "note": "x"}'),
        ("in.yaml", "count: 3\nnote: x\n"),
        ("in", '{"count": 3, "note": "x"}'),
        ("in.yaml", "{count: 3, note: x}"),
    ],
)
def test_a_file_of_inputs_is_yaml_or_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_inputs_file(str(tmp_path / name), BOOK) == {"count": 3, "note": "x"}


def test_yaml_words_that_look_like_booleans_stay_text(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text("a: no\nb: 012\nc: 1:30\n")
    assert read_inputs_file(str(tmp_path / "in.yaml"), BOOK) == {"a": "no", "b": "012", "c": "1:30"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("in.json", "{", "not JSON: line 1, column 2"),
        ("in.json", '{"a": 1, "a": 2}', 'the key "a" stands there twice'),
        ("in.json", '{"a": NaN}', "NaN is not a JSON number"),
        ("in.json", '{"a": ' + "9" * 5000 + "}", "a number is too long"),
        ("in.json", '{"a": "\\ud800"}', "half of a character"),
        ("in.json", "[" * 100_000, "nested too deeply"),
        ("in.json", "[1]", "must be a mapping of input names to values, and is of type array"),
        ("in.yaml", "a: 1\na: 2\n", "line 2, column 1: duplicate key `a`"),
        ("in.yaml", "a: [\n", "line "),
        ("in.yaml", "just text", "is of type string"),
        ("in.yaml", "\n", "in.yaml is empty"),
        ("in.yaml", "a: !!python/object:os.system 1\n", "tag"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_with_the_place(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_inputs_file(str(tmp_path / name), BOOK)
    assert words in caught.value.message
    assert name in caught.value.message


def test_a_file_that_is_not_there_or_too_big_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_inputs_file(str(tmp_path / "none"), BOOK)
    with pytest.raises(InvalidInput, match="Is a directory"):
        read_inputs_file(str(tmp_path), BOOK)
    with (tmp_path / "big.json").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    with pytest.raises(InvalidInput, match="larger than 16 MiB"):
        read_inputs_file(str(tmp_path / "big.json"), BOOK)
    (tmp_path / "big.yaml").write_text("a: " + "x" * 2_000_000)
    with pytest.raises(InvalidInput, match="larger than 1 MiB") as caught:
        read_inputs_file(str(tmp_path / "big.yaml"), BOOK)
    assert caught.value.hint == "as JSON it may be larger"


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stdin").write_text("note: x\n")
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert read_inputs_file("-", BOOK) == {"note": "x"}


def test_the_digest_is_of_the_values_and_not_of_how_they_are_written() -> None:
    assert digest_of({"a": 1, "b": ["é"]}) == digest_of(json.loads('{"b": ["\\u00e9"],\n "a": 1}'))
    assert digest_of({"a": 1}) != digest_of({"a": "1"}) != digest_of({})
    assert digest_of({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize("value", ["x", "", 3, 3.5, True, None, [], [1], {}, {"a": 1}])
@pytest.mark.parametrize("kind", ["string", "boolean", "integer", "number", "array", "object"])
def test_the_short_way_says_what_jsonschema_says(kind, value):
    from jsonschema import Draft202012Validator

    from durun.language.fitting import _plainly_right

    assert not _plainly_right({"type": kind}, value) or Draft202012Validator({"type": kind}).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"pattern": "^[a-z]+$"}, "abc", "abc\n"),
        ({"pattern": r"^[$]\$(a|b$)"}, "$$b", "$$b\n"),
        ({"pattern": r"^a\n$"}, "a\n", "a\n\n"),
        ({"pattern": "(?m)^a$"}, "a\nb", "ab"),
        ({"format": "date"}, "2024-02-29", "2026-02-29"),
        ({"format": "date-time"}, "2026-01-31T09:15:00+01:00", "2026-01-31T09:15:00"),
        ({"format": "ipv4"}, "192.0.2.1", "192.0.2.256"),
        ({"format": "uuid"}, "0d9e1c1e-2f3a-4b5c-8d7e-9f0a1b2c3d4e", "0d9e"),
    ],
)
def test_a_pattern_holds_to_the_end_and_a_format_is_looked_at(schema, right, wrong) -> None:
    declared = Input({"type": "string", **schema})
    assert list(problems_with("x", right, declared)) == []
    (problem,) = problems_with("x", wrong, declared)
    assert next(iter(schema.values())) in problem


@pytest.mark.parametrize("value", [f"{'a' * 40}!", ["a", f"{'a' * 40}!"]])
def test_a_pattern_that_would_never_end_is_given_up(value, monkeypatch) -> None:
    monkeypatch.setattr(fitting, "_PATIENCE", 0.05)
    pattern: dict[str, Any] = {"type": "string", "pattern": "(a+)+$"}
    declared = Input(pattern if isinstance(value, str) else {"type": "array", "items": pattern})
    before = signal.getsignal(signal.SIGVTALRM)
    (problem,) = problems_with("x", value, declared)
    assert problem.endswith("can't be held against its pattern in time: write that without a repeat in a repeat")
    assert problem.startswith("at `[1]` ") == isinstance(value, list)
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_elsewhere_than_in_the_main_thread_a_pattern_holds_too() -> None:
    with ThreadPoolExecutor() as pool:
        found = pool.submit(lambda: list(problems_with("x", "b", Input({"type": "string", "pattern": "^a$"})))).result()
    assert found == ["must match the pattern ^a$"]


SECRET = book(
    pin=Input({"type": "string", "pattern": "^[0-9]{4}$"}, required=True, secret=True, description="of the vault"),
    accounts=Input({"type": "object", "additionalProperties": {"type": "integer"}}, secret=True),
    role=Input({}, required=True),
)


def test_secret_inputs_are_kept_apart() -> None:
    given = given_inputs(["role=app"], {"pin": "1234", "accounts": {"a": 1}}, SECRET)
    assert given == Given({"role": "app"}, {"pin": "1234", "accounts": {"a": 1}})


def test_what_was_asked_for_is_read_as_if_it_were_typed() -> None:
    given = given_inputs(["role=app"], None, SECRET, {"pin": "1234", "accounts": '{"a": 1}'})
    assert given.secret == {"pin": "1234", "accounts": {"a": 1}}


@pytest.mark.parametrize("pairs", [["pin=1234", "role=x"], ["role=x", "pin=1234", "pin=9"]])
def test_a_secret_input_is_not_taken_from_the_command_line(pairs: list[str]) -> None:
    error = refusal(*pairs, of=SECRET)
    assert error.message == "input `pin` is secret, and everybody can read what is typed behind -i"
    assert error.hint == (
        "a secret input is asked for at a terminal, or comes by --inputs - or a file that only you can read"
    )


def test_a_missing_secret_input_says_how_it_may_come() -> None:
    error = refusal("role=x", of=SECRET)
    assert error.message == "input `pin` is missing (of the vault)"
    assert error.hint.startswith("a secret input is asked for at a terminal")
    assert refusal(of=SECRET).hint.startswith("give inputs with -i NAME=VALUE or --inputs FILE; a secret input is")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pin", "hunter2", "must match the pattern ^[0-9]{4}$"),
        ("pin", "", "is empty, which no secret is"),
        ("pin", None, "is empty"),
        ("pin", "12\x0034", "holds a NUL character"),
        ("pin", "\ud800", "is not text in UTF-8"),
        ("pin", "1" * (1024 * 1024 + 1), "has more than 1,048,576 bytes"),
        ("pin", 1234, "must be of type string, and is of type number"),
        ("accounts", {"hunter2": "x"}, "must be of type integer"),
    ],
)
def test_a_secret_input_that_does_not_fit_is_not_shown(name: str, value: Any, words: str) -> None:
    message = refusal("role=x", file={"pin": "1234", name: value}, of=SECRET).message
    assert message.startswith(f"input `{name}` {words}")
    assert "hunter2" not in message and "1234" not in message


def test_an_answer_that_is_no_json_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        given_inputs(["role=x"], None, SECRET, {"pin": "1234", "accounts": "hunter2"})
    assert "written as JSON; what was given is not JSON" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_secret_input_may_be_larger_than_any_variable() -> None:
    large = book(key=Input({}, secret=True))
    assert len(given_inputs([], {"key": "x" * 300_000}, large).secret["key"]) == 300_000


def test_only_what_a_run_can_t_do_without_is_asked_for() -> None:
    assert list(to_ask(None, SECRET)) == ["pin"]
    assert list(to_ask({"pin": "1234"}, SECRET)) == []


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_with_a_secret_input_is_nobody_else_s(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "in.yaml"
    file.write_text("pin: '1234'\n")
    file.chmod(mode)
    with pytest.raises(InvalidInput) as caught:
        read_inputs_file(str(file), SECRET)
    assert caught.value.message == f"{file} gives the secret input `pin` and is open to other users (mode {mode:04o})"
    assert caught.value.hint == f"chmod 600 {file}"
    file.chmod(0o600)
    assert read_inputs_file(str(file), SECRET) == {"pin": "1234"}
    file.write_text("role: x\n")
    file.chmod(0o644)
    assert read_inputs_file(str(file), SECRET) == {"role": "x"}


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, which takes root")
def test_a_file_with_a_secret_input_is_one_s_own(tmp_path: Path) -> None:
    file = tmp_path / "in.yaml"
    file.write_text("pin: '1234'\n")
    file.chmod(0o600)
    os.chown(file, 1000, 1000)
    with pytest.raises(InvalidInput, match=r"belongs to another user \(uid 1000\)"):
        read_inputs_file(str(file), SECRET)


def test_a_secret_input_may_come_through_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"pin: '1234'\n")
    os.close(writing)
    assert read_inputs_file(f"/dev/fd/{reading}", SECRET) == {"pin": "1234"}
    os.close(reading)
