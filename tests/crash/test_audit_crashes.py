"""kill -9 where the history is signed or pruned: what is left is proved, and signed by whoever comes next."""

from __future__ import annotations

import json

import pytest

from crash.harness import Bench

AROUND = ("before", "after")
BOOK = """
steps:
  - {id: first, run: 'eval "$MARK"', shell: sh}
  - {id: second, run: 'eval "$MARK"', shell: sh}
"""


@pytest.mark.parametrize("when", AROUND)
@pytest.mark.parametrize("point", ["begin_to_sign", "key"])
def test_killed_where_the_key_is_made_or_fetched(bench: Bench, point: str, when: str) -> None:
    book = str(bench.write(BOOK))
    sprung, _ = bench.crash("run", book, at=f"runner {point}.{when} 1")
    assert sprung
    assert bench("resume", bench.last() or "").code == 0
    assert bench.effects() == {"first": 1, "second": 1}
    proof = bench("verify", "--json")
    assert proof.code == 0, proof
    assert json.loads(proof.out)["unsigned"] == 0
    bench.check()


@pytest.mark.parametrize("when", AROUND)
def test_killed_where_a_word_is_signed_that_nobody_drives(bench: Bench, when: str) -> None:
    book = str(bench.write("steps:\n  - {id: first, run: 'exit 76'}\n"))
    assert bench("run", book).code == 3
    run = bench.last() or ""
    sprung, _ = bench.crash("settle", run, "first", "--done", "--reason", "seen", at=f"runner sign.{when} 1")
    assert sprung
    proof = bench("verify", "--json")
    assert (proof.code, json.loads(proof.out)["unsigned"]) == (0, 1 if when == "before" else 0)
    assert bench("resume", run).code == 0
    assert json.loads(bench("verify", "--json").out)["unsigned"] == 0


@pytest.mark.parametrize("when", AROUND)
def test_killed_in_the_middle_of_pruning(bench: Bench, when: str) -> None:
    book = str(bench.write(BOOK))
    assert bench("run", book).code == 0
    run = bench.last() or ""
    sprung, _ = bench.crash("prune", "--older-than", "0s", at=f"runner prune.{when} 1")
    assert sprung
    assert (bench.home / "runs" / run).exists()
    assert bench("prune", "--older-than", "0s").code == 0
    assert not (bench.home / "runs" / run).exists()
    assert bench("show", run).code == 2
    proof = bench("verify", "--json")
    assert (proof.code, json.loads(proof.out)["runs"]) == (0, 0)
