"""What is wrong with `runbook`, with the file that it names, or with what stands there: as an operator reads it."""

from __future__ import annotations

from typing import Any

import pytest

from durun.errors import InvalidRunbook
from durun.language.include import MAX_NESTING
from durun.language.load import load

from .included import HEAD, LEAF, call


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
