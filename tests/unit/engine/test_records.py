"""The gate file: three sealed regions, each whole or absent, in room of a fixed size."""

from hypothesis import given
from hypothesis import strategies as st

from durun.engine.local.records import (
    EXIT_AT,
    PROCESS_AT,
    SIZE,
    ExitRecord,
    Gate,
    MainProcess,
    exit_record,
    exit_region,
    new_gate_file,
    process_region,
    read_records,
)

GATE = Gate("f" * 32, False, 1, 4_000_000, 10**12, "pid:[4026531836]@123456", "0" * 36, 1.5)
RECORD = ExitRecord(
    "f" * 32, "exit", 7, None, 1.25, 2.5, log={"stdout": {"bytes": 1, "sha256": "a" * 64, "cut": False}}
)


def content(gate=GATE, process=None, record=None):
    file = bytearray(new_gate_file(gate))
    if process is not None:
        file[PROCESS_AT : PROCESS_AT + len(process_region(process))] = process_region(process)
    if record is not None:
        file[EXIT_AT : EXIT_AT + len(exit_region(record))] = exit_region(record)
    return bytes(file)


def test_what_is_written_is_read():
    file = content(GATE, MainProcess(5, 6), RECORD)
    assert len(file) == SIZE
    assert read_records(file) == (GATE, MainProcess(5, 6), RECORD)


def test_a_new_gate_has_neither_process_nor_end():
    assert read_records(content()) == (GATE, None, None)


@given(st.integers(min_value=0, max_value=SIZE))
def test_a_file_that_is_cut_off_never_tells_a_part_as_the_whole(size):
    whole = content(GATE, MainProcess(5, 6), RECORD)
    for part, told in zip(read_records(whole), read_records(whole[:size]), strict=True):
        assert told in (None, part)


@given(st.integers(min_value=0, max_value=SIZE - 1), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_never_tells_something_else(at, change):
    whole = content(GATE, MainProcess(5, 6), RECORD)
    broken = bytearray(whole)
    broken[at] ^= change
    for part, told in zip(read_records(whole), read_records(bytes(broken)), strict=True):
        assert told in (None, part)


@given(st.text(), st.lists(st.integers(min_value=1, max_value=1 << 22)))
def test_any_error_and_any_number_of_leftovers_fit(error, leftover):
    record = RECORD._replace(error=error * 50, leftover=tuple(leftover * 50))
    read = read_records(content(record=record)).exit
    assert read is not None and (error * 50).startswith(read.error)
    assert read.exit_code == 7


def test_a_record_of_a_later_durun_is_read():
    data = {**RECORD._asdict(), "news": 1}
    assert exit_record(data) == RECORD


def test_a_record_of_an_earlier_durun_is_read():
    data = RECORD._asdict()
    del data["leftover"], data["error"]
    assert exit_record(data) == RECORD
