from __future__ import annotations

from durun.model.check import Check
from durun.views.doctor import doctor_json, doctor_text

CHECKS = [
    Check("journal", "ok", "it is whole"),
    Check("keyring", "warn", "none can be used", "there is `env`"),
    Check("seal_key", "fail", "it is\n\x1b[31mgone", "put it back", 9),
]


def test_a_line_for_each_with_its_hint_below():
    assert doctor_text(CHECKS).splitlines() == [
        "ok    journal          it is whole",
        "warn  keyring          none can be used",
        "                       hint: there is `env`",
        "fail  seal key         it is ␛[31mgone",
        "                       hint: put it back",
    ]


def test_on_a_narrow_terminal_what_follows_stands_below_the_status():
    assert doctor_text(CHECKS[1:2], width=40).splitlines() == [
        "warn  keyring          none can be used",
        "      hint: there is `env`",
    ]


def test_the_same_for_programs():
    found = doctor_json(CHECKS)
    assert found["schema"] == 1
    assert found["checks"][1] == {
        "name": "keyring",
        "status": "warn",
        "message": "none can be used",
        "hint": "there is `env`",
    }
    assert [check["status"] for check in found["checks"]] == ["ok", "warn", "fail"]
