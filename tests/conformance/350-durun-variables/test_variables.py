import re
from pathlib import Path


def test_what_a_script_is_told(operator):
    operator("run", "runbook.yaml")
    run = operator.show()["id"]
    lines = operator.read("effects").splitlines()
    first, second = lines[0].split(), lines[2].split()
    assert first[:4] == [run, "look", "none", "1"]
    assert second[:4] == [run, "look", "none", "2"]
    assert first[4] == second[4]
    assert re.fullmatch(r"[A-Za-z0-9_-]{26,64}", first[4])
    assert lines[1] == "w [1] unset none none"
    key, name, *field, target_key = lines[4].split()
    assert (key, name, " ".join(field)) == ("t1", "t1", '{"x": 1}')
    assert target_key != first[4]
    assert lines[5] == "kept"
    rendered, own = lines[6].split()
    assert rendered == own


def test_another_run_has_other_keys(operator):
    operator("run", "runbook.yaml")
    operator("run", "runbook.yaml")
    lines = [line.split() for line in operator.read("effects").splitlines() if " look " in line]
    assert len({line[4] for line in lines}) == 2


def test_the_work_folder_is_kept_until_the_run_ends_well(operator):
    (operator.place / "bad").touch()
    operator("run", "runbook.yaml", code=1)
    work = Path(operator.read("effects").splitlines()[-1].removeprefix("work "))
    assert (work / "file").read_text() == "kept\n"
    (operator.place / "bad").unlink()
    operator("resume", "@last")
    assert not work.exists()
