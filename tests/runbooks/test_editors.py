"""What an editor shows of a runbook: the schema in the real yaml-language-server, over its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons.yaml_server import SERVER, Editor
from durun.language.load import load
from durun.language.schema import SCHEMA_FILE
from durun.language.starters import STARTERS, starter

ROOT = Path(__file__).parents[2]
MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="`bash .ci/setup test` installs yaml-language-server")

HALF = f"""{MODELINE}durun: 1
name: half
steps:
  - id: a
    run: "true"
    on_in_doubt: ask
    verify:
      run: "true"
\x20\x20\x20\x20\x20\x20
  - id: b
    run: "true"
    on_in_doubt:\x20
\x20\x20\x20\x20
"""


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with Editor(tmp_path_factory.mktemp("editor")) as opened:
        yield opened


def test_nothing_is_underlined_in_what_durun_ships(editor: Editor, tmp_path: Path) -> None:
    books = {path.name: MODELINE + path.read_text() for path in (ROOT / "runbooks").glob("*.yaml")}
    books |= {f"new-{kind}.yaml": starter(kind, f"new-{kind}") for kind in STARTERS}
    assert len(books) > 6
    for name, text in books.items():
        assert load(text.encode(), name).warnings == ()
        assert editor.open(tmp_path / name, text) == [], name


def test_mistakes_are_underlined_where_they_are(editor: Editor, tmp_path: Path) -> None:
    text = f"""{MODELINE}durun: 1
name: Bad_Name
steps:
  - id: a
    rn: "true"
  - id: b
    run: "true"
    on_in_doubt: sak
    depends_on: [a]
    retry: {{max_attempts: many}}
"""
    found = editor.open(tmp_path / "bad.yaml", text)
    assert [line for line, _ in found] == [3, 5, 6, 9, 10, 11]
    told = dict(found)
    assert "Property rn is not allowed" in told[6]
    assert '"verify", "rerun", "ask", "fail"' in told[9]
    assert "Property depends_on is not allowed" in told[10]


def test_a_key_is_explained_and_what_may_stand_there_is_offered(editor: Editor, tmp_path: Path) -> None:
    editor.open(tmp_path / "half.yaml", HALF)
    assert "What happens when nobody knows whether the step was done" in editor.hover(7, 8)
    assert "is this step done?" in editor.hover(8, 7)
    inside = editor.complete(10, 7)
    assert {"not_done_on", "before", "after", "settle"} <= set(inside)
    assert editor.complete(13, 18) == ["verify", "rerun", "ask", "fail"]
    step = editor.complete(14, 5)
    assert {"needs", "targets", "verify", "timeout", "retry", "continue_on_error"} <= set(step)


INSIDE = f"""{MODELINE}durun: 1
name: inside
steps:
  - id: change
    http:
      url: https://changes.example/
      method: POST
\x20\x20\x20\x20\x20\x20
    retry:
      max_attempts: 3
\x20\x20\x20\x20\x20\x20
  - id: approved
    approval:
      message: Shall it be done?
      min_approvals: 2
\x20\x20\x20\x20\x20\x20
"""


def test_keys_are_explained_and_offered_inside_requests_retries_and_approvals(editor: Editor, tmp_path: Path) -> None:
    editor.open(tmp_path / "inside.yaml", INSIDE)
    assert "request" in editor.hover(6, 6)
    assert "GET" in editor.hover(8, 8)
    assert {"headers", "json", "auth", "tls", "expect_status"} <= set(editor.complete(9, 7))
    assert "in all" in editor.hover(11, 8)
    assert {"delay", "backoff", "max_delay", "jitter", "on_exit_codes"} <= set(editor.complete(12, 7))
    assert "how many" in editor.hover(16, 8).lower()
    assert {"approvers", "allow_requester", "timeout", "fields"} <= set(editor.complete(17, 7))


def test_a_value_of_the_wrong_type_is_underlined(editor: Editor, tmp_path: Path) -> None:
    text = f"""{MODELINE}durun: 1
name: types
steps:
  - id: a
    run: 5
  - id: b
    http: {{url: [a], json: {{any: thing}}}}
  - id: c
    approval: {{message: 1, min_approvals: two}}
  - id: d
    run: "true"
    targets: 7
    max_parallel: some
    timeout: {{}}
    outputs: {{x: {{type: many}}, y: {{form: stdout}}}}
"""
    found = editor.open(tmp_path / "types.yaml", text)
    assert sorted({line for line, _ in found}) == [6, 8, 10, 13, 14, 15, 16]


OUTPUTS = f"""{MODELINE}durun: 1
name: outputs
steps:
  - id: size
    run: "true"
    outputs:
      bytes:
        type: integer
\x20\x20\x20\x20\x20\x20\x20\x20
"""


def test_keys_of_an_output_are_explained_and_offered(editor: Editor, tmp_path: Path) -> None:
    editor.open(tmp_path / "outputs.yaml", OUTPUTS)
    assert "is read as JSON" in editor.hover(9, 10)
    assert {"from", "json", "secret"} <= set(editor.complete(10, 9))
