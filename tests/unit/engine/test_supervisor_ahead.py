"""Folders made ahead: a name counts as durable only if it was there when the folder around it was last synced."""

import errno
import os
import random
import shutil

import pytest

from durun.engine.local import folder as folders
from durun.engine.local.names import attempt_folder
from durun.engine.local.supervisor.ahead import Ahead


class Disk:
    """What would be found after a power cut: names and inodes of the attempts' folders at each sync."""

    def __init__(self, run_folder):
        self.attempts = attempt_folder(run_folder, 0).parent
        self.durable = {}
        self.syncs = 0

    def sync(self, place):
        if place == self.attempts:
            self.durable = {entry.name: entry.inode() for entry in os.scandir(place)}
            self.syncs += 1

    def has(self, number):
        folder = self.attempts / str(number)
        return self.durable.get(folder.name) == folder.stat().st_ino


@pytest.fixture
def disk(tmp_path, monkeypatch):
    found = Disk(tmp_path)
    monkeypatch.setattr(folders, "sync", found.sync)
    return found


def test_a_long_run_syncs_the_folder_of_all_attempts_seldom(disk, tmp_path):
    ahead = Ahead(tmp_path)
    for number in range(1, 501):
        ahead.make(number)
        ahead.sync(number)
        assert disk.has(number)
    assert disk.syncs <= 14


def test_one_attempt_makes_no_folder_but_its_own(disk, tmp_path):
    ahead = Ahead(tmp_path)
    for _ in range(10):  # a poll uses its folder again
        shutil.rmtree(attempt_folder(tmp_path, 1), ignore_errors=True)
        ahead.make(1)
        ahead.sync(1)
        assert disk.has(1)
    assert [folder.name for folder in disk.attempts.iterdir()] == ["1"]


def test_what_is_left_is_removed_and_nothing_else(disk, tmp_path):
    ahead = Ahead(tmp_path)
    for number in range(1, 7):
        ahead.make(number)
        (attempt_folder(tmp_path, number) / "gate").touch()
        ahead.sync(number)
    assert len(list(disk.attempts.iterdir())) > 6
    folders.remove_unused(tmp_path, 6)
    assert {folder.name for folder in disk.attempts.iterdir()} == {"1", "2", "3", "4", "5", "6"}


def test_a_folder_that_somebody_else_made_is_synced(disk, tmp_path):
    """A killed supervisor's: nobody knows whether it synced the name."""
    folders.make_folder(attempt_folder(tmp_path, 5))
    ahead = Ahead(tmp_path)
    for number in (5, 6):
        ahead.make(number)
        ahead.sync(number)
        assert disk.has(number)


@pytest.mark.parametrize("seed", range(50))
def test_a_synced_name_is_always_durable(disk, tmp_path, seed):
    """In whatever order attempts begin and end, and folders are used again."""
    chance = random.Random(seed)
    ahead, running, ended, last = Ahead(tmp_path), [], [], chance.choice([0, 0, 40])
    for _ in range(60):
        if ended and chance.random() < 0.2:
            number = ended.pop(chance.randrange(len(ended)))
            shutil.rmtree(attempt_folder(tmp_path, number))
        elif not running or chance.random() < 0.5:
            number = last = last + 1
        else:
            number = running.pop(chance.randrange(len(running)))
            if chance.random() < 0.7:
                ahead.sync(number)
                assert disk.has(number)
            ended.append(number)
            continue
        ahead.make(number)
        running.append(number)


def test_without_room_for_more_the_attempt_itself_is_synced(disk, tmp_path, monkeypatch):
    def refuse(path, mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    ahead = Ahead(tmp_path)
    for number in range(1, 20):
        ahead.make(number)
        with monkeypatch.context() as full:
            if number % 3:
                full.setattr(os, "mkdir", refuse)
            ahead.sync(number)
        assert disk.has(number)
