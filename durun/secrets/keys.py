"""durun's own keys: each is made when it is first wanted, then it is one for as long as the state directory lives.

The private half is in the user's keyring, in a file of the state directory (`seal.key`, `sign.key`), or systemd hands
it over. `seal.json` and `sign.json` record the public half and the place: so to seal a value, or to verify a signature,
needs neither keyring nor private key. The seal key goes into a keyring where there is one. The signing key goes there
only when it is told to: every run wants it, those of cron as well, and to ask a keyring takes longer than a short run.
Who makes or moves the key holds an `flock` on the state directory.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

from durun.durable import write_durably
from durun.errors import SecretUnavailable, StorageFailed
from durun.secrets.api import Keyring
from durun.secrets.files import read_private
from durun.secrets.places import AsCredential, InFile, InKeyring, Keeper, KeyPlace, Kind, encoded, storage
from durun.secrets.seal import KEY_SIZE, new_key, public_key
from durun.secrets.sign import new_signing_key, signing_public_key

Place: TypeAlias = Literal["keyring", "file", "credential"]

_VERSION = 1
_GLANCES, _GLANCE = 1200, 0.05


SEAL = Kind(
    "seal key",
    "seal",
    new_key,
    public_key,
    "what was sealed is lost, and {record} must go before a new run",
    "durun secret key --move",
)
"""The key to which secrets are sealed."""

SIGN = Kind(
    "signing key",
    "sign",
    new_signing_key,
    signing_public_key,
    "move {record} away, and a new key is made: tell those who verify its id",
    "durun secret key --signing --move",
    shy=True,
)
"""The key that signs the heads of runs, and what is exported."""


class Record(NamedTuple):
    """What `seal.json` says."""

    public: bytes
    place: Place


class OwnKey:
    """One of the keys of the state directory `home`."""

    def __init__(self, kind: Kind, home: Path, keyring: Keyring, environ: Mapping[str, str]) -> None:
        self._kind = kind
        self._home = home
        self._record_file = home / f"{kind.stem}.json"
        self._keyring = keyring
        self._file = InFile(kind, home / f"{kind.stem}.key")
        self._credential = AsCredential(kind, environ)
        self._private: bytes | None = None

    @property
    def word(self) -> str:
        """What the key is called: `seal key`, `signing key`."""
        return self._kind.word

    @property
    def move_command(self) -> str:
        """The command that takes it elsewhere, but for the place."""
        return self._kind.move

    def place(self) -> Place | None:
        """Where the private key is; None if none has been made. Raises SecretUnavailable if its record is no good."""
        record = self._record()
        return record.place if record else None

    def place_name(self) -> str:
        """The same for people; empty if none has been made. Raises SecretUnavailable."""
        record = self._record()
        return self._read_at(record).name if record else ""

    def left_behind(self) -> str | None:
        """A file with the key although its place is another one: a move was cut short. Raises SecretUnavailable."""
        return self._file.name if self.place() != "file" and self._file.read() == self.private() else None

    def public(self) -> bytes:
        """The public key, made with its private one if there is none yet. Raises SecretUnavailable, StorageFailed."""
        return self._known().public

    def private(self) -> bytes:
        """The private key, which is known to belong to the public one. Raises SecretUnavailable, StorageFailed."""
        if self._private is None:
            record = self._known()
            try:
                self._private = self._fetch(record)
            except SecretUnavailable:
                moved = self._known()  # by another process, just now
                if moved == record:
                    raise
                self._private = self._fetch(moved)
        return self._private

    def move(self, place: Literal["keyring", "file"]) -> None:
        """Take the private key elsewhere: it is there, and was read back, before the old one is removed.

        What an interrupted move left over is removed as well, as far as it can be reached. A credential stays: it is
        systemd's. Raises SecretUnavailable, StorageFailed; then the place that is recorded still has the key.
        """
        with alone(self._home):
            record = self._record() or self._new()
            private = self._fetch(record)
            keepers: dict[Place, Keeper] = {
                "file": self._file,
                "keyring": InKeyring(self._kind, self._keyring, record.public),
            }
            keepers.pop(place).keep(private)
            self._write_record(Record(record.public, place))
            for left, keeper in keepers.items():
                with nullcontext() if left == record.place else suppress(SecretUnavailable):
                    if keeper.read() == private:  # another key may be all that opens something else
                        keeper.forget()

    def _known(self) -> Record:
        if record := self._record():
            return record
        with alone(self._home):
            return self._record() or self._new()

    def _new(self) -> Record:
        record = self._adopt() or self._make()
        self._write_record(record)
        return record

    def _adopt(self) -> Record | None:
        """The key that systemd hands over, or one in a file whose record was not written any more."""
        if (private := self._credential.read()) is not None:
            return Record(self._kind.public_key(private), "credential")
        if (private := self._file.read()) is not None:
            return Record(self._kind.public_key(private), "file")
        return None

    def _make(self) -> Record:
        private, public = self._kind.new()
        if not self._kind.shy and self._keyring.backend().usable:
            with suppress(SecretUnavailable):  # locked, or it keeps nothing: there is always the file
                InKeyring(self._kind, self._keyring, public).keep(private)
                return Record(public, "keyring")
        self._file.keep(private)
        return Record(public, "file")

    def _fetch(self, record: Record) -> bytes:
        """The private key. A credential that is the right one spares the keyring: a unit has no session."""
        private = self._credential.read()
        if private is not None and self._kind.public_key(private) == record.public:
            return private
        place = self._read_at(record)
        private = place.read()
        if private is None:
            raise SecretUnavailable(f"durun's {self._kind.word} is gone from {place.name}", self._way_out(record))
        if self._kind.public_key(private) != record.public:
            problem = f"the key in {place.name} is not the one that {self._record_file} names"
            raise SecretUnavailable(problem, self._way_out(record))
        return private

    def _read_at(self, record: Record) -> KeyPlace:
        match record.place:
            case "keyring":
                return InKeyring(self._kind, self._keyring, record.public)
            case "file":
                return self._file
            case "credential":
                return self._credential

    def _record(self) -> Record | None:
        content = read_private(self._record_file)
        if content is None:
            return None
        try:
            said = json.loads(content)
            record = Record(base64.b64decode(said["public"], validate=True), said["place"])
            good = said["version"] == _VERSION and len(record.public) == KEY_SIZE and record.place in get_args(Place)
        except (ValueError, TypeError, KeyError):
            good = False
        if not good:
            raise SecretUnavailable(
                f"{self._record_file} is not a record of a {self._kind.word} that this durun knows",
                "restore it from a backup, or use the durun that wrote it",
            )
        return record

    def _write_record(self, record: Record) -> None:
        said = {"version": _VERSION, "public": encoded(record.public), "place": record.place}
        with storage(self._record_file):
            write_durably(self._record_file, f"{json.dumps(said)}\n".encode())

    def _way_out(self, record: Record) -> str:
        if record.place == "credential":
            return f"start durun from the unit that loads the credential {self._kind.credential}"
        return f"put the key back; else {self._kind.loss.format(record=self._record_file)}"


class SealKey(OwnKey):
    """The seal key of the state directory `home`."""

    def __init__(self, home: Path, keyring: Keyring, environ: Mapping[str, str]) -> None:
        super().__init__(SEAL, home, keyring, environ)


class SigningKey(OwnKey):
    """The signing key of the state directory `home`."""

    def __init__(self, home: Path, keyring: Keyring, environ: Mapping[str, str]) -> None:
        super().__init__(SIGN, home, keyring, environ)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process makes or moves the key meanwhile. Raises StorageFailed, after a minute of waiting too."""
    with storage(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(_GLANCES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                select.select([], [], [], _GLANCE)
        else:
            raise StorageFailed(f"another process holds {folder}", "look which durun makes or moves its keys")
        yield
    finally:
        os.close(descriptor)
