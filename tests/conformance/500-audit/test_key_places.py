"""The signing key in a real keyring, and as a systemd credential: wherever it is, runs are signed with it."""

import json
import shutil

from daemons.keyring import Keyring, needs_keyring, unlocked_keyring

__all__ = ["unlocked_keyring"]


@needs_keyring
def test_a_run_is_signed_with_the_key_in_a_keyring(operator, unlocked_keyring: Keyring):
    session = {**unlocked_keyring.env, "HOME": operator.environment["HOME"]}
    operator("run", "doubt.yaml", "-q", code=3)
    key = operator("secret", "key", "--signing", "--move", "keyring", "--json", env=session).json
    assert key["place"] == "keyring"
    assert not (operator.home / "sign.key").exists()
    operator("settle", "@last", "unsure", "--done", "--reason", "seen", env=session)
    assert operator("verify", "--json").json["unsigned"] == 0, "to verify needs no keyring"
    operator("resume", "@last", "-q", env=session)
    proof = operator("verify", "--json").json
    assert (proof["unsigned"], proof["keys"]) == (0, [key["key"]])


def test_a_run_is_signed_with_a_credential_of_systemd(operator):
    key = operator("secret", "key", "--signing", "--move", "file", "--json").json
    credentials = operator.place / "credentials"
    credentials.mkdir()
    shutil.move(operator.home / "sign.key", credentials / "durun-sign-key")
    unit = {"CREDENTIALS_DIRECTORY": str(credentials)}
    operator("run", "doubt.yaml", "-q", code=3, env=unit)
    proof = operator("verify", "--json").json
    assert (proof["unsigned"], proof["keys"]) == (0, [key["key"]])
    operator("settle", "@last", "unsure", "--done", "--reason", "seen")
    said = operator("resume", "@last", "-q").out
    assert said.startswith("what is recorded is not signed: durun's signing key is gone from ")
    error = json.loads(operator("verify", "--json", code=7).err)["error"]
    assert "is not signed" in error["message"]
    operator("run", "doubt.yaml", "-q", code=3, env=unit)
    assert operator("verify", "--json").json["unsigned"] == 0
