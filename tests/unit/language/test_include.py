"""`runbook`: the steps of another file as a group."""

from __future__ import annotations

import json
from typing import Any

import pytest

from durun.errors import InvalidInput
from durun.language.load import load
from durun.language.needed import secrets_by_step
from durun.language.plan import make_plan

from .included import HEAD, LEAF, call

INNER = f"""{HEAD}
inputs: {{who: {{required: true}}, n: {{type: integer, default: 2}}, pw: {{secret: true}}}}
secrets: {{key: {{file: key.txt}}}}
env: {{WHO: "${{{{ inputs.who }}}}"}}
inherit_env: [LANG_X]
files: [helper.sh]
requires: {{commands: [psql]}}
steps:
  - {{id: one, needs: [], run: [one], retry: {{max_attempts: "${{{{ inputs.n }}}}"}}}}
  - {{id: two, needs: [], run: [two, "${{{{ env.TWO }}}}"], env: {{K: "${{{{ secrets.key }}}}"}}}}
  - id: group
    needs: [one, two]
    steps: [{{id: three, run: [three]}}]
outputs: {{said: "${{{{ inputs.who }}}}", key: "${{{{ secrets.key }}}}"}}
"""


class TestAGroup:
    def test_the_steps_have_the_ids_of_both(self, read: Any) -> None:
        book = read(call(inputs="who: ada"), files={"lib/leaf.yaml": INNER})
        assert [step.id for step in book.every_step()] == [
            "call", "call:inputs", "call.one", "call.two", "call.group", "call.three",
        ]  # fmt: skip
        assert {step.id: step.needs for step in book.every_step()} == {
            "call": (),
            "call:inputs": (),
            "call.one": ("call:inputs",),
            "call.two": ("call:inputs",),
            "call.group": ("call.one", "call.two"),
            "call.three": (),
        }

    def test_one_without_inputs_begins_at_once(self, read: Any) -> None:
        book = read(call(), files={"lib/leaf.yaml": ""})
        assert [(step.id, step.needs) for step in book.steps[0].steps] == [("call.a", ())]

    def test_what_holds_inside_is_kept_apart(self, read: Any) -> None:
        book = read(call(inputs="who: ada"), "env: {OUT: o}\n", {"lib/leaf.yaml": INNER})
        (include,) = book.includes
        assert (include.file, include.folder, include.secrets) == ("lib/leaf.yaml", "lib", ("key",))
        assert (include.early, include.secret_outputs) == (("n",), ("key",))
        assert (book.env, tuple(include.env)) == ({"OUT": "o"}, ("WHO",))
        assert (book.files, include.files) == ((), ("helper.sh",))
        assert book.file_globs == [("", ()), ("lib", ("helper.sh",))]
        assert [requires.commands for requires in book.all_requires] == [(), ("psql",)]

    def test_secrets_and_variables_are_told_for_the_whole_run(self, read: Any) -> None:
        files = {"lib/leaf.yaml": INNER, "mid.yaml": f"{HEAD}steps:\n{call(inputs='who: b')}"}
        book = read(call("mid.yaml", inputs="").replace("call", "top"), files=files)
        assert {name: (secret.spec, secret.folder) for name, secret in book.secrets.items()} == {
            "top.call.key": ("key.txt", "lib")
        }
        assert book.env_names == ("TWO",)
        assert book.has_secrets
        assert secrets_by_step(book) == {
            "top.call.two": {"top.call.key"},
            "top.call": {"top.call.key"},
        }

    def test_a_secret_that_is_given_is_wanted_by_what_takes_it(self, read: Any) -> None:
        steps = call(inputs='who: a, pw: "${{ secrets.s }}"')
        book = read(steps, "secrets: {s: {env: S}}\n", {"lib/leaf.yaml": INNER})
        assert secrets_by_step(book)["call:inputs"] == {"s"}
        assert "call" in secrets_by_step(book)

    def test_its_controls_are_those_of_the_step(self, read: Any) -> None:
        files = {"lib/leaf.yaml": LEAF + "controls: [A:B, C:D]\n"}
        assert read(call(more=", controls: [E:F, A:B]"), files=files).steps[0].controls == ("E:F", "A:B", "C:D")

    def test_the_digest_and_the_texts_are_of_all_files(self, read: Any, folder: Any) -> None:
        book = read(call(), files={"lib/leaf.yaml": ""})
        assert book.included == {"lib/leaf.yaml": LEAF}
        other = read(call(), files={"lib/leaf.yaml": LEAF + "# edited\n"})
        assert other.digest != book.digest
        alone = load(LEAF.encode(), "leaf.yaml").runbook
        assert alone.included == {}

    def test_stored_texts_are_all_that_is_read(self, read: Any, folder: Any) -> None:
        book = read(call(), files={"lib/leaf.yaml": ""})
        (folder({}) / "lib" / "leaf.yaml").write_text("nonsense", encoding="utf-8")
        assert load(book.text.encode(), "ops/main.yaml", included=book.included).runbook == book

    def test_a_file_is_named_from_the_file_that_includes_it(self, read: Any) -> None:
        files = {"a/one.yaml": f"{HEAD}steps:\n{call('../b/two.yaml')}", "b/two.yaml": ""}
        book = read(call("a/one.yaml"), files=files)
        assert [include.file for include in book.includes] == ["a/one.yaml", "b/two.yaml"]
        assert sorted(book.included) == ["a/one.yaml", "b/two.yaml"]

    def test_a_file_above_the_runbook(self, read: Any, folder: Any) -> None:
        (folder({"x": ""}).parent / "leaf.yaml").write_text(LEAF, encoding="utf-8")
        assert [one.file for one in read(call("../leaf.yaml")).includes] == ["../leaf.yaml"]

    def test_the_same_file_twice(self, read: Any) -> None:
        book = read(call() + call().replace("call", "again"), files={"lib/leaf.yaml": ""})
        assert [step.id for step in book.every_step()] == ["call", "call.a", "again", "again.a"]

    def test_it_may_stand_in_a_group_and_in_finally(self, read: Any) -> None:
        steps = f"  - id: g\n    steps:\n    {call()}finally:\n{call().replace('call', 'end')}"
        book = read(steps, files={"lib/leaf.yaml": ""})
        plan = make_plan(book, {}, {})
        assert plan.all_leaves(plan.roots) == ["call.a"]
        assert plan.all_leaves(plan.finals) == ["end.a"]
        assert plan.nodes["end.a"].final


