from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "durun").rglob("*.py"))


def test_imports_keep_to_the_layers():
    script = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_why_it_exists(module):
    tree = ast.parse(module.read_text(encoding="utf-8"))
    if module.name == "__init__.py" and not tree.body:
        return
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(module):
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


def loaded_by(home: Path, *argv: str) -> set[str]:
    """The modules that a command has loaded when it ends, off a terminal."""
    script = (
        "import sys\n"
        "sys.argv = ['durun', *sys.argv[1:]]\n"
        "from durun.__main__ import main\n"
        "code = 0\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    code = end.code or 0\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    env = {"PATH": "/usr/bin:/bin", "DURUN_HOME": str(home), "PYTHONPATH": str(ROOT), "HOME": str(home)}
    ran = subprocess.run([sys.executable, "-c", script, *argv], env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[:2000]
    return set(ran.stderr.splitlines())


def tops(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_version_loads_no_parser_of_arguments(tmp_path):
    assert not tops(loaded_by(tmp_path / "state", "--version")) & {"typer", "click", "argparse", "rich", "sqlite3"}


def test_the_installed_command_itself_loads_nothing_more(tmp_path):
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    argv = [sys.executable, "-P", "-S", "-X", "importtime", str(ROOT / "durun" / "cli" / "durun"), "--version"]
    ran = subprocess.run(argv, env=env, capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.startswith("durun "), ran.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "durun.__main__" in loaded
    assert not loaded & (HEAVY | {"re", "typing", "json", "pathlib", "subprocess", "argparse", "sqlite3"})


def test_a_tab_loads_next_to_nothing(a_run):
    modules = tops(loaded_by(a_run, "__complete", "show", ""))
    assert not modules & (HEAVY | {"typing", "json", "pathlib", "subprocess", "urllib"})


def test_help_loads_no_command(tmp_path):
    modules = loaded_by(tmp_path / "state", "--help")
    assert not tops(modules) & {"typer", "rich", "sqlite3", "yaml"}


PARSER = {"typer", "click", "inspect", "dataclasses"}
HEAVY = PARSER | {"rich", "yaml", "jsonschema", "keyring", "jinja2", "jmespath", "asyncio", "pydantic", "httpx"}


@pytest.fixture
def a_run(tmp_path):
    from durun.journal.sqlite import open_journal
    from durun.model.event import RunCreated, RunEnded

    facts = {"digest": "", "text": "", "file": "f", "place": "/", "inputs": {}, "inputs_digest": "", "tasks": 0}
    first = RunCreated(runbook="x", by={"uid": 0}, version="0", surroundings={"env": {}}, **facts)
    with open_journal(tmp_path / "state" / "journal.db") as journal:
        journal.append("aaaa", 0, [first, RunEnded(status="succeeded", exit_code=0)], 0.0)
    return tmp_path / "state"


@pytest.mark.parametrize(
    "argv",
    [("history",), ("history", "--json"), ("show", "aaaa"), ("show", "aaaa", "--json"), ("logs", "aaaa")],
    ids=" ".join,
)
def test_looking_is_cheap_off_a_terminal(a_run, argv):
    assert not tops(loaded_by(a_run, *argv)) & HEAVY


def test_a_run_loads_no_parser_of_arguments_and_nothing_for_what_it_does_not_use(tmp_path):
    book = tmp_path / "book.yaml"
    book.write_text("durun: 1\nname: one\nsteps:\n  - {id: a, run: ['true']}\n")
    loaded = loaded_by(tmp_path / "state", "run", "--quiet", str(book))
    assert not tops(loaded) & (HEAVY - {"yaml"} | {"uuid", "shutil", "difflib"})
    plugins = {"durun.plugins", "durun.language.plugins", "durun.model.plugin", "importlib.metadata"}
    assert not loaded & plugins


def test_the_table_of_exit_codes_in_the_readme_is_the_one_in_the_code():
    from durun.cli.exit_codes import table

    text = (ROOT / "durun" / "README.md").read_text(encoding="utf-8")
    section = re.search(r"<!-- exit codes:[^\n]*-->\n(.*?)<!-- end of exit codes -->", text, re.DOTALL)
    assert section, "the section is missing"
    assert section[1] == table(), "put the output of durun.cli.exit_codes.table() there"


def test_every_error_code_is_in_that_table():
    from importlib import import_module

    from durun.cli.exit_codes import table
    from durun.errors import DurunError
    from durun.journal.api import SequenceConflict

    for module in MODULES:
        if module.name not in ("__main__.py", "completion_source.py"):
            import_module(".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    found, rest = set(), [DurunError]
    while rest:
        rest += (error := rest.pop()).__subclasses__()
        found.add(error)
    never_shown = {DurunError, SequenceConflict}  # somebody was faster: whoever wanted to append decides anew
    told = {f"| `{error.code}` |" in table() for error in found - never_shown if error.__module__.startswith("durun")}
    assert told == {True}


def test_every_command_has_a_module_a_group_and_help():
    from importlib import import_module

    from durun.cli.arguments import Argument, parameters
    from durun.cli.commands import COMMANDS, GROUPS

    for name, command in COMMANDS.items():
        module = import_module(f"durun.cli.{command.module}")
        assert command.module == name.replace(" ", "_")
        assert module.command.__doc__
        assert module.__doc__.startswith(f"`durun {name}`")
        assert command.group in GROUPS
        for parameter in parameters(module.command):
            named = parameter.kind is bool or isinstance(parameter.declared, Argument) or parameter.declared.metavar
            assert named, f"{name}: help would show the value of {parameter.name} as a type of Python"


def test_every_error_says_what_to_do_next():
    """A cause alone leaves an operator alone: whoever raises one gives a hint as well."""
    from durun import errors

    shown = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    alone = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in shown:
                hint = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "hint")]
                if not hint or (isinstance(hint[0], ast.Constant) and not hint[0].value):
                    alone.append(f"{path.name}:{node.lineno}")
    assert alone == []


def test_a_path_in_a_command_of_a_hint_is_quoted_for_the_shell():
    command = re.compile(r"""["'` ](chmod|chgrp|mv|rm|mkdir|cd) [^"']*\{(?!typed\(|quote\(|shlex\.|mode|wanted)""")
    lines = [(path.name, line.strip()) for path in MODULES for line in path.read_text("utf-8").splitlines()]
    assert [(name, line) for name, line in lines if command.search(line)] == []
