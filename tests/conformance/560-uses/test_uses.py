"""Actions from plugins as an operator sees them. The tickets are the effects, counted by the files that they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from packages import TICKET, install, uninstall
from stored import everything

TOKEN = "tok-5f1c9a77e2"


@pytest.fixture
def site(operator: Any, tmp_path: Path) -> Path:
    place = tmp_path / "site"
    install(place, shop(operator), actions={**TICKET, "shop.close": "Close"})
    operator.environment["PYTHONPATH"] += f":{place}"
    operator.environment["TICKET_TOKEN"] = TOKEN
    (operator.place / "tickets").mkdir()
    return place


def shop(operator: Any) -> str:
    """The code of the plugin."""
    return (operator.place / "shop.py").read_text()


def tickets(operator: Any) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((operator.place / "tickets").glob("*.json"))]


def says(operator: Any, words: str) -> None:
    (operator.place / "tickets" / "says").write_text(words)


def test_it_is_done_and_its_outputs_are_those_of_the_plugin(operator: Any, site: Path) -> None:
    assert operator("validate", "book.yaml").out == "book.yaml: ok\n"
    operator("run", "book.yaml")
    (ticket,) = tickets(operator)
    open_ = operator.tasks()["open", None]
    (attempt,) = open_["attempts"]
    assert open_["outputs"] == {"number": 1} and list(open_["sealed"]) == ["receipt"]
    assert (attempt["idempotency_key"], attempt["plugin"]) == (ticket["key"], "durun-shop 1.0")
    assert operator.tasks()["next", None]["attempts"][0]["plugin"] is None
    assert ticket["title"] == f"Rotate for {operator.show()['id']}"
    assert operator.read("effects") == "next 1\n"


@pytest.mark.fault(32)
def test_a_secret_reaches_the_plugin_and_no_log(operator: Any, site: Path) -> None:
    operator("run", "book.yaml")
    logged = operator("logs", "@last", "open").out
    assert f"key {tickets(operator)[0]['key']}, token ***" in logged
    kept = everything(operator.home)
    assert kept and TOKEN.encode() not in kept
    assert b"receipt-" not in kept


def test_a_fan_out_with_retries_and_its_rollback(operator: Any, site: Path) -> None:
    operator("run", "fan.yaml")
    assert sorted(ticket["title"] for ticket in tickets(operator)) == ["for a", "for b", "for c"]
    assert len(operator.read("effects").splitlines()) == 3
    assert "asked by open a 1\n" in operator("logs", "@last", "open", "--target", "a").out
    operator("rollback", "@last", "--reason", "enough")
    assert len(operator.read("closed").splitlines()) == 3


def test_every_mistake_is_told_with_its_place(operator: Any, site: Path) -> None:
    said = operator("validate", "wrong.yaml", code=2).out
    heads = [line.partition(": ")[2] for line in said.splitlines() if line.startswith("wrong.yaml:")]
    assert heads == [
        "no package that is installed brings an action `shop.tickets`",
        "step `open` does not come before `unknown`",
        "shop.ticket needs `title` in `with`",
        "shop.ticket knows no `titel` in `with`",
        "`priority` must be at most 5",
        "an entry of `labels` must be of type string, and is of type number",
        "there is no input `nope`",
        "`outputs` has no meaning for `uses`",
        "`stdin` has no meaning for `uses`",
        "`secrets.token` is secret, and the plugin takes no secret there: the schema of its action does not say"
        " `writeOnly`",
        "`with` goes with `uses`",
        "step `leaks` declares no output `numbr`",
        "shop.ticket needs `system` in `with`",
        "shop.ticket needs `title` in `with`",
    ]
    assert "wrong.yaml:15:17: `priority`" in said
    assert f"did you mean `shop.ticket`? Else install the package that has it: {sys.executable} -m pip" in said
    assert "did you mean `title`?" in said and "write `system: …`, the folder with the tickets" in said
    assert "its outputs are those that the plugin declares" in said


def test_what_expressions_give_is_held_against_the_schema_before_anything_is_done(operator: Any, site: Path) -> None:
    said = operator("run", "book.yaml", "-i", "priority=9", code=1)
    assert "open FAILED: `with` of shop.ticket at `priority` must be at most 5" in said.out
    assert tickets(operator) == []


@pytest.mark.parametrize(
    ("words", "code", "status", "reason", "opened"),
    [
        ("failed -", 1, "failed", "the system said no", 0),
        ("for_good -", 1, "failed", "the system will never do it", 0),
        ("nothing -", 1, "failed", "the system is away", 0),
        ("error -", 1, "failed", "ValueError: a bug (", 0),
        ("exit -", 1, "failed", "SystemExit: 0", 0),
    ],
)
def test_what_it_raises_is_what_the_step_is(
    operator: Any, site: Path, words: str, code: int, status: str, reason: str, opened: int
) -> None:
    says(operator, words)
    operator("run", "book.yaml", code=code)
    task = operator.tasks()["open", None]
    assert task["status"] == status and task["reason"].startswith(reason)
    assert len(tickets(operator)) == opened


@pytest.mark.parametrize(("words", "attempts"), [("failed -", 2), ("nothing -", 2), ("error -", 2), ("for_good -", 1)])
def test_only_what_may_help_is_tried_again(operator: Any, site: Path, words: str, attempts: int) -> None:
    says(operator, words)
    operator("run", "fan.yaml", "--target", "a", code=1)
    assert len(operator.tasks()["open", "a"]["attempts"]) == attempts


@pytest.mark.fault(17)
@pytest.mark.parametrize("words", ["after doubt", "after die"])
def test_a_doubt_is_ended_by_the_plugin_itself(operator: Any, site: Path, words: str) -> None:
    says(operator, words)
    said = operator("run", "book.yaml")
    assert "open IN DOUBT" in said.out and "verify says done (it is there)" in said.out
    task = operator.tasks()["open", None]
    assert (task["how"], task["outputs"], len(task["attempts"])) == ("verified", {"number": 1}, 1)
    assert len(tickets(operator)) == 1 and operator.read("effects") == "next 1\n"


@pytest.mark.fault(17)
def test_what_the_plugin_can_not_tell_an_operator_settles(operator: Any, site: Path) -> None:
    says(operator, "after doubt")
    (operator.place / "tickets" / "away").touch()
    said = operator("run", "book.yaml", code=3)
    assert "verify says unknown (the system is away)" in said.out
    (operator.place / "tickets" / "away").unlink()
    (operator.place / "tickets" / "says").unlink()
    operator("resume", "@last")
    assert operator.tasks()["open", None]["how"] == "verified" and len(tickets(operator)) == 1


def test_a_plugin_that_is_gone_stops_a_resume_before_anything_is_done(operator: Any, site: Path) -> None:
    says(operator, "failed -")
    operator("run", "book.yaml", code=1)
    (operator.place / "tickets" / "says").unlink()
    uninstall(site)
    said = operator("resume", "@last", code=4)
    assert "step open uses shop.ticket of durun-shop 1.0: no package that is installed brings" in said.err
    assert "-m pip install durun-shop==1.0" in said.err
    assert operator("show", "@last").out and tickets(operator) == []
    install(site, shop(operator))
    operator("resume", "@last")
    assert len(tickets(operator)) == 1


def test_what_is_done_needs_no_plugin_any_more(operator: Any, site: Path) -> None:
    (operator.place / "effects").mkdir()
    operator("run", "book.yaml", code=1)
    uninstall(site)
    (operator.place / "effects").rmdir()
    operator("resume", "@last")
    assert operator.read("effects") == "next 1\n" and len(tickets(operator)) == 1


def test_another_version_goes_on_and_that_is_journalled(operator: Any, site: Path) -> None:
    says(operator, "failed -")
    operator("run", "book.yaml", code=1)
    (operator.place / "tickets" / "says").unlink()
    install(site, shop(operator), "1.1")
    said = operator("resume", "@last")
    assert "durun-shop 1.0 became durun-shop 1.1" in said.out + said.err
    plugins = [attempt["plugin"] for attempt in operator.tasks()["open", None]["attempts"]]
    assert plugins == ["durun-shop 1.0", "durun-shop 1.1"]
    events = operator("show", "@last", "--events", "--json").lines
    assert events[0]["plugins"] == {"shop.ticket": "durun-shop 1.0"}
    (changed,) = [one for one in events if one["event"] == "plugins_changed"]
    assert changed["plugins"] == {"shop.ticket": "durun-shop 1.1"}
    assert changed["changes"] == ["durun-shop 1.0 became durun-shop 1.1"]
    operator("verify", "@last")


@pytest.mark.fault(44)
def test_other_code_does_not_repeat_what_is_in_doubt(operator: Any, site: Path) -> None:
    """The other side would see two requests under one key."""
    says(operator, "doubt -")
    (operator.place / "tickets" / "away").touch()
    operator("run", "book.yaml", code=3)
    install(site, shop(operator), "1.1")
    for name in ("says", "away"):
        (operator.place / "tickets" / name).unlink()
    said = operator("resume", "@last", code=10)
    assert "open is in doubt by durun-shop 1.0, and durun-shop 1.1 would do it again" in said.err
    assert "install durun-shop==1.0 again, or settle it" in said.err and tickets(operator) == []
    install(site, shop(operator), "1.0")
    operator("resume", "@last")
    assert len(tickets(operator)) == 1


def test_a_version_under_which_the_runbook_means_something_else_is_refused(operator: Any, site: Path) -> None:
    says(operator, "failed -")
    operator("run", "book.yaml", code=1)
    (operator.place / "tickets" / "says").unlink()
    code = shop(operator).replace('"number": Output("integer")', '"number": Output("number")')
    install(site, code, "2.0")
    said = operator("resume", "@last", code=10)
    assert "durun-shop 1.0 became durun-shop 2.0: with that, the runbook would mean something else" in said.err
    assert "install durun-shop==1.0 again, or go on with what is there: durun resume" in said.err
    said = operator("resume", "@last", "--latest")
    assert "~ shop.ticket: durun-shop 1.0 became durun-shop 2.0" in said.out + said.err
    assert len(tickets(operator)) == 1


def test_two_packages_with_one_name_are_refused(operator: Any, site: Path) -> None:
    install(site, shop(operator), "3.1", package="durun-other")
    said = operator("run", "book.yaml", code=2)
    assert "the action `shop.ticket` is brought by durun-other 3.1 and durun-shop 1.0" in said.err
    assert "uninstall all but one of them" in said.err


def test_a_plugin_undoes_and_is_asked_before_and_after(operator: Any, site: Path) -> None:
    operator("run", "undo.yaml")
    kinds = [line["purpose"] for line in operator("show", "@last", "--events", "--json").lines if "purpose" in line]
    assert kinds == ["before", "before", "after", "after"]
    (operator.place / "copy").unlink()
    operator("rollback", "@last", "--reason", "enough")
    assert tickets(operator) == [] and operator.tasks()["open@rollback", None]["attempts"][0]["plugin"]


def test_what_verifies_and_undoes_is_checked_as_well(operator: Any, site: Path) -> None:
    said = operator("validate", "wrong-asked.yaml", code=2).out
    heads = [
        line.removeprefix("wrong-asked.yaml:") for line in said.splitlines() if line.startswith("wrong-asked.yaml:")
    ]
    assert heads == [
        "9:28: `done_on` has no meaning where the plugin answers itself",
        "9:42: `with` has no meaning where the plugin answers itself",
        "12:7: shop.close needs `number` in `with`",
        "13:7: `stdin` goes with `run`, not with `uses`",
        "17:18: `on_in_doubt: verify` needs a `verify`",
        "20:20: shop.close can't say whether it is done",
        "23:54: `secrets.token` is secret, and the plugin takes no secret there: the schema of its action does not say"
        " `writeOnly`",
        "25:5: `wait_for` needs `run:` or `http:`",
        "25:16: unknown key `uses` in `wait_for`",
    ]


def test_what_is_upgraded_under_a_run_does_nothing_until_a_resume(operator: Any, site: Path) -> None:
    operator.environment["SITE"] = str(site)
    said = operator("run", "upgrade.yaml", code=1)
    assert "durun-shop 1.1 is installed now, and this session began with durun-shop 1.0: durun resume" in said.out
    assert tickets(operator) == []
    operator("resume", "@last")
    assert [attempt["plugin"] for attempt in operator.tasks()["open", None]["attempts"]] == [
        "durun-shop 1.0", "durun-shop 1.1",
    ]  # fmt: skip


def test_one_that_broke_meanwhile_stops_a_resume_and_no_look_at_the_run(operator: Any, site: Path) -> None:
    says(operator, "failed -")
    operator("run", "book.yaml", code=1)
    install(site, "import no_such_module")
    said = operator("resume", "@last", code=4)
    assert "step open uses shop.ticket of durun-shop 1.0: shop.ticket, of durun-shop 1.0, can't be used" in said.err
    for command in ("show", "plan", "graph", "history"):
        operator(command, *([] if command == "history" else ["@last"]))
    assert "can't be loaded: ModuleNotFoundError" in operator("doctor", code=None).out
    operator("settle", "@last", "open", "--done", "--reason", "x", code=2)
    operator("cancel", "@last", "--reason", "enough")


def test_a_doubt_is_settled_without_the_plugin(operator: Any, site: Path) -> None:
    says(operator, "doubt -")
    (operator.place / "tickets" / "away").touch()
    operator("run", "book.yaml", code=3)
    uninstall(site)
    (operator.place / "secret").write_text("receipt: r-123456789\n")
    (operator.place / "secret").chmod(0o600)
    said = operator("settle", "@last", "open", "--done", "--output", "number=5", "--reason", "seen", code=None)
    assert "receipt" in said.err and said.code == 2
    operator("settle", "@last", "open", "--failed", "--reason", "nothing there")
    assert operator.tasks()["open", None]["status"] == "failed"


def test_included_runbooks_use_plugins_too(operator: Any, site: Path) -> None:
    operator("run", "outer.yaml")
    assert operator.show()["outputs"] == {"number": 1} and len(tickets(operator)) == 1
    assert "shop.ticket of durun-shop 1.0 (for inner.open)" in operator("plan", "outer.yaml").out


def test_a_fan_out_that_is_half_done_needs_it_still(operator: Any, site: Path) -> None:
    (operator.place / "effects").mkdir()
    operator("run", "fan.yaml", code=1)
    (operator.place / "effects").rmdir()
    uninstall(site)
    assert "step open uses shop.ticket" in operator("resume", "@last", code=4).err
    install(site, shop(operator), actions={**TICKET, "shop.close": "Close"})
    operator("resume", "@last")
    assert len(tickets(operator)) == 3


def test_the_end_of_a_cancelled_run_is_done_by_what_is_installed(operator: Any, site: Path) -> None:
    operator("run", "last.yaml", code=1)
    install(site, shop(operator), "1.1")
    operator("cancel", "@last", "--reason", "enough")
    assert [ticket["title"] for ticket in tickets(operator)] == ["it has failed", "it has cancelled"]
    plugins = [task["attempts"][-1]["plugin"] for task in operator.show()["tasks"] if task["step"] == "note"]
    assert plugins == ["durun-shop 1.0", "durun-shop 1.1"]


def test_a_run_is_cancelled_also_where_its_plugin_is_gone(operator: Any, site: Path) -> None:
    operator("run", "last.yaml", code=1)
    uninstall(site)
    said = operator("cancel", "@last", "--reason", "enough")
    assert "note FAILED: no package that is installed brings an action `shop.ticket`" in said.out
    assert operator.show()["status"] == "cancelled"
