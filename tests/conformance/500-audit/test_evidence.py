"""Evidence is part of what is proved and of what is exported, however large it is."""

import hashlib
import json
import subprocess
import sys
import tarfile

import pytest

MEASURED = """
import sys
from durun.cli.main import run
code = run(sys.argv[1:])
with open("/proc/self/status") as status:  # ru_maxrss would count what this test's own process took before the exec
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
sys.exit(code)
"""

TWO = hashlib.sha256(b"two\n").hexdigest()


def test_it_is_in_the_bundle_once_with_what_is_known_of_it(operator):
    operator("run", "evidence.yaml", "-q")
    operator("export", "@last", "-o", "run.tar.gz", "-q")
    with tarfile.open(operator.place / "run.tar.gz") as bundle:
        names = [name.partition("/")[2] for name in bundle.getnames()]
        folder = bundle.getnames()[0].partition("/")[0]
        about = json.load(bundle.extractfile(f"{folder}/manifest.json"))
        assert bundle.extractfile(f"{folder}/evidence/{TWO}").read() == b"two\n"
    assert sum(name.startswith("evidence/") for name in names) == 3
    pieces = {(piece["name"], piece["target"]): piece for piece in about["evidence"]}
    assert set(pieces) == {("one.log", None), ("two.log", None), ("table.txt", "a"), ("table.txt", "b")}
    two = pieces["two.log", None]
    assert (two["sha256"], two["size"], two["step"], two["redacted"]) == (TWO, 4, "logs", False)
    assert {"source", "taken_at", "utc_offset", "host", "user", "uid", "command", "attempt"} <= two.keys()
    operator("verify", "run.tar.gz")
    operator("verify")


@pytest.mark.fault(24)
def test_a_piece_that_was_changed_is_named_and_not_exported(operator):
    operator("run", "evidence.yaml", "-q")
    (piece,) = operator.home.glob(f"runs/*/evidence/{TWO}")
    piece.chmod(0o600)
    piece.write_text("own\n")
    said = operator("verify", code=7).err
    assert f"evidence/{TWO} (two.log of logs) was changed" in said
    assert "was changed since it was taken" in operator("export", "@last", "-o", "run.tar.gz", code=7).err
    assert not (operator.place / "run.tar.gz").exists()
    piece.unlink()
    assert f"evidence/{TWO} (two.log of logs) can't be read" in operator("verify", code=7).err
    operator("export", "@last", "-o", "run.tar.gz", "-q")
    assert f"\n  evidence/{TWO} was gone when it was exported\n" in operator("verify", "run.tar.gz").out


@pytest.mark.parametrize("name", ["run.tar.gz", "run.tar.zst"])
def test_a_large_piece_is_never_in_memory(operator, name):
    (operator.place / "huge").touch()
    operator("run", "evidence.yaml", "-q")
    for arguments in (["export", "@last", "-o", name], ["verify", name]):
        command = [sys.executable, "-c", MEASURED, *arguments, "-q"]
        said = subprocess.run(command, env=operator.environment, cwd=operator.place, stdout=subprocess.PIPE, check=True)
        peak = int(said.stdout.split()[-1]) / 1024
        assert peak < 150, f"{peak} MiB"
    assert (operator.place / name).stat().st_size < 1 << 20
