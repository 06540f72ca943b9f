"""What is in a bundle: one run as a stranger can read and prove it, with the same bytes whenever it is made.

| file | |
|---|---|
| `VERIFY.md` | how to prove all of it without durun |
| `events.jsonl`, `chain.txt` | the events, one a line, as they were hashed; after each of them the chain's hash |
| `register/N.json`, `.sig`, `.tsr` | the entries about the run, on to one that is signed; and their timestamps |
| `runbook.yaml`, `runbook-N.yaml` | the runbook of the start, and those that event N changed it to |
| `included/…`, `included-N/…` | what these include |
| `files/…`, `files-S/…` | the helper files of these |
| `evidence/SHA256` | what was taken as evidence, each piece once |
| `manifest.json`, `SHA256SUMS` | what it is, and the digests of all files |
| `key.pem`, `attestation.json` | the public key, and the signed statement about all files |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from durun.audit.archive import Archive, Content, digest_of
from durun.audit.packing import Packing, packer
from durun.audit.statement import envelope
from durun.journal.chain import Link, canonical
from durun.journal.register import Entry
from durun.model.clock import to_iso
from durun.model.copies import copy_name
from durun.model.event import RunbookChanged, RunCreated, Stamped
from durun.model.evidence import Evidence, evidence_of
from durun.model.task import RunRecord, TaskKey, TaskState
from durun.model.values import Json
from durun.secrets.sign import Ed25519Signer, to_pem

ATTESTATION, SUMS, MANIFEST, KEY, GUIDE = "attestation.json", "SHA256SUMS", "manifest.json", "key.pem", "VERIFY.md"
EVENTS, CHAIN = "events.jsonl", "chain.txt"


class Account(NamedTuple):
    """A run as it is told: its record and tasks, its events as stored and as read, its entries, and its other files.

    `stamps`: the timestamps, by the number of their entry. `helpers` and `evidence` are by name,
    as far as they are there.
    """

    record: RunRecord
    tasks: Mapping[TaskKey, TaskState]
    links: Sequence[Link]
    events: Sequence[Stamped]
    entries: Sequence[Entry]
    helpers: Mapping[str, bytes]
    evidence: Mapping[str, Content]
    stamps: Mapping[int, bytes]


def make(account: Account, signer: Ed25519Signer, packing: Packing) -> Archive:
    """The bundle of a run, signed."""
    about = manifest(account, signer.key, packer(packing))
    files: dict[str, Content] = {**told(account), **account.helpers, **account.evidence}
    files |= {name: text.encode() for name, text in runbooks(account.events).items()}
    files[MANIFEST] = (json.dumps(about, ensure_ascii=True, indent=1, sort_keys=True) + "\n").encode()
    files[KEY] = to_pem(signer.public)
    files[GUIDE] = guide(account, signer.key)
    files[SUMS] = sums(files)
    digests = {name: digest_of(content) for name, content in files.items()}
    files[ATTESTATION] = envelope(digests, about, signer)
    return Archive(folder_of(account.record.id), int(account.events[-1].at), files)


def folder_of(run_id: str) -> str:
    """The folder that a bundle is unpacked to."""
    return f"durun-{run_id}"


def told(account: Account) -> dict[str, Content]:
    """The events and the entries."""
    files: dict[str, Content] = {
        EVENTS: "".join(f"{link.body}\n" for link in account.links).encode(),
        CHAIN: "".join(f"{link.hash.hex()}\n" for link in account.links).encode(),
    }
    for entry in account.entries:
        files[f"register/{entry.number:08}.json"] = entry.body.encode()
        if entry.signature is not None:
            files[f"register/{entry.number:08}.sig"] = entry.signature
    files |= {f"register/{number:08}.tsr": stamp for number, stamp in account.stamps.items()}
    return files


def runbooks(events: Sequence[Stamped]) -> dict[str, str]:
    """The texts of the run's runbooks, and of what they include, by the name of their files."""
    found: dict[str, str] = {}
    for sequence, _, event in events:
        if isinstance(event, RunCreated):
            found["runbook.yaml"] = event.text
            found |= _included("included", event.included)
        elif isinstance(event, RunbookChanged):
            found[f"runbook-{sequence}.yaml"] = event.text
            found |= _included(f"included-{sequence}", event.included)
    return found


def _included(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The texts by the names of files that do not lead out of the folder."""
    parts = {path: path.replace("%", "%25").split("/") for path in texts}
    safe = {path: "/".join("%2e%2e" if part == ".." else part for part in found) for path, found in parts.items()}
    return {f"{folder}/{safe[path]}": text for path, text in texts.items()}


def helpers(events: Sequence[Stamped]) -> dict[str, str]:
    """The SHA-256 of each helper file of the run, by its name in the bundle and in the run's folder."""
    changes = (event for _, _, event in events if isinstance(event, RunCreated | RunbookChanged))
    copies = ((f"{at.files_folder}/{copy_name(name)}", facts) for at in changes for name, facts in at.files.items())
    return {name: facts["sha256"] for name, facts in copies}


def manifest(account: Account, key: str, packed_by: str) -> dict[str, Json]:
    """What the bundle is about: all of it follows from the events and the entries."""
    record, own = account.record, own_entries(account)
    created = account.events[0].event
    assert isinstance(created, RunCreated)
    return {
        "schema": 1,
        "run": record.id,
        "runbook": record.runbook,
        "runbook_digest": record.digest,
        "status": record.status,
        "exit_code": record.exit_code,
        "started_at": to_iso(record.created_at),
        "ended_at": None if record.ended_at is None else to_iso(record.ended_at),
        "requested_by": created.by,
        "events": len(account.links),
        "chain": account.links[-1].hash.hex(),
        "evidence": [_piece(piece) for piece in evidence_of(account.tasks.items())],
        "entries": [entry.number for entry in own],
        "head": own[-1].digest if own else None,
        "key": key,
        "packed_by": packed_by,
    }


def _piece(piece: Evidence) -> dict[str, Json]:
    told = {name: value for name, value in piece._asdict().items() if name not in ("key", "command")}
    return {**told, "step": piece.key.step, "target": piece.key.target, "command": list(piece.command)}


def own_entries(account: Account) -> list[Entry]:
    """The entries about the run itself, in order."""
    return [entry for entry in account.entries if entry.run == account.record.id]


def sums(files: Mapping[str, Content]) -> bytes:
    """The text of `SHA256SUMS`, as sha256sum(1) writes it: names with a backslash or a line's end are escaped."""
    lines = []
    for name in sorted(files):
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "" if escaped == name else "\\"
        lines.append(f"{mark}{digest_of(files[name])}  {escaped}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def guide(account: Account, key: str) -> bytes:
    """The text of `VERIFY.md`."""
    own = own_entries(account)
    text = Template(Path(__file__).with_name("verify.md").read_text(encoding="utf-8"))
    values = {"run": account.record.id, "runbook": canonical(account.record.runbook), "key": key}
    return text.substitute(values, head=own[-1].digest if own else "none").encode()
