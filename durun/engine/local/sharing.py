"""Whether anything of a run is shared with other users: hardly ever, and then nothing is loaded for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from durun.config import Config
from durun.journal.api import Journal
from durun.model.clock import Clock

if TYPE_CHECKING:
    from durun.engine.local.others import Others


def others_of(config: Config, run_id: str, journal: Journal, clock: Clock) -> Others | None:
    """What other users are asked and have answered about the run; None where nothing is shared."""
    if not (config.home / "approvals").is_dir():
        return None
    from durun.engine.local.others import Others
    from durun.engine.local.said import holds_secret
    from durun.sharing.places import Shared

    exposes = partial(holds_secret, config)
    return Others(Shared(config.home), config.run_folder(run_id), journal, clock, exposes)
