"""One simulated run: an engine that lives, dies and is started again in a world that goes on.

The engine is the real one: core, performer, record, loop and recovery. The world around it
(venue, market, journal) outlives each of its lives, as the real one does.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.state import State
from engine.exchange.exchange import SimulatedExchange
from engine.model.events import Event, FlattenCommand, InstrumentDefined, RunMode, StopCommand
from engine.model.time import SECOND
from engine.ports.feed import Tape
from engine.ports.journal import Journal
from engine.ports.notifier import Notifier
from engine.ports.venue import SimulatedVenue
from engine.runtime.config import Config
from engine.runtime.gate import PolicyGate
from engine.runtime.loop import Loop, Parts
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.recover import Recovered, begin_or_recover, live_checkpoint, start_of
from engine.runtime.simulate_broken import SOUND, Break
from engine.runtime.simulate_end import judge_end, targets_of, unequal
from engine.runtime.simulate_feed import LiveFeed, whole_book
from engine.runtime.simulate_hands import ACTOR
from engine.runtime.simulate_judge import Judge
from engine.runtime.simulate_laws import INTERNAL, REPLAY, Seen
from engine.runtime.simulate_plan import CountedFaults, Crash, Plan
from engine.runtime.simulate_wire import Boundaries, Crashed, Trace, WatchedRecord, Wire

CHECKPOINT_EVERY = 600
"""Market events."""
COMMIT_EVERY = 64
"""Market events that a crash may take at most, where nothing else is written."""
RESTART_AFTER = 20 * SECOND
"""How long an engine is down that died when no crash was planned for it."""

PATIENCE = 60 * SECOND
"""How long the end waits for books that are not equal yet."""


@dataclass(frozen=True, kw_only=True)
class Around:
    """What outlives the engine."""

    config: Config
    tape: Tape
    venue_name: str
    venue: SimulatedVenue
    exchange: SimulatedExchange
    """The truth behind `venue`."""
    journal: Journal
    crash: Callable[[bool], None]
    """Makes the journal forget what a crash takes; True for a power cut."""
    reconnect: Callable[[int], None]
    """Another process connects to the venue at an instant (ns): what was on its way to the last one is lost."""
    notifier: Notifier
    boundaries: Boundaries
    trace: Trace
    judge: Judge


@dataclass(slots=True, kw_only=True)
class Ran:
    """What came of a run."""

    seen: Seen
    digest: str
    boundaries: int
    lives: int
    fills: int
    events: int
    trace: tuple[str, ...] = ()
    met: dict[str, int] = field(default_factory=dict)


class World:
    """Runs `plan` once, with an engine that is broken as `fault` says."""

    def __init__(self, plan: Plan, around: Around, fault: Break = SOUND) -> None:
        self._plan, self._around, self._fault = plan, around, fault
        self._wire = fault.venue(Wire(around.venue, around.exchange, around.judge, around.boundaries))
        self._cursor = LiveFeed(around.tape)
        self._crashes = list(plan.crashes)
        self._crash: Crash | None = None
        self._actions = list(plan.actions)
        self._at = plan.begins
        self._lives = 0
        self._kept = 0
        self._read = lambda digest: around.config

    @property
    def exchange(self) -> SimulatedExchange:
        """The truth."""
        return self._around.exchange

    def run(self) -> Ran:
        """Run to the end of the tape and judge how things stand then."""
        over = False
        self._pass_until(self._plan.begins)
        while not over:
            try:
                over = self._live()
            except Exception as error:
                # The seed that found a defect must be told, and thousands of others still be run.
                self._around.judge.violation(INTERNAL, self._at, _where(error))
                over = True
        around = self._around
        met = {}
        if isinstance(self._plan.faults, CountedFaults):
            met = dict(sorted(self._plan.faults.met.counts.items()))
        trades = around.exchange.trades()
        around.trace.seal(repr((len(trades), around.judge.seen.told())).encode())
        return Ran(
            seen=around.judge.seen, digest=around.trace.digest(), boundaries=around.boundaries.count,
            lives=self._lives, fills=len(trades), events=around.tape.index, met=met,
            trace=tuple(around.trace.lines(self._plan.begins)),
        )

    # -- one life ------------------------------------------------------------------------------------

    def _live(self) -> bool:
        """Let one engine live until the world ends (True) or it dies."""
        around = self._around
        self._lives += 1
        loop: Loop | None = None
        if self._at < self._plan.calm_from:
            self._arm(self._at)
        try:
            run = begin_or_recover(
                around.journal, around.config, around.tape.header.producers, self._at, self._read
            )
            if run.broken is not None:
                around.judge.violation(REPLAY, self._at, run.broken.what)
            loop = self._loop(run)
            around.judge.begun(targets_of(around.journal))
            around.judge.engine(self._at, up=True)
            self._begin(loop, run)
            self._until(loop, run.state, around.tape.header.last_at)
            if unequal(run.state, around.exchange):
                # Something was on its way just then.
                self._until(loop, run.state, around.tape.header.last_at + PATIENCE)
            loop.take_urgent(loop.at, StopCommand(actor=ACTOR, reason="the world is over"))
            around.journal.commit(durable=True)
            around.trace.seal(run.record.digest)
            judge_end(around.judge, run.state, around.exchange, around.journal, self._read)
        except Crashed:
            self._at = max(self._at, loop.at if loop is not None else 0)
            self._die()
            return False
        return True

    def _loop(self, run: Recovered) -> Loop:
        around = self._around
        queue = TwoLaneQueue(market_bound=COMMIT_EVERY)
        record = WatchedRecord(run.record, around.judge, around.trace, around.boundaries)
        loop = Loop(Parts(
            state=run.state, record=record,
            performer=Performer(PolicyGate(run.state), self._wire, around.notifier, queue.put_urgent),
            observe=lambda effect: 0.0, keep=self._keeping(run), cursor=self._cursor, venue=self._wire, queue=queue,
            breathe=lambda at: True, checkpoint=lambda: self._checkpoint(run, loop), checkpoint_every=CHECKPOINT_EVERY,
        ))
        loop.seq, loop.at = run.seq, max(run.at, self._at)
        return loop

    def _begin(self, loop: Loop, run: Recovered) -> None:
        start = start_of(
            self._around.journal, run, RunMode.FULL_LIVE, epoch=f"s{self._plan.seed}x{self._lives}",
            venues=(self._around.venue_name,),
        )
        loop.take_urgent(self._at, start)
        if run.broken is not None:
            loop.take_urgent(self._at, run.broken)
        for instrument in self._around.tape.header.instruments:
            # As a real venue tells whenever somebody connects.
            loop.take_urgent(self._at, InstrumentDefined(instrument=instrument, venue_at=self._at))
            book = whole_book(self._around.exchange, instrument.venue, instrument.symbol, self._at)
            if book is not None:
                self._cursor.put_first(self._at, book)
        self._around.journal.commit(durable=True)

    def _keeping(self, run: Recovered) -> Callable[[int, int, Event], None]:
        def keep(seq: int, at: int, event: Event) -> None:
            self._kept += 1
            if not self._fault.forgets_every or self._kept % self._fault.forgets_every:
                run.record.market(seq, at, event)
            if self._kept % COMMIT_EVERY == 0:
                self._around.journal.commit()

        return keep

    def _checkpoint(self, run: Recovered, loop: Loop) -> None:
        self._around.journal.write_checkpoint(live_checkpoint(run, loop.seq, loop.at))

    def _until(self, loop: Loop, state: State, end: int) -> None:
        """Let everything up to `end` happen."""
        while self._next(loop, state, end):
            self._at = max(self._at, loop.at)
            self._around.judge.lived(state)

    def _next(self, loop: Loop, state: State, end: int) -> bool:
        """Take the one next thing, the operator's wishes among them; False where it comes after `end`."""
        soonest = self._soonest(state.wake_at)
        if soonest is None or soonest > end:
            return False
        if soonest >= self._plan.calm_from:
            self._calm()
        else:
            self._arm(soonest)
        if self._actions and self._actions[0][0] <= soonest:
            self._act(loop)
            return True
        return loop.take_next()

    def _soonest(self, woken: int | None = None) -> int | None:
        moments = [at for at in (self._cursor.at, self._wire.next_due()) if at is not None]
        if moments and woken is not None:
            moments.append(woken)
        return min(moments, default=None)

    def _act(self, loop: Loop) -> None:
        at, command = self._actions[0]
        judge = self._around.judge
        before = judge.operator_halted
        judge.command(command)
        try:
            loop.take_urgent(at, self._fault.command(command))
        except Crashed:
            # Nobody answered: whoever asked asks again as soon as there is somebody to ask.
            judge.unheard(command, before)
            raise
        del self._actions[0]
        if isinstance(command, FlattenCommand):
            judge.look(loop.at)
        judge.acknowledged(command, loop.at)

    # -- trouble -------------------------------------------------------------------------------------

    def _calm(self) -> None:
        """Let nothing go wrong any more."""
        if isinstance(self._plan.faults, CountedFaults):
            self._plan.faults.met.over = True
        self._around.boundaries.disarm()
        self._crashes.clear()

    def _arm(self, soonest: int) -> None:
        if self._crashes and self._crashes[0].armed_at <= soonest and not self._around.boundaries.armed:
            self._crash = self._crashes.pop(0)
            self._around.boundaries.arm(self._crash.nth, self._crash.kind)

    def _die(self) -> None:
        """Forget what the process knew; let market and venue go on until there is another one."""
        around, crash = self._around, self._crash
        around.judge.engine(self._at, up=False)
        around.trace.note(self._at, "crash", "the process dies" if crash is None else repr(crash))
        around.crash(crash is not None and crash.power_cut)
        around.trace.seal(around.journal.tail().digest)
        up_again = self._at + (RESTART_AFTER if crash is None else crash.down)
        self._pass_until(up_again)
        self._at = up_again
        around.reconnect(up_again)
        around.trace.note(self._at, "start", f"life {self._lives + 1}")

    def _pass_until(self, end: int) -> None:
        """Let everything up to `end` happen, though nobody hears of it."""
        soonest = self._soonest()
        while soonest is not None and soonest <= end:
            self._pass(soonest)
            soonest = self._soonest()

    def _pass(self, at: int) -> None:
        due = self._wire.next_due()
        if due is not None and due == at:
            self._wire.pop_due(due)
        else:
            event = self._cursor.event
            assert event is not None
            self._cursor.advance()
            self._wire.on_market(event, at)


def _where(error: Exception) -> str:
    """Return what went wrong and in which line, without a path of this machine."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.name}, {last.filename.rsplit('/', 1)[-1]}:{last.lineno}: {error}"
