"""What durun promises, checked from the events, the plan and the world, without the code that decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from durun.model import decide as do
from durun.model.plan import Plan
from durun.model.progress import Progress
from durun.model.state import RunState
from durun.model.status import FINAL
from durun.model.task import ROLLBACK, RunRecord, TaskKey
from property.simulation.oracle import Oracle, promise
from property.simulation.store import Store
from property.simulation.told import Told
from property.simulation.world import Broken, World


class Promises(Told):
    """Watches one history."""

    def __init__(self, plan: Plan, world: World) -> None:
        super().__init__(plan, world)
        self.turns = 0
        self.always_honest = world.weather.honest
        self._folds = 0

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
