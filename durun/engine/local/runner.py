"""The runner: the brain of a run. A loop of turns; each takes in what happened, decides, commits, gives orders.

It may be killed at any moment: what it knows is in the journal, and what it has ordered is in the hands of the
supervisor, which goes on without it.
"""

from __future__ import annotations

import os
import selectors
from pathlib import Path

from durun.engine.api import Observer, Outcome
from durun.engine.ledger import Ledger
from durun.engine.local.folder import STOP
from durun.engine.local.hands import Hands
from durun.engine.local.landing import Landing
from durun.engine.local.outbox import Flight, Outbox
from durun.engine.local.performer import Performer
from durun.engine.local.recovery import Recovery
from durun.engine.local.session import Session
from durun.engine.local.signals import Signals
from durun.engine.local.wire import Ended, Gone, NotOpened, Refused, Reply
from durun.errors import CannotStart, StorageFailed
from durun.journal.api import SequenceConflict
from durun.model.decide import Command, End, Park, Stop, WakeAt, decide
from durun.model.ending import reaped_code
from durun.model.event import RunInterrupted
from durun.model.outcome import exit_code_of
from durun.model.plan import FREE_REPEATS
from durun.model.status import ENDED

MOST_EVENTS = 500
"""How many events a turn may gather before they are committed and signals are looked at."""
PATIENCE = 1.0
"""Seconds after which the runner looks for foreign events, though nothing called."""
LAST_PATIENCE = 2.0
"""Seconds that pid 1 waits for its supervisor to end, for its own end ends everything."""
ADOPTED = 0.1
"""Seconds between two looks at attempts that an earlier session's supervisor has in hand."""


