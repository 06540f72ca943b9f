"""What `.ci/setup` does beside installing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SETUP = Path(__file__).parents[2] / ".ci" / "setup"


def test_the_command_can_be_started_from_a_folder_with_a_blank_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "two words"
    command = folder / ".venv" / "bin" / "durun"
    command.parent.mkdir(parents=True)
    command.with_name("python").symlink_to(sys.executable)
    command.write_text(f"#!{command.with_name('python')}\nimport sys\n\nprint(sys.argv[1:])\n")
    command.chmod(0o755)
    mends = re.search(r"^if \[\[ \$\(head .*?^fi$", SETUP.read_text(), re.DOTALL | re.MULTILINE)
    assert mends is not None
    for _ in range(2):  # whoever sets it up again changes nothing
        subprocess.run(["bash", "-euo", "pipefail", "-c", mends[0]], cwd=folder, check=True)
        said = subprocess.run([command, "one", "a b"], capture_output=True, text=True, check=True)
        assert said.stdout == "['one', 'a b']\n"
