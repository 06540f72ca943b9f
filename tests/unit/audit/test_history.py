"""What was changed in a journal is found and named, by flips of bits and by people who know what they do."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator

import pytest

from audited import KEYS, LOG, LOGGED, SIGNER, Made, created, session, three_runs, whole
from durun.audit.history import History, prove
from durun.audit.trust import Keys
from durun.errors import DurunError, JournalDamaged
from durun.journal.chain import RESTORE_FILE
from durun.journal.sqlite import open_journal
from durun.model import event as ev
from durun.secrets.sign import Ed25519Signer


def refused(made, run=None, keys=KEYS, heads=()) -> JournalDamaged:
    before = made.path.read_bytes()
    with pytest.raises(JournalDamaged) as caught:
        prove(made.history(), run, keys, heads)
    assert caught.value.exit_code == 7
    assert made.path.read_bytes() == before, "the file is left untouched"
    return caught.value


def tamper(made, *statements: str) -> None:
    """Change the file as its owner could, triggers and all."""
    connection = sqlite3.connect(made.path, isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def test_an_untouched_journal_is_proved(made):
    proof = prove(made.history(), None, KEYS, [])
    assert (proof.runs, proof.entries, proof.unsigned, proof.keys) == (3, 15, 0, [SIGNER.key])
    assert proof.notes == []
    assert prove(made.history(), "r2", KEYS, []).runs == 1


def test_an_entry_that_is_made_and_stamped_while_it_is_proved_is_no_damage(made):
    journal, shelf = open_journal(made.path), made.history().stamps

    class Busy:
        def __getattr__(self, name):
            return getattr(journal, name)

        def entries(self, *arguments, **more):
            found = journal.entries(*arguments, **more)
            shelf.keep(found[-1].number + 1, b"a timestamp")
            return found

    history = History(Busy(), made.home / "runs")
    assert prove(history, None, KEYS, []).stamps == []
    with pytest.raises(JournalDamaged, match="entry 16 of the register is missing: there is a timestamp of it"):
        prove(history, None, KEYS, [])


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE event SET at = 3 WHERE sequence = 3 AND run = 1", "event 3 of run r1"),
        ("DELETE FROM event WHERE sequence > 5 AND run = 2", "event 6 of run r2"),
        ("UPDATE task SET exit_code = 1 WHERE run = 3 AND target = 'x'", "the state of b[x] of run r3"),
        ("DELETE FROM signature WHERE entry = 4; DELETE FROM register WHERE number = 4", "entry 4 of the register is"),
        ("UPDATE register SET body = replace(body, 'r1', 'r9') WHERE number = 2", "entry 2 of the register"),
        ("UPDATE signature SET signature = zeroblob(64) WHERE entry = 7", "signature of entry 7 of the register"),
        ("UPDATE signature SET key = 'me' WHERE entry = 7", "entry 7 of the register is signed by the key me"),
        ("DELETE FROM signature", "entry 7 of the register (the end of run r1) is not signed"),
        ("DELETE FROM signature WHERE entry > 11", "entry 15 of the register (the end of run r3) is not signed"),
        ("UPDATE signature SET entry = 900 WHERE entry = 7", "a row belongs to one that is not there"),
        ("DROP INDEX register_run", "its tables are not those that durun makes"),
    ],
)
def test_what_somebody_changed_is_found_and_named(made, change, named):
    tamper(made, *change.split("; "))
    assert named in refused(made).message


def forget(made, run: str, *more: str) -> None:
    number = f"(SELECT number FROM run WHERE id = '{run}')"
    tables = [f"DELETE FROM {table} WHERE run = {number}" for table in ("task", "event")]
    tamper(made, *tables, f"DELETE FROM run WHERE id = '{run}'", *more)


def test_a_run_that_was_removed_is_missed(made):
    forget(made, "r1")
    assert refused(made).message == "run r1 is missing: entry 2 of the register has it"
    assert prove(made.history(), "r3", KEYS, []).runs == 1


def test_one_that_was_removed_from_the_register_as_well_breaks_it(made):
    forget(made, "r1", "DELETE FROM signature WHERE entry < 8", "DELETE FROM register WHERE run = 'r1'")
    assert refused(made).message == "entry 2 of the register is missing"


def test_an_older_copy_of_the_journal_lacks_what_the_folders_of_runs_show(made):
    for run, folder in (("r3", 3), ("r2", 3)):
        attempt = made.home / "runs" / run / "attempts" / str(folder)
        attempt.mkdir(parents=True)
        (attempt / "gate").touch()
    (made.home / "runs" / "r9" / "attempts" / "1").mkdir(parents=True)  # made ahead
    assert prove(made.history(), None, KEYS, []).runs == 3
    (made.home / "runs" / "r2" / "attempts" / "4").mkdir()
    (made.home / "runs" / "r2" / "attempts" / "4" / "gate").touch()
    says = "run r2 has made 4 attempts and probes, and the journal knows of 3: it is an older copy"
    assert refused(made).message == says
    shutil.rmtree(made.home / "runs" / "r2")
    forget(made, "r3", "DELETE FROM signature WHERE entry > 9", "DELETE FROM register WHERE number > 9")
    assert refused(made).message == f"run r3 is missing: its attempts are in {made.home / 'runs' / 'r3'}"


def test_the_newest_run_cut_off_with_its_entries_is_missed_by_who_has_the_head(made):
    head = prove(made.history(), None, KEYS, []).head
    forget(made, "r3", "DELETE FROM signature WHERE entry > 9", "DELETE FROM register WHERE number > 9")
    shutil.rmtree(made.history().runs / "r3")
    assert prove(made.history(), None, KEYS, []).runs == 2
    assert refused(made, heads=[head]).message == f"the head {head} is not in this journal"


def rebuilt(made, turns: int) -> None:
    """Only the first turns of r3, with everything recomputed."""
    forget(made, "r3", "DELETE FROM signature WHERE entry > 9", "DELETE FROM register WHERE number > 9")
    made.write("r3", whole("third")[:turns], 3000.0, signed=False)


@pytest.mark.fault(24)
def test_a_tail_cut_off_and_folded_anew_does_not_fit_the_register(made):
    with open_journal(made.path, read_only=True) as journal:
        kept = journal.entries("r3")
    rebuilt(made, 6)
    tamper(made, "DELETE FROM register WHERE number > 9")
    connection = sqlite3.connect(made.path, isolation_level=None)
    connection.executemany("INSERT INTO register VALUES (?, ?, ?, ?)", [entry[:4] for entry in kept])
    connection.executemany("INSERT INTO signature VALUES (?, ?, ?)", [(e.number, e.key, e.signature) for e in kept])
    connection.close()
    assert refused(made).message == "event 10 of run r3 is missing, and all up to 10"


def test_an_older_state_put_back_is_found_with_the_head(made, tmp_path):
    backup = made.path.read_bytes()
    made.write("r4", whole("fourth"), 4000.0)
    head = prove(made.history(), None, KEYS, []).head
    made.path.write_bytes(backup)
    shutil.rmtree(made.history().runs / "r4")
    assert prove(made.history(), None, KEYS, []).runs == 3
    assert "an older state was put back" in refused(made, heads=[head]).hint


def rewritten(home, signer: Ed25519Signer | None) -> Made:
    """The same runs, but nobody settled anything by hand: every hash computed anew."""
    place = Made(home)
    changed = [[event for event in turn if not isinstance(event, ev.TaskSettled)] for turn in whole("first")]
    changed[5] = [ev.TaskSucceeded(step="b", target="y", how="ran", exit_code=0)]
    changed = [[event for event in turn if not isinstance(event, ev.RunParked | ev.TaskInDoubt)] for turn in changed]
    changed = [turn for turn in changed if turn]
    with open_journal(place.path) as journal:
        if signer is not None:
            journal.sign_with(signer)
        head = 0
        for events in changed:
            head = journal.append("r1", head, events, 1000.0)
    return place


def test_a_history_rewritten_with_all_hashes_does_not_have_the_signature(made, tmp_path):
    key = {"keys": Keys({SIGNER.key: SIGNER.public}, given=True)}
    forged = rewritten(tmp_path / "unsigned", None)
    assert "(the end of run r1) is not signed" in refused(forged, **key).message
    other = Ed25519Signer(bytes(32))
    forged = rewritten(tmp_path / "other", other)
    assert f"is signed by the key {other.key}" in refused(forged, **key).message


def test_one_rewritten_with_the_key_itself_does_not_have_the_head(made, tmp_path):
    with open_journal(made.path, read_only=True) as journal:
        heads = [entry.digest for entry in journal.entries("r1") if entry.kind == "run_ended"]
    forged = rewritten(tmp_path / "forged", SIGNER)
    prove(forged.history(), None, KEYS, [])
    assert heads[0] in refused(forged, heads=heads).message


def test_a_pruned_run_is_not_missed(made):
    with open_journal(made.path) as journal:
        journal.sign_with(SIGNER)
        journal.prune("r1", 9000.0)
    assert prove(made.history(), None, KEYS, []).runs == 2


def test_runs_that_come_and_go_meanwhile_are_no_damage(made, monkeypatch):
    history = made.history()
    listed = history.journal.runs

    def meanwhile(query):
        found = listed(query)
        with open_journal(made.path) as journal:
            journal.sign_with(SIGNER)
            journal.prune("r1", 9000.0)
        made.write("r5", whole("fifth"), 9001.0)
        return [*found, *listed(query)[:1]]

    monkeypatch.setattr(history.journal, "runs", meanwhile)
    prove(history, None, KEYS, [])


def test_a_journal_that_has_no_register_yet_is_proved_but_not_where_there_was_a_key(tmp_path):
    made = three_runs(tmp_path / "old")
    tamper(made, "DELETE FROM signature", "DELETE FROM register")
    (no_register, no_key) = prove(made.history(), None, Keys({}), []).notes
    assert no_register.startswith("there is no register yet")
    assert no_key.startswith("there is no key here")
    assert refused(made).message == "run r1 is not in the register"


def test_runs_that_are_older_than_the_register_are_in_its_first_entry(tmp_path):
    made = three_runs(tmp_path / "old")
    tamper(made, "DELETE FROM signature", "DELETE FROM register")
    made.write("r4", whole("fourth"), 4000.0)
    assert prove(made.history(), None, KEYS, []).entries == 7
    forget(made, "r2")
    assert refused(made).message == "run r2 is missing: entry 1 of the register has it"


def test_a_helper_file_that_was_changed_is_found(made):
    facts = {"x.sh": {"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "mode": "0600"}}
    made.write("r4", [[created("fourth", files=facts)], [session()]], 4000.0)
    assert prove(made.history(), None, KEYS, []).notes == ["run r4: its folder is gone, its files were not looked at"]
    copy = made.home / "runs" / "r4" / "files" / "x.sh"
    copy.parent.mkdir(parents=True)
    copy.write_text("abc")
    assert prove(made.history(), None, KEYS, []).notes == []
    copy.write_text("abd")
    found = refused(made)
    assert (found.message, found.hint) == (f"{copy} is not the file that run r4 began with", RESTORE_FILE)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (LOGGED.replace("abc", "abd"), "its stdout was changed"),
        (LOGGED + LOGGED, "its stdout was changed"),
        ("", "its stdout was changed"),
        (LOGGED.rstrip("\n"), "its stdout was changed"),
        (LOGGED.replace("stdout", "stderr"), "it has a stderr that was not kept"),
        (LOGGED + "[]\n", "it has a line that durun has not written"),
        (LOGGED + '{"at": 1\n', "it has a line that durun has not written"),
        (LOGGED.replace('"text"', '"base64"'), "it has a line that durun has not written"),
        (LOGGED.replace('"abc"', "7"), "it has a line that durun has not written"),
    ],
)
def test_a_log_that_was_changed_is_found(made, content, wrong):
    made.log("r1").write_text(content)
    found = refused(made)
    assert found.message == f"{made.log('r1')} is not what attempt 1 of a wrote: {wrong}"
    assert found.hint == RESTORE_FILE


def test_logs_that_are_gone_are_told(made):
    made.log("r1").unlink()
    assert prove(made.history(), None, KEYS, []).notes == ["run r1: logs of its attempts are gone: 1"]
    shutil.rmtree(made.history().runs / "r3")
    assert prove(made.history(), "r3", KEYS, []).notes == ["run r3: its folder is gone, its files were not looked at"]


def test_what_was_kept_of_a_stream_that_was_cut_is_not_held_against_the_digest_of_the_whole(made):
    log = {"stdout": {**LOG["stdout"], "cut": True}, "stderr": {"bytes": 2, "hmac_sha256": "7" * 64, "cut": True}}
    turns = [turn if number != 2 else [turn[0]._replace(log=log)] for number, turn in enumerate(whole("fourth"))]
    made.write("r4", turns, 4000.0)
    made.log("r4").write_text(LOGGED.replace("abc", "ab") + LOGGED.replace("stdout", "mark"))
    assert prove(made.history(), "r4", KEYS, []).notes == []
    made.log("r4").unlink()
    assert prove(made.history(), "r4", KEYS, []).notes == []


def test_heads_kept_elsewhere_are_found_in_it(made):
    with open_journal(made.path, read_only=True) as journal:
        digests = [entry.digest for entry in journal.entries()]
        hashes = [link.hash.hex() for link in journal.links("r1")]
    assert prove(made.history(), None, KEYS, [*digests, *hashes]).heads == len(digests) + len(hashes)
    assert prove(made.history(), "r1", KEYS, hashes).heads == len(hashes)
    assert "f" * 64 in refused(made, heads=["f" * 64]).message


def rows(path) -> object:
    """What is in the file, apart from how it lies there; None if it can't be read."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = ("run", "register", "signature", "task", "event")
        tables = [connection.execute(f"SELECT * FROM {name} NOT INDEXED").fetchall() for name in names]
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        return repr((tables, schema, connection.execute("PRAGMA user_version").fetchall()))
    except (sqlite3.Error, UnicodeDecodeError, OverflowError):
        return None
    finally:
        connection.close()


def flips(size: int, times: int, seed: int = 5) -> Iterator[tuple[int, int]]:
    dice = random.Random(seed)
    for _ in range(times):
        yield dice.randrange(size), 1 << dice.randrange(8)


@pytest.mark.fault(24)
def test_every_flipped_bit_that_changes_what_it_says_is_found(made, tmp_path):
    whole_file = made.path.read_bytes()
    meant, missed, changed = rows(made.path), [], 0
    copy = made._replace(home=tmp_path / "flipped")
    copy.home.mkdir(mode=0o700)
    for at, bit in flips(len(whole_file), 400):
        damaged = bytearray(whole_file)
        damaged[at] ^= bit
        copy.path.write_bytes(damaged)
        copy.path.chmod(0o600)
        differs = rows(copy.path) != meant
        changed += differs
        copy.path.write_bytes(damaged)
        try:
            prove(copy.history(), None, KEYS, [])
        except DurunError as error:
            assert error.exit_code in (7, 8, 13), error
        else:
            missed += [(at, bit)] if differs else []
        for left in copy.home.iterdir():
            left.unlink()
    assert not missed
    assert changed > 100
