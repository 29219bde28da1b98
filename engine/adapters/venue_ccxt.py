"""The one adapter through which real orders leave.

Every `place`, `cancel` and `ask` returns at once and ends in exactly one answer, whatever the venue, the
network or this program does: an answer that cannot be had is told as uncertain, never left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from engine.adapters.venue_binance_codes import Cause, Trouble
from engine.adapters.venue_ccxt_asks import FAILURES
from engine.adapters.venue_ccxt_checks import checklist, errand_of, listed, opened
from engine.adapters.venue_ccxt_common import CommonDesk
from engine.adapters.venue_ccxt_errors import short
from engine.adapters.venue_ccxt_futures import FuturesDesk
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_orders import lane_of
from engine.adapters.venue_ccxt_probe import probed
from engine.adapters.venue_ccxt_rate import SendLane
from engine.adapters.venue_ccxt_stream import UserStream
from engine.adapters.venue_ccxt_terms import CcxtTerms, seconds
from engine.adapters.venue_ccxt_time import in_our_time
from engine.adapters.venue_ccxt_told import Told
from engine.adapters.venue_ccxt_wire import Wire, WireTrouble, Withheld
from engine.model.answers import ProbeAnswered, QueryFailed
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import InstrumentDefined, OrderRejected, OrderUncertain, VenueEvent
from engine.model.instruments import Instrument
from engine.model.reports import Query, Rejection
from engine.ports.clock import Clock
from engine.ports.venue import Check, Gate, Tell, VenueRefused

_CLOCK_EVERY_S = 10.0
"""Often enough to keep a connection open beside the clock's offset: an order that must first connect leaves late,
and between its last look at the policy and the wire lies the time that takes."""
_FILTERS_APART_S = 10.0
"""Orders may be refused as often as they are sent; what is listed is the longest answer there is."""
_NO_ANSWER = (*FAILURES, TurnMissed, Withheld)
_AFTERWARDS_S = 0.1
"""How long whoever drives us gets, when the last answer came, to wish for the stop of what was just bought."""
Events = tuple[VenueEvent, ...]


class Desk(Protocol):
    """What places, cancels and asks at one kind of venue; each method returns the whole answer."""

    async def opened(self) -> dict[str, Instrument]:
        """Prove that the venue can be used and return what can be traded; VenueRefused."""

    async def listed(self) -> dict[str, Instrument]:
        """Return what can be traded now; raises where there is no answer."""

    async def placed(self, order: PlaceOrder) -> Events:
        """Send an order once; return what became of it."""

    async def cancelled(self, order: CancelOrder) -> Events:
        """Ask for an order back; return what became of the wish."""

    async def answered(self, ask: AskVenue) -> Events:
        """Return the answer to a question, whole; raise where there is none."""

    async def checks(self) -> tuple[Check, ...]:
        """Return the checklist's lines; never raise."""


