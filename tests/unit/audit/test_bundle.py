"""An exported run: the same bytes each time, proved by others' programs, and no byte of it can be changed."""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from audited import KEYS, SIGNER, Made, created, session, whole
from durun.audit.archive import Archive, pack, unpack
from durun.audit.bundle import ATTESTATION, MANIFEST, SUMS, make, sums
from durun.audit.export import export, gather
from durun.audit.history import History
from durun.audit.opened import prove_bundle
from durun.audit.packing import Packing
from durun.audit.statement import envelope, pae
from durun.audit.trust import Keys
from durun.errors import BundleDamaged, JournalDamaged, NotAllowed
from durun.journal.sqlite import open_journal
from durun.model import event as ev
from durun.secrets.sign import Ed25519Signer, to_pem

SCRIPT = b"echo helped\n"
FILES = {"tools/x.sh": {"sha256": sha256(SCRIPT).hexdigest(), "mode": "0700"}}
STRANGER = Keys({})


@pytest.fixture
def history(made: Made):
    """The journal with a run in it that has all that a bundle can have."""
    turns = whole("told", files=FILES)
    changed = ev.RunbookChanged(
        digest="e" * 64, text="durun: 1\nname: told\n", file="b", place="/", changes=["~ a"], tasks=0, by={"uid": 0},
        files=FILES, files_folder="files-2",
    )  # fmt: skip
    made.write("r4", [*turns[:2], [changed], *turns[2:]], 4000.0)
    for folder in ("files", "files-2"):
        path = made.home / "runs" / "r4" / folder / "tools" / "x.sh"
        path.parent.mkdir(parents=True)
        path.write_bytes(SCRIPT)
    with open_journal(made.path) as journal:
        yield History(journal, made.home / "runs")


def bundle(history: History, run: str = "r4", packing: Packing = "gzip") -> bytes:
    return b"".join(export(history, run, SIGNER, packing, str))


def proved(content: bytes, keys: Keys = KEYS, heads=()):
    return prove_bundle(io.BytesIO(content), keys, heads)


def opened(content: bytes) -> Archive:
    return unpack(io.BytesIO(content))[0]


def packed(archive: Archive, **files: bytes) -> bytes:
    """The archive with these files instead, with every checksum of it put right."""
    return b"".join(pack(archive._replace(files={**archive.files, **files}), "gzip"))


def refused(content: bytes, keys: Keys = KEYS, heads=()) -> str:
    with pytest.raises(BundleDamaged) as caught:
        proved(content, keys, heads)
    assert caught.value.exit_code == 7
    return caught.value.message


def unpacked(content: bytes, folder: Path) -> Path:
    path = folder / "bundle.tar.gz"
    path.write_bytes(content)
    (folder / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", path, "-C", folder / "unpacked"], check=True)
    (found,) = (folder / "unpacked").iterdir()
    return found


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_it_is_the_same_whenever_it_is_made_and_wherever_it_is_proved(history, made, packing):
    first = bundle(history, packing=packing)
    made.write("r5", whole("later"), 5000.0)
    assert bundle(history, packing=packing) == first
    proof = proved(first, KEYS, [])
    assert (proof.runs, proof.keys, proof.notes) == (1, [SIGNER.key], [])
    (note,) = proved(first, STRANGER, []).notes
    assert note.startswith("the key is the bundle's own")


def test_it_holds_what_a_stranger_needs(history, tmp_path):
    folder = unpacked(bundle(history), tmp_path)
    assert folder.name == "durun-r4"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    entries = {name for name in names if name.startswith("register/")}
    assert names - entries == {
        "VERIFY.md", "SHA256SUMS", "attestation.json", "chain.txt", "events.jsonl", "files-2/tools/x.sh",
        "files/tools/x.sh", "key.pem", "manifest.json", "runbook-4.yaml", "runbook.yaml",
    }  # fmt: skip
    assert entries
    about = json.loads((folder / "manifest.json").read_text())
    assert (about["run"], about["runbook"], about["status"], about["exit_code"]) == ("r4", "told", "succeeded", 0)
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["type"] for line in lines][:4] == [
        "run_created", "session_started", "task_started", "runbook_changed",
    ]  # fmt: skip


def commands(folder: Path) -> str:
    """All that VERIFY.md says to type, as one script."""
    parts = (folder / "VERIFY.md").read_text().split("```sh\n")[1:]
    return "set -e\n" + "".join(part.partition("```")[0] for part in parts)


