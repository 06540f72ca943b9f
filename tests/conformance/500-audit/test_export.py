"""`durun export`, and what is exported on another machine: without the journal, without the key."""

import json
import shlex
import stat
import subprocess

import pytest


@pytest.mark.parametrize("name", ["run.tar.gz", "run.tar.zst"])
def test_a_run_is_exported_and_proved_elsewhere(operator, name):
    end = operator("run", "runbook.yaml", "--json", "-i", "word=told").lines[-1]
    told = operator("export", "@last", "-o", name, "--json").json
    path = operator.place / name
    assert told == {
        "schema": 1,
        "run": end["run"],
        "file": name,
        "sha256": subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout[:64],
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = operator("secret", "key", "--signing", "--json").json
    (operator.place / "key.pem").write_text(key["pem"])
    elsewhere = {"DURUN_HOME": str(operator.place / "elsewhere")}
    said = operator("verify", name, "--head", end["head"], env=elsewhere).out
    assert said.startswith("nothing was changed: 1 run, ")
    assert f"\n  signed by {key['key']}\n" in said
    assert "\n  the key is the bundle's own: compare its id" in said
    proof = operator("verify", f"./{name}", "--json", "--key", "key.pem", env=elsewhere).json
    assert (proof["verified"], proof["head"], proof["notes"]) == ("bundle", end["head"], [])
    assert not (operator.place / "elsewhere").exists()


def test_what_proves_it_is_said_as_it_is_typed(operator):
    operator("run", "runbook.yaml", "-q")
    said = operator("export", "@last", "-o", "for the auditor.tar.gz").out
    words = shlex.split(said.partition("prove it: durun ")[2])
    assert operator(*words).out.startswith("nothing was changed: 1 run, ")


def test_it_is_the_same_again_also_after_other_runs(operator):
    run = operator("run", "runbook.yaml", "--json").lines[-1]["run"]
    operator("export", run, "-o", "one.tar.gz", "-q")
    operator("run", "runbook.yaml", "-q")
    operator("export", run, "-o", "two.tgz", "-q")
    assert (operator.place / "one.tar.gz").read_bytes() == (operator.place / "two.tgz").read_bytes()
    operator("verify")


@pytest.mark.fault(24)
def test_a_changed_byte_of_it_is_found(operator):
    operator("run", "runbook.yaml", "-q")
    operator("export", "@last", "-o", "run.tar.gz", "-q")
    path = operator.place / "run.tar.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    error = json.loads(operator("verify", "run.tar.gz", "--json", code=7).err)["error"]
    assert error["code"] == "bundle_damaged"


def test_a_damaged_run_is_not_exported(operator):
    operator("run", "runbook.yaml", "-q")
    (copy,) = operator.home.glob("runs/*/files/helper.sh")
    copy.write_text("rm -rf /\n")
    assert "is not the file that" in operator("export", "@last", "-o", "run.tar.gz", code=7).err
    assert "is not the file that" in operator("verify", code=7).err
    assert not (operator.place / "run.tar.gz").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "@last"], "--output is missing"),
        (["export", "@last", "-o", "run.zip"], "run.zip is no name of a bundle"),
        (["export", "@last", "-o", "there.tar.gz"], "there.tar.gz is there already"),
        (["export", "nothing", "-o", "run.tar.gz"], "no run nothing"),
        (["verify", "./nowhere.tar.gz"], "nowhere.tar.gz can't be read: No such file or directory"),
    ],
)
def test_what_can_t_be_done_is_said(operator, arguments, words):
    operator("run", "runbook.yaml", "-q")
    (operator.place / "there.tar.gz").write_text("mine")
    assert operator(*arguments, code=2).err.startswith(f"durun: {words}")
    assert operator.read("there.tar.gz") == "mine"


def test_a_place_that_can_t_be_written_is_said(operator):
    operator("run", "runbook.yaml", "-q")
    said = operator("export", "@last", "-o", "no/such/folder.tar.gz", code=2)
    assert said.err == "durun: there is no folder no/such\n  hint: mkdir -p no/such\n"


def test_what_a_runbook_includes_is_in_it_and_the_notice_has_the_head(operator):
    (operator.place.parent / "up.yaml").write_text("durun: 1\nname: up\nsteps:\n  - {id: a, run: 'true'}\n")
    fifo = operator.fifo("told")
    end = operator("run", "includes.yaml", "--json").lines[-1]
    with fifo.open() as told:  # opened as soon as somebody writes
        message = json.loads(told.read())
    assert message["head"] == end["head"]
    operator("export", "@last", "-o", "run.tar.gz", "-q")
    subprocess.run(["tar", "-xzf", "run.tar.gz"], cwd=operator.place, check=True)
    folder = operator.place / f"durun-{end['run']}"
    assert (folder / "included" / "parts" / "part.yaml").read_text() == operator.read("parts/part.yaml")
    assert "name: up" in (folder / "included" / "%2e%2e" / "up.yaml").read_text()
    operator("verify", "run.tar.gz", "--head", end["head"])
