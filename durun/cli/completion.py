"""`durun completion`: the script that teaches a shell to complete durun's commands."""

from __future__ import annotations

import sys
from typing import Annotated

from durun.cli.arguments import Argument
from durun.errors import UsageError
from durun.shells import SHELLS


def command(
    shell: Annotated[str, Argument("bash|zsh|fish", "The shell.")],
) -> int:
    """Print what makes a shell complete commands, options, runbooks, runs with their names, steps and targets.

    \b
    bash: durun completion bash > ~/.local/share/bash-completion/completions/durun
          (with the package bash-completion; else in ~/.bashrc: source <(durun completion bash))
    zsh:  durun completion zsh > a folder of $fpath/_durun
    fish: durun completion fish > ~/.config/fish/completions/durun.fish
    `durun doctor` names the command that does it here.
    """
    if shell not in SHELLS:
        raise UsageError(f"there are no completions for `{shell}`", f"for {', '.join(SHELLS)}")
    sys.stdout.write(SHELLS[shell].script)
    return 0
