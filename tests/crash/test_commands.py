"""What durun answers to an operator or to cron: busy, ended, unknown, not found, changed, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crash.harness import Bench, wait_until
from durun.journal.sqlite import open_journal

ONE = 'steps:\n  - id: one\n    run: eval "$MARK"\n'


def blocked(bench: Bench, fifo: Path, head: str = "", more: str = "") -> str:
    return str(
        bench.write(
            f"""
steps:
  - id: one
    run: 'eval "$MARK"; read -r _ < {fifo} || true'
{more}
  - id: two
    run: eval "$MARK"
""",
            head=head,
        )
    )


@pytest.mark.fault(12)
def test_resume_while_the_runner_lives(bench: Bench) -> None:
    fifo = bench.fifo()
    process = bench.start("run", blocked(bench, fifo))
    wait_until(lambda: bench.effects()["one"] == 1)
    run = bench.last() or ""
    ran = bench("resume", run, "--json")
    assert ran.code == 11, ran
    message = json.loads(ran.err)["error"]["message"]
    assert f"process {process.pid} on " in message
    assert "since 2" in message
    bench.let_go(fifo)
    assert bench.finish(process).code == 0
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(12)
def test_three_resumes_at_once(bench: Bench) -> None:
    fifo = bench.fifo()
    book = blocked(bench, fifo)
    process = bench.start("run", book)
    wait_until(lambda: bench.effects()["one"] == 1)
    bench.kill(process.pid)
    bench.finish(process)
    run = bench.last() or ""
    resumes = [bench.start("resume", run) for _ in range(3)]
    wait_until(lambda: sum(resume.poll() is not None for resume in resumes) == 2)
    bench.let_go(fifo)
    ended = [bench.finish(resume) for resume in resumes]
    assert sorted(ran.code for ran in ended) == [0, 11, 11], ended
    assert all("another process drives run " in ran.err for ran in ended if ran.code == 11)
    assert bench.effects() == {"one": 1, "two": 1}
    bench.check()


def test_five_starts_by_cron_at_once_are_one_run(bench: Bench) -> None:
    fifo = bench.fifo()
    book = blocked(bench, fifo)
    starts = [bench.start("run", book, "--resume-or-start") for _ in range(5)]
    wait_until(lambda: sum(start.poll() is not None for start in starts) == 4)
    wait_until(lambda: bench.effects()["one"] == 1)
    bench.let_go(fifo)
    ended = [bench.finish(start) for start in starts]
    assert sorted(ran.code for ran in ended) == [0, 11, 11, 11, 11], ended
    assert all("nothing was started" in ran.out for ran in ended if ran.code == 11)
    assert bench.effects() == {"one": 1, "two": 1}
    assert [path.name for path in bench.home.glob("runs/*")] == [bench.last()]


@pytest.mark.fault(13)
def test_resume_of_a_finished_run(bench: Bench) -> None:
    assert bench("run", str(bench.write(ONE))).code == 0
    run = bench.last() or ""
    ran = bench("resume", run)
    assert ran.code == 0
    assert "succeeded" in ran.out
    assert "nothing to resume" in ran.out
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(13)
def test_resume_of_an_unknown_or_ambiguous_run(bench: Bench) -> None:
    assert bench("run", str(bench.write(ONE))).code == 0
    real = bench.last() or ""
    with open_journal(bench.home / "journal.db") as journal:
        created = journal.events(real)[0].event
        for run in ("q2345aaaaa", "q2345bbbbb"):
            journal.append(run, 0, [created], 1.0)
    near = bench("resume", "q2345aaaab")
    assert near.code == 2
    assert "q2345aaaaa" in near.err
    ambiguous = bench("resume", "q23")
    assert ambiguous.code == 2
    assert "q2345aaaaa" in ambiguous.err
    assert "q2345bbbbb" in ambiguous.err
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(16)
def test_command_that_is_not_there_or_not_executable(bench: Bench) -> None:
    plain = bench.book / "plain"
    plain.write_text("true\n")
    for command, says in (("no-such-command-anywhere", "command not found"), (str(plain), "not executable")):
        trial = Bench(bench.folder, bench.folder / f"state-{says[-5:]}")
        book = trial.write(f"steps:\n  - id: one\n    run: [{command}]\n    retry: {{max_attempts: 3, delay: 0s}}\n")
        ran = trial("run", str(book))
        assert ran.code == 4, ran
        assert says in ran.out + ran.err
        assert command in ran.out + ran.err
        assert len(trial.task("one")["attempts"]) == 1
        trial.close()


@pytest.mark.fault(18)
def test_settle_wants_a_reason_and_keeps_it(bench: Bench) -> None:
    book = bench.write("steps:\n  - id: one\n    run: 'eval \"$MARK\"; kill -9 $$'\n")
    assert bench("run", str(book)).code == 3
    run = bench.last() or ""
    refused = bench("settle", run, "one", "--done")
    assert refused.code == 2
    assert "reason" in refused.err
    assert bench("settle", run, "one", "--done", "--reason", "looked at the effects").code == 0
    (event,) = bench.events("task_settled")
    assert (event["reason"], event["resolution"]) == ("looked at the effects", "done")
    assert "uid" in event["by"]
    assert event["at"]
    assert bench("resume", run).code == 0
    bench.check()


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    "value",
    [
        "$(touch pwned)",
        "`touch pwned`",
        "a'b\"c\\",
        "line\nbreak\n",
        "-n",
        "--",
        "☃ ümläut 🎉",
        "; touch pwned",
        "${{ x }}",
        "",
    ],
)
def test_input_reaches_the_step_literally(bench: Bench, value: str) -> None:
    seen = bench.folder / "seen"
    book = bench.write(
        f"""
  word: {{type: string, required: true}}
