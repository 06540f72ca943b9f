"""How problems are shown, to the character."""

from __future__ import annotations

import pytest

from durun.language.diagnostics import Diagnostic, Place, did_you_mean, harmless, render, render_all, split_lines


def shown(text: str, line: int, column: int, length: int = 1, message: str = "wrong", hint: str = "") -> str:
    return render(Diagnostic(Place(line, column, length), message, hint), "book.yaml", split_lines(text))


def test_place_line_caret_and_hint():
    text = "durun: 1\nsteps:\n  - id: a\n    depends_on: [b]\n"
    assert shown(text, 4, 5, 10, "unknown key `depends_on` in a step", "write `needs: [ID, …]`") == (
        "book.yaml:4:5: unknown key `depends_on` in a step\n"
        "    4 |     depends_on: [b]\n"
        "      |     ^^^^^^^^^^\n"
        "  hint: write `needs: [ID, …]`"
    )


def test_a_hint_of_several_lines_is_indented():
    assert shown("a", 1, 1, hint="add\n  env:\n    X: y").endswith("  hint: add\n          env:\n            X: y")


def test_wide_characters_shift_the_caret():
    assert shown("name: 日本 x", 1, 10, 1).split("\n")[2] == "      | " + " " * 11 + "^"


def test_a_wide_character_is_underlined_whole():
    assert shown("name: 日本", 1, 7, 2).split("\n")[2] == "      |       ^^^^"


def test_combining_characters_take_no_column():
    assert shown("a\u0301b", 1, 3).split("\n")[2] == "      |  ^"


def test_tabs_are_shown_as_spaces():
    assert shown("\ta: b", 1, 2).split("\n")[1:] == ["    1 |     a: b", "      |     ^"]


def test_terminal_escapes_and_bidi_are_shown_as_text():
    out = shown("x \x1b[31m \u202e y", 1, 1, message="bad \x1b]0;title\x07 \u2066", hint="a\x1b")
    assert "\x1b" not in out and "\u202e" not in out and "\u2066" not in out and "\x07" not in out
    assert "\\x1b[31m \\u202e y" in out
    assert "bad \\x1b]0;title\\x07 \\u2066" in out


def test_a_message_stays_one_line():
    assert shown("a", 1, 1, message="one\ntwo").split("\n")[0] == "book.yaml:1:1: one\\x0atwo"


def test_a_long_line_is_cut_around_the_caret():
    line = "a" * 5000 + "HERE" + "b" * 5000
    _, source, caret = shown(line, 1, 5001, 4).split("\n")
    assert len(source) <= 80
    assert source.startswith("    1 | … a") and source.endswith("b …")
    assert source[caret.index("^") :].startswith("HERE")
    assert caret.count("^") == 4


def test_a_long_message_is_cut():
    assert len(shown("a", 1, 1, message="x" * 10_000).split("\n")[0]) < 600


def test_a_caret_behind_the_end_of_the_line():
    assert shown("ab", 1, 3).split("\n")[2] == "      |   ^"


def test_all_are_ordered_by_place_and_told_once():
    later, earlier = Diagnostic(Place(2, 1), "later"), Diagnostic(Place(1, 2), "earlier")
    heads = [block.split("\n")[0] for block in render_all([later, earlier, later], "f", "ab\nc").split("\n\n")]
    assert heads == ["f:1:2: earlier", "f:2:1: later"]


@pytest.mark.parametrize(
    ("word", "near"),
    [("time_out", "timeout"), ("ned", "needs"), ("RUN", "run"), ("continue-on-eror", "continue_on_error")],
)
def test_did_you_mean(word, near):
    assert did_you_mean(word, ["run", "needs", "timeout", "continue_on_error"]) == f"did you mean `{near}`?"


def test_nothing_near_is_nothing():
    assert did_you_mean("zzz", ["run", "needs"]) == ""
    assert did_you_mean("r" * 100_000, ["run"]) == ""


def test_harmless_leaves_ordinary_text():
    assert harmless("Grüße, 日本 — “ok”") == "Grüße, 日本 — “ok”"
