"""A wired run while it lasts: it ties the loop to the journal, the operator and whoever watches."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.broken import Unsaid
from engine.core.report import status
from engine.model.codec import Data
from engine.model.effects import (
    Effect,
    FlagChanged,
    LatchCleared,
    LatchSet,
    PolicyChanged,
)
from engine.model.events import Command, OrderWithheld, ReloadRefused, Start, StopCommand, StrategyFailed
from engine.model.history import MarkKind
from engine.ports.clock import Clock
from engine.ports.feed import Tape
from engine.ports.history import HistoryWriter
from engine.ports.journal import Journal
from engine.runtime.breathing import Breathing
from engine.runtime.control_protocol import ReloadRequest, Request
from engine.runtime.control_server import ControlServer
from engine.runtime.cursor import FeedCursor
from engine.runtime.gate import PolicyGate
from engine.runtime.halt_file import HaltFile
from engine.runtime.loop import BURST, NEVER, Loop, Parts
from engine.runtime.nightly import Nightly
from engine.runtime.operator_side import Asked, broke, ended, stopping
from engine.runtime.options import Observer
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.record import Record
from engine.runtime.reload import Around, InForce, Reloader
from engine.runtime.saved import Standing, pack
from engine.runtime.statedir import StateDir
from engine.runtime.summary import Ending, Pauses, summarize
from engine.runtime.wiring import Wired
from engine.runtime.wiring_watch import file_hints

SWITCH_S = 0.0005
"""How long another thread may keep the interpreter before the loop gets it back."""
STATUS_EVERY = 1_000_000_000
"""Wall time between two status rows while nothing important happens, ns."""
_CATCHING_UP_S = 0.005
_TELLING = (PolicyChanged, LatchSet, LatchCleared, FlagChanged)


@dataclass(kw_only=True)
class Setting:
    """What a run is made of. `provenance` goes into every status: digests, commit, venue, tape."""

    wired: Wired
    tape: Tape
    tape_id: str
    journal: Journal
    record: Record
    observer: Observer
    clock: Clock
    provenance: dict[str, Any]
    checkpoint_every: int
    market_queue: int
    speed: float | None
    standing: Standing
    start: Start | None
    """The first input of a run that begins; None for one that goes on from a checkpoint."""
    replay: dict[int, tuple[int, Command]] = field(default_factory=dict)
    known: dict[str, InForce] = field(default_factory=dict)
    """The configuration of every ruling of this run, by the ruling's digest."""
    root: Path = Path()
    environment: Mapping[str, str] = field(default_factory=dict)
    refused: ReloadRefused | None = None
    """What the core is told first, where what stands on the disk could not be begun with."""
    history: HistoryWriter | None = None
    """Keeps what the snapshot tells, where the settings want that."""


