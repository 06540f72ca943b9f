"""Reading and following logs."""

from durun.engine.local.logs import last_line, read_log, read_log_from, read_stream
from durun.engine.local.supervisor.log import AttemptLog


def write(folder, *chunks, cap=1 << 20):
    log = AttemptLog(folder / "log", cap, keep=True)
    for stream, data in chunks:
        log.write(stream, data)
    summary = log.finish()
    log.close()
    return summary


def test_nothing_written_is_an_empty_log(tmp_path):
    assert write(tmp_path) == {}
    assert list(read_log(tmp_path)) == [] and read_stream(tmp_path, "stdout", 10) == b""
    assert read_log_from(tmp_path / "log", 0) == ([], 0)


def test_a_stream_is_read_up_to_a_limit(tmp_path):
    write(tmp_path, ("stdout", b"abc"), ("stderr", b"xyz"), ("stdout", b"def"))
    assert read_stream(tmp_path, "stdout", 5) == b"abcde"
    assert read_stream(tmp_path, "stderr", 5) == b"xyz"


def test_the_last_line_of_a_stream_is_found_at_the_end_of_a_long_log(tmp_path):
    assert last_line(tmp_path, "stderr") == ""
    many = [("stderr", b"line %d\n" % number) for number in range(2000)]
    write(tmp_path, *many, ("stderr", b"the e"), ("stdout", b"fine\n"), ("stderr", b"nd\n  \n"))
    assert last_line(tmp_path, "stderr") == "the end"
    assert last_line(tmp_path, "stdout") == "fine"
    with (tmp_path / "log").open("a") as log:
        log.write('{"at": "x", "stream": "stderr", "text": "half a li')
    assert last_line(tmp_path, "stderr") == "the end"


def test_the_last_line_is_not_looked_for_all_the_way_up(tmp_path):
    write(tmp_path, ("stderr", b"early\n"), *[("stdout", b"x" * 100 + b"\n")] * 2000)
    assert last_line(tmp_path, "stderr") == ""


def test_following_goes_on_where_it_was_and_skips_half_a_line(tmp_path):
    write(tmp_path, ("stdout", b"one"), ("stdout", b"two"))
    whole = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(whole[:-5])
    records, offset = read_log_from(tmp_path / "log", 0)
    assert [record.data for record in records] == [b"one"]
    assert [record.data for record in read_log(tmp_path)] == [b"one"]
    (tmp_path / "log").write_bytes(whole)
    records, offset = read_log_from(tmp_path / "log", offset)
    assert [record.data for record in records] == [b"two"] and offset == len(whole)


def test_control_characters_do_not_swell_the_log(tmp_path):
    write(tmp_path, ("stdout", b"\x01" * 60_000))
    assert (tmp_path / "log").stat().st_size < 90_000
    assert read_stream(tmp_path, "stdout", 60_000) == b"\x01" * 60_000


def test_a_split_character_of_each_stream_is_put_together_apart(tmp_path):
    euro = "€".encode()
    write(tmp_path, ("stdout", euro[:1]), ("stderr", euro[:2]), ("stdout", euro[1:]), ("stderr", euro[2:]))
    assert read_stream(tmp_path, "stdout", 9) == read_stream(tmp_path, "stderr", 9) == euro


def test_a_stream_that_was_cut_says_so_and_the_other_does_not(tmp_path):
    summary = write(tmp_path, ("stderr", b"ok"), ("stdout", b"x" * 10), cap=5)
    assert (summary["stdout"]["cut"], summary["stderr"]["cut"]) == (True, False)
    assert [r.stream for r in read_log(tmp_path)] == ["stderr", "stdout", "mark"]


def test_exactly_the_cap_is_not_cut(tmp_path):
    assert not write(tmp_path, ("stdout", b"x" * 5), cap=5)["stdout"]["cut"]


def test_a_log_that_cannot_even_be_made_stops_nothing(tmp_path):
    summary = write(tmp_path / "nowhere", ("stdout", b"x"))
    assert summary["stdout"]["bytes"] == 1 and summary["stdout"]["cut"]
