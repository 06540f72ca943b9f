"""All that is told of what lies ahead: the facts that `durun plan` shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from durun.model.forecast import Forecast
from durun.model.tuples import NamedTuple
from durun.views.secrets import Checked, KeyringFound


class Missing(NamedTuple):
    """A command that is not there, and the steps that start it; `required`: a run is refused without it."""

    command: str
    steps: tuple[str, ...]
    required: bool = False


class Used(NamedTuple):
    """An action from a plugin, the package and version that the runbook was checked with, and what is here now."""

    action: str
    package: str
    version: str
    steps: tuple[str, ...]
    installed: str | None


class Asked(NamedTuple):
    """What people are asked: an `approval` of these, so many of whom must give it, or something `manual`; `within`
    what time, or nothing. `allow_requester`: whoever starts the run counts."""

    step: str
    kind: str
    text: str
    who: tuple[str, ...] = ()
    needed: int = 1
    within: str = ""
    allow_requester: bool = True


class Fan(NamedTuple):
    """A fan-out: its targets, or why they are not known (`wrong`: why they can't be used), and how they are worked
    through. `waves`: their sizes."""

    step: str
    keys: tuple[str, ...] | None
    why: str
    wrong: bool
    max_parallel: int
    max_failures: int | None
    waves: tuple[int, ...]
    forgiving: bool


class Foresight(NamedTuple):
    """All that is told. `inside`: step → the step whose targets multiply it. `does`: what each step does, and the
    `finals` are those of `finally`. `waits`: task → what it waits for now, in words for a person. `lasting`: steps
    that nothing takes back.
    """

    forecasts: Sequence[Forecast]
    fans: Sequence[Fan]
    inside: Mapping[str, str]
    keyring: KeyringFound | None
    secrets: Sequence[Checked]
    missing: Sequence[Missing]
    plugins: Sequence[Used]
    people: Sequence[Asked]
    lasting: Sequence[str]
    privileges: Sequence[str]
    groups: Sequence[str]
    does: Mapping[str, str] = {}
    finals: Collection[str] = ()
    waits: Mapping[tuple[str, str | None], str] = {}
