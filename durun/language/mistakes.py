"""What the YAML parser's complaints mean for someone who writes a runbook.

The parser is right, but speaks of tokens; nearly always it is an expression without quotes, a tab, or a
colon inside a text.
"""

from __future__ import annotations

import re
from typing import Any

from durun.language.diagnostics import Diagnostic, Place

_QUOTE_EXPRESSION = 'quote the value: "${{ … }}" (YAML needs it inside { } and [ ], and before `: ` or ` #`)'
_UNQUOTED = re.compile(r"""(?<!["'$])\$\{\{""")

_MEANINGS = (
    (
        "mapping values are not allowed",
        "a `: ` stands where YAML doesn't expect one",
        "quote a text that holds `: `, or write it below `|`",
    ),
    ("cannot start any token", "a text can't begin with this character", "quote the text"),
    ("found unexpected end of stream", "a quote that is opened here is never closed", "close it"),
    ("could not find expected ':'", "a key without `:`", "write `key: value`, and indent the lines of a long text"),
    ("did not find expected key", "this isn't a key of the mapping around it", "check the indentation and the quotes"),
    ("did not find expected '-'", "this isn't an item of the list around it", "check the indentation"),
    ("did not find expected ',' or '}'", "a mapping in { } isn't closed here", "quote texts with special characters"),
    ("did not find expected ',' or ']'", "a list in [ ] isn't closed here", "quote texts with special characters"),
    ("block sequence entries are not allowed", "a list can't begin here", "put its first `- ` on a line of its own"),
    ("unknown escape character", "an unknown escape in double quotes", "double the backslash or use single quotes"),
)


def explain(error: Any, text: str) -> Diagnostic:
    """A parser's error (yaml.MarkedYAMLError) in the words of a runbook."""
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or "it can't be read")
    if "unexpected end of stream" in problem and error.context_mark:
        mark = error.context_mark
    if mark is None:
        return Diagnostic(Place(1, 1), f"this isn't YAML: {problem}")
    place = Place(mark.line + 1, mark.column + 1)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    if "cannot start any token" in problem and line[mark.column : mark.column + 1] == "\t":
        return Diagnostic(place, "a tab can't indent YAML", "use spaces")
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Diagnostic(place, "a tab can't indent YAML", "use spaces")
    known = (meaning[1:] for meaning in _MEANINGS if meaning[0] in problem)
    message, hint = next(known, (f"this isn't YAML: {problem}", ""))
    return _of_expression(place, line, mark.column) or Diagnostic(place, message, hint)


def _of_expression(place: Place, line: str, column: int) -> Diagnostic | None:
    """An unquoted `${{` before the place of the error is what went wrong, whatever the parser says."""
    opened = [found.start() for found in _UNQUOTED.finditer(line) if found.start() <= column]
    if not opened:
        return None
    place = place._replace(column=opened[-1] + 1, length=3)
    return Diagnostic(place, "an expression needs quotes here", _QUOTE_EXPRESSION)
