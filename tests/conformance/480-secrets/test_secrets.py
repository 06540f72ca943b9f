"""Secrets are had, given, made and kept; what a step does with them is seen in its effects, and nowhere else."""

import base64
import re
import string

import pytest

from stored import everything

TOKEN, KEY, PIN = "a-token-of-app", "the-key-in-a-file", "pin-47114"


@pytest.fixture
def state(operator):
    """state(): everything that durun has stored, and what the newest run says by every command that tells of it."""

    def read():
        stored = everything(operator.home)
        told = [operator(*words) for words in (("show", "@last", "--json"), ("logs", "@last"), ("history", "--json"))]
        return stored + "".join(said.out + said.err for said in told).encode()

    return read


def deliver(operator, **options):
    (operator.place / "deploy.key").write_text(KEY + "\n", encoding="utf-8")
    (operator.place / "deploy.key").chmod(0o600)
    return operator("run", "deliver.yaml", "--inputs", "-", stdin=f"pin: {PIN}", env={"APP_TOKEN": TOKEN}, **options)


def test_a_secret_goes_where_it_is_named_and_nowhere_else(operator, state):
    said = deliver(operator)
    assert operator.read("effects").splitlines() == [
        f"{TOKEN} {KEY}+{PIN} no INPUT_PIN",
        "0",
        "MADE-FOR-APP slow-secret",
        "600 regular file",
        KEY,
        "gone",
    ]
    assert operator.tasks()["asked", None]["status"] == "succeeded"
    assert operator.tasks()["not_asked", None]["status"] == "skipped"
    assert operator("logs", "@last", "env").out == "***\n"
    everything = state() + (said.out + said.err).encode()
    for secret in (TOKEN, KEY, PIN, "slow-secret", "MADE-FOR-APP", "made-for-app"):
        assert secret.encode() not in everything


@pytest.mark.fault(30)
def test_one_that_is_missing_stops_the_run_before_its_first_effect(operator):
    said = operator("run", "missing.yaml", code=9, env={"THERE": "x-there"})
    assert "the variable GONE is not set" in said.err
    assert "set it where durun is started" in said.err
    assert operator.read("effects") == ""


def test_one_that_comes_later_lets_the_run_go_on(operator):
    operator("run", "missing.yaml", code=9, env={"THERE": "x-there"})
    operator("run", "missing.yaml", env={"THERE": "x-there", "GONE": "back-again"})
    assert operator.read("effects") == "first\nsecond\n"


def test_what_is_made_is_of_its_kind_and_the_same_after_a_resume(operator, state):
    (operator.place / "bad").touch()
    operator("run", "made.yaml", code=1)
    (operator.place / "bad").unlink()
    operator("resume", "@last")
    effects = operator.read("effects").splitlines()
    assert effects[:6] == effects[6:]
    password, token, raw, both, public, _ = effects[:6]
    assert len(password) == 20
    for characters in (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation):
        assert set(password) & set(characters)
    assert len(base64.urlsafe_b64decode(token + "==")) == 16
    assert len(base64.b64decode(raw)) == 8
    assert both == "session-1009003027/key-1013003039"
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/=]+ deploy@here", public)
    kinds = ["-----BEGIN OPENSSH PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"]
    assert operator.read("kinds").splitlines() == 2 * kinds
    outputs = operator.show()["outputs"]
    assert outputs["user"] == "ada"
    assert outputs["request"].startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert outputs["rsa"].startswith("-----BEGIN PUBLIC KEY-----")
    everything = state()
    for secret in (password, token, raw, "session-1009003027", "key-1013003039", "BEGIN OPENSSH PRIVATE KEY"):
        assert secret.encode() not in everything


def test_another_run_makes_others(operator):
    operator("run", "made.yaml")
    operator("run", "made.yaml")
    first, second = (operator.read("effects").splitlines()[at : at + 3] for at in (0, 6))
    assert not set(first) & set(second)


def test_a_list_of_targets_with_secrets_in_it_is_refused_while_others_may_read_it(operator):
    hosts = operator.place / "hosts.json"
    hosts.chmod(0o640)
    refused = operator("run", "listed.yaml", code=9)
    assert "targets of hosts: " in refused.err
    assert "hosts.json is open to other users (mode 0640)" in refused.err
    assert f"chmod 600 {hosts}" in refused.err
    assert "is open to other users (mode 0640)" in operator("plan", "listed.yaml").out
    assert not (operator.place / "effects").exists()  # before anything was done
    hosts.chmod(0o600)
    operator("run", "listed.yaml")
    assert operator.read("effects").splitlines() == ["began", "a postgres://u:pw-of-a@a", "b postgres://u:pw-of-b@b"]


def test_each_target_has_its_own(operator, state):
    operator("run", "targets.yaml")
    assert operator.read("effects").splitlines() == [
        "a postgres://u:pw-of-a@a secret-of-a no TARGET_DSN",
        "b postgres://u:pw-of-b@b secret-of-b no TARGET_DSN",
        "same",
    ]
    everything = state()
    for secret in ("pw-of-a", "pw-of-b", "secret-of-a", operator.read("made-a"), operator.read("made-b")):
        assert secret.encode() not in everything
