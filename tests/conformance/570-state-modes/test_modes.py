import os
import stat

import pytest

ALLOWED = {stat.S_IFDIR: (0o700,), stat.S_IFREG: (0o600, 0o400)}
"""Evidence is not even its owner's to write."""


@pytest.fixture(params=[0o000, 0o027, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_the_state_is_its_owners_alone_whatever_the_umask(operator, umask):
    operator("run", "runbook.yaml", code=5, whole=True)
    operator("complete", "@last", "by_hand", "--note", "seen", "--attach", "helper.sh", whole=True)
    found = {path: path.stat().st_mode for path in (operator.home, *operator.home.rglob("*"))}
    assert any(path.name.startswith("notify.") for path in found)
    wrong = {
        str(path): oct(mode)
        for path, mode in found.items()
        if stat.S_IMODE(mode) not in ALLOWED[stat.S_IFMT(mode)] and path.name != "helper.sh"
    }
    assert not wrong
