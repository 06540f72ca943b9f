"""What a check may look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from durun.config import Config
from durun.secrets.api import Keyring


class Here(NamedTuple):
    """The state directory, the user's keyring, and the environment."""

    config: Config
    keyring: Keyring
    environ: Mapping[str, str]
