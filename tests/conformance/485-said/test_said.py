"""What people say is kept for ever: a secret of the run that stands in it is refused before anything is recorded."""

import base64

import pytest

from stored import everything

TOKEN, KEY, PIN, MADE = "a-token-of-app", "the-key-in-a-file", "pin-47114", "made-for-app"
THERE = {"APP_TOKEN": TOKEN}


@pytest.fixture
def waiting(operator):
    """A run that waits for an approval, with a secret of every kind."""
    key = operator.place / "deploy.key"
    key.write_text(KEY + "\n", encoding="utf-8")
    key.chmod(0o600)
    operator("run", "said.yaml", "--inputs", "-", stdin=f"pin: {PIN}", env=THERE, code=5)
    return operator


def refused(operator, *words, env=THERE):
    """A command is refused, says why and does not say what; and nothing of it is recorded."""
    before = operator("show", "@last", "--events").out
    said = operator(*words, code=2, env=env)
    assert "a secret of run" in said.err
    assert "nothing was recorded" in said.err
    assert operator("show", "@last", "--events").out == before
    stored = everything(operator.home)
    for secret in (TOKEN, KEY, PIN, MADE):
        assert secret.encode() not in stored + (said.out + said.err).encode()


@pytest.mark.parametrize("secret", [TOKEN, KEY, PIN, MADE, base64.b64encode(TOKEN.encode()).decode()])
def test_a_secret_of_any_source_is_refused_in_any_form(waiting, secret):
    refused(waiting, "approve", "@last", "--reason", f"I tried {secret} and it works")


def test_whoever_decides_is_heard_without_it(waiting):
    for words in (
        ("approve", "@last", "--set", f"ticket={PIN}"),
        ("reject", "@last", "--reason", f"no: {PIN}"),
        ("cancel", "@last", "--reason", PIN),
        ("rollback", "@last", "--reason", PIN),
    ):
        refused(waiting, *words)
    said = waiting("approve", "@last", "--reason", "looks right", "--set", "ticket=T-1", env=THERE, code=5)
    assert "approved" in said.out


def test_a_note_a_settle_and_its_outputs_too(waiting):
    waiting("approve", "@last", env=THERE, code=5)
    refused(waiting, "complete", "@last", "by_hand", "--note", f"it is {MADE}")
    refused(waiting, "complete", "@last", "by_hand", "--note", "done", "--set", f"note={MADE}")
    waiting("complete", "@last", "by_hand", "--note", "done", env=THERE, code=3)
    refused(waiting, "settle", "@last", "doubtful", "--failed", "--reason", f"{TOKEN} was refused")
    refused(waiting, "settle", "@last", "doubtful", "--done", "--reason", "seen", "--output", f"place={TOKEN}")
    waiting("settle", "@last", "doubtful", "--done", "--reason", "seen", "--output", "place=here", env=THERE)


def test_a_command_is_not_asked_for_that(waiting):
    asked = waiting.read("asked")
    waiting("reject", "@last", "--reason", "not today", "--no-resume", env=THERE)
    assert waiting.read("asked") == asked


def test_what_can_t_be_had_here_stops_nobody(waiting):
    (waiting.place / "deploy.key").unlink()
    (waiting.home / "seal.key").rename(waiting.home / "seal.gone")
    waiting("cancel", "@last", "--reason", "the disk is lost")
    assert waiting.show()["status"] == "cancelled"


def test_a_run_that_is_over_is_searched_for_what_is_declared(operator):
    (operator.place / "small.yaml").write_text(
        "durun: 1\nname: small\nsecrets: {token: {env: APP_TOKEN}}\nsteps:\n"
        "  - id: use\n    run: echo used >> effects\n    env: {T: '${{ secrets.token }}'}\n"
        "    rollback: {run: echo undone >> effects}\n"
    )
    operator("run", "small.yaml", env=THERE)
    refused(operator, "rollback", "@last", "--reason", TOKEN)
    operator("rollback", "@last", "--reason", "a mistake", env=THERE)
    assert operator.read("effects") == "used\nundone\n"
