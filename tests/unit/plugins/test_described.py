"""What a plugin says of itself, and what becomes of one that can't be used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from durun.errors import CannotStart
from durun.model.plugin import Plugin, plugin_of, said_of
from durun.model.runbook import Output
from durun.plugins import described
from durun.plugins.installed import ACTIONS, install_command, installed
from packages import install

GOOD = """\
from durun.plugins import Action, Done, Output
class Ticket(Action):
    schema = {"properties": {"a": {"type": "string", "writeOnly": True}}}
    outputs = {"n": Output("integer"), "key": Output(secret=True)}
    idempotent = True
    def run(self, call):
        return {}
    def verify(self, call):
        return Done()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[3]}:{place}")
    monkeypatch.syspath_prepend(str(place))
    return place


def ask(site: Path, code: str) -> Plugin:
    install(site, code)
    return plugin_of(described.ask(ACTIONS, "shop.ticket"))


def refusal(site: Path, code: str) -> str:
    with pytest.raises(CannotStart) as caught:
        ask(site, code)
    assert caught.value.hint
    return caught.value.message


def test_it_says_what_it_takes_and_gives(site: Path) -> None:
    plugin = ask(site, GOOD)
    assert plugin == Plugin(
        name="shop.ticket",
        package="durun-shop",
        version="1.0",
        schema={"type": "object", "properties": {"a": {"type": "string", "writeOnly": True}}},
        outputs={"n": Output("integer"), "key": Output(secret=True)},
        verifies=True,
        idempotent=True,
    )
    assert plugin_of(said_of(plugin)) == plugin and plugin.code == "durun-shop 1.0"


def test_an_instance_will_do(site: Path) -> None:
    code = GOOD.replace("class Ticket", "class Kind") + "Ticket = Kind()\n"
    assert ask(site, code).verifies


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "durun_shop:Ticket can't be loaded: ModuleNotFoundError: No module named 'no_such"),
        ("x = 1\n1 / 0", "ZeroDivisionError: division by zero ("),
        ("x = = 1", "durun_shop:Ticket can't be loaded: SyntaxError: invalid syntax (durun_shop.py, line 1)"),
        ("import sys; sys.exit(3)", "durun_shop:Ticket can't be loaded: SystemExit: 3 ("),
        ("Other = 1", "durun_shop:Ticket can't be loaded: AttributeError: "),
        ("Ticket = 3", "durun_shop:Ticket is no durun.plugins.Action, it is of type int"),
        ("class Ticket: schema = {}", "is no durun.plugins.Action, it is of type type"),
        (GOOD + "    def __init__(self, x): ...", "durun_shop:Ticket can't be made: TypeError: "),
        (GOOD.replace("def run", "def ruin"), "durun_shop:Ticket can't be made: TypeError: Can't instantiate abstract"),
        (GOOD.replace("schema =", "scheme ="), "Ticket has no `schema`, a mapping"),
        (GOOD.replace('"string"', '"strin"'), "the schema of Ticket is wrong at properties.a.type"),
        (GOOD.replace('{"properties"', '{"type": "array", "properties"'), "must be of type object"),
        (GOOD.replace('"type": "string"', '"$ref": "http://x/y"'), "looks elsewhere (`$ref`)"),
        (GOOD.replace('"type": "string"', '"pattern": "("'), "is wrong at properties.a.pattern: '(' is not a 'regex'"),
        (GOOD.replace('"string"', "object()"), "can't be used: "),
        (GOOD.replace('"n"', '"a-b"'), "output 'a-b' of Ticket: a name has letters, digits and _"),
        (GOOD.replace('"integer"', '"int"'), "output `n` of Ticket is no Output of type string, integer,"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "loading it ended the process by signal SIGSEGV"),
        (GOOD.replace('"string"', '"string", "description": "x" * 300_000'), "it says more than 256 KiB of itself"),
        ("import os; os._exit(0)", "loading it ended the process by exit code 0"),
    ],
)
def test_whatever_is_wrong_is_told(site: Path, code: str, why: str) -> None:
    message = refusal(site, code)
    assert why in message and message.startswith("shop.ticket, of durun-shop 1.0, can't be used: ")


def test_where_an_error_was_raised_is_told(site: Path) -> None:
    assert refusal(site, "x = 1\n1 / 0").endswith(f"({site}/durun_shop.py:2)")


def test_one_that_hangs_is_ended(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "LIMIT", 1.5)
    code = "import subprocess, threading\nsubprocess.Popen(['sleep', '100'])\nthreading.Event().wait()"
    assert refusal(site, code).endswith("it is not loaded within 1.5 s")


def test_what_it_prints_and_leaves_behind_does_not_matter(site: Path) -> None:
    code = "import threading\nprint('{}')\nthreading.Thread(target=threading.Event().wait).start()\n" + GOOD
    assert ask(site, code).name == "shop.ticket"


def test_a_name_that_is_nearly_one_is_told(site: Path) -> None:
    install(site, GOOD)
    with pytest.raises(CannotStart) as caught:
        described.ask(ACTIONS, "shop.tickets")
    assert caught.value.message == "no package that is installed brings an action `shop.tickets`"
    assert caught.value.hint.startswith("did you mean `shop.ticket`?")


def test_where_pipx_has_put_durun_it_puts_plugins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install_command("durun-shop", "1.0") == f"{sys.executable} -m pip install durun-shop==1.0"
    (tmp_path / "pipx_metadata.json").touch()
    assert install_command("durun-shop", "1.0") == "pipx inject durun durun-shop==1.0"


def test_two_packages_with_one_name(site: Path) -> None:
    install(site, GOOD)
    install(site, GOOD, "2.0", "durun-other")
    with pytest.raises(CannotStart, match=r"is brought by durun-other 2\.0 and durun-shop 1\.0"):
        described.ask(ACTIONS, "shop.ticket")


def test_a_folder_that_is_on_the_path_twice_brings_it_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, GOOD)
    monkeypatch.syspath_prepend(f"{site}/.")
    assert [one.code for one in installed(ACTIONS) if one.name == "shop.ticket"] == ["durun-shop 1.0"]
