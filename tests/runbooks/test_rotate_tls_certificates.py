"""The certificate runbook, for real: what is counted are the reloads that services saw, whatever durun says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from stored import everything

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
RUNBOOK = RUNBOOKS / "rotate-tls-certificates.yaml"
INVENTORY: list[dict[str, Any]] = yaml.safe_load((RUNBOOKS / "rotate-tls-certificates" / "inventory.yaml").read_text())
HOOK = RUNBOOKS / "rotate-tls-certificates" / "hooks" / "append-to-log.sh"


def _reloads(root: Path) -> dict[str, list[str]]:
    """Per service, the versions that it was reloaded with."""
    return {
        service["name"]: [line.split()[2] for line in log.read_text().splitlines()]
        for service in INVENTORY
        if (log := root / service["directory"] / "reload.log").exists()
    }


def _in_service(root: Path, service: dict[str, Any]) -> Path:
    link = (root / service["directory"] / "current").readlink()
    assert link.parent == Path("versions")
    return root / service["directory"] / link


def _openssl(*arguments: object) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _check_in_service(root: Path, service: dict[str, Any]) -> None:
    folder = _in_service(root, service)
    certificate = folder / "certificate.pem"
    for name in service["names"]:
        address = re.fullmatch(r"[0-9.]+|.*:.*", name)
        option = "-verify_ip" if address else "-verify_hostname"
        _openssl("verify", "-CAfile", root / "ca" / "ca.crt", option, name.replace("*", "any"), certificate)
    public = _openssl("pkey", "-in", folder / "key.pem", "-pubout")
    assert public == _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    _openssl("x509", "-in", certificate, "-noout", "-checkend", 80 * 86400)


def _small(tmp_path: Path, count: int, hook: Path = HOOK) -> Path:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps([{**service, "reload_hook": str(hook)} for service in INVENTORY[:count]]))
    return inventory


def test_every_service_of_the_inventory_gets_one_valid_certificate_and_one_reload(durun: Any, tmp_path: Path) -> None:
    root = tmp_path / "tls"
    durun("run", RUNBOOK, "-i", f"root={root}")

    reloads = _reloads(root)
    assert len(reloads) == len(INVENTORY) == 20
    for service in INVENTORY:
        assert reloads[service["name"]] == [_in_service(root, service).name]
        _check_in_service(root, service)
    run = durun.json("show", durun.run_id())
    assert run["status"] == "succeeded"
    assert run["outputs"] == {"ca_certificate": f"{root}/ca/ca.crt", "services": 20}
    assert len((root / "summary.txt").read_text().splitlines()) == 21
    assert not list(root.rglob("*.part")) and not list(root.rglob(".*"))


def test_no_private_key_reaches_the_state_folder(durun: Any, tmp_path: Path) -> None:
    root = tmp_path / "tls"
    durun("run", RUNBOOK, "-i", f"root={root}", "-i", f"inventory={_small(tmp_path, 2)}")

    stored = everything(durun.home)
    for key in [*root.rglob("key.pem"), *root.rglob("ca.key")]:
        assert key.read_bytes().splitlines()[1] not in stored


def test_a_second_rotation_keeps_the_first_as_previous(durun: Any, tmp_path: Path) -> None:
    root = tmp_path / "tls"
    arguments = ("run", RUNBOOK, "-i", f"root={root}", "-i", f"inventory={_small(tmp_path, 2)}")
    durun(*arguments)
    first = {service["name"]: _in_service(root, service) for service in INVENTORY[:2]}
    authority = (root / "ca" / "ca.crt").read_bytes()
    durun(*arguments, "-i", "key_type=ed25519")

    assert (root / "ca" / "ca.crt").read_bytes() == authority
    for service in INVENTORY[:2]:
        old, new = first[service["name"]], _in_service(root, service)
        assert old.name < new.name, "the newer run's version must sort last, also when both began in one second"
        assert (root / service["directory"] / "previous").resolve() == old
        assert (old / "key.pem").exists()
        assert _reloads(root)[service["name"]] == [old.name, new.name]
        _check_in_service(root, service)


def test_killed_in_the_middle_no_service_gets_a_second_certificate_or_reload(
    durun: Any, tmp_path: Path, kill_after: Callable[..., None]
) -> None:
    root = tmp_path / "tls"
    kill_after(durun.start("run", RUNBOOK, "-i", f"root={root}"), "reload", 3)
    before = _reloads(root)
    assert 3 <= len(before) < 20
    durun("resume", durun.run_id())

    after = _reloads(root)
    assert len(after) == 20
    for service in INVENTORY:
        assert after[service["name"]] == [_in_service(root, service).name]
        assert len(list((root / service["directory"] / "versions").iterdir())) == 1
        _check_in_service(root, service)
    assert all(after[name][: len(versions)] == versions for name, versions in before.items())


def test_with_runner_supervisor_and_step_killed_in_a_reload_the_hook_is_asked(
    durun: Any, tmp_path: Path, kill_all: Callable[..., None]
) -> None:
    root, reached, never = tmp_path / "tls", tmp_path / "reached", tmp_path / "never"
    os.mkfifo(reached)
    os.mkfifo(never)
    hook = tmp_path / "hook.sh"
    hook.write_text(
        f'#!/bin/bash\nset -e\n{HOOK} "$1"\n'
        f"if [[ $1/$TARGET_NAME == reload/{INVENTORY[1]['name']} ]]; then echo now >{reached}; read -r _ <{never}; fi\n"
    )
    hook.chmod(0o755)
    runner = durun.start("run", RUNBOOK, "-i", f"root={root}", "-i", f"inventory={_small(tmp_path, 3, hook)}")
    assert reached.read_text() == "now\n"
    kill_all(runner)
    durun("resume", durun.run_id())

    assert {name: len(versions) for name, versions in _reloads(root).items()} == {
        service["name"]: 1 for service in INVENTORY[:3]
    }
    tasks = {(task["step"], task["target"]): task for task in durun.json("show", durun.run_id())["tasks"]}
    assert tasks["reload", INVENTORY[1]["name"]]["how"] == "verified"


def test_a_canary_that_fails_leaves_every_other_service_alone_and_a_resume_goes_on(durun: Any, tmp_path: Path) -> None:
    root, broken = tmp_path / "tls", tmp_path / "broken"
    broken.touch()
    hook = tmp_path / "hook.sh"
    hook.write_text(f'#!/bin/bash\n[[ $1 == verify || ! -e {broken} ]] || exit 1\nexec {HOOK} "$1"\n')
    hook.chmod(0o755)
    durun("run", RUNBOOK, "-i", f"root={root}", "-i", f"inventory={_small(tmp_path, 4, hook)}", code=1)
    assert {path.name for path in root.glob("*/*")} == {INVENTORY[0]["directory"].split("/")[1], "ca.crt", "ca.key"}
    assert _reloads(root) == {}

    broken.unlink()
    durun("resume", durun.run_id())
    assert {name: len(versions) for name, versions in _reloads(root).items()} == {
        service["name"]: 1 for service in INVENTORY[:4]
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"directory": "../elsewhere"}, "not a plain path below the root"),
        ({"common_name": "a/CN=evil"}, "is no host name"),
        ({"names": ["good.example", "bad\nDNS:evil"]}, "neither a host name nor an address"),
    ],
)
def test_an_inventory_that_could_do_harm_is_refused(durun: Any, tmp_path: Path, change: Any, said: str) -> None:
    root, inventory = tmp_path / "tls", tmp_path / "inventory.json"
    inventory.write_text(json.dumps([{**INVENTORY[0], **change}]))
    durun("run", RUNBOOK, "-i", f"root={root}", "-i", f"inventory={inventory}", code=1)

    assert said in durun("logs", durun.run_id(), "issue", "--target", INVENTORY[0]["name"])
    assert {path.name for path in tmp_path.iterdir()} == {"state", "tls", "inventory.json"}
    assert not list(root.rglob("certificate.pem"))


def test_a_relative_root_is_refused_before_anything_runs(durun: Any) -> None:
    said = durun("run", RUNBOOK, "-i", "root=here", code=2)
    assert "root" in said and "Traceback" not in said
    assert durun.json("history") == []


def test_without_openssl_nothing_starts(durun: Any, tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "openssl":
            (commands / program.name).symlink_to(program)
    said = durun("run", RUNBOOK, "-i", f"root={tmp_path / 'tls'}", code=4, env={"PATH": str(commands)})
    assert "openssl" in said
    assert not (tmp_path / "tls").exists()
