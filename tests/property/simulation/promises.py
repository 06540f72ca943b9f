"""What durun promises, checked from the events, the plan and the world, without the code that decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from durun.model import decide as do
from durun.model import event as ev
from durun.model.plan import FREE_REPEATS, Node, Plan
from durun.model.progress import Progress
from durun.model.state import RunState
from durun.model.status import FINAL
from durun.model.task import ROLLBACK, RunRecord, TaskKey
from simulation.oracle import Oracle, promise
from simulation.store import Store
from simulation.world import Broken, World


class Answered(NamedTuple):
    """The newest answer about a doubt, who asked, and since when it has been the same."""

    answer: str
    session: int
    since: float


class Promises:
    """Watches one history."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.trace: list[str] = []
        self.turns = 0
        self.always_honest = world.weather.honest
        self._finished: set[TaskKey] = set()
        self._withdrawn: set[TaskKey] = set()
        self._asked_at: dict[TaskKey, int] = {}
        self._known_at: dict[str, int] = {}
        self._licence: dict[TaskKey, str] = {}
        self._nonce: dict[TaskKey, str] = {}
        self._failures: Counter[TaskKey] = Counter()
        self._fences: Counter[TaskKey] = Counter()
        self._answers: dict[TaskKey, Answered] = {}
        self._first: dict[TaskKey, float] = {}
        self._doubted: dict[TaskKey, float] = {}
        self._repeats: Counter[TaskKey] = Counter()
        self._rests: dict[TaskKey, float] = {}
        self._given_up: set[TaskKey] = set()
        self._until: dict[TaskKey, float | None] = {}
        self._asked: dict[TaskKey, dict[str, Any]] = {}
        self._said: dict[TaskKey, list[ev.TaskDecided]] = {}
        self._polls: dict[TaskKey, ev.TaskWaiting] = {}
        self._session = 0
        self._round = 1
        self._finally: set[int] = set()
        self._folds = 0
        self._cancelled = self._undo = self._reaping = False
        self._undoing: int | None = None
        self._undone: set[TaskKey] = set()
        self._made_due: set[TaskKey] = set()

    # -- a turn ---------------------------------------------------------------------------------------------

    def decided(
        self, state: RunState, progress: Progress, commands: Sequence[do.Command], now: float, park: bool
    ) -> None:
        self.turns += 1
        again = do.decide(Progress(self.plan, state, reaping=progress.reaping), now, park)
        told, anew = ([(type(one), one) for one in both] for both in (commands, again))
        if told != anew:
            raise Broken(f"kept up: {commands}\nbuilt anew: {again}")
        if commands and all(isinstance(command, do.NoteUndone) for command in commands):
            return  # the rest is decided once that is noted
        early = {c.key for c in commands if isinstance(c, do.Resolve) and c.key not in progress.fans}
        kinds = (do.Start, do.Resolve, do.Retry, do.AskAgain)
        moves = [c.key for c in commands if isinstance(c, kinds) and c.key not in early]
        moves += [c.key for c in commands if isinstance(c, do.Ask) and c.purpose == "before"]
        for command in commands:
            if isinstance(command, do.Stop):
                task = state.tasks[command.key]
                asked = task.probe is not None and task.probe.purpose in ("in_doubt", "after")
                promise(not asked or task.probe.session != state.record.sessions, f"{command} ends a verify")
        oracle = Oracle(self.plan, state, reaping=progress.reaping)
        closing = not oracle.rolling_back
        for key in [key for key in moves if closing and self.plan.is_rollback(key.step)]:
            moves.remove(key)
            oracle.check_move(key)
        if not oracle.final and closing:
            closed = [command.key for command in commands if isinstance(command, do.Close)]
            late = [key for key in oracle.overdue(now) if key not in closed and not self._is_due(state, key)]
            promise(not late, f"privileges stay open: {late}")
        promise(not moves or not progress.reaping, "who closes privileges goes on with the run")
        if progress.reaping:
            return
        if moves:
            promise(not (closing and oracle.stuck_closings()) or oracle.final, "it goes on beside an open privilege")
            promise(oracle.final or not self._cancelled, "a cancelled run starts something")
            promise(oracle.final or oracle.rolling_back or not self._undo, "a run to be undone starts something")
        for key in moves:
            oracle.check_move(key)
        self._check_privileges(oracle, commands, now)
        self._check_foresight(oracle, state, commands, early)
        self._check_new_targets(oracle, moves)
        self._check_waits(oracle, state, commands, now)
        for command in commands:
            if isinstance(command, (do.End, do.Park, do.BeginFinally, do.BeginRollback)):
                self._check_rest(oracle, state, command)

    def _check_privileges(self, oracle: Oracle, commands: Sequence[do.Command], now: float) -> None:
        """A privilege that has lapsed is granted anew before something is started that needs it, and for that alone."""
        for command in commands:
            starts = isinstance(command, do.Start | do.Resolve) or getattr(command, "purpose", "") in ("before", "poll")
            if starts and not self.plan.is_rollback(command.key.step):
                promise(not (gone := oracle.lapsed_before(command.key)), f"{command} without {gone}")
            for key in command.keys if isinstance(command, do.Reopen) else ():
                promise(oracle.lapsed(key) and oracle.wants(key, now), f"{key} is granted anew, and nothing needs it")

    def _check_foresight(
        self, oracle: Oracle, state: RunState, commands: Sequence[do.Command], early: set[TaskKey]
    ) -> None:
        """Before people are asked, the targets are had that can be, and no others."""
        for fan in early:
            reads = self.plan.nodes[fan.step].reads
            promise(all(map(oracle.done, reads)), f"the targets of {fan} are wanted before {reads} are done")
        for command in commands:
            if not isinstance(command, do.Start) or command.key.step not in self.plan.nodes:
                continue
            for name in self.plan.nodes[command.key.step].after:
                holder = state.tasks.get(TaskKey(name))
                if self.plan.nodes[name].fan_out is None or (name, 0) in state.resolved:
                    continue
                known = all(map(oracle.done, self.plan.nodes[name].reads))
                over = holder is not None and holder.status in ("skipped", "failed")
                promise(not known or over, f"{command.key} is asked before the targets of {name} are known")

    def _is_due(self, state: RunState, key: TaskKey) -> bool:
        rollback = state.tasks.get(key._replace(step=f"{key.step}{ROLLBACK}"))
        return rollback is not None and rollback.due

    def _check_new_targets(self, oracle: Oracle, moves: list[TaskKey]) -> None:
        fans: dict[str, set[str]] = {}
        for key in moves:
            fan = self.plan.node(key.step).fan
            if self.plan.is_rollback(key.step):
                continue
            if key.target is not None and fan is not None and not oracle.begun(self.plan.nodes[fan], key.target):
                fans.setdefault(fan, set()).add(key.target)
        for fan, new in fans.items():
            node = self.plan.nodes[fan]
            names = oracle.targets(node) or []
            at_work = [name for name in names if oracle.begun(node, name) and not oracle.view(fan, name).over]
            promise(len(at_work) + len(new) <= node.fan_out.max_parallel, f"{fan}: {at_work} and {new} at once")

    def _check_waits(self, oracle: Oracle, state: RunState, commands: Sequence[do.Command], now: float) -> None:
        """A wait is over when its time has come and not before; and then it is over, unless the run is stopped."""
        over = {command.key for command in commands if isinstance(command, do.TimeUp)}
        for key in over:
            promise(self._until[key] <= now, f"{key} waits until {self._until[key]}, and it is {now}")
        for command in commands:
            if isinstance(command, do.Deny) and command.code == "targets":
                after = [TaskKey(name) for name in self.plan.nodes[command.key.step].after]
                gone = [state.tasks[key] for key in after if key in state.tasks and state.tasks[key].status == "failed"]
                promise(gone != [], f"{command}, and all targets can be had")
            elif isinstance(command, (do.Grant, do.Deny)):
                over.add(command.key)
                found = "yes" if isinstance(command, do.Grant) else command.code
                promise(found == self._answer(command.key, now), f"{command}: {self._said[command.key]}")
        for key in over:
            oracle.check_beside(key)
        self._check_polls(oracle, state, commands, now)
        if oracle.rolling_back or ((self._cancelled or self._undo) and not oracle.final):
            return
        ready = [
            key
            for key, task in state.tasks.items()
            if task.status == "waiting"
            and key.round == oracle.round
            and key not in self._polls
            and self._ready(key, now)
        ]
        if not ready or oracle.stopped or (not oracle.final and oracle.stuck_closings()):
            return
        for key in ready:
            promise(key in over or not oracle.goes_on(key), f"{key} waits on after {self._until[key]}")

    def _ready(self, key: TaskKey, now: float) -> bool:
        return self._answer(key, now) != "" if key in self._asked else self._until[key] <= now

    def _answer(self, key: TaskKey, now: float) -> str:
        """What people have said to the newest question: `yes`, `denied`, `expired`, or nothing yet."""
        said, until = self._said[key], self._until[key]
        if any(one.verdict == "reject" for one in said):
            return "denied"
        if len({one.by["uid"] for one in said}) >= self._asked[key]["min_approvals"]:
            return "yes"
        return "expired" if until is not None and until <= now else ""

    def _check_polls(self, oracle: Oracle, state: RunState, commands: Sequence[do.Command], now: float) -> None:
        """A poll asks when it is due and not before, a last time at its end, and then it has failed."""
        asks = {c.key for c in commands if isinstance(c, do.Ask) and c.purpose == "poll"}
        ends = {c.key for c in commands if isinstance(c, do.Overdue)}
        for key in asks | ends:
            oracle.check_beside(key)
            promise(oracle.final or not self._cancelled, f"{key} is polled in a cancelled run")
        for key in ends:
            until, last = self._polls[key].until, state.tasks[key].waiting.answered_at
            promise(until is not None and until <= last, f"{key} fails before it was asked a last time")
        for key in asks:
            promise(self._due(key, state) <= now, f"{key} is asked before it is due")
        moves = [command for command in commands if isinstance(command, (do.Start, do.Ask, do.Resolve))]
        if oracle.rolling_back or self._cancelled or self._undo:
            return
        if len(moves) + len(self._busy(state)) >= self.plan.max_parallel:
            return
        # A fan-out has limits of its own.
        polls = [key for key in self._polls if key.target is None and key.round == oracle.round]
        due = [key for key in polls if state.tasks[key].status == "waiting" and self._due(key, state) <= now]
        for key in due if due and not (oracle.stopped or oracle.held) else ():
            task = state.tasks[key]
            busy = task.probe is not None and task.probe.session == state.record.sessions
            spared = not oracle.goes_on(key) or oracle.lapsed_before(key)
            promise(busy or key in asks | ends or spared, f"{key} is due, and is not asked")

    def _due(self, key: TaskKey, state: RunState) -> float:
        poll, last = self._polls[key], state.tasks[key].waiting.answered_at
        if last is None:
            return 0.0
        return last + poll.every if poll.until is None else min(last + poll.every, poll.until)

    @staticmethod
    def _busy(state: RunState) -> list[TaskKey]:
        session = state.record.sessions
        return [
            key for key, task in state.tasks.items()
            if task.status == "running" or (task.probe is not None and task.probe.session == session)
        ]  # fmt: skip

    def _check_rest(self, oracle: Oracle, state: RunState, command: do.Command) -> None:
        if oracle.rolling_back:
            self._check_undone(oracle, state, command)
            return
        views = [oracle.view(name, None) for name in oracle.roots]
        left_behind = oracle.final and state.record.rollback_code is not None
        doubts = any(task.status == "in_doubt" and (key.round or not left_behind) for key, task in state.tasks.items())
        promise(not any(view.busy for view in views), f"{command} while something runs")
        if isinstance(command, do.Park):
            open_waits = [
                key
                for key, task in state.tasks.items()
                if task.status == "waiting" and key.round == oracle.round and oracle.goes_on(key)
            ]
            promise(
                doubts if command.status == "in_doubt" else open_waits and not oracle.stopped, f"{command} for nothing"
            )
            stuck = command.status == "waiting" and not oracle.final and oracle.stuck_closings()
            promise(not stuck, f"{command} beside a privilege that can't be closed")
            self._check_asked(state) if command.status == "in_doubt" else None
            return
        record = state.record
        if isinstance(command, do.BeginRollback):
            promise(not oracle.bars(), f"{command} with doubts that bar it: {oracle.bars()}")
            bad = any(view.severity for view in views) or oracle.stuck_closings()
            failed = self.plan.roll_back and not self._cancelled and bad
            promise(not oracle.final and (self._undo or failed), f"{command}, and nobody wants it")
            waits = [key for key, task in state.tasks.items() if task.status == "waiting" and not key.round]
            promise(not waits, f"{command} while something waits: {waits}")
            return
        promise(oracle.final or not self._undo, f"{command} instead of a rollback")
        promise(not doubts, f"{command} with a doubt")
        if oracle.final:
            bad = any(not view.good for view in views)
            promise(all(view.over for view in views), "the run ends before its finally steps")
            expected = "failed" if bad and record.final_status == "succeeded" else record.final_status
        elif self._cancelled:
            expected = "cancelled"
            waits = [key for key, task in state.tasks.items() if task.status == "waiting" and key.round == oracle.round]
            promise(not waits, f"a cancelled run waits: {waits}")
        else:
            stuck = oracle.stuck_closings()
            expected = "succeeded" if all(view.good for view in views) and not stuck else "failed"
            still = [key for key, task in state.tasks.items() if task.closes_at is not None and key not in stuck]
            promise(not still, f"{command} while privileges are open: {still}")
            promise(expected == "succeeded" or not self.plan.roll_back, f"{command} instead of a rollback")
            bad = stuck or any(view.severity for view in views)
            promise(expected == "succeeded" or bad, "failed without a failure")
        promise(command.status == expected, f"{command}, not {expected}")

    def _check_undone(self, oracle: Oracle, state: RunState, command: do.Command) -> None:
        """The rollback is over when each task that is to be undone has had its turn."""
        views = [oracle.undoing(key) for key in oracle.to_undo()]
        promise(not any(view.busy for view in views), f"{command} while something runs")
        turn = self._cancelled or all(view.over or view.doubt for view in views)
        promise(turn, f"{command} before all had its turn")
        if any(view.doubt for view in views):
            promise(command == do.Park("in_doubt"), f"{command} with a doubt")
            self._check_asked(state, rollbacks=True)
            return
        bad = any(not view.good for view in views)
        expected = "cancelled" if self._cancelled else "rollback_failed" if bad else "rolled_back"
        promise(getattr(command, "status", None) == expected, f"{command}, not {expected}")
        if expected == "rolled_back":
            promise(not views, f"rolled back, and there are {list(oracle.to_undo())}")

    def _check_asked(self, state: RunState, *, rollbacks: bool = False) -> None:
        """A run does not park before its verifies were asked, in every session anew."""
        for key, task in state.tasks.items():
            node = self.plan.node(key.step)
            if rollbacks != self.plan.is_rollback(key.step):
                continue
            # What a rollback has left in doubt is nobody's question any more; `finally` has its own.
            if not rollbacks and state.record.rollback_code is not None and not key.round:
                continue
            if task.status == "in_doubt" and task.gone and node.on_in_doubt == "verify" and node.verify is not None:
                promise(
                    task.answer is not None and task.asked_in == self._session,
                    f"the run parks, and the verify of {key} was not asked",
                )

    def performed(self, state: RunState, commands: Sequence[do.Command]) -> None:
        """After a turn's commands: the limits of what is at work at once."""
        if not any(isinstance(command, (do.Start, do.Ask, do.Resolve)) for command in commands):
            return
        busy = self._busy(state)
        if self._reaping:  # a step that had just ended may be asked about, beside what closes privileges
            busy = [key for key in busy if self.plan.is_rollback(key.step)]
        promise(len(busy) <= self.plan.max_parallel, f"max_parallel {self.plan.max_parallel}: {busy}")
        for command in commands:
            fan = self.plan.node(command.key.step).fan if isinstance(command, do.Start) else None
            if fan is None:
                continue
            undoing = self.plan.is_rollback(command.key.step)
            beside = [k for k in busy if self.plan.node(k.step).fan == fan and self.plan.is_rollback(k.step) == undoing]
            at_work = {k.target for k in beside if self._acts(state, k)}
            limit = self.plan.nodes[fan].fan_out.max_parallel
            promise(len(at_work) <= limit, f"{fan}: max_parallel {limit}: {at_work}")

    def _acts(self, state: RunState, key: TaskKey) -> bool:
        return key.target is not None and state.tasks[key].status != "in_doubt"

    # -- events ---------------------------------------------------------------------------------------------

    def foreign(self, store: Store, event: ev.Event, now: float) -> None:
        """Another process appends a request."""
        store.append(store.head, [event], now)
        self.committed(store.events[-1:], store)

    def committed(self, events: Sequence[ev.Stamped], store: Store) -> None:
        for stamped in events:
            self.trace.append(f"{stamped.sequence:4} {stamped.at:8.1f} {stamped.event}")
            event = stamped.event
            if isinstance(event, ev.TaskDue | ev.TaskReopened):
                self._privilege(ev.key_of(event), event)
            elif isinstance(event, ev.TaskRolledBack):
                self._rolled_back(ev.key_of(event), event)
            elif isinstance(event, ev.TaskEvent):
                self._task_event(event, stamped.at)
            else:
                self._run_event(event, store)

    def _check_seen(self, key: TaskKey) -> None:
        """No target is begun that those who approved have not seen."""
        fan = self.plan.nodes[key.step].fan if key.step in self.plan.nodes else None
        if key.round or key.target is None or fan is None or TaskKey(fan) in self._finished:
            return
        for name in (name for name, node in self.plan.nodes.items() if fan in node.after):
            for asked, when in self._asked_at.items():
                seen = asked.step != name or asked not in self._finished or when > self._known_at[fan]
                promise(seen, f"{key} begins, and {asked} was approved when its targets were not known")

    def _run_event(self, event: ev.Event, store: Store) -> None:
        match event:
            case ev.SessionStarted():
                self._session, self._reaping = event.session, event.reason == "reap"
            case ev.TargetsResolved():
                self._known_at[event.step] = len(self.trace)
            case ev.RoundStarted():
                self._round = event.round
                self._cancelled = self._undo = False
            case ev.CancelRequested():
                self._cancelled, self._undo = True, False
            case ev.RollbackRequested():
                self._cancelled, self._undo = False, True
            case ev.RollbackStarted():
                promise(not self._undoing, "a second rollback begins")
                there = [key for key in Oracle(self.plan, store.state()).to_undo() if not self._was_due(key)]
                promise(event.tasks == len(there), f"{event} counts wrongly")
                self._undo, self._undoing = False, event.tasks
            case ev.FinallyStarted():
                promise(event.round == self._round, "finally of another round")
                promise(event.round not in self._finally, f"finally twice in round {event.round}")
                self._finally.add(event.round)
            case ev.RunEnded():
                promise(not self.plan.finals or self._round in self._finally, "ended without finally")
                codes = {"succeeded": {0}, "cancelled": {12}, "failed": {1, 4, 6}}
                codes |= {"rolled_back": {0, 1, 4, 6}, "rollback_failed": {1}}
                promise(event.exit_code in codes[event.status], f"{event.status} with exit code {event.exit_code}")
                waits = [key for key, task in store.tasks.items() if task.status == "waiting"]
                promise(
                    not waits if event.status in FINAL else not any(key.round for key in waits), f"{waits} for ever"
                )
                failed = {
                    task.code for key, task in store.tasks.items() if task.status == "failed" and self._counts(key)
                }
                if self._undoing is None:
                    unstarted = event.status == "failed" and "not_started" in failed
                    denied = event.status == "failed" and bool(failed & {"denied", "expired"})
                    promise((event.exit_code == 4) == unstarted, "exit code 4")
                    promise((event.exit_code == 6) == (denied and not unstarted), "exit code 6")
            case _:
                pass

    def _task_event(self, event: ev.TaskEvent, at: float) -> None:
        key = ev.key_of(event)
        promise(key not in self._finished, f"{key} had finished: {event}")
        timely = (key.round == 0) == (self._round not in self._finally) or self.plan.is_rollback(key.step)
        promise(timely or not isinstance(event, ev.TaskStarted), f"{event} outside its time")
        node = self.plan.node(key.step)
        match event:
            case ev.TaskSucceeded() | ev.TaskSkipped():
                promise(key not in self._asked or self._answer(key, at) == "yes", f"{key}: nobody has said yes")
                self._finished.add(key)
            case ev.TaskWaiting() | ev.RequestWithdrawn() | ev.TaskDecided():
                self._waits(key, event)
            case ev.TaskStarted():
                self._check_seen(key)
                promise(self._licence.get(key, "new") != "", f"{key} starts, and its last attempt is not resolved")
                promise(not self.world.lives(key), f"{key} starts while its last attempt lives")
                promise(at >= self._rests.pop(key, at) - 1e-6, f"{key} is repeated without a pause")
                self._doubted.pop(key, None)
                self._licence[key] = ""
                self._nonce[key] = event.nonce
                self._first.setdefault(key, at)
            case ev.TaskNeverBegan():
                self._fences[key] += 1
                promise(self._nonce[key] not in self.world.processes, f"{key} did begin")
                promise(self._fences[key] <= FREE_REPEATS, f"{key} never began {self._fences[key]} times")
                self._licence[key] = "never began"
            case ev.TaskFailed():
                if key in self._asked:
                    self._withdrawn.add(key)
                self._failures[key] += 1 if event.retryable else 1000
                self._given_up |= {key} if event.code in ("in_doubt", "verify") else set()
            case ev.TaskRetried():
                self._polls.pop(key, None)
                self._retried(key, node, event)
            case ev.ProbeAnswered(purpose="in_doubt"):
                last = self._answers.get(key)
                since = last.since if last is not None and last.answer == event.answer else at
                self._answers[key] = Answered(event.answer, self._session, since)
            case ev.TaskInDoubt():
                self._answers.pop(key, None)
                self._doubted.setdefault(key, at)
                self._licence[key] = ""
            case ev.TaskRepeated():
                self._repeated(key, node, event, at)
                self._rest(key, node)
                self._licence[key] = event.proof
            case ev.TaskSettled():
                self._licence[key] = "settled" if event.resolution == "not_done" else ""
                self._failures[key] += 1000 if event.resolution == "failed" else 0
                self._finished |= {key} if event.resolution == "done" else set()
            case _:
                pass

    def _waits(self, key: TaskKey, event: ev.TaskWaiting | ev.RequestWithdrawn | ev.TaskDecided) -> None:
        match event:
            case ev.TaskWaiting():
                begun = key in self._until or key in self._polls
                promise(not begun or key in self._withdrawn, f"{key} begins to wait anew")
                self._withdrawn.discard(key)
                if event.kind == "poll":
                    self._polls[key] = event
                    return
                self._until[key] = event.until
                self._check_seen(key)
                if event.asked is not None:
                    self._asked_at[key] = len(self.trace)
                    self._asked[key], self._said[key] = event.asked, []
            case ev.RequestWithdrawn():
                self._withdrawn.add(key)
            case ev.TaskDecided():
                promise(event.nonce == self._asked[key]["nonce"], f"{event} counts, and something else is asked")
                self._said[key].append(event)

    def _rolled_back(self, key: TaskKey, event: ev.TaskRolledBack) -> None:
        if key in self._undone and not event.early:
            return  # what it was closed too early for has ended meanwhile
        undo = key._replace(step=f"{key.step}{ROLLBACK}")
        promise(undo in self._finished and key not in self._undone, f"{event}, and its rollback has not succeeded")
        self._undone.add(key)

    def _was_due(self, key: TaskKey) -> bool:
        return key._replace(step=f"{key.step}{ROLLBACK}") in self._made_due

    def _privilege(self, key: TaskKey, event: ev.TaskDue | ev.TaskReopened) -> None:
        if isinstance(event, ev.TaskDue):
            self._made_due |= {key} if self._undoing is None else set()
            return
        self._finished.discard(key)
        self._undone.discard(key)
        self._failures[key] = self._fences[key] = self._repeats[key] = 0
        self._answers.pop(key, None)
        self._first.pop(key, None)
        self._licence[key] = "again"
        self.world.effects.pop(key, None)

    def _repeated(self, key: TaskKey, node: Node, event: ev.TaskRepeated, at: float) -> None:
        if event.proof == "idempotent":
            ttl = node.idempotent_ttl
            promise(node.idempotent, f"{key} repeated, and is not idempotent")
            promise(ttl is None or at - self._first[key] <= ttl, f"{key} repeated after its ttl")
            return
        answer = self._answers.get(key)
        proved = answer is not None and answer.answer == "not_done" and answer.session == self._session
        promise(proved, f"{key} repeated without proof: {answer}")
        promise(at - answer.since >= (node.verify.settle or 0) - 1e-6, f"{key} repeated before it had settled")

    def _rest(self, key: TaskKey, node: Node) -> None:
        """From when on it may be repeated, jitter aside. A key that is known for so long only is not waited for."""
        self._repeats[key] += 1
        if node.idempotent_ttl is None:
            wrong = self._failures[key] + self._repeats[key]
            pause = min(node.retry.max_delay, node.retry.delay * node.retry.backoff ** (wrong - 1))
            self._rests[key] = self._doubted[key] + pause

    def _retried(self, key: TaskKey, node: Node, event: ev.TaskRetried) -> None:
        if event.fresh:
            promise(key.round == 0, f"{key} of finally gets a fresh budget")
            forgiven = not self.plan.is_rollback(key.step) and self._forgiven(key.step)
            promise(not forgiven, f"{key} is forgiven, and gets a fresh budget")
            self._failures[key] = self._fences[key] = self._repeats[key] = 0
        promise(self._failures[key] < node.retry.max_attempts, f"{key} retried without a budget")
        self._licence[key] = "fresh" if event.fresh else "retry"

    def _counts(self, key: TaskKey) -> bool:
        """Whether a failure of the task makes the run failed."""
        if key.round:
            return key.round == self._round
        return self.plan.is_rollback(key.step) or not self._forgiven(key.step)

    def _forgiven(self, step: str) -> bool:
        node = self.plan.nodes[step]
        return node.continue_on_error or (node.parent is not None and self._forgiven(node.parent))

    # -- at crashes and at the end --------------------------------------------------------------------------

    def whole(self, store: Store) -> None:
        """The projection is what the events fold to, and the counts are right."""
        state = store.state()
        if self._folds < 2 or state.record.status in FINAL:
            self._folds += 1
            folded = store.folded()
            promise(folded == state, f"fold(events) is not the projection:\n{folded}\n{state}")
        record = state.record
        counts = Counter(task.status for task in state.tasks.values())
        del counts["pending"]
        promise(record.counts == dict(counts), f"counts: {record.counts}, not {counts}")
        total = sum(self._total(name, 0, state) for name in self.plan.roots)
        total += sum(self._total(name, round_, state) for name in self.plan.finals for round_ in self._finally)
        total += (self._undoing or 0) + len(self._made_due)
        promise(record.total == total, f"total: {record.total}, not {total}")
        if not self._reaping:  # to close a privilege, a run does not take its group again
            self._check_group(record, counts)
        if self.always_honest:
            self._check_effects()

    @staticmethod
    def _check_group(record: RunRecord, counts: Counter[str]) -> None:
        """A run of a group has it to its end, but in the statuses in which it lets go and nothing is at work."""
        let_go = record.status in FINAL or (
            record.status in record.release_on and not counts["running"] and not counts["in_doubt"]
        )
        promise(record.holds_group == (record.concurrency_group is not None and not let_go), f"{record} and its group")

    def _total(self, name: str, round_: int, state: RunState) -> int:
        node = self.plan.nodes[name]
        if node.fan_out is not None:
            resolved = state.resolved.get((name, round_))
            return (
                1 if resolved is None else len(resolved.index) * len(self.plan.leaves(name)) + bool(resolved.approval)
            )
        return 1 if node.leaf else sum(self._total(child, round_, state) for child in node.children)

    def _check_effects(self) -> None:
        for key, count in self.world.effects.items():
            free = self.plan.node(key.step).idempotent or key in self._given_up
            promise(count <= 1 or free, f"{key} had its effect {count} times")
