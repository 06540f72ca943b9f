import re
import uuid


def test_what_was_made_is_fixed_over_resumes_and_another_in_the_next_run(operator):
    (operator.place / "bad").touch()
    operator("run", "runbook.yaml", code=1)
    operator("resume", "@last", code=1)
    (operator.place / "bad").unlink()
    operator("resume", "@last")
    operator("run", "runbook.yaml")
    first, second, third, other = operator.read("effects").splitlines()
    assert first == second == third
    number, stamp, choice, x, y = first.split()
    assert len({uuid.UUID(number), uuid.UUID(x), uuid.UUID(y)}) == 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", stamp)
    assert choice in {"a", "b", "c", "7"}
    assert other.split()[0] != number