steps:
  - id: script
    run: printf %s "$INPUT_WORD" > {seen}-1
  - id: argv
    run: [sh, -c, 'printf %s "$1" > {seen}-2', sh, "${{{{ inputs.word }}}}"]
  - id: env
    run: printf %s "$WORD" > {seen}-3
    env: {{WORD: "${{{{ inputs.word }}}}"}}
  - id: stdin
    run: cat > {seen}-4
    stdin: ${{{{ inputs.word }}}}
"""
    )
    ran = bench("run", str(book), "-i", f"word={value}")
    assert ran.code == 0, ran
    for number in range(1, 5):
        assert Path(f"{seen}-{number}").read_bytes().decode() == value
    bench.quiet()
    assert not list(bench.folder.rglob("pwned"))


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    ("value", "says"), [("a\0b", "NUL"), ("x" * 200_000, "write it to a file")], ids=["NUL", "200 kB"]
)
def test_input_that_cannot_reach_a_step_is_refused(bench: Bench, value: str, says: str) -> None:
    book = bench.write(f"  word: {{type: string, required: true}}\n{ONE}")
    given = bench.folder / "given.json"
    given.write_text(json.dumps({"word": value}))
    ran = bench("run", str(book), "--inputs", str(given))
    assert ran.code == 2, ran
    assert says in ran.err
    assert not bench.effects()


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    "condition", ["inputs.nobody", "steps.one.outputs.nothing", "inputs.effects", "'yes'", "steps.one.status"]
)
def test_condition_that_can_never_hold_is_refused(bench: Bench, condition: str) -> None:
    book = bench.write(f'{ONE}  - id: two\n    if: {json.dumps(condition)}\n    run: eval "$MARK"\n')
    ran = bench("run", str(book))
    assert ran.code == 2, ran
    assert "trial.yaml:14:" in ran.err
    assert not bench.effects()


@pytest.mark.fault(39)
@pytest.mark.parametrize("condition", ["target", "target.nothing", "target.size > 1"])
def test_condition_that_turns_out_to_be_none_fails(bench: Bench, condition: str) -> None:
    """Neither run nor skipped."""
    steps = f'{ONE}  - id: two\n    targets: [{{name: a}}]\n    if: {condition}\n    run: eval "$MARK"\n'
    ran = bench("run", str(bench.write(steps)))
    assert ran.code == 1, ran
    assert bench.effects() == {"one": 1}
    assert bench.task("two", "a")["status"] == "failed"


@pytest.mark.fault(45)
@pytest.mark.parametrize("point", ["append.after", "send.after", "reply.before"])
def test_attempts_are_counted_on_over_crashes(bench: Bench, point: str) -> None:
    book = str(
        bench.write(
            """
