"""A resume when something is not as it was at the start: runbook, helper files, targets or surroundings."""

from __future__ import annotations

import pytest

from crash.harness import Bench

STEPS = """
steps:
  - id: one
    run: eval "$MARK"
  - id: two
    run: eval "$MARK"
"""


def interrupted(bench: Bench, book: str) -> str:
    """A run whose runner was killed when the first step was over."""
    assert bench.crash("run", book, at="runner land.before 1")[0]
    bench.quiet()
    assert len(bench.effects()) == 1
    return bench.last() or ""


@pytest.mark.fault(27)
def test_stored_runbook_is_used_and_the_change_is_said(bench: Bench) -> None:
    book = bench.write(STEPS)
    run = interrupted(bench, str(book))
    bench.write(STEPS.replace('two\n    run: eval "$MARK"', 'two\n    run: echo changed >> "$EFFECTS"'))
    ran = bench("resume", run)
    assert ran.code == 0, ran
    assert "differs" in ran.out + ran.err
    assert "--latest" in ran.out + ran.err
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(27)
def test_latest_takes_the_changed_runbook_and_shows_the_change(bench: Bench) -> None:
    run = interrupted(bench, str(bench.write(STEPS)))
    bench.write(STEPS.replace('two\n    run: eval "$MARK"', 'two\n    run: echo changed >> "$EFFECTS"'))
    ran = bench("resume", run, "--latest")
    assert ran.code == 0, ran
    assert "two: changed" in ran.out + ran.err
    assert bench.effects() == {"one": 1, "changed": 1}
    (event,) = bench.events("runbook_changed")
    assert "two" in "".join(event["changes"])


@pytest.mark.fault(27)
def test_latest_refuses_to_lose_a_step_that_is_done(bench: Bench) -> None:
    run = interrupted(bench, str(bench.write(STEPS)))
    bench.write(STEPS.replace("id: one", "id: uno"))
    ran = bench("resume", run, "--latest")
    assert ran.code == 10, ran
    assert "one" in ran.err
    assert bench.effects() == {"one": 1}


@pytest.mark.fault(44)
def test_list_of_targets_of_the_start_holds(bench: Bench) -> None:
    hosts = bench.book / "hosts.yaml"
    hosts.write_text("[a, b]")
    book = bench.write(
        """
steps:
  - id: each
    targets: {file: hosts.yaml}
    run: eval "$MARK"
""",
        head="files: [hosts.yaml]",
    )
    run = interrupted(bench, str(book))
    hosts.write_text("[b, c]")
    ran = bench("resume", run)
    assert ran.code == 0, ran
    assert bench.effects() == {"each/a": 1, "each/b": 1}
    assert "hosts.yaml differs" in ran.out + ran.err


@pytest.mark.fault(50)
def test_resume_under_other_surroundings_is_refused_by_name(bench: Bench) -> None:
    book = str(bench.write(STEPS, head="inherit_env: [REGION]"))
    bench.env["REGION"] = "north"
    run = interrupted(bench, book)
    without: dict[str, str | None] = {"REGION": None, "HOME": "/nowhere"}
    ran = bench("resume", run, env=without)
    assert ran.code == 10, ran
    assert "REGION" in ran.err
    assert "HOME" in ran.err
    assert "north" not in ran.err
    assert f"durun resume {run} --accept-env" in ran.err
    assert bench.effects() == {"one": 1}
    partly = bench("resume", run, "--accept-env", "HOME", env=without)
    assert partly.code == 10
    assert bench("resume", run, "--accept-env", "HOME", "--accept-env", "REGION", env=without).code == 0
    (event,) = bench.events("surroundings_accepted")
    assert sorted(event["names"]) == ["HOME", "REGION"]
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(50)
def test_another_agent_or_terminal_is_no_difference(bench: Bench) -> None:
    book = str(bench.write(STEPS, head="inherit_env: [SSH_AUTH_SOCK]"))
    bench.env["SSH_AUTH_SOCK"] = "/nowhere/1"
    run = interrupted(bench, book)
    assert bench("resume", run, env={"SSH_AUTH_SOCK": "/nowhere/2", "TERM": "vt100"}).code == 0


@pytest.mark.fault(51)
@pytest.mark.parametrize(("point", "runs"), [("append.before", "old"), ("append.after", "new")])
def test_changed_helper_files_come_with_the_changed_runbook_or_not_at_all(bench: Bench, point: str, runs: str) -> None:
    helper = bench.book / "helper.sh"
    text = '#!/bin/sh\necho "%s/$DURUN_STEP_ID/$1" >> "$EFFECTS"\n'
    helper.write_text(text % "old")
    helper.chmod(0o755)
    steps = "steps:\n  - {id: one, run: './helper.sh 1'}\n  - {id: two, run: '\"$DURUN_FILES/helper.sh\" %s'}\n"
    book = bench.write(steps % "old", head="files: [helper.sh]")
    run = interrupted(bench, str(book))
    helper.write_text(text % "new")
    bench.write(steps % "new", head="files: [helper.sh]")
    # Two commits settle the first step under the old runbook; the third is the change.
    assert bench.crash("resume", run, "--latest", at=f"runner {point} 3")[0]
    bench.quiet()
    assert bench("resume", run).code == 0
    assert bench.effects() == {"old/one/1": 1, f"{runs}/two/{runs}": 1}


@pytest.mark.fault(51)
def test_a_second_try_brings_the_helper_files_of_the_second_try(bench: Bench) -> None:
    (bench.book / "gone.sh").touch()
    helper = bench.book / "helper.sh"
    helper.write_text('eval "$MARK"\n')
    steps = "steps:\n  - {id: one, run: sh helper.sh}\n  - {id: two, run: sh helper.sh; ls}\n"
    run = interrupted(bench, str(bench.write(steps, head="files: ['*.sh']")))
    assert bench.crash("resume", run, "--latest", at="runner append.before 3")[0]
    bench.quiet()
    (bench.book / "gone.sh").unlink()
    helper.write_text('eval "$MARK"; echo again\n')
    assert bench("resume", run, "--latest").code == 0
    assert bench("logs", run, "two").out == "again\nhelper.sh\n"
    assert bench.effects() == {"one": 1, "two": 1}


@pytest.mark.fault(51)
@pytest.mark.parametrize("edit", ["edited", "removed"])
def test_copy_of_a_helper_file_is_what_runs(bench: Bench, edit: str) -> None:
    helper = bench.book / "helper.sh"
    helper.write_text('#!/bin/sh\neval "$MARK"\n')
    helper.chmod(0o755)
    book = str(
        bench.write(
            """
steps:
  - id: one
    run: ./helper.sh
  - id: two
    run: ./helper.sh
""",
            head="files: [helper.sh]",
        )
    )
    run = interrupted(bench, book)
    if edit == "edited":
        helper.write_text("#!/bin/sh\nexit 1\n")
    else:
        helper.unlink()
    ran = bench("resume", run)
    assert ran.code == 0, ran
    assert "helper.sh differs" in ran.out + ran.err
    assert bench.effects() == {"one": 1, "two": 1}