class Runner:
    """Drives one run, in one process, until it ends, parks or is interrupted."""

    def __init__(self, session: Session, observer: Observer, signals: Signals) -> None:
        self._session = session
        self._observer = observer
        self._signals = signals
        self._ledger: Ledger = session.ledger
        self._performer: Performer = session.performer
        self._outbox: Outbox = session.performer.outbox
        self._landing: Landing = session.landing
        self._recovery: Recovery = session.recovery
        self._folder: Path = session.run_folder
        self._hands: Hands = session.hands
        self._flights: dict[int, Flight] = {}
        self._adopted: list[Flight] = []
        # What of them this turn leaves open: it counts once the turn is committed.
        self._still_open: list[Flight] = []
        self._wake: float | None = None
        self._again = False
        self._selector = selectors.DefaultSelector()
        self._said_draining = False
        self._taking_over = True
        self._losses = 0

    def drive(self) -> Outcome:
        """Drive the run. Raises StorageFailed, Changed: then what runs goes on, and a resume adopts it."""
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._selector.register(self._hands, selectors.EVENT_READ)
        try:
            self._turn([])
            self._say_what_differs()
            self._get_ready_to_sign()
            while (outcome := self._outcome()) is None:
                self._turn(self._wait())
            if outcome.status != "interrupted":
                self._hands.close(patience=LAST_PATIENCE if os.getpid() == 1 else 0.0)
            return outcome
        finally:
            self._selector.close()
            self._hands.leave()

    def _say_what_differs(self) -> None:
        """Told once the first tasks are under way: to list the targets of a long file takes a while."""
        if self._signals.wish == "go_on":
            for line in self._session.targets.differing():
                self._observer.said(line)

    def _get_ready_to_sign(self) -> None:
        """At the latest when the run ends or parks; better when its first tasks are under way, and nobody waits."""
        if problem := self._session.signing.begin():
            self._observer.said(problem)

    # -- one turn ---------------------------------------------------------------------------------------------

    def _turn(self, replies: list[Reply]) -> None:
        if any(isinstance(reply, Gone) for reply in replies):
            self._renew_hands()
        while True:
            try:
                self._gather(replies)
                if self._over():
                    self._get_ready_to_sign()
                self._ledger.commit()
                break
            except SequenceConflict:
                self._ledger.reload()
                self._outbox.take_back()
        self._adopted = self._still_open
        if self._taking_over:
            self._hands.open(self._folder, self._ledger.state.record.sessions)
            self._taking_over = False
        landed = {reply.folder for reply in replies if isinstance(reply, Ended | Refused)}
        self._flights = {folder: flight for folder, flight in self._flights.items() if folder not in landed}
        self._flights.update((flight.folder, flight) for flight in self._outbox.new_flights)
        self._hands.send(self._performer.take_orders())
        self._ledger.tell()
        if (others := self._session.others) is not None:
            others.attend(self._ledger.state, self._ledger.progress.waits, self._ledger.now)

    def _gather(self, replies: list[Reply]) -> None:
        """Emit all that this turn is about. It can be taken again: nothing in it has an effect outside."""
        self._ledger.begin_turn()
        for reply in replies:
            self._take(reply)
        if self._taking_over:
            self._session.emit_start()
            self._still_open = self._recovery.take_over()
        elif self._adopted:
            self._still_open = self._recovery.settle(self._adopted)
        self._decide()

    def _take(self, reply: Reply) -> None:
        match reply:
            case Ended(folder, record, problem):
                if problem:
                    raise StorageFailed(problem, self._resume_hint())
                flight = self._flights.get(folder)
                self._losses = 0
                if flight is not None:
                    self._landing.land(flight, record)
            case Refused(folder, code, error):
                if code == "storage":
                    raise StorageFailed(error, self._resume_hint())
                flight = self._flights.get(folder)
                if flight is not None:
                    self._refused(flight, error)
            case NotOpened(error):
                raise StorageFailed(error, self._resume_hint())
            case _:
                pass

    def _renew_hands(self) -> None:
        """The supervisor was killed: whatever it ran is settled as at a resume, under another one.

        Raises CannotStart for one that can't live, lest this go on for ever.
        """
        self._losses += 1
        # An attempt that never began is given up by itself after FREE_REPEATS.
        if self._losses > 2 * FREE_REPEATS:
            raise CannotStart(
                f"the supervisor ended {self._losses} times before it had done anything",
                f"see {self._folder}/supervisor-*.err, then: durun resume {self._ledger.state.record.id}",
            )
        self._observer.said("the supervisor was killed; going on with another one")
        self._selector.unregister(self._hands)
        self._session.renew()
        self._hands = self._session.hands
        self._selector.register(self._hands, selectors.EVENT_READ)
        self._flights.clear()
        self._taking_over = True

    def _refused(self, flight: Flight, error: str) -> None:
        if flight.kind == "attempt":
            self._landing.never_began(flight.key, error)
        else:
            self._landing.probe_lost(flight, error)

    def _decide(self) -> None:
        """Perform what is to be done until there is nothing more to do but to wait."""
        self._again = False
        while True:
            commands = decide(self._ledger.progress, self._ledger.now, self._session.park)
            self._wake = min((c.time for c in commands if isinstance(c, WakeAt)), default=None)
            commands = [command for command in commands if self._is_new(command)]
            if not commands or self._over():
                return
            for command in commands:
                self._performer.perform(command, self._flights)
            if self._ledger.pending > MOST_EVENTS:
                self._again = True
                return

    def _is_new(self, command: Command) -> bool:
        if isinstance(command, WakeAt):
            return False
        if isinstance(command, Stop):
            if command.key in self._outbox.stopping:
                return False
            if any(flight.key == command.key for flight in self._still_open):
                (self._folder / STOP).touch(mode=0o600)
        return self._signals.wish == "go_on" or isinstance(command, Stop | End | Park)

    def _over(self) -> bool:
        record = self._ledger.state.record
        if self._session.reaping:
            return self._performer.left
        return record.status in ENDED or record.status in ("waiting", "in_doubt", "interrupted")

    # -- waiting ----------------------------------------------------------------------------------------------

    def _wait(self) -> list[Reply]:
        """Wait until something happens; returns what the supervisor said."""
        timeout = 0.0 if self._again else ADOPTED if self._adopted else PATIENCE
        if self._wake is not None:
            timeout = max(0.0, min(timeout, self._wake - self._ledger.now))
        writing = selectors.EVENT_WRITE if self._hands.unsent else 0
        self._selector.modify(self._hands, selectors.EVENT_READ | writing)
        self._selector.select(timeout)
        self._signals.clear()
        self._observer.tick(self._ledger.now)
        replies = self._hands.receive()
        if not replies:
            self._session.signing.sign()
        return replies

    # -- ending -----------------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome | None:
        state = self._ledger.state
        if self._over():
            code = state.record.exit_code
            if self._session.reaping:
                code = reaped_code(self._ledger.plan, state)
            elif code is None or state.record.status not in ENDED:
                code = exit_code_of(state.record.status, state.tasks)
            return Outcome(state.record.id, state.record.status, code, state)
        if self._signals.wish == "leave" or (self._signals.wish == "drain" and self._drained()):
            return self._leave()
        return None

    def _drained(self) -> bool:
        busy = self._ledger.progress.busy
        if busy and not self._said_draining:
            self._said_draining = True
            self._observer.said(f"starting nothing more; waiting for {busy} running (Ctrl-C again: leave, they go on)")
        return not busy

    def _leave(self) -> Outcome:
        run_id = self._ledger.state.record.id
        if self._session.reaping:
            return Outcome(run_id, self._ledger.state.record.status, self._signals.exit_code, self._ledger.state)
        while True:
            try:
                self._ledger.begin_turn()
                self._performer.poller.record()
                self._ledger.emit(RunInterrupted(reason=self._signals.reason))
                self._ledger.commit()
                break
            except SequenceConflict:
                self._ledger.reload()
        self._ledger.tell()
        return Outcome(run_id, "interrupted", self._signals.exit_code, self._ledger.state)

    def _resume_hint(self) -> str:
        return f"make room, then: durun resume {self._ledger.state.record.id}"
