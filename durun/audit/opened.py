"""Proves a bundle, on any machine, without the journal that it came from (`durun.audit.bundle` has what is in one)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, BinaryIO

from durun.audit.archive import Archive, Content, digest_of, unpack
from durun.audit.bundle import (
    ATTESTATION,
    CHAIN,
    EVENTS,
    GUIDE,
    KEY,
    MANIFEST,
    SUMS,
    Account,
    folder_of,
    helpers,
    manifest,
    own_entries,
    runbooks,
    sums,
    told,
)
from durun.audit.history import Proof
from durun.audit.packing import is_packed_as, packer
from durun.audit.stamped import NOBODY, Vouching, prove_stamps
from durun.audit.statement import open_envelope, pae, subjects
from durun.audit.trust import Keys, require_heads
from durun.errors import BundleDamaged, JournalDamaged
from durun.journal.chain import Link, prove, unseal
from durun.journal.register import Entry
from durun.model.evidence import evidence_of
from durun.secrets.sign import from_pem, key_id, verifies

_AGAIN = "get the bundle anew from where it was made"


def prove_bundle(file: BinaryIO, keys: Keys, heads: Sequence[str], vouching: Vouching = NOBODY) -> Proof:
    """Prove all of a bundle, in a file that is read more than once.

    Raises BundleDamaged, naming what is wrong; UsageError where zstd can't be had."""
    archive, packing = unpack(file)
    try:
        small = {name: content for name, content in archive.files.items() if isinstance(content, bytes)}
        account = _account(archive, small)
        _prove_register(account)
        notes = _prove_files(archive.files, account)
        key = _prove_signature(archive.files, small, keys)
        hashes = {entry.digest for entry in account.entries} | {link.hash.hex() for link in account.links}
        require_heads(heads, hashes, "this bundle")
        stamps, said = prove_stamps(account.stamps, account.entries, vouching)
    except JournalDamaged as error:
        hint = (
            error.hint if "--key" in error.hint or "--tsa-ca" in error.hint or "older state" in error.hint else _AGAIN
        )
        raise BundleDamaged(error.message, hint) from error
    about = json.loads(small[MANIFEST])
    if about != manifest(account, key, about.get("packed_by", "")):
        raise _wrong(MANIFEST, "does not say what the events say")
    if about["packed_by"] == packer(packing) and not is_packed_as(file, packing):
        raise BundleDamaged("the archive is not packed as durun packs it", _AGAIN)
    notes += _prove_entries_signed(account, key, small[KEY]) + said
    if key not in keys.public:
        notes.append("the key is the bundle's own: compare its id with one from elsewhere, or give it: --key FILE")
    own = own_entries(account)
    head = own[-1].digest if own else ""
    return Proof(1, len(account.links), len(account.entries), 0, [key], len(heads), head, notes, stamps)


def _account(archive: Archive, files: Mapping[str, bytes]) -> Account:
    """What is told of the run, its chain proved and folded."""
    for name in (ATTESTATION, CHAIN, EVENTS, GUIDE, KEY, MANIFEST, SUMS):
        if name not in files:
            raise _wrong(name, "is missing")
    bodies, hashes = files[EVENTS].split(b"\n")[:-1], files[CHAIN].split(b"\n")[:-1]
    if not bodies or len(bodies) != len(hashes):
        raise _wrong(CHAIN, f"has {len(hashes)} hashes for {len(bodies)} events")
    links = [_link(number, *pair) for number, pair in enumerate(zip(bodies, hashes, strict=True), 1)]
    run_id = archive.folder.removeprefix(folder_of(""))
    (record, tasks), _ = prove(run_id, links)
    entries = [_entry(name, files) for name in sorted(files) if name.startswith("register/") and name.endswith(".json")]
    names = helpers(events := unseal(links))
    found = {name: files[name] for name in names if name in files}
    paths = [piece.path for piece in evidence_of(tasks.items())]
    evidence = {path: archive.files[path] for path in paths if path in archive.files}
    named = {entry.number: f"register/{entry.number:08}.tsr" for entry in entries}
    stamps = {number: files[name] for number, name in named.items() if name in files}
    return Account(record, tasks, links, events, entries, found, evidence, stamps)


def _link(number: int, body: bytes, hashed: bytes) -> Link:
    try:
        told = json.loads(body)
        return Link(told["sequence"], told["at"], told["type"], body.decode(), bytes.fromhex(hashed.decode()))
    except (ValueError, KeyError, TypeError) as error:
        raise BundleDamaged(f"event {number}, or its hash, can't be read", _AGAIN) from error


