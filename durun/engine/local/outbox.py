"""What a turn of the runner has for the supervisor: collected while it decides, sent once it is committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from durun.engine.local.files import remove_folder
from durun.engine.local.names import attempt_folder
from durun.engine.local.prepare import Launch
from durun.engine.local.wire import Collect, Order, StartOrder, StopOrder
from durun.model.task import Purpose, TaskKey


class Flight(NamedTuple):
    """A process that works for a task. `adopted`: an earlier session's supervisor has it in hand."""

    key: TaskKey
    folder: int
    kind: Literal["attempt"] | Purpose
    adopted: bool = False


class Outbox:
    """The orders of one turn, the flights that they start, and the tasks that are being stopped.

    `stop_grace`: seconds between INT, TERM and KILL for what is stopped.
    """

    def __init__(self, stop_grace: float, run_folder: Path) -> None:
        self._stop_grace = stop_grace
        self.run_folder = run_folder
        self._used: list[int] = []
        self.orders: list[Order] = []
        self.new_flights: list[Flight] = []
        self.stopping: set[TaskKey] = set()
        self._new_stops: set[TaskKey] = set()

    def take(self) -> list[Order]:
        """The orders, which are then no longer here. Folders that are used again are empty by then."""
        orders = self.orders
        for folder in self._used:
            remove_folder(attempt_folder(self.run_folder, folder))
        self._drop()
        return orders

    def take_back(self) -> None:
        """Drop what was collected and not committed: the turn is taken again, and nothing of it was sent."""
        self.stopping -= self._new_stops
        self._drop()

    def _drop(self) -> None:
        self.orders = []
        self.new_flights = []
        self._new_stops = set()
        self._used = []

    def start(
        self,
        flight: Flight,
        nonce: str,
        launch: Launch,
        *,
        redact: bool = False,
        cap: int | None = None,
        collect: Collect | None = None,
        again: bool = False,
    ) -> None:
        """Start a process for a task.

        `redact`: keep nothing that it writes; `cap`: bytes of stdout, if unusual; `collect`: what of it is evidence;
        `again`: its folder is one that was used before.
        """
        order = StartOrder(
            flight.folder,
            nonce,
            launch.argv,
            launch.env,
            launch.cwd,
            stdin=launch.stdin,
            timeout=launch.timeout,
            redact=redact or launch.mute,
            stop_grace=self._stop_grace,
            discretion=launch.discretion,
            collect=collect,
        )
        self.orders.append(order if cap is None else order._replace(output_cap=cap))
        self.new_flights.append(flight)
        if again:
            self._used.append(flight.folder)

    def stop(self, key: TaskKey, flights: dict[int, Flight]) -> None:
        """Stop what runs of a task: the run is being cancelled."""
        if key not in self.stopping:
            self.stopping.add(key)
            self._new_stops.add(key)
        self.orders.extend(StopOrder(f.folder, "cancel") for f in flights.values() if f.key == key)


def new_nonce() -> str:
    """Something that nobody else has: 32 hex digits."""
    return os.urandom(16).hex()
