"""What an included runbook has that is secret, and its helper files."""

import os
import pwd
import shutil
import tarfile

import pytest

from stored import everything

TOKEN, KEY, PIN = "a-token-of-app", "the-key-in-a-file", "pin-47114"


@pytest.fixture
def run(operator):
    """run(): the run of secrets.yaml."""
    operator.environment |= {"OUT": str(operator.place / "effects"), "APP_TOKEN": TOKEN}
    (operator.place / "lib" / "deploy.key").write_text(KEY + "\n", encoding="utf-8")
    (operator.place / "lib" / "deploy.key").chmod(0o600)
    given = {"stdin": f"pin: {PIN}"}
    return lambda book="secrets.yaml", **options: operator("run", book, "--inputs", "-", **given, **options)


def seen_of(operator):
    stored = everything(operator.home)
    told = [
        operator(*words) for words in (("show", "@last", "--json"), ("logs", "@last"), ("show", "@last", "--events"))
    ]
    return stored + "".join(said.out + said.err for said in told).encode()


def test_a_secret_given_to_an_included_runbook_stays_one(operator, run):
    said = run()
    shown = operator.read("effects").splitlines()
    made = shown[-1]
    assert shown == [
        "first", "no INPUT_PIN", "no INPUT_BOTH", PIN, TOKEN, made, "key of app in lib", "again", KEY, made,
    ]  # fmt: skip
    seen = seen_of(operator) + (said.out + said.err).encode()
    for secret in (TOKEN, KEY, PIN, made, "key of app in lib"):
        assert secret.encode() not in seen
    assert operator.tasks()["call:inputs", None]["outputs"] == {"user": "app"}


@pytest.mark.fault(30)
def test_a_secret_that_it_needs_and_that_is_missing_stops_the_run_before_its_first_effect(operator, run):
    (operator.place / "lib" / "deploy.key").unlink()
    said = run(code=9)
    assert f"secret call.key: there is no {operator.place}/lib/deploy.key" in said.err
    assert operator.read("effects") == ""


def test_whether_its_secrets_can_be_had_is_looked_at(operator, run):
    assert operator("secret", "check", "secrets.yaml").out == (
        "token       env      ok\ncall.key    file     ok\ncall.asked  command  ok\n"
    )


@pytest.mark.fault(51)
@pytest.mark.parametrize("what", ["edited", "removed", "all removed"])
def test_a_resume_runs_the_copies_of_its_helper_files(operator, run, what):
    (operator.place / "effects.bad").touch()
    run(code=1)
    (operator.place / "effects.bad").unlink()
    helper = operator.place / "lib" / "say.sh"
    key = (operator.place / "lib" / "deploy.key").read_text()
    if what == "all removed":
        shutil.rmtree(operator.place / "lib")
        (operator.place / "lib").mkdir()
        (operator.place / "lib" / "deploy.key").write_text(key, encoding="utf-8")
        (operator.place / "lib" / "deploy.key").chmod(0o600)
    elif what == "edited":
        helper.write_text("#!/bin/sh\necho edited\n", encoding="utf-8")
    else:
        helper.unlink()
    said = operator("resume", "@last")
    assert (
        "lib/say.sh differs from the copy of the start, which is used (files/lib/say.sh in the run's folder)"
        in said.out
    )
    assert operator.read("effects").splitlines()[-4:-2] == ["key of app in lib", "again"]


def test_files_of_the_one_must_not_copy_the_secrets_of_the_other(operator):
    book = operator.place / "secrets.yaml"
    book.write_text(book.read_text().replace("steps:\n", 'files: ["lib/*"]\nsteps:\n', 1), encoding="utf-8")
    said = operator("validate", "secrets.yaml", code=2)
    assert "`lib/*` in `files` would copy the file with the secret `call.key` into the run" in said.out


def test_what_was_included_is_in_the_bundle_of_a_run(operator, run):
    (operator.place / "ops").mkdir()
    text = (operator.place / "secrets.yaml").read_text().replace("lib/secretly", "../lib/secretly")
    (operator.place / "ops" / "secrets.yaml").write_text(text, encoding="utf-8")
    run(book="ops/secrets.yaml")
    operator("export", "@last", "-o", "run.tar.gz")
    assert "nothing was changed" in operator("verify", "run.tar.gz").out
    with tarfile.open(operator.place / "run.tar.gz") as bundle:
        names = {name.partition("/")[2] for name in bundle.getnames()}
    assert "nothing was changed" in operator("verify", "@last").out
    assert {"runbook.yaml", "included/%2e%2e/lib/secretly.yaml", "files/__up__/lib/say.sh"} <= names


def test_what_is_approved_is_what_an_included_runbook_will_work_on(operator):
    operator.environment["ME"] = pwd.getpwuid(os.getuid()).pw_name
    asked = operator("run", "approved.yaml", code=5)
    assert "call.each: 2 targets" in asked.out
    operator("approve", "@last", "ok", "--reason", "fine")
    assert (operator.read("effects.a"), operator.read("effects.b")) == ("call.each a\n", "call.each b\n")
    assert operator.tasks()["ok", None]["status"] == "succeeded"