class Drive:
    """Drives one run to its end. `go` is called once."""

    def __init__(self, setting: Setting) -> None:
        self._set = setting
        self._queue = TwoLaneQueue(market_bound=setting.market_queue)
        self._cursor = FeedCursor(setting.tape, from_index=setting.standing.feed_index)
        self._pauses = Pauses()
        self._status_due = 0
        self._began = setting.clock.monotonic()
        self._loop: Loop | None = None
        self._asked: Asked | None = None
        self._reloader: Reloader | None = None
        self._driven: Parts | None = None
        self._nightly: Nightly | None = None

    async def go(self, where: StateDir) -> dict[str, Any]:
        """Run until the tape is over or somebody stops it, and return the summary."""
        halt_file = HaltFile(where.halt)
        self._asked = Asked(self._queue, halt_file, lambda: self._status(True))
        # What happened on a tape is no reason to edit what the next live run denies.
        self._nightly = Nightly(where.path, self._set.observer.warn)
        breathing = Breathing(
            now=self._set.clock.monotonic, halt_file=halt_file.poll, queue=self._queue, ready=self._caught_up
        )
        breathing.on_breath.append(self._look)
        self._driven = self._parts(breathing)
        self._loop = loop = Loop(self._driven)
        loop.replay = self._set.replay
        self._reloader = self._reloading(where)
        server = ControlServer(where, self._request)
        await server.start()
        reloading = asyncio.create_task(self._reloader.run())
        # A reload that breaks must be heard: the run ends with its error, and its state can be resumed.
        reloading.add_done_callback(lambda task: breathing.stop("the reload broke") if broke(task) else None)
        try:
            with stopping(breathing, self._reloader), _quiet_collector():
                if not self._set.standing.ended:
                    if self._set.start is not None:
                        loop.take_urgent(self._set.standing.at, self._set.start)
                        if self._set.refused is not None:
                            loop.take_urgent(self._set.standing.at, self._set.refused)
                        # Killed from here on, there is a beginning to go on from.
                        self._set.journal.commit(durable=True)
                    await loop.run()
            self._close(loop, breathing.stopped)
            if self._set.history is not None:
                self._set.history.close()
        finally:
            await server.close()
            await ended(reloading)
        return self._end(loop, breathing.stopped)

    def _reloading(self, where: StateDir) -> Reloader:
        setting = self._set
        around = Around(
            root=setting.root, environment=setting.environment, state=setting.wired.state, journal=setting.journal,
            clock=setting.clock, last_good=where.last_good, hints=file_hints, warms=setting.speed is not None,
            submit=self._submit,
        )
        return Reloader(around, setting.known)

    def _parts(self, breathing: Breathing) -> Parts:
        setting = self._set
        wired = setting.wired
        return Parts(
            state=wired.state, cursor=self._cursor, venue=wired.venue, queue=self._queue, record=setting.record,
            performer=Performer(PolicyGate(wired.state), wired.venue, wired.notifier, self._withheld),
            observe=self._observe,
            breathe=breathing, checkpoint=self._checkpoint, checkpoint_every=setting.checkpoint_every,
            taken=setting.standing.taken, burst=BURST if setting.speed is None else 1, lag=self._lag,
            breathe_from=setting.journal.tail().seq, spoken=setting.tape.header.spoken,
        )

    # -- what the loop tells -----------------------------------------------------------------

    def _observe(self, effect: Effect) -> float:
        if self._asked is not None and self._loop is not None:
            self._asked.hear(effect, self._loop.current)
        if self._nightly is not None:
            self._nightly.hear(effect)
        if isinstance(effect, _TELLING):
            self._status_due = 0
        return self._set.observer.effect(effect)

    def _withheld(self, event: OrderWithheld) -> None:
        self._queue.put_urgent(event)

    def _lag(self, at: int) -> float:
        """Return how long to wait (s) so that market time does not outrun the asked speed."""
        if self._set.speed is None:
            return 0.0
        market = at - self._set.standing.at
        wall = self._set.clock.monotonic() - self._began
        return max(0.0, (market / self._set.speed - wall) / 1e9)

    def _look(self, at: int) -> None:
        now = self._set.clock.monotonic()
        self._set.observer.progress(at, self._loop.taken if self._loop else 0)
        if now >= self._status_due:
            self._status_due = now + STATUS_EVERY
            self._set.journal.put_status(self._status(True))
            self._set.journal.commit()

    async def _request(self, request: Request) -> Data:
        if isinstance(request, ReloadRequest):
            assert self._reloader is not None
            return await self._reloader.ask(request)
        return await self._submit(request)

    def _caught_up(self) -> bool:
        """Whether everything that the journal holds was done again; from then on the run goes at its own pace."""
        if self._loop is not None and not self._set.record.caught_up(self._loop.seq):
            return False
        if self._driven is not None:
            self._driven.breathe_from = NEVER
        return True

    async def _submit(self, command: Command) -> Data:
        assert self._asked is not None
        refused = self._asked.refused(command)
        if refused is not None:
            return refused
        # While a resumed run does again what it did, nothing new may come in between: the journal has its own order.
        while not self._caught_up():
            await asyncio.sleep(_CATCHING_UP_S)
        return await self._asked.ask(command)

    # -- what survives -----------------------------------------------------------------------

    def _status(self, running: bool) -> Data:
        setting = self._set
        decides = setting.known[setting.wired.state.ruling.digest].config.provenance
        return {
            **status(setting.wired.state), "running": running, "commit": decides.commit, "dirty": decides.dirty,
            **setting.provenance,
        }

    def _checkpoint(self) -> None:
        began = self._set.clock.monotonic()
        self._keep(ended=False)
        self._pauses.taken.append(self._set.clock.monotonic() - began)

    def _keep(self, *, ended: bool) -> None:
        loop, setting = self._loop, self._set
        assert loop is not None
        standing = Standing(
            seq=loop.seq, at=loop.at, effect_n=setting.record.n, digest=setting.record.digest, tape=setting.tape_id,
            source=setting.known[setting.wired.state.ruling.digest].source,
            feed_index=self._cursor.position, taken=loop.taken, ended=ended,
            producers=tuple(sorted(setting.tape.header.producers)),
        )
        if setting.history is not None:
            # Before the checkpoint: what it has too much, a resumption forgets; what it lacked, nobody could tell.
            setting.history.flush(loop.seq)
        try:
            checkpoint = pack(standing, setting.wired.state, setting.wired.venue.dump())
        except Unsaid as error:
            # An input like any other: a run that is taken again hears it at the same place.
            loop.take_urgent(loop.at, StrategyFailed(actor="engine", name=error.name, what=error.what))
            self._keep(ended=ended)
            return
        setting.journal.write_checkpoint(checkpoint)

    def _close(self, loop: Loop, stopped: str) -> None:
        """Write what a resumption needs. Only the tape's end is an input: a stop is resumed as if it never was."""
        if self._set.standing.ended:
            return
        if not stopped:
            loop.take_urgent(loop.at, StopCommand(actor="engine", reason="the tape is over"))
            self._set.wired.state.snapshot.note(loop.at, MarkKind.END, {})
        self._set.journal.put_status(self._status(False))
        self._keep(ended=not stopped)

    def _end(self, loop: Loop, stopped: str) -> dict[str, Any]:
        setting = self._set
        seconds = (setting.clock.monotonic() - self._began) / 1e9
        ending = Ending(
            seconds=seconds, events=loop.taken, digest=setting.record.digest, resumed_from_seq=setting.standing.seq,
            pauses=self._pauses, stopped=stopped, processed=loop.taken - setting.standing.taken,
        )
        return summarize(setting.wired.state, setting.tape, ending)


@contextlib.contextmanager
def _quiet_collector() -> Iterator[None]:
    """Let the cycle collector pass over what was built once: events make no cycles, and full passes cost pauses."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    interval = sys.getswitchinterval()
    # While edited files are read beside it, the loop waits this long for the interpreter and not ten times as long.
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*before)
        gc.unfreeze()