class CcxtVenue:
    """A `LiveVenue` over ccxt. `tell` takes its answers; `gate` is asked again at the moment of sending."""

    def __init__(self, terms: CcxtTerms, keys: Keys, clock: Clock, tell: Tell, gate: Gate) -> None:
        self._terms, self._keys, self._clock, self._heard = terms.checked(), keys, clock, tell
        self._wire = Wire(terms, keys, clock)
        self._hearing = Hearing(terms.venue)
        told = Told(seconds(terms.silence_s), seconds(terms.told_within_s))
        self._desk: Desk = (
            FuturesClient(self._wire, self._hearing, told, gate) if terms.binance_futures
            else CommonDesk(self._wire, self._hearing, gate)
        )
        self._stream = UserStream(self._wire, self._hearing, told, self._tell)
        self._tasks: set[asyncio.Task[None]] = set()
        self._outdated = asyncio.Event()
        """An order was refused for its filters: what we know of them is old."""
        self._tried = asyncio.Event()
        """No try to open is on its way or awaited: until then nothing leaves, for nothing of the venue is proven."""
        self._closing = False
        """The run ends: what adds risk does not leave any more."""
        self._closed = False

    def _tell(self, event: VenueEvent) -> None:
        self._heard(in_our_time(event, self._wire.offset))

    @property
    def name(self) -> str:
        """The venue's name in every noun."""
        return self._terms.venue

    async def open(self) -> tuple[InstrumentDefined, ...]:
        """Connect, check clock, symbols, key and position mode; return what can be traded. Raises VenueRefused."""
        self._tried.clear()
        await self._wire.close()
        try:
            self._wire.start()
            if self._listens:
                self._stream.prepare()
            self._hearing.instruments = await self._desk.opened()
        except VenueRefused as refused:
            await self._wire.close()
            raise VenueRefused(self._keys.scrubbed(refused.what), self._keys.scrubbed(refused.fix)) from None
        except BaseException:
            # Also where the run ends meanwhile: connections left open are told of by nobody but the interpreter.
            await self._wire.close()
            raise
        finally:
            self._tried.set()
        at = self._clock.now()
        return tuple(InstrumentDefined(instrument=one, venue_at=at) for one in self._hearing.instruments.values())

    @property
    def _listens(self) -> bool:
        return self._terms.listen and self._terms.binance_futures

    async def run(self) -> None:
        """Keep the account's stream, its key and the clock's offset alive until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._listens:
                group.create_task(self._stream.run())
            group.create_task(self._measure_forever())
            group.create_task(self._read_filters_forever())

    async def _measure_forever(self) -> None:
        while True:
            await asyncio.sleep(_CLOCK_EVERY_S)
            try:
                await self._wire.measure(errand_of(self._terms))
            except _NO_ANSWER:
                # The next order that is refused for its timestamp measures by itself.
                continue

    async def _read_filters_forever(self) -> None:
        """Tell what is listed anew, and filters that changed; at once where an order was refused for one.

        What trades no more stays known: a position in it must still be closable once it trades again.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._terms.filters_every_s):
                    await self._outdated.wait()
            self._outdated.clear()
            try:
                found = await self._desk.listed()
            except _NO_ANSWER:
                # As good as before; an exit that is refused for its filters is tried again, and so is this.
                found = {}
            known, at = self._hearing.instruments, self._clock.now()
            for symbol, one in found.items():
                if known.get(symbol) != one:
                    known[symbol] = one
                    self._tell(InstrumentDefined(instrument=one, venue_at=at))
            await asyncio.sleep(min(_FILTERS_APART_S, self._terms.filters_every_s))

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order` once, as soon as the rate limits let it go."""
        def fallen(why: str) -> VenueEvent:
            return OrderUncertain(client_id=order.client_id, reason=why, venue_at=self._clock.now())

        if self._closed or (self._closing and lane_of(order) is SendLane.ENTRY):
            self._tell(OrderRejected(client_id=order.client_id, code="", reason="not sent: the run ends",
                                     venue_at=at, kind=Rejection.NOT_SENT))
            return
        self._start(lambda: self._desk.placed(order), fallen)

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back, as soon as the rate limits let it go."""
        def fallen(why: str) -> VenueEvent:
            return OrderUncertain(client_id=order.client_id, reason=f"the cancel: {why}", venue_at=self._clock.now())

        self._start(lambda: self._desk.cancelled(order), fallen)

    def ask(self, ask: AskVenue, at: int) -> None:
        """Ask how something stands; the answer, or that there is none, is told later."""
        def fallen(why: str) -> VenueEvent:
            return QueryFailed(ask=ask.ask, query=ask.query, venue=self._terms.venue, reason=why,
                               venue_at=self._clock.now(), symbol=ask.symbol, client_id=ask.client_id)

        self._start(lambda: self._desk.answered(ask), fallen)

    def _start(self, work: Callable[[], Awaitable[Events]], fallen: Callable[[str], VenueEvent]) -> None:
        task = asyncio.get_running_loop().create_task(self._ending(work, fallen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ending(
        self, work: Callable[[], Awaitable[Events]], fallen: Callable[[str], VenueEvent]
    ) -> Coroutine[None, None, None]:
        """Return the one way in which work ends: its events are told, or `fallen` with the reason."""
        async def end() -> None:
            events: Events
            try:
                await self._tried.wait()
                events = await work()
            except asyncio.CancelledError:
                events = (fallen("the run ended before the answer"),)
            except WireTrouble as error:
                events = (fallen(self._keys.scrubbed(error.trouble.text) or error.trouble.cause.value),)
            except Exception as error:
                # Also a fault of ours: an order without an answer would be lost without a trace.
                events = (fallen(short(self._keys.scrubbed(f"{type(error).__name__}: {error}"))),)
            for event in events:
                if isinstance(event, OrderRejected) and event.kind is Rejection.FILTER:
                    self._outdated.set()
                self._tell(event)

        return end()

    async def preflight(self) -> tuple[Check, ...]:
        """Return the checklist of this venue. Never raises."""
        try:
            return await self._desk.checks()
        except Exception as error:
            return (Check(name=self.name, verdict="fail", what=short(self._keys.scrubbed(str(error))),
                          fix="see the lines of `engine run`, and the venue's status page"),)

    async def close(self, patience_s: float) -> None:
        """Let what is on the wire end for at most `patience_s`, then let go. Orders at the venue stay.

        Until then stops, exits and cancels still leave: an entry that fills at the very end is not left bare.
        """
        self._closing = True
        self._tried.set()
        now = asyncio.get_running_loop().time
        ends = now() + patience_s
        while self._tasks and now() < ends:
            await asyncio.wait(self._tasks, timeout=ends - now())
            await asyncio.sleep(_AFTERWARDS_S)
        self._closed = True
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)
        await self._wire.close()


class FuturesClient(FuturesDesk):
    """Binance futures with all that can be asked of it."""

    async def opened(self) -> dict[str, Instrument]:
        """Prove clock, symbols, key and position mode; return what can be traded."""
        return await opened(self._wire)

    async def listed(self) -> dict[str, Instrument]:
        """Return what can be traded now."""
        return await listed(self._wire)

    async def answered(self, ask: AskVenue) -> Events:
        """Return the answer to a question, whole."""
        if ask.query is Query.ORDER:
            return await self.asking.order(ask)
        if ask.query is Query.ACCOUNT:
            return await self.asking.account(ask)
        if ask.query is Query.TRADES:
            return await self.asking.trades(ask)
        if ask.query is Query.INCOME:
            return await self.asking.income(ask)
        able, what = await self._probed(ask.symbol)
        return (ProbeAnswered(ask=ask.ask, venue=self._wire.terms.venue, symbol=ask.symbol, able=able, what=what,
                              venue_at=self._wire.clock.now()),)

    async def _probed(self, symbol: str) -> tuple[bool, str]:
        instruments = self._hearing.instruments
        instrument = instruments.get(symbol) or next(iter(instruments.values()), None)
        if self._wire.exchange is None:
            # Not that it takes no stop: it was not asked.
            raise WireTrouble(Trouble(cause=Cause.NOT_SENT, text="the venue is not open"))
        if instrument is None:
            return False, "no instrument is known"
        return await probed(self._wire, self.asking, instrument)

    async def checks(self) -> tuple[Check, ...]:
        """Return the checklist's lines, the stop probe last."""
        lines = await checklist(self._wire, self._hearing.instruments)
        try:
            able, what = await self._probed("")
        except _NO_ANSWER as error:
            able, what = False, short(self._wire.keys.scrubbed(str(error)))
        verdict = "fail" if not able else "warn" if what.startswith("not proven") else "ok"
        return (*lines, Check(name="stop probe", verdict=verdict, what=what,
                              fix="" if able else "do not trade here until stops can be placed"))