class TestThePlan:
    NUMBERS = HEAD + (
        "inputs: {n: {type: integer, default: 2}, m: {type: integer, default: 3}}\n"
        'steps: [{id: a, targets: [1], max_parallel: "${{ inputs.m }}", run: [a], '
        'retry: {max_attempts: "${{ inputs.n }}"}}]\n'
    )

    def test_numbers_come_from_what_is_given(self, read: Any) -> None:
        inner = call("numbers.yaml", inputs='n: "${{ inputs.k + 1 }}"')
        mid = HEAD + "inputs: {k: {type: integer}}\nsteps:\n" + inner
        book = read(
            call("mid.yaml", inputs='k: "${{ inputs.all }}"'),
            "inputs: {all: {type: integer}}\n",
            {"mid.yaml": mid, "numbers.yaml": self.NUMBERS},
        )
        node = make_plan(book, {"all": 4}, {}).nodes["call.call.a"]
        assert node.retry.max_attempts == 5
        assert node.fan_out is not None
        assert node.fan_out.max_parallel == 3

    def test_a_number_that_can_not_be_used_is_told_with_its_file(self, read: Any) -> None:
        steps = call("numbers.yaml", inputs='n: "${{ inputs.all }}"')
        book = read(steps, "inputs: {all: {type: integer}}\n", {"numbers.yaml": self.NUMBERS})
        with pytest.raises(InvalidInput) as caught:
            make_plan(book, {"all": 0}, {})
        assert caught.value.message == (
            "numbers.yaml, line 4, step `call.a`: `retry.max_attempts` wants a whole number from 1 to 1000, not `0`"
        )

    def test_what_is_known_too_late_is_refused_where_it_is_given(self, wrong: Any) -> None:
        steps = "  - {id: one, run: [a], outputs: {x: {from: stdout}}}\n" + call(
            "numbers.yaml", inputs='n: "${{ steps.one.outputs.x }}", m: "${{ 2 }}"'
        )
        assert wrong(steps, files={"numbers.yaml": self.NUMBERS}) == [
            "ops/main.yaml:5:63: `steps.one.outputs.x` is not known when the plan is made; only `inputs`, `env` and "
            "`run.id` are",
            "hint: numbers.yaml reads it for a number of the plan, as in `retry`",
        ]


def test_what_a_step_is_made_of_is_plain_data(read: Any) -> None:
    book = read(call(inputs="who: ada"), files={"lib/leaf.yaml": INNER})
    assert json.dumps(book.included)
    assert book == read(call(inputs="who: ada"), files={"lib/leaf.yaml": INNER})