steps:
  - id: one
    run: 'eval "$MARK"; exit 1'
    retry: {max_attempts: 3, delay: 0s}
"""
        )
    )
    bench.crash("run", book, at=f"runner {point} 3")
    for hit in (1, 2, 3):
        bench.crash("resume", bench.last() or "", at=f"runner {point} {hit}")
        if bench.state().record.status == "failed":
            break
    if bench.state().record.status != "failed":
        assert bench("resume", bench.last() or "").code == 1
    assert bench.effects() == {"one": 3}
    (task,) = bench.state().tasks.values()
    assert [a.status for a in task.attempts if a.status != "never_began"] == ["failed"] * 3


@pytest.mark.fault(45)
def test_failures_are_counted_on_over_crashes(bench: Bench) -> None:
    book = str(
        bench.write(
            """
steps:
  - id: each
    targets: [a, b, c, d, e]
    max_failures: 1
    run: 'eval "$MARK"; exit 1'
"""
        )
    )
    assert bench.crash("run", book, at="runner land.before 1")[0]
    ran = bench("resume", bench.last() or "")
    assert ran.code == 1, ran
    assert bench.effects() == {"each/a": 1, "each/b": 1}


@pytest.mark.fault(55)
def test_finally_runs_once_in_each_round(bench: Bench) -> None:
    mended = bench.folder / "mended"
    book = bench.write(
        f"""
steps:
  - id: one
    run: eval "$MARK"
  - id: two
    run: 'eval "$MARK"; test -e {mended}'
finally:
  - id: tidy
    run: 'eval "$MARK"; echo "$DURUN_RUN_STATUS" >> {bench.folder}/statuses'
"""
    )
    assert bench("run", str(book)).code == 1
    assert bench.effects() == {"one": 1, "two": 1, "tidy": 1}
    mended.touch()
    run = bench.last() or ""
    assert bench("resume", run).code == 0
    assert bench.effects() == {"one": 1, "two": 2, "tidy": 2}
    assert (bench.folder / "statuses").read_text().split() == ["failed", "succeeded"]
    assert bench("resume", run).code == 0
    assert bench.effects()["tidy"] == 2
    bench.check()


@pytest.mark.fault(55)
@pytest.mark.parametrize("hit", range(1, 7))
def test_finally_runs_once_in_a_round_that_crashes(bench: Bench, hit: int) -> None:
    book = str(
        bench.write(
            """
steps:
  - id: one
    run: 'eval "$MARK"; exit 1'
finally:
  - id: tidy
    run: eval "$MARK"
"""
        )
    )
    sprung, ran = bench.crash("run", book, at=f"runner append.after {hit}")
    while sprung and ran.code not in (0, 1):
        run = bench.last()
        ran = bench("resume", run) if run else bench("run", book)
        if bench.state().record.status == "failed":
            break
    assert bench.effects()["tidy"] == bench.effects()["one"] <= 2
    assert bench.state().record.status == "failed"
    bench.check()


@pytest.mark.fault(43)
def test_who_looks_in_a_loop_beside_runs_never_sees_a_locked_journal(bench: Bench) -> None:
    steps = "steps:\n  - {id: many, targets: [a, b, c, d, e, f], max_parallel: 3, run: 'eval \"$MARK\"'}\n"
    books = [str(bench.write(steps, name=f"book-{number}")) for number in range(3)]
    runs = [bench.start("run", book, "--quiet") for book in books for _ in range(2)]
    looks = 0
    while any(run.poll() is None for run in runs) or looks < 3:
        for command in (
            ["history"],
            ["history", "--json"],
            ["show", "@last", "--json"],
            ["resume", "--all", "--quiet"],
        ):
            looked = bench(*command)
            assert (looked.code, looked.err) == (0, "") or "there is no run yet" in looked.err, looked
        looks += 1
    assert [(ran.code, ran.err) for ran in map(bench.finish, runs)] == [(0, "")] * 6
    assert len(json.loads(bench("history", "--json", "--limit", "0").out)) == 6
    assert bench("verify").code == 0
