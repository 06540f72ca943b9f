"""A source of secrets for each provider: where a value can be put, and what a runbook says to get it from there."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemons.keyring import Keyring as Daemon
from daemons.keyring import needs_keyring, start_keyring
from doubles import KeyringDouble
from durun.model.values import Json
from durun.secrets.api import Keyring
from durun.secrets.keyrings import WorkerKeyring
from durun.secrets.providers import Resolver

PATH = "/usr/local/bin:/usr/bin:/bin"
PLUGIN = '''\
"""A provider as a plugin brings it: reads a vault, which is a folder here."""

from pathlib import Path

from durun.errors import SecretUnavailable


def vault(spec, context):
    path = Path(context.environ["HOME"]) / "vault" / spec["entry"]
    if not path.exists():
        raise SecretUnavailable(f"the vault has no {spec['entry']}", "ask the keeper of the vault")
    print("what a plugin prints goes nowhere")
    return path.read_bytes().decode()
'''


class Source(ABC):
    """One provider with a place for one secret. What it can hold beside text differs."""

    provider = ""
    spec: Json = None
    takes_off_newline = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": PATH, "HOME": str(folder)}

    @abstractmethod
    def put(self, value: str | None) -> None:
        """Make this the secret; None: there is none."""

    def keyring(self) -> Keyring:
        return KeyringDouble(self.folder / "double")

    def get(self) -> str:
        """What a fresh resolver gets for the secret `x`."""
        resolver = Resolver(str(self.folder), self.environ, self.keyring())
        try:
            return resolver.get("x", self.provider, self.spec)
        finally:
            resolver.close()


class Variable(Source):
    provider, spec = "env", "DB_PASSWORD"

    def put(self, value: str | None) -> None:
        self.environ.pop("DB_PASSWORD", None)
        if value is not None:
            self.environ["DB_PASSWORD"] = value


class File(Source):
    provider, spec, takes_off_newline = "file", "db-password.txt", True

    def path(self) -> Path:
        return self.folder / "db-password.txt"

    def put(self, value: str | None) -> None:
        path = self.path()
        path.unlink(missing_ok=True)
        if value is not None:
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(value.encode("utf-8", "surrogateescape"))


class Credential(File):
    """As systemd hands it over: read-only files in a folder that a variable names."""

    spec = "db-password"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environ["CREDENTIALS_DIRECTORY"] = str(folder / "credentials")

    def path(self) -> Path:
        return self.folder / "credentials" / "db-password"

    def put(self, value: str | None) -> None:
        super().put(value)
        if value is not None:
            self.path().chmod(0o400)


class Command(File):
    provider, takes_off_newline = "command", True
    spec: Json = ("cat", "db-password.txt")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spec = list(self.spec)


class Pass(Source):
    """The real `pass`, with a gpg key without passphrase."""

    provider, takes_off_newline = "command", True
    spec: Json = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spec = {"argv": ["pass", "show", "db/app"], "timeout": "20s"}
        home = folder / ".gnupg"
        home.mkdir(mode=0o700)
        key = ["--batch", "--passphrase", "", "--quick-generate-key", "tester@example.org", "default", "default", "0"]
        self._run(["gpg", *key])
        self._run(["pass", "init", "tester@example.org"])

    def put(self, value: str | None) -> None:
        if value is None:
            shutil.rmtree(self.folder / ".password-store" / "db", ignore_errors=True)
        else:
            self._run(["pass", "insert", "--multiline", "--force", "db/app"], value)

    def close(self) -> None:
        self._run(["gpgconf", "--kill", "all"])

    def _run(self, argv: list[str], stdin: str = "") -> None:
        data = stdin.encode("utf-8", "surrogateescape")
        subprocess.run(argv, env=self.environ, input=data, check=True, capture_output=True)


class Plugin(Source):
    """A provider from a package that is installed beside durun."""

    provider, spec = "vault", None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spec = {"entry": "db"}
        (folder / "vault").mkdir()
        self.environ["PYTHONPATH"] = str(install_plugin(folder / "site"))

    def put(self, value: str | None) -> None:
        path = self.folder / "vault" / "db"
        path.unlink(missing_ok=True)
        if value is not None:
            path.write_bytes(value.encode("utf-8", "surrogateescape"))


class DoubledKeyring(Source):
    provider = "keyring"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spec = {"service": "db", "username": "app"}

    def put(self, value: str | None) -> None:
        _put(self.keyring(), value)


class RealKeyring(Source):
    provider = "keyring"

    def __init__(self, folder: Path, daemon: Daemon) -> None:
        super().__init__(folder)
        self.spec = {"service": "db", "username": "app"}
        self.environ |= daemon.env

    def put(self, value: str | None) -> None:
        keyring = self.keyring()
        _put(keyring, value)
        keyring.close()

    def keyring(self) -> Keyring:
        return WorkerKeyring(self.environ)


def _put(keyring: Keyring, value: str | None) -> None:
    if value is None:
        keyring.delete("db", "app")
    else:
        keyring.put("db", "app", value)


def install_plugin(site: Path, code: str = PLUGIN, name: str = "vault") -> Path:
    """A package as pip leaves it: a module, and beside it the folder that says what it brings."""
    facts = site / f"durun_{name}-1.0.dist-info"
    facts.mkdir(parents=True)
    (site / f"durun_{name}.py").write_text(code)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: durun-{name}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[durun.secrets]\nvault = durun_{name}:vault\n")
    return site


@contextmanager
def _real_keyring(folder: Path) -> Iterator[Source]:
    with start_keyring(folder) as daemon:
        yield RealKeyring(folder, daemon)


@contextmanager
def _pass(folder: Path) -> Iterator[Source]:
    source = Pass(folder)
    try:
        yield source
    finally:
        source.close()


def _plain(kind: Callable[[Path], Source]) -> Callable[[Path], Any]:
    @contextmanager
    def open_(folder: Path) -> Iterator[Source]:
        yield kind(folder)

    return open_


needs_pass = pytest.mark.skipif(shutil.which("pass") is None, reason="pass is not here")
SOURCES = [
    pytest.param(_plain(Variable), id="env"),
    pytest.param(_plain(File), id="file"),
    pytest.param(_plain(Credential), id="credential"),
    pytest.param(_plain(Command), id="command"),
    pytest.param(_pass, id="pass", marks=needs_pass),
    pytest.param(_plain(Plugin), id="plugin"),
    pytest.param(_plain(DoubledKeyring), id="doubled keyring"),
    pytest.param(_real_keyring, id="keyring", marks=needs_keyring),
]
