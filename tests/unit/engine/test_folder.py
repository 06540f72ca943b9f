"""What is left in the folder of an attempt is removed, whatever a step has made of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durun.engine.local.folder import discard_evidence, evidence_path, remove_all

REMOVED = "what it left as evidence is removed, for secrets may be in it"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The evidence of the attempt whose folder is `tmp_path`."""
    place = Path(evidence_path(tmp_path))
    place.mkdir()
    return place


def test_nothing_is_said_of_what_never_was(tmp_path: Path, place: Path) -> None:
    assert discard_evidence(tmp_path) == ""
    assert discard_evidence(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_that_something_was_removed_is_known_later_too(tmp_path: Path, place: Path) -> None:
    (place / "note").write_text("x")
    assert discard_evidence(tmp_path) == discard_evidence(tmp_path) == REMOVED
    assert [list(path.iterdir()) for path in tmp_path.iterdir()] == [[]]


def test_a_folder_goes_that_its_step_has_closed_to_itself(tmp_path: Path, place: Path) -> None:
    deep = place / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "note").write_text("x")
    for folder in (deep, deep.parent, place):
        folder.chmod(0)
    assert discard_evidence(tmp_path) == REMOVED
    assert not place.exists()


def test_what_a_link_leads_to_stays_as_it_is(tmp_path: Path, place: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o500)
    (place / "link").symlink_to(elsewhere)
    remove_all(str(place))
    assert elsewhere.stat().st_mode & 0o777 == 0o500
    place.symlink_to(elsewhere)
    remove_all(str(place))
    assert elsewhere.is_dir()
    assert not os.path.lexists(place)


def test_a_file_goes_that_its_step_has_put_in_the_place_of_the_folder(tmp_path: Path, place: Path) -> None:
    place.rmdir()
    place.write_text("x")
    assert discard_evidence(tmp_path) == REMOVED
    assert not place.exists()
