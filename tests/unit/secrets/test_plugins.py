from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from contract.secret_sources import install_plugin
from doubles import KeyringDouble
from durun.errors import SecretUnavailable
from durun.secrets.providers import Resolver


def refusal(tmp_path: Path, code: str, spec: Any = None, limit: float | None = None) -> tuple[str, str]:
    site = install_plugin(tmp_path / "site", code)
    resolver = Resolver(str(tmp_path), {"PYTHONPATH": str(site)}, KeyringDouble(tmp_path / "keyring"))
    try:
        with pytest.raises(SecretUnavailable) as caught:
            resolver.get("x", "vault", spec)
        return caught.value.message, caught.value.hint
    finally:
        resolver.close()


def test_a_plugin_knows_what_it_is_asked_the_folder_and_the_callers_variables(tmp_path):
    code = "def vault(spec, context):\n    return f'{spec} {context.folder} {context.environ[\"VAULT_ADDR\"]}'\n"
    environ = {"PYTHONPATH": str(install_plugin(tmp_path / "site", code)), "VAULT_ADDR": "here"}
    resolver = Resolver("/srv/runbooks", environ, KeyringDouble(tmp_path / "keyring"))
    assert resolver.get("x", "vault", {"path": ["a", 1]}) == "{'path': ['a', 1]} /srv/runbooks here"
    resolver.close()


def test_a_provider_that_nobody_brings_is_named_with_those_that_are_there(tmp_path):
    site = install_plugin(tmp_path / "site")
    resolver = Resolver(str(tmp_path), {"PYTHONPATH": str(site)}, KeyringDouble(tmp_path / "keyring"))
    with pytest.raises(SecretUnavailable) as caught:
        resolver.get("x", "bitwarden", None)
    resolver.close()
    assert caught.value.message == (
        "secret x: provider bitwarden: no package brings this provider; installed are: vault"
    )


def test_of_an_exception_only_the_kind_is_told(tmp_path):
    """Its text may hold the secret."""
    message, hint = refusal(tmp_path, "def vault(spec, context):\n    raise ValueError('hunter22')\n")
    assert (message, hint) == ("secret x: provider vault: the provider ended with ValueError", "see to the plugin")


def test_a_plugin_that_can_t_be_loaded(tmp_path):
    assert "ended with ModuleNotFoundError" in refusal(tmp_path, "import no_such_module\n")[0]
    assert "ended with AttributeError" in refusal(tmp_path / "other", "")[0]


@pytest.mark.parametrize("value", ["None", "b'hunter22'", "7"])
def test_a_plugin_gives_text(tmp_path, value):
    assert ", not text" in refusal(tmp_path, f"def vault(spec, context):\n    return {value}\n")[0]


def test_a_plugin_that_ends_the_process(tmp_path):
    code = "import os\ndef vault(spec, context):\n    os._exit(0)\n"
    assert refusal(tmp_path, code)[0] == "secret x: provider vault: it ended without an answer"


def test_a_plugin_that_hangs_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("durun.secrets.providers.LIMIT", 1.0)
    code = "import threading\ndef vault(spec, context):\n    threading.Event().wait()\n"
    assert refusal(tmp_path, code)[0] == "secret x: provider vault: it gives no answer within 1 s"


def test_two_packages_that_bring_the_same_provider_are_named(tmp_path):
    paths = [install_plugin(tmp_path / name, name=name) for name in ("one", "two")]
    environ = {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    resolver = Resolver(str(tmp_path), environ, KeyringDouble(tmp_path / "keyring"))
    with pytest.raises(SecretUnavailable, match="several packages bring this provider: durun_one:vault, durun_two"):
        resolver.get("x", "vault", {"entry": "db"})
    resolver.close()


def test_a_built_in_provider_can_t_be_replaced_and_needs_no_plugin_to_be_looked_for(tmp_path):
    site = install_plugin(tmp_path / "site", "def vault(spec, context):\n    return 'from the plugin'\n")
    points = site / "durun_vault-1.0.dist-info" / "entry_points.txt"
    points.write_text("[durun.secrets]\nenv = durun_vault:vault\n")
    environ = {"PYTHONPATH": str(site), "A": "from the variable"}
    resolver = Resolver(str(tmp_path), environ, KeyringDouble(tmp_path / "keyring"))
    assert resolver.get("x", "env", "A") == "from the variable"
    resolver.close()
