"""The places where a private key of durun's own can be: the user's keyring, a file of its state, a credential.

Everywhere it is the base64 of the key, so that what is in one place can be put into another by hand.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from durun.durable import write_durably
from durun.errors import SecretUnavailable, StorageFailed
from durun.secrets.api import Keyring
from durun.secrets.files import read_private
from durun.secrets.seal import KEY_SIZE

SERVICE = "durun"
"""The service under which the keyring has durun's own keys."""


class Kind(NamedTuple):
    """One of durun's own keys. `word` names it for people, `stem` its files; `new` makes a pair (private, public).

    `loss`: what is lost with the key. `shy`: it goes into a keyring only where it is moved to one.
    """

    word: str
    stem: str
    new: Callable[[], tuple[bytes, bytes]]
    public_key: Callable[[bytes], bytes]
    loss: str
    move: str
    shy: bool = False

    @property
    def credential(self) -> str:
        """The name of the systemd credential."""
        return f"durun-{self.stem}-key"


class KeyPlace(Protocol):
    """A place that can be read."""

    @property
    def name(self) -> str:
        """How a message names it."""

    def read(self) -> bytes | None:
        """The private key, or None if there is none. Raises SecretUnavailable."""


class Keeper(KeyPlace, Protocol):
    """A place into which durun can put the key."""

    def keep(self, private: bytes) -> None:
        """Put the key there, and read it back. Raises SecretUnavailable, StorageFailed."""

    def forget(self) -> None:
        """Take the key away; nothing if there is none. Raises SecretUnavailable, StorageFailed."""


class InKeyring:
    """In the keyring. The username has the beginning of the public key: there may be several state directories."""

    def __init__(self, kind: Kind, keyring: Keyring, public: bytes) -> None:
        self._kind = kind
        self._keyring = keyring
        self._username = f"{kind.word} of {public.hex()[:16]}"
        self.name = f"the keyring (service {SERVICE}, username {self._username})"

    def read(self) -> bytes | None:
        """See KeyPlace."""
        try:
            value = self._keyring.get(SERVICE, self._username)
        except SecretUnavailable as error:
            raise SecretUnavailable(
                f"durun's {self._kind.word} is in the keyring, which can't be used here: {error.message}",
                f"go on in a session that can use it, or take the key out of it there: {self._kind.move} file",
            ) from error
        return None if value is None else _decoded(value.encode(), self._kind, self.name)

    def keep(self, private: bytes) -> None:
        """See Keeper."""
        self._keyring.put(SERVICE, self._username, encoded(private))
        if self._keyring.get(SERVICE, self._username) != encoded(private):
            backend = self._keyring.backend().name
            raise SecretUnavailable(
                f"the keyring ({backend}) did not keep the {self._kind.word}", "use another one, or a file"
            )

    def forget(self) -> None:
        """See Keeper."""
        self._keyring.delete(SERVICE, self._username)


class InFile:
    """In a file of its owner alone."""

    def __init__(self, kind: Kind, path: Path) -> None:
        self._kind = kind
        self._path = path
        self.name = str(path)

    def read(self) -> bytes | None:
        """See KeyPlace."""
        return _decoded(read_private(self._path), self._kind, self.name)

    def keep(self, private: bytes) -> None:
        """See Keeper."""
        found = self.read()
        if found == private:
            return
        if found is not None:
            raise SecretUnavailable(f"{self.name} has another key", "move it away: it may open something else")
        with storage(self._path):
            write_durably(self._path, f"{encoded(private)}\n".encode())
        if self.read() != private:
            raise StorageFailed(f"{self._path} did not keep the {self._kind.word}", "see to the disk, then try again")

    def forget(self) -> None:
        """See Keeper."""
        with storage(self._path):
            self._path.unlink(missing_ok=True)


class AsCredential:
    """Handed over by systemd (LoadCredential= or LoadCredentialEncrypted= of the unit): durun can only read it."""

    def __init__(self, kind: Kind, environ: Mapping[str, str]) -> None:
        self._kind = kind
        self.name = f"the systemd credential {kind.credential}"
        self._folder = environ.get("CREDENTIALS_DIRECTORY", "")

    def read(self) -> bytes | None:
        """See KeyPlace."""
        if not self._folder:
            return None
        path = Path(self._folder) / self._kind.credential
        return _decoded(read_private(path, credential=True), self._kind, str(path))


def encoded(key: bytes) -> str:
    """A key as text."""
    return base64.b64encode(key).decode("ascii")


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """What the disk refuses at `path` is a StorageFailed."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{path}: {error.strerror}", "see to the disk, then try again") from error


def _decoded(text: bytes | None, kind: Kind, place: str) -> bytes | None:
    if text is None:
        return None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_SIZE:
        raise SecretUnavailable(
            f"what is in {place} is not a {kind.word}", f"it must be the base64 of {KEY_SIZE} bytes"
        )
    return key
