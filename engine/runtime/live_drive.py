"""A run on the real clock while it lasts: the loop, the outside, the operator, the journal.

It ends in order within seconds: nothing that adds risk leaves any more, entries at the venue
are taken back, answers on their way are taken, the state is kept, and the stops stay where
they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.core.broken import Unsaid
from engine.core.report import status
from engine.core.state import STOPPING
from engine.model.codec import Data
from engine.model.effects import Effect
from engine.model.events import (
    Command,
    HaltCommand,
    InstrumentDefined,
    OrderWithheld,
    ReconcileCommand,
    Start,
    StrategyFailed,
    VenueEvent,
)
from engine.model.market import Announcement, DepthDelta, DepthSnapshot, MarketEvent
from engine.ports.bus import Bus
from engine.ports.clock import Clock
from engine.ports.journal import Journal
from engine.ports.notifier import Notifier
from engine.ports.venue import Venue
from engine.runtime.breathing import Breathing
from engine.runtime.control_protocol import ReloadRequest, Request
from engine.runtime.control_server import ControlServer
from engine.runtime.gate import PolicyGate
from engine.runtime.halt_file import HaltFile
from engine.runtime.live_end import settled, taken_back
from engine.runtime.live_loop import LiveLoop, LiveParts
from engine.runtime.nightly import Nightly
from engine.runtime.operator_side import Asked, broke, ended, stopping
from engine.runtime.options import Observer
from engine.runtime.outside_parts import OutsideParts
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.recover import Recovered, live_checkpoint
from engine.runtime.reload import Around, Reloader
from engine.runtime.settings_live import LiveSettings
from engine.runtime.statedir import StateDir
from engine.runtime.wiring_watch import file_hints
from engine.runtime.world import Builder, Ears, World, bars_wanted, held_or_ordered, of_same_coins, willing

STATUS_EVERY = 1_000_000_000
PATIENCE_S = 4.0
"""How long what is on the wire may take to end when the run ends, once all that can settle has."""


@dataclass(kw_only=True)
class LiveSetting:
    """What a live run is made of."""

    run: Recovered
    start: Start
    live: LiveSettings
    builder: Builder
    journal: Journal
    clock: Clock
    observer: Observer
    notifier: Notifier
    bus: Bus
    root: Path
    environment: Mapping[str, str]
    provenance: dict[str, Any]
    checkpoint_every: int
    market_queue: int
    first: tuple[Command, ...] = ()
    """What the core is told behind its `Start`."""
    warn: Callable[[str], None] = field(default=lambda text: None)


class LiveDrive:
    """Drives one live run to its end. `go` is called once."""

    def __init__(self, setting: LiveSetting) -> None:
        self._set = setting
        self._heard = asyncio.Event()
        self._queue = TwoLaneQueue(market_bound=setting.market_queue, heard=self._heard.set)
        self._gate = PolicyGate(setting.run.state)
        self._status_due = 0
        self._world = self._built()
        self._open = False
        """Whether the venue was opened: then it is to be closed."""
        self._parts_outside = OutsideParts(setting.warn, setting.clock.now)
        self._loop: LiveLoop | None = None
        self._nightly: Nightly | None = None
        self._asked: Asked | None = None
        self._reloader: Reloader | None = None

    def _built(self) -> World:
        setting = self._set
        ears = Ears(
            clock=setting.clock, tell=self._heard_venue, tell_market=self._heard_market, gate=self._gate,
            environment=setting.environment, trades=setting.run.paper is None,
            listen=bool(setting.run.state.flags.values.get("EXEC_FILLS_LISTENER_ENABLED", True)),
            bars=bars_wanted(setting.run.state.flags.values),
        )
        world = setting.builder(setting.live, ears)
        return replace(world, watch=willing(world.watch, setting.warn))

    async def go(self, where: StateDir) -> dict[str, Any]:
        """Run until somebody stops it, and return the last status. VenueRefused where the venue cannot be used."""
        halt_file = HaltFile(where.halt)
        self._asked = Asked(self._queue, halt_file, lambda: self._status(running=True))
        self._nightly = Nightly(where.path, self._set.warn, self._set.root)
        self._nightly.make_up(self._set.journal, self._set.clock.now())
        breathing = Breathing(now=self._set.clock.monotonic, halt_file=halt_file.poll, queue=self._queue)
        breathing.on_breath.append(self._look)
        loop = self._loop = LiveLoop(self._parts(breathing))
        self._reloader = self._reloading(where)
        server = ControlServer(where, self._request)
        try:
            if not self._guards_something():
                # Nothing depends on this engine yet, so what is wrong with the venue is said at once.
                await self._open_venue()
            await server.start()
            await self._drive(loop, breathing, server)
        except Exception:
            # A full disk, or a fault of ours: nothing can be written down any more, and the next start looks it up.
            self._broke()
            raise
        finally:
            # However it ended: whoever was connected is let go.
            await self._close_venue()
        last: dict[str, Any] = self._status(running=False)
        return last

    async def _drive(self, loop: LiveLoop, breathing: Breathing, server: ControlServer) -> None:
        assert self._reloader is not None
        parts = [self._reloader.run(), *self._outside()]
        tasks = [asyncio.create_task(part) for part in parts]
        tasks[0].add_done_callback(lambda task: breathing.stop("the reload broke") if broke(task) else None)
        try:
            with stopping(breathing, self._reloader):
                self._begin(loop)
                await loop.run()
                await self._end(loop)
        finally:
            for task in tasks[1:]:
                task.cancel()
            await server.close()
            await asyncio.gather(*tasks[1:], return_exceptions=True)
            await ended(tasks[0])

    def _broke(self) -> None:
        """Leave no order at the venue that may open what nobody guards."""
        self._gate.close("the engine broke")
        if self._open and self._set.run.paper is None:
            try:
                taken_back(self._set.run.state.execution, self._world.venue, self._set.clock.now())
            except Exception as second:
                # The first one is told; this one says that entries may still be open.
                self._set.warn(f"entries could not be taken back: {type(second).__name__} {second}")

    async def _close_venue(self) -> None:
        if self._open:
            self._open = False
            await self._world.venue.close(PATIENCE_S)

    def _begin(self, loop: LiveLoop) -> None:
        now = self._set.clock.now()
        loop.take_urgent(now, self._set.start)
        for command in self._set.first:
            loop.take_urgent(now, command)
        # Killed from here on, there is a beginning to go on from.
        self._set.journal.commit(durable=True)

    # -- the outside -------------------------------------------------------------------------

    def _guards_something(self) -> bool:
        execution = self._set.run.state.execution
        return any(one.quantity != 0 for one in execution.positions()) or execution.count_orders()["open"] > 0

    async def _open_venue(self) -> None:
        instruments: list[str] = []
        for defined in await self._world.venue.open():
            instruments.append(defined.instrument.symbol)
            paper = self._set.run.paper
            if paper is not None:
                paper.define(defined.instrument)
            self._queue.put_urgent(defined)
        self._open = True
        held = tuple(one.symbol for one in self._set.run.state.look.positions())
        self._world.watch(held if self._set.live.symbols else tuple(instruments))

    def _outside(self) -> list[Coroutine[Any, Any, None]]:
        parts = [self._parts_outside.keep("venue", self._venue)]
        parts += [self._parts_outside.keep(feed.name, feed.run) for feed in self._world.feeds]
        return parts

    async def _venue(self) -> None:
        if not self._open:
            await self._open_venue()
            self._parts_outside.fine("venue")
            # The account was asked in vain until now, and ever more rarely.
            self._queue.put_urgent(ReconcileCommand(actor="engine"))
        if self._set.run.paper is None:
            await self._world.venue.run()
        else:
            await asyncio.Event().wait()

    def _heard_venue(self, event: VenueEvent) -> None:
        self._queue.put_urgent(event)
        if isinstance(event, InstrumentDefined) and not self._set.live.symbols:
            self._world.watch((event.instrument.symbol,))

    def _heard_market(self, event: MarketEvent) -> None:
        if isinstance(event, Announcement) and event.symbols:
            # First, so that the last quote from before it is heard before it: what a listing is measured from.
            self._world.watch(of_same_coins(event.symbols, self._set.run.state.look.instruments.values()))
        taken = self._queue.put_market(event)
        if not taken and isinstance(event, DepthDelta | DepthSnapshot):
            # What builds on the lost one would be believed by nobody until the book is fetched anew.
            self._world.resync(event.symbol)

    # -- the loop ----------------------------------------------------------------------------

    def _parts(self, breathing: Breathing) -> LiveParts:
        setting, run = self._set, self._set.run
        venue: Venue = self._world.venue if run.paper is None else run.paper
        return LiveParts(
            state=run.state, record=run.record, observe=self._observe, keep=run.record.market, queue=self._queue,
            performer=Performer(self._gate, venue, setting.notifier, self._withheld, setting.bus),
            clock=setting.clock, heard=self._heard, breathe=breathing, checkpoint=self._keep, paper=run.paper,
            checkpoint_every=setting.checkpoint_every,
        )

    def _withheld(self, event: OrderWithheld) -> None:
        self._queue.put_urgent(event)

    def _observe(self, effect: Effect) -> float:
        if self._asked is not None and self._loop is not None:
            self._asked.hear(effect, self._loop.current)
        if self._nightly is not None:
            self._nightly.hear(effect)
        symbol = held_or_ordered(effect)
        if symbol:
            self._world.watch((symbol,))
        try:
            self._set.observer.effect(effect)
        except Exception as broken:
            # Whoever only watches must not end what guards positions.
            self._set.warn(f"{type(effect).__name__} could not be shown: {type(broken).__name__} {broken}")
        return 0.0

    def _look(self, at: int) -> None:
        now = self._set.clock.monotonic()
        self._set.observer.progress(at, self._loop.taken if self._loop else 0)
        if now >= self._status_due:
            self._status_due = now + STATUS_EVERY
            self._set.journal.put_status(self._status(running=True))
            self._set.journal.commit()

    async def _request(self, request: Request) -> Data:
        if isinstance(request, ReloadRequest):
            assert self._reloader is not None
            return await self._reloader.ask(request)
        return await self._submit(request)

    async def _submit(self, command: Command) -> Data:
        assert self._asked is not None
        return self._asked.refused(command) or await self._asked.ask(command)

    def _reloading(self, where: StateDir) -> Reloader:
        setting = self._set
        around = Around(
            root=setting.root, environment=setting.environment, state=setting.run.state, journal=setting.journal,
            clock=setting.clock, last_good=where.last_good, hints=file_hints, submit=self._submit,
        )
        return Reloader(around, setting.run.known)

    # -- what survives -----------------------------------------------------------------------

    def _status(self, *, running: bool) -> Data:
        setting = self._set
        decides = setting.run.known[setting.run.state.ruling.digest].config.provenance
        return {
            **status(setting.run.state), "running": running, "commit": decides.commit, "dirty": decides.dirty,
            "troubles": self._parts_outside.troubles() if running else [], **setting.provenance,
        }

    def _keep(self) -> None:
        assert self._loop is not None
        try:
            checkpoint = live_checkpoint(self._set.run, self._loop.seq, self._loop.at)
        except Unsaid as error:
            # Given up by an input, which the journal holds: then it may remember nothing.
            now = self._set.clock.now()
            self._loop.take_urgent(now, StrategyFailed(actor="engine", name=error.name, what=error.what))
            self._keep()
            return
        self._set.journal.write_checkpoint(checkpoint)

    async def _end(self, loop: LiveLoop) -> None:
        """Take entries back, hear what is still to be heard, keep the state. The stops stay at the venue."""
        self._parts_outside.over = True
        self._gate.close("the engine is stopping")
        loop.take_urgent(
            self._set.clock.now(), HaltCommand(actor="engine", reason="the engine is stopping", source=STOPPING)
        )
        if self._open:
            if self._set.run.paper is None:
                # What a last entry buys gets its stop now: nobody places one until the next start.
                await settled(loop, self._set.run.state.execution, self._set.clock.monotonic)
            closing = asyncio.create_task(self._close_venue())
            while not closing.done():
                loop.drain()
                await asyncio.wait([closing], timeout=0.02)
            await asyncio.gather(closing, return_exceptions=True)
        loop.drain()
        self._set.journal.put_status(self._status(running=False))
        self._keep()
