"""What other users of the machine may see of the state directory, and where they may decide."""

from __future__ import annotations

from durun.doctor.here import Here
from durun.model.check import Check
from durun.sharing.places import require_shared, shared


def sharing(here: Here) -> Check:
    """Not at all; or two folders, open to one group as they must be."""
    folders = shared(here.config.home)
    if folders is None:
        return Check("sharing", "ok", "nothing is shared: nobody but you can approve")
    group = require_shared(folders)
    return Check("sharing", "ok", f"group {group} sees what is asked, and may approve it")
