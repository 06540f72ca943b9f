"""Whether a piece of evidence is still what was taken."""

import hashlib
from pathlib import Path

import pytest

from durun.evidence import wrong_with
from durun.model.evidence import Evidence, evidence_of
from durun.model.task import Attempt, TaskKey, TaskState

CONTENT = b"a table\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def task(**items: str) -> TaskState:
    taken = {name: {"sha256": sha, "bytes": 8, "source": "stdout", "taken_at": "t"} for name, sha in items.items()}
    facts = {"host": "h", "user": "u", "uid": 1, "command": ["ps"], "utc_offset": "+0100", "items": taken}
    attempts = [
        Attempt(number, number, "n", 1, 0.0, "k", "r", evidence=facts if number == 2 else None) for number in (1, 2)
    ]
    return TaskState(attempts=attempts)


@pytest.fixture
def piece(tmp_path: Path) -> Evidence:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / DIGEST).write_bytes(CONTENT)
    (found,) = evidence_of([(TaskKey("one", "a"), task(table=DIGEST))])
    return found


def test_it_is_told_with_all_that_is_known_of_it(piece: Evidence) -> None:
    assert (piece.name, piece.attempt, piece.path) == ("table", 2, f"evidence/{DIGEST}")
    assert (piece.host, piece.user, piece.command, piece.redacted) == ("h", "u", ("ps",), False)


def test_a_piece_is_what_it_was(piece: Evidence, tmp_path: Path) -> None:
    assert wrong_with(piece, tmp_path) == ""


@pytest.mark.parametrize("bit", range(8))
def test_one_bit_is_enough(piece: Evidence, tmp_path: Path, bit: int) -> None:
    changed = bytearray(CONTENT)
    changed[3] ^= 1 << bit
    (tmp_path / piece.path).write_bytes(changed)
    assert wrong_with(piece, tmp_path).startswith(f"evidence/{DIGEST} (table of one[a]) was changed: it is ")


def test_a_piece_that_is_gone_is_named(piece: Evidence, tmp_path: Path) -> None:
    (tmp_path / piece.path).unlink()
    assert (
        wrong_with(piece, tmp_path) == f"evidence/{DIGEST} (table of one[a]) can't be read: No such file or directory"
    )