def _entry(name: str, files: Mapping[str, bytes]) -> Entry:
    try:
        body = files[name].decode()
        told = json.loads(body)
        entry = Entry(told["number"], told["run"], told["kind"], body)
        if name != f"register/{entry.number:08}.json":
            raise ValueError("filed under another number")
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong(name, "is not an entry of a register") from error
    signature = files.get(name.removesuffix("json") + "sig")
    return entry if signature is None else entry._replace(signature=signature)


def _prove_register(account: Account) -> None:
    """The entries fit the chain; after the newest about the run they go on, one by one, to one that is signed."""
    own = own_entries(account)
    for entry in own:
        fields = entry.fields()
        sequence, head = fields.get("sequence"), fields.get("head")
        known = account.links[:sequence] if isinstance(sequence, int) and sequence > 0 else []
        if len(known) != sequence or known[-1].hash.hex() != head:
            raise BundleDamaged(f"entry {entry.number} of the register does not fit event {sequence}", _AGAIN)
    for before, entry in pairwise(account.entries):
        next_to_it = entry.number == before.number + 1
        if (next_to_it or entry.run != account.record.id) and entry.fields().get("before") != before.digest:
            raise BundleDamaged(f"entry {entry.number} of the register does not fit the one before it", _AGAIN)
    if account.entries and account.entries[-1].signature is None:
        raise BundleDamaged(f"entry {account.entries[-1].number} of the register is not signed", _AGAIN)


def _prove_files(files: Mapping[str, Content], account: Account) -> list[str]:
    """Every file is one that the events or the entries lead to, and says what they say. Gives what is not there."""
    expected = told(account)
    expected |= {name: text.encode() for name, text in runbooks(account.events).items()}
    for name, content in expected.items():
        if files.get(name) != content:
            raise _wrong(name, "is not the one that the events say" if name in files else "is missing")
    digests = helpers(account.events) | {piece.path: piece.sha256 for piece in evidence_of(account.tasks.items())}
    for name, found in [*account.helpers.items(), *account.evidence.items()]:
        if digest_of(found) != digests[name]:
            raise _wrong(name, "is not the one that the events say")
    known = {*expected, *digests, ATTESTATION, GUIDE, KEY, MANIFEST, SUMS}
    if strange := sorted(set(files) - known):
        raise _wrong(strange[0], "does not belong into it")
    if files[SUMS] != sums({name: content for name, content in files.items() if name not in (SUMS, ATTESTATION)}):
        raise _wrong(SUMS, "does not have the digests of the files")
    return [f"{name} was gone when it was exported" for name in sorted(set(digests) - set(files))]


def _prove_signature(files: Mapping[str, Content], small: Mapping[str, bytes], keys: Keys) -> str:
    """The statement is signed by a key that counts, and is about these very files. Gives the key's id."""
    try:
        signed = open_envelope(small[ATTESTATION])
        statement: Any = json.loads(signed.payload)
        named = subjects(statement)
        own = from_pem(small[KEY])
    except ValueError as error:
        raise _wrong(ATTESTATION, f"or {KEY} can't be read: {error}") from error
    if key_id(own) != signed.key:
        raise _wrong(KEY, "is not the key that the attestation names")
    counting = keys if keys.given or signed.key in keys.public else Keys({key_id(own): own})
    counting.require(signed.key, signed.signature, pae(signed.payload), "the attestation")
    digests = {name: digest_of(content) for name, content in files.items() if name != ATTESTATION}
    for name in sorted({*digests, *named}):
        if digests.get(name) != named.get(name):
            raise _wrong(name, "is not the file that was signed")
    if statement["predicate"] != json.loads(small[MANIFEST]):
        raise _wrong(MANIFEST, "does not say what was signed")
    return signed.key


def _prove_entries_signed(account: Account, key: str, pem: bytes) -> list[str]:
    """The signatures of entries, all made with the key of the bundle. Gives what that does not show."""
    for entry in account.entries:
        if entry.signature is not None and not verifies(from_pem(pem), entry.signature, entry.body.encode()):
            raise BundleDamaged(f"entry {entry.number} of the register is not signed by the key {key}", _AGAIN)
    return [] if account.entries else ["the run is older than the register: no head of it was signed at the time"]


def _wrong(name: str, what: str) -> BundleDamaged:
    return BundleDamaged(f"{name} in the bundle {what}", _AGAIN)
