"""Where the secrets of a runbook come from: a keyring, a variable, a file, a command, or a plugin's provider.

Each is asked just before the secret is needed, every time anew; nothing is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from durun.errors import SecretUnavailable
from durun.model.duration import parse_duration
from durun.model.values import Json
from durun.secrets import commands
from durun.secrets.api import Keyring
from durun.secrets.child import Child, NoAnswer
from durun.secrets.files import read_private
from durun.secrets.keyrings import LIMIT
from durun.secrets.text import fit, from_bytes


class Resolver:
    """Asks the providers for one runbook, whose folder this is, and for one caller."""

    def __init__(self, folder: str, environ: Mapping[str, str], keyring: Keyring) -> None:
        self._place = folder
        self._environ = environ
        self._keyring = keyring
        self._plugins = Child(environ)
        self._built_in: Mapping[str, Callable[[Json, str], str]] = {
            "keyring": self._from_keyring,
            "env": self._from_variable,
            "file": self._from_file,
            "command": self._from_command,
        }

    def get(self, name: str, provider: str, spec: Json, folder: str = "") -> str:
        """The secret `name`, by what stands under the provider's name, rendered.

        `folder` is that of the file which declares it, relative to the runbook's. Raises SecretUnavailable, which
        names the secret and its source.
        """
        ask = self._built_in.get(provider)
        place = os.path.normpath(f"{self._place}/{folder}") if folder else self._place
        try:
            return ask(spec, place) if ask is not None else self._from_plugin(provider, spec, place)
        except SecretUnavailable as error:
            raise SecretUnavailable(f"secret {name}: {error.message}", error.hint) from error

    def close(self) -> None:
        """Let go of what was started."""
        self._plugins.close()
        self._keyring.close()

    def _from_keyring(self, spec: Json, _: str) -> str:
        fields = _fields("keyring", spec, "service", "username")
        service, username = (_text("keyring", fields[name]) for name in ("service", "username"))
        source = f"the keyring's value for service {service}, username {username}"
        value = self._keyring.get(service, username)
        if value is None:
            raise SecretUnavailable(
                f"the keyring has nothing for service {service}, username {username}",
                f"put it there: {put_command(service, username)}",
            )
        return fit(value, source)

    def _from_variable(self, spec: Json, _: str) -> str:
        name = _text("env", spec)
        if name not in self._environ:
            raise SecretUnavailable(f"the variable {name} is not set", "set it where durun is started")
        return fit(self._environ[name], f"the variable {name}")

    def _from_file(self, spec: Json, folder: str) -> str:
        name = _text("file", spec)
        places = self._places(name, folder)
        for path, credential in places:
            content = read_private(path, credential)
            if content is not None:
                return from_bytes(content, str(path))
        looked = " and no ".join(str(path) for path, _ in places)
        raise SecretUnavailable(f"there is no {looked}", "put the secret there (chmod 600), or name another source")

    def _places(self, name: str, beside: str) -> list[tuple[Path, bool]]:
        """Where a file is looked for, and whether systemd made it there."""
        credentials = self._environ.get("CREDENTIALS_DIRECTORY", "")
        folder = Path(credentials) if os.path.isabs(credentials) else None  # noqa: PTH117
        path = Path(beside) / self._expanded(name)
        places = [(path, path.parent == folder)]
        if folder is not None and "/" not in name:
            places.insert(0, (folder / name, True))
        return places

    def _expanded(self, name: str) -> str:
        if not name.startswith("~/"):
            return name
        home = self._environ.get("HOME", "")
        if not os.path.isabs(home):  # noqa: PTH117
            raise SecretUnavailable(f"there is no home for {name}: HOME is not set", "name the whole path")
        return home + name[1:]

    def _from_command(self, spec: Json, folder: str) -> str:
        fields = _fields("command", spec, "argv") if isinstance(spec, dict) else {"argv": spec}
        words = fields["argv"]
        if not isinstance(words, list) or not words:
            raise _misshapen("command", "a list: the command and its arguments")
        argv = [_text("command", word) for word in words]
        limit = _seconds(fields["timeout"]) if fields.get("timeout") is not None else commands.LIMIT
        stdout = commands.output_of(argv, folder, self._environ, limit)
        return from_bytes(stdout, f"what the command {argv[0]} wrote")

    def _from_plugin(self, provider: str, spec: Json, folder: str) -> str:
        request = {"do": "provide", "provider": provider, "spec": spec, "folder": folder}
        try:
            answer = self._plugins.ask(request, LIMIT)
        except NoAnswer as error:
            raise SecretUnavailable(f"provider {provider}: {error.why}", "see to the plugin") from None
        if "error" in answer:
            raise SecretUnavailable(f"provider {provider}: {answer['why']}", answer["hint"] or "see to the plugin")
        return fit(str(answer["value"]), f"what provider {provider} gave")


def put_command(service: str, username: str) -> str:
    """What to type so that the keyring has a value under these names."""
    import shlex

    return shlex.join(["durun", "secret", "set", service, username])


def _fields(provider: str, spec: Json, *names: str) -> dict[str, Any]:
    if not isinstance(spec, dict) or not all(name in spec for name in names):
        raise _misshapen(provider, f"a mapping with {' and '.join(names)}")
    return spec


def _text(provider: str, value: Json) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if not text or value is None:
        raise _misshapen(provider, "text, and not empty")
    if "\0" in text:
        raise _misshapen(provider, "text without NUL")
    return text


def _seconds(value: Json) -> float:
    try:
        return parse_duration(_text("command", value))
    except ValueError as error:
        raise SecretUnavailable(f"`command.timeout`: {error}", "write for example 30s") from None


def _misshapen(provider: str, wanted: str) -> SecretUnavailable:
    return SecretUnavailable(f"what stands under `{provider}` must be {wanted}", "see runbooks/README.md, secrets")
