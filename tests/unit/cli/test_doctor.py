from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from packages import install

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def without_keyring(monkeypatch):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


def test_where_all_is_well_it_ends_with_0(durun, home):
    ran = durun("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert f"ok    state directory  {home} is not there yet" in ran.out
    assert "warn  keyring          none can be used: " in ran.out
    assert not home.exists()


def test_it_ends_with_the_code_of_the_worst_failure(durun, home):
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    ran = durun("doctor")
    assert ran.code == 13
    assert f"fail  state directory  {home} is open to other users (mode 0755)" in ran.out
    assert f"hint: chmod 700 {home}" in ran.out
    (home / "journal.db").write_text("ruined" * 1000)
    (home / "journal.db").chmod(0o600)
    assert durun("doctor").code == 7


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no folder in memory here")
def test_what_can_not_all_be_mended_is_mended_as_far_as_it_goes(durun, monkeypatch):
    with TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.setenv("DURUN_HOME", folder)
        Path(folder).chmod(0o750)
        assert durun("doctor").code == 13
        mended = durun("doctor", "--fix")
        assert mended.code == 0
        assert f"warn  state directory  {folder} is in memory (tmpfs): " in mended.out
        assert "takes every run with it (mended)\n" in mended.out


def test_programs_get_one_object(durun, home):
    found = json.loads(durun("doctor", "--json").out)
    assert found["schema"] == 1
    assert {"name", "status", "message", "hint"} == set(found["checks"][0])
    assert [check["name"] for check in found["checks"]][:4] == ["state_directory", "room", "permissions", "journal"]


def test_what_is_safe_is_mended_when_asked(durun, home, recorded, monkeypatch):
    monkeypatch.setattr("durun.doctor.state.MEMORY", ())  # where tests put their files may be in memory
    recorded.failed("aaaa")
    (home / "keyring.json").write_text("{}")
    (home / "keyring.json").chmod(0o644)
    (home / "runs").mkdir(mode=0o755, exist_ok=True)
    (home / "runs").chmod(0o755)
    home.chmod(0o750)
    ran = durun("doctor")
    assert ran.code == 13
    assert f"others may read {home.name}, keyring.json, runs" in ran.out
    mended = durun("doctor", "--fix")
    assert mended.code == 0
    assert f"ok    state directory  {home} (mode 0700, on a disk of this machine) (mended)" in mended.out
    assert "what durun keeps there is yours alone (mended)" in mended.out
    modes = [(home / name).stat().st_mode & 0o777 for name in ("", "keyring.json", "runs")]
    assert modes == [0o700, 0o600, 0o700]
    assert json.loads(durun("doctor", "--fix", "--json").out)["mended"] == []


def test_what_is_not_durun_s_keeps_its_mode(durun, home):
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    for name in ("passwd", "init.d"):
        (home / name).touch(mode=0o644)
        (home / name).chmod(0o755)
    for words in (["doctor", "--fix"], ["doctor", "--share", "root"]):
        ran = durun(*words)
        assert ran.code == 13
        assert "hint: set DURUN_HOME to a folder of its own" in ran.out + ran.err
    assert sorted(path.name for path in home.iterdir()) == ["init.d", "passwd"]
    assert {path.stat().st_mode & 0o777 for path in (home, *home.iterdir())} == {0o755}


def test_files_of_others_beside_the_journal_keep_their_mode(durun, home, recorded):
    recorded.failed("aaaa")
    (home / "tool.sh").touch()
    (home / "tool.sh").chmod(0o755)
    (home / "runs").mkdir(exist_ok=True)
    (home / "runs").chmod(0o755)
    assert "permissions" in json.loads(durun("doctor", "--fix", "--json").out)["mended"]
    assert (home / "tool.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["file", "device"])
def test_a_state_directory_that_is_no_folder(durun, home, monkeypatch, kind):
    if kind == "file":
        home.touch()
    place = home if kind == "file" else Path("/dev/null")
    monkeypatch.setenv("DURUN_HOME", str(place))
    found = json.loads(durun("doctor", "--fix", "--json").out)["checks"][0]
    assert (found["message"], found["hint"]) == (f"{place} is no folder", "set DURUN_HOME to a folder of its own")


def test_without_being_asked_nothing_is_changed(durun, home, recorded):
    recorded.failed("aaaa")
    (home / "keyring.json").write_text("{}")
    (home / "keyring.json").chmod(0o644)
    before = {path: (path.stat().st_mode, path.stat().st_size) for path in home.iterdir() if "-" not in path.name}
    durun("doctor")
    assert {path: (path.stat().st_mode, path.stat().st_size) for path in before} == before


def test_a_damaged_journal_is_left_untouched(durun, home):
    home.mkdir(mode=0o700)
    (home / "journal.db").write_bytes(b"ruined" * 1000)
    (home / "journal.db").chmod(0o600)
    assert durun("doctor", "--fix").code == 7
    assert (home / "journal.db").read_bytes() == b"ruined" * 1000


def test_a_clock_that_stands_before_the_record_is_told(durun, home, recorded):
    recorded.succeeded("aaaa", at=32_503_680_000.0)  # the year 3000
    out = durun("doctor").out
    assert "warn  clock            it says " in out
    assert "and the journal has a run of 3000-01-01T00:00:00" in out


@pytest.mark.parametrize(
    ("shell", "place"), [("bash", "bash-completion/completions/durun"), ("zsh", "zsh/site-functions/_durun")]
)
def test_completions_are_looked_for_where_the_shell_does(durun, home, tmp_path, monkeypatch, shell, place):
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("durun.doctor.completions._LOADER", str(tmp_path))
    file = tmp_path / "data" / place
    assert f"durun completion {shell} > {tmp_path}" in durun("doctor").out
    file.parent.mkdir(parents=True)
    file.write_text("# of an earlier one")
    out = durun("doctor").out
    assert f"warn  completions      those of {shell} in {file} are of another durun\n" in out
    assert f"hint: durun completion {shell} > {file}\n" in out
    file.write_text(durun("completion", shell).out)
    assert f"ok    completions      {shell} finds them in {file}\n" in durun("doctor").out


def test_bash_without_its_package_for_completions_is_taught_by_its_start_file(durun, home, tmp_path, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("durun.doctor.completions._LOADER", str(tmp_path / "nowhere"))
    line = "source <(durun completion bash)"
    assert f"hint: echo '{line}' >> {tmp_path}/.bashrc\n" in durun("doctor").out
    (tmp_path / ".bashrc").write_text(f"{line}\n")
    assert f"bash has them by {tmp_path}/.bashrc" in durun("doctor").out


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder in which packages are found, by durun and by the processes that it starts."""
    place = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(place)]))
    monkeypatch.syspath_prepend(str(place))
    return place


def test_plugins_are_listed_with_their_packages(durun, home, site):
    install(site, "from durun.plugins import Action\nclass Ticket(Action):\n schema = {}\n def run(self, call): ...\n")
    assert "ok    plugins          actions: shop.ticket (durun-shop 1.0)\n" in durun("doctor").out


def test_a_plugin_that_can_t_be_used_is_told_with_why(durun, home, site):
    install(site, "1 / 0\n")
    install(site, "", "2.0", "durun-other", actions={"shop.other": "Ticket"})
    install(site, "", "3.0", "durun-third", actions={"shop.other": "Ticket"})
    ran = durun("doctor", "--json")
    (check,) = [one for one in json.loads(ran.out)["checks"] if one["name"] == "plugins"]
    assert (check["status"], ran.code) == ("warn", 0)
    assert "more than one package brings the action shop.other: durun-other 2.0, durun-third 3.0" in check["message"]
    assert "shop.ticket, of durun-shop 1.0, can't be used: durun_shop:Ticket can't be loaded: Zero" in check["message"]