def follow_guide(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", commands(folder)], cwd=folder, capture_output=True, text=True, check=False)


def test_the_commands_in_it_prove_it_without_durun(history, tmp_path):
    folder = unpacked(bundle(history), tmp_path)
    said = follow_guide(folder)
    assert said.returncode == 0, said.stderr
    assert SIGNER.key in said.stdout
    signed = list(folder.glob("register/*.sig"))
    assert said.stdout.count("Signature Verified Successfully") == 1 + len(signed)
    proof = proved((tmp_path / "bundle.tar.gz").read_bytes(), KEYS, [])
    assert f"{proof.head}  register/" in said.stdout
    assert proof.head in (folder / "VERIFY.md").read_text()


@pytest.mark.parametrize(
    "name", ["events.jsonl", "chain.txt", "attestation.json", "SHA256SUMS", "runbook.yaml", "files/tools/x.sh"]
)
def test_the_commands_in_it_find_what_was_changed(history, tmp_path, name):
    folder = unpacked(bundle(history), tmp_path)
    content = bytearray((folder / name).read_bytes())
    at = content.index(b'"sig":"') + 9 if name == "attestation.json" else len(content) // 2
    content[at] ^= 4
    (folder / name).write_bytes(content)
    assert follow_guide(folder).returncode != 0


def test_securesystemslib_verifies_the_envelope(history, tmp_path):
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    data = json.loads((unpacked(bundle(history), tmp_path) / ATTESTATION).read_text())
    found = Envelope.from_dict(data)
    key = SSlibKey(SIGNER.key, "ed25519", "ed25519", {"public": SIGNER.public.hex()})
    assert found.verify([key], 1).keys() == {SIGNER.key}
    assert found.pae() == pae(base64.b64decode(data["payload"]))
    found.payload = found.payload.replace(b"succeeded", b"cancelled")
    with pytest.raises(VerificationError):
        found.verify([key], 1)


def test_in_toto_s_own_library_takes_the_statement(history, tmp_path):
    from google.protobuf import json_format
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    folder = unpacked(bundle(history), tmp_path)
    payload = base64.b64decode(json.loads((folder / ATTESTATION).read_text())["payload"])
    statement = Statement.copy_from_pb(json_format.Parse(payload, statement_pb2.Statement()))
    statement.validate()
    digests = {subject.name: subject.digest["sha256"] for subject in statement.pb.subject}
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert digests == {
        name: sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name != ATTESTATION
    }
    assert statement.pb.predicate["status"] == "succeeded"


@pytest.mark.fault(24)
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_one_changed_byte_anywhere_is_found(history, packing):
    content = bundle(history, packing=packing)
    dice = random.Random(11)
    ends = [*range(40), *range(len(content) - 40, len(content))]
    for at in [*ends, *(dice.randrange(len(content)) for _ in range(400))]:
        changed = bytearray(content)
        changed[at] ^= dice.choice([1, 2, 4, 8, 16, 32, 64, 128, dice.randrange(1, 256)])
        assert refused(bytes(changed))


@pytest.mark.fault(24)
def test_one_flipped_bit_in_what_is_unpacked_is_found(history):
    """As by somebody who packs it again, with every checksum of the archive put right."""
    archive = opened(bundle(history))
    dice = random.Random(12)
    names = sorted(archive.files)
    for _ in range(400):
        name = dice.choice(names)
        content = bytearray(archive.files[name])
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        assert refused(packed(archive, **{name: bytes(content)}))


def cut(content: bytes) -> bytes:
    return content[: content.rstrip(b"\n").rindex(b"\n") + 1]


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("events.jsonl", lambda text: text.replace(b'"seen"', b'"same"'), "event 12 of run r4 is not what"),
        ("events.jsonl", cut, "chain.txt in the bundle has 14 hashes for 13 events"),
        ("runbook.yaml", lambda text: text + b"# more\n", "runbook.yaml in the bundle is not the one"),
        ("files/tools/x.sh", lambda text: b"rm -rf /\n", "files/tools/x.sh in the bundle is not the one"),
        ("strange", lambda _: b"", "strange in the bundle does not belong into it"),
        ("VERIFY.md", lambda text: text.replace(b"openssl", b"true"), "SHA256SUMS in the bundle does not have"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(history, name, change, named):
    archive = opened(bundle(history))
    files = {**archive.files, name: change(archive.files.get(name, b""))}
    assert refused(b"".join(pack(archive._replace(files=files), "gzip"))).startswith(named)


def test_what_was_left_out_is_named(history):
    archive = opened(bundle(history))
    for name in archive.files:
        files = {other: content for other, content in archive.files.items() if other != name}
        assert refused(b"".join(pack(archive._replace(files=files), "gzip")))


def resigned(archive: Archive, signer: Ed25519Signer) -> bytes:
    """The files as they are, with all sums put right, signed by somebody."""
    files = {name: content for name, content in archive.files.items() if name not in (ATTESTATION, SUMS)}
    about = {**json.loads(files[MANIFEST]), "key": signer.key}
    files[MANIFEST] = (json.dumps(about, indent=1, sort_keys=True) + "\n").encode()
    files["key.pem"] = to_pem(signer.public)
    files = {name: content for name, content in files.items() if not name.endswith(".sig")}
    for name in [name for name in files if name.startswith("register/")]:
        files[name.replace(".json", ".sig")] = signer.sign(files[name])
    files[SUMS] = sums(files)
    digests = {name: sha256(content).hexdigest() for name, content in files.items()}
    files[ATTESTATION] = envelope(digests, about, signer)
    return b"".join(pack(archive._replace(files=files), "gzip"))


def test_one_that_somebody_else_has_signed_is_refused_by_who_has_the_key(history):
    archive = opened(bundle(history))
    other = Ed25519Signer(bytes(32))
    forged = resigned(archive, other)
    assert proved(forged, STRANGER, []).keys == [other.key]
    given = Keys({SIGNER.key: SIGNER.public}, given=True)
    assert refused(forged, given) == (
        f"the attestation is signed by the key {other.key}, which is not one of those that count here"
    )


def test_heads_kept_elsewhere_are_looked_for(history):
    content = bundle(history)
    head = history.journal.entries("r4")[-1].digest
    assert proved(content, KEYS, [head, history.journal.links("r4")[3].hash.hex()]).head == head
    assert refused(content, heads=["0" * 64]) == f"the head {'0' * 64} is not in this bundle"


def test_a_run_that_is_not_signed_yet_is_signed_for_its_export(made):
    made.write("r4", whole("late"), 4000.0, signed=False)
    made.write("r5", whole("later"), 5000.0, signed=False)
    with open_journal(made.path) as journal:
        first = bundle(History(journal, made.home / "runs"))
        assert bundle(History(journal, made.home / "runs")) == first
    assert proved(first, KEYS, []).notes == []


def test_a_run_in_the_middle_is_told_as_it_is(history):
    archive = opened(bundle(history, "r2"))
    assert json.loads(archive.files[MANIFEST])["status"] == "running"
    assert proved(bundle(history, "r2"), KEYS, []).runs == 1


def test_a_helper_file_that_was_changed_is_not_exported_and_one_that_is_gone_is_said_to_be(history):
    path = history.runs / "r4" / "files" / "tools" / "x.sh"
    path.write_bytes(b"other")
    with pytest.raises(JournalDamaged, match="not the file that the run began with"):
        bundle(history)
    path.unlink()
    assert proved(bundle(history), KEYS, []).notes == ["files/tools/x.sh was gone when it was exported"]


def test_what_has_a_known_secret_in_it_is_not_exported(history):
    with pytest.raises(NotAllowed, match=r"files(-2)?/tools/x.sh would have a secret"):
        next(export(history, "r4", SIGNER, "gzip", lambda text: text.replace("helped", "***")))


def test_a_name_that_sha256sum_escapes_and_one_that_is_no_text(made, tmp_path):
    files = {"odd\nname\\": FILES["tools/x.sh"], "no\udce9text": FILES["tools/x.sh"]}
    made.write("r4", [[created("odd", files=files)], [session()]], 4000.0)
    for name in files:
        path = made.home / "runs" / "r4" / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SCRIPT)
    with open_journal(made.path) as journal:
        content = bundle(History(journal, made.home / "runs"))
    assert proved(content, KEYS, []).notes == []
    assert follow_guide(unpacked(content, tmp_path)).returncode == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x1f\x8b" + b"x" * 100])
def test_what_is_no_bundle_is_refused(content):
    assert refused(content)


def test_an_archive_that_leads_out_of_its_folder_is_refused(history):
    account = gather(history, "r4", SIGNER)
    archive = make(account, SIGNER, "gzip")
    assert "does not belong" in refused(packed(archive, **{"../x": b""}))
