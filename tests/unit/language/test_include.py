"""`runbook`: the steps of another file as a group, and what is wrong with them, in the words that an operator reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from durun.errors import InvalidInput, InvalidRunbook
from durun.language.include import MAX_NESTING
from durun.language.load import load
from durun.language.needed import secrets_by_step
from durun.language.plan import make_plan
from durun.model.runbook import Runbook

HEAD = "durun: 1\nname: x\n"
LEAF = HEAD + "steps: [{id: a, run: [a]}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """folder({path: text}): these files; without a text they are runbooks of one step."""

    def make(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "ops" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text or LEAF, encoding="utf-8")
        return tmp_path / "ops"

    return make


@pytest.fixture
def read(folder: Any) -> Callable[..., Runbook]:
    """read(steps, head, **files): a checked runbook `main.yaml` that has these steps."""

    def make(steps: str, head: str = "", files: Mapping[str, str] | None = None) -> Runbook:
        place = folder(files or {})
        return load(f"{HEAD}{head}steps:\n{steps}".encode(), "ops/main.yaml", str(place)).runbook

    return make


@pytest.fixture
def wrong(read: Any) -> Callable[..., list[str]]:
    """wrong(steps, head, files): the report of what is wrong, a line for each problem, then its hint."""

    def make(steps: str, head: str = "", files: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(InvalidRunbook) as caught:
            read(steps, head, files)
        blocks = [block.split("\n") for block in caught.value.report.split("\n\n")]
        return [line.strip() for block in blocks for line in (block[0], *block[3:])]

    return make


def call(file: str = "lib/leaf.yaml", more: str = "", inputs: str = "") -> str:
    given = f", inputs: {{{inputs}}}" if inputs else ""
    return f"  - {{id: call, runbook: {{file: {file}{given}}}{more}}}\n"


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


class TestWrongFiles:
    @pytest.mark.fault(36)
    def test_a_file_that_is_not_there(self, wrong: Any) -> None:
        assert wrong(call("lib/laef.yaml"), files={"lib/leaf.yaml": ""}) == [
            "ops/main.yaml:4:32: there is no file ops/lib/laef.yaml",
            "hint: did you mean `ops/lib/leaf.yaml`?",
        ]
        assert wrong(call("lob/leaf.yaml")) == [
            "ops/main.yaml:4:32: there is no file ops/lob/leaf.yaml",
            "hint: there is no folder ops/lob",
        ]
        assert wrong(call("lib")) == [
            "ops/main.yaml:4:32: ops/lib is a folder",
            "hint: there is leaf.yaml",
        ]

    @pytest.mark.fault(35)
    def test_a_file_that_is_no_runbook(self, wrong: Any) -> None:
        assert wrong(call(), files={"lib/leaf.yaml": "a: &a [*a]\nb: !x y\n"})[0].startswith("ops/lib/leaf.yaml:1:")
        assert wrong(call(), files={"lib/leaf.yaml": "# nothing\n"}) == [
            "ops/lib/leaf.yaml:1:1: the file is empty",
            "hint: `durun new` writes one to begin with",
        ]
        assert wrong(call(), files={"lib/leaf.yaml": "x" * (1 << 20) + "x"}) == [
            "ops/main.yaml:4:32: ops/lib/leaf.yaml: the file is larger than 1 MiB",
            "hint: keep scripts and data in files of their own",
        ]

    @pytest.mark.fault(36)
    def test_how_a_file_is_named(self, wrong: Any) -> None:
        assert wrong(call("/etc/leaf.yaml")) == [
            "ops/main.yaml:4:32: an included runbook is named relative to the file that includes it",
            "hint: write it as in `file: lib/x.yaml`",
        ]
        assert wrong(call('"lib/${{ inputs.x }}.yaml"')) == [
            "ops/main.yaml:4:37: `file` can't hold an expression",
            "hint: write the value itself",
        ]
        assert wrong("  - {id: call, runbook: lib/leaf.yaml}\n") == [
            "ops/main.yaml:4:25: `runbook` must be a mapping (file, inputs), not lib/leaf.yaml",
            "hint: write `runbook: {file: PATH}`",
        ]
        assert wrong("  - {id: call, runbook: {inputs: {}}}\n") == [
            "ops/main.yaml:4:16: `runbook` needs `file:`",
            "hint: write `file:`, the runbook's path, relative to this file",
        ]
        assert (
            wrong("  - {id: call, include: lib/leaf.yaml}\n")[1] == "hint: write `runbook: {file: PATH, inputs: {…}}`"
        )

    @pytest.mark.fault(36)
    def test_circles_are_named(self, wrong: Any) -> None:
        assert wrong(call("main.yaml")) == ["ops/main.yaml:4:32: a runbook that includes itself: main.yaml → main.yaml"]
        files = {
            "lib/a.yaml": f"{HEAD}steps:\n{call('b.yaml')}",
            "lib/b.yaml": f"{HEAD}steps:\n{call('./../lib/a.yaml')}",
        }
        assert wrong(call("lib/a.yaml"), files=files) == [
            "ops/lib/b.yaml:4:32: these runbooks include each other: lib/a.yaml → lib/b.yaml → lib/a.yaml"
        ]
        assert wrong(call("lib/a.yaml"), files=files | {"lib/b.yaml": f"{HEAD}steps:\n{call('../main.yaml')}"}) == [
            "ops/lib/b.yaml:4:32: these runbooks include each other: main.yaml → lib/a.yaml → lib/b.yaml → main.yaml"
        ]

    @pytest.mark.fault(36)
    def test_depth_and_number_are_bounded(self, wrong: Any, read: Any) -> None:
        def chain(length: int) -> dict[str, str]:
            files = {f"{n}.yaml": f"{HEAD}steps:\n{call(f'{n + 1}.yaml')}" for n in range(1, length)}
            return {**files, f"{length}.yaml": LEAF}

        assert len(read(call("1.yaml"), files=chain(MAX_NESTING)).includes) == MAX_NESTING
        assert wrong(call("1.yaml"), files=chain(MAX_NESTING + 1)) == [
            "ops/8.yaml:4:32: runbooks include each other more than 8 deep",
            "hint: include fewer in each other",
        ]

    @pytest.mark.fault(35)
    def test_many_files_and_large_ones_are_refused(self, wrong: Any) -> None:
        steps = "".join(call(f"{n}.yaml").replace("call", f"c{n}") for n in range(101))
        assert wrong(steps, files={f"{n}.yaml": LEAF for n in range(101)}) == [
            "ops/main.yaml:104:32: with 100.yaml, more than 100 files, or 4 MiB, are included",
            "hint: include less, or split the runbook",
        ]
        large = LEAF + "#" * (1 << 20)
        steps = "".join(call(f"{n}.yaml").replace("call", f"c{n}") for n in range(5))
        assert wrong(steps, files={f"{n}.yaml": large[: 1 << 20] for n in range(5)})[0] == (
            "ops/main.yaml:8:30: with 4.yaml, more than 100 files, or 4 MiB, are included"
        )

    @pytest.mark.fault(35)
    def test_files_that_multiply_are_refused_at_once(self, wrong: Any) -> None:
        def many(file: str) -> str:
            return f"{HEAD}steps:\n" + "".join(call(file).replace("call", f"c{n}") for n in range(30))

        files = {"a.yaml": many("b.yaml"), "b.yaml": many("c.yaml"), "c.yaml": many("d.yaml"), "d.yaml": LEAF}
        found = wrong(call("a.yaml"), files=files)
        assert found[0] == "ops/a.yaml:9:30: with all that it includes, the runbook has more than 10,000 steps"


class TestWrongRunbooks:
    @pytest.mark.fault(36)
    def test_keys_of_a_whole_run_are_refused(self, wrong: Any) -> None:
        keys = "concurrency: {group: g}\non_failure: stop\nmax_parallel: 2\n"
        keys += "finally: [{id: z, run: [a]}]\n"
        found = wrong(call(), files={"lib/leaf.yaml": LEAF + keys})
        assert found == [
            line
            for place, key in enumerate(("concurrency", "on_failure", "max_parallel", "finally"), 4)
            for line in (
                f"ops/lib/leaf.yaml:{place}:1: `{key}` has no meaning in a runbook that is included, and main.yaml "
                "includes this one",
                "hint: remove it, or write it in main.yaml, whose run it is",
            )
        ]

    @pytest.mark.fault(36)
    def test_keys_of_a_step_that_does_something_are_refused(self, wrong: Any) -> None:
        for key, value in {
            "timeout": "5s",
            "retry": "{max_attempts: 2}",
            "outputs": "{x: {}}",
            "env": "{A: b}",
        }.items():
            assert wrong(call(more=f", {key}: {value}"), files={"lib/leaf.yaml": ""}) == [
                f"ops/main.yaml:4:48: `{key}` has no meaning for `runbook`",
                "hint: put it on the steps in that file, or under its `defaults`",
            ]
        assert wrong("  - {id: a, run: [a], runbook: {file: lib/leaf.yaml}}\n") == [
            "ops/main.yaml:4:23: a step has one action, and this one has `run` and `runbook`",
            "hint: make it two steps",
        ]

    @pytest.mark.fault(36)
    def test_inputs_that_are_missing_superfluous_or_of_another_kind(self, wrong: Any) -> None:
        inner = (
            HEAD
            + "inputs: {who: {required: true, description: Who it is}, n: {type: integer, maximum: 9}}\n"
            + ("steps: [{id: a, run: [a]}]\n")
        )
        assert wrong(call(inputs="whom: x, n: 12"), files={"lib/leaf.yaml": inner}) == [
            "ops/main.yaml:4:32: lib/leaf.yaml needs the input `who` (Who it is)",
            "hint: write `inputs: {who: …}` beside `file`",
            "ops/main.yaml:4:56: lib/leaf.yaml has no input `whom`",
            "hint: did you mean `who`?",
            "ops/main.yaml:4:68: input `n` must be at most 9",
            "hint: see `n` under the `inputs` of lib/leaf.yaml",
        ]
        assert wrong(call(inputs="x: y"), files={"lib/leaf.yaml": ""}) == [
            "ops/main.yaml:4:56: lib/leaf.yaml has no input `x`",
            "hint: it has no inputs",
        ]

    @pytest.mark.fault(36)
    def test_a_secret_is_given_to_a_secret_input_only(self, wrong: Any, read: Any) -> None:
        inner = HEAD + "inputs: {pw: {secret: true}, plain: {}}\nsteps: [{id: a, run: [a]}]\n"
        head, files = "secrets: {s: {env: S}}\n", {"lib/leaf.yaml": inner}
        read(call(inputs='pw: "${{ secrets.s }}"'), head, files)
        assert wrong(call(inputs='plain: "${{ secrets.s }}"'), head, files) == [
            "ops/main.yaml:5:68: `secrets.s` is secret, and the input that it is given to is shown and journalled",
            "hint: say `secret: true` of that input, in the file that has it",
        ]

    @pytest.mark.fault(36)
    def test_names_of_the_one_file_are_not_those_of_the_other(self, wrong: Any) -> None:
        inner = HEAD + (
            'inputs: {own: {}}\nsteps: [{id: a, run: ["${{ inputs.outer }}", "${{ secrets.s }}", '
            '"${{ steps.one.status }}", "${{ target }}"]}]\noutputs: {x: "${{ steps.a.status }}"}\n'
        )
        steps = (
            "  - {id: one, run: [a]}\n"
            + call(more=", targets: [1]")
            + (
                '  - {id: last, run: ["${{ inputs.own }}", "${{ steps.a.status }}", '
                "\"${{ steps['call.a'].status }}\"]}\n"
                "  - {id: more, run: [\"${{ steps.call.targets['1'].outputs.y }}\"]}\n"
            )
        )
        found = wrong(steps, "inputs: {outer: {}}\nsecrets: {s: {env: S}}\n", {"lib/leaf.yaml": inner})
        assert [line for line in found if not line.startswith("hint")] == [
            "ops/main.yaml:8:27: there is no input `own`",
            "ops/main.yaml:8:48: there is no step `a`",
            "ops/main.yaml:8:73: there is no step `call.a`",
            "ops/lib/leaf.yaml:4:28: there is no input `outer`",
            "ops/lib/leaf.yaml:4:51: there is no secret `s`",
            "ops/lib/leaf.yaml:4:71: there is no step `one`",
            "ops/lib/leaf.yaml:4:98: `target` is known only inside a step or group with `targets`",
        ]

    @pytest.mark.fault(36)
    def test_outputs_are_those_of_the_file(self, wrong: Any, read: Any) -> None:
        inner = LEAF + 'outputs: {said: "${{ steps.a.status }}"}\n'
        files = {"lib/leaf.yaml": inner}
        last = '  - {id: last, run: ["${{ steps.call.outputs.OUT }}"]}\n'
        read(call() + last.replace("OUT", "said"), files=files)
        assert wrong(call() + last.replace("OUT", "sayd"), files=files) == [
            "ops/main.yaml:5:27: step `call` declares no output `sayd`",
            "hint: did you mean `said`?",
        ]
        assert wrong(call() + last.replace("OUT", "zzz"), files=files)[1] == (
            "hint: declare it under the `outputs` of lib/leaf.yaml"
        )

    @pytest.mark.fault(36)
    def test_a_secret_output_stays_one(self, wrong: Any, read: Any) -> None:
        inner = HEAD + "steps: [{id: a, generate: {token: {}}}]\noutputs: {t: '${{ steps.a.outputs.token }}'}\n"
        files = {"lib/leaf.yaml": inner}
        read(call() + '  - {id: b, run: [b], env: {T: "${{ steps.call.outputs.t }}"}}\n', files=files)
        found = wrong(call() + '  - {id: b, run: [b, "${{ steps.call.outputs.t }}"]}\n', files=files)
        assert found[0] == (
            "ops/main.yaml:5:27: `steps.call.outputs.t` is secret, and an argument of a program can be read by "
            "everybody on the machine"
        )
        with pytest.raises(InvalidRunbook, match="1 problem"):
            load(inner.encode(), "leaf.yaml")

    @pytest.mark.fault(36)
    def test_a_fan_out_is_around_it_or_in_it(self, wrong: Any, read: Any) -> None:
        fan = HEAD + "steps: [{id: f, targets: [1], run: [a]}]\n"
        files = {"lib/leaf.yaml": fan, "mid.yaml": f"{HEAD}steps:\n{call()}"}
        read(call("mid.yaml"), files=files)
        expected = "a fan-out inside a fan-out: step `call.f` of mid.yaml has `targets` too"
        hint = "hint: one level is possible: around what is included, or in it"
        assert wrong(call("mid.yaml", ", targets: [1]"), files=files) == [f"ops/main.yaml:4:32: {expected}", hint]
        group = f"  - id: g\n    targets: [1]\n    steps:\n    {call('mid.yaml')}"
        assert wrong(group, files=files) == [f"ops/main.yaml:7:36: {expected}", hint]

    @pytest.mark.fault(36)
    def test_all_is_told_at_once_and_nothing_that_only_follows_from_it(self, wrong: Any) -> None:
        broken = (
            HEAD + "steps: [{id: a, run: [a], tiemout: 3}, {id: a, run: [b]}]\noutputs: {x: '${{ steps.a.status }}'}\n"
        )
        steps = call(inputs='some: "${{ steps.nope.status }}"') + '  - {id: b, run: ["${{ steps.call.outputs.x }}"]}\n'
        assert [line for line in wrong(steps, files={"lib/leaf.yaml": broken}) if "hint" not in line] == [
            "ops/main.yaml:4:67: there is no step `nope`",
            "ops/lib/leaf.yaml:3:27: unknown key `tiemout` in a step",
            "ops/lib/leaf.yaml:3:45: the id `a` is already taken, in line 3",
        ]

    def test_warnings_have_the_name_of_their_file(self, folder: Any) -> None:
        place = folder({"lib/leaf.yaml": HEAD + "steps: [{id: a, run: ./do.sh now}]\n", "lib/do.sh": "#", "do.sh": "#"})
        found = load(f"{HEAD}steps:\n{call()}".encode(), "ops/main.yaml", str(place)).warnings
        assert found == (
            "ops/lib/leaf.yaml:3:22: `./do.sh` stands beside the runbook and isn't in `files` (add ./do.sh to `files`, "
            "so that a resume still runs what was started)",
        )


@pytest.mark.fault(36)
def test_a_file_that_copies_the_secrets_of_another(wrong: Any) -> None:
    inner = HEAD + "secrets: {k: {file: keys/k}}\nsteps: [{id: a, run: [a], env: {K: '${{ secrets.k }}'}}]\n"
    steps = call() + "  - {id: other, runbook: {file: other.yaml}}\n"
    files = {"lib/leaf.yaml": inner, "other.yaml": LEAF + 'files: ["lib/keys/*"]\n'}
    assert wrong(steps, 'files: ["**/k"]\n', files) == [
        "ops/main.yaml:5:32: `**/k` in `files` would copy the file with the secret `call.k` into the run",
        "hint: choose the helper files by narrower globs: what is secret is never copied",
        "ops/main.yaml:5:32: `lib/keys/*` in `files` would copy the file with the secret `call.k` into the run",
        "hint: choose the helper files by narrower globs: what is secret is never copied",
    ]


def test_what_a_step_is_made_of_is_plain_data(read: Any) -> None:
    book = read(call(inputs="who: ada"), files={"lib/leaf.yaml": INNER})
    assert json.dumps(book.included)
    assert book == read(call(inputs="who: ada"), files={"lib/leaf.yaml": INNER})
