"""The real client against the real venue's words, in virtual time and in one process.

Orders become signed requests, travel, go through the gateway and come back through the same
classification and the same reading of payloads as live; messages of the private stream
likewise. What `venue_paper` leaves out is here: bans, broken replies, keys that die, clocks
that differ, a child order with an id of its own.
"""

from __future__ import annotations

import json
from collections.abc import Coroutine
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from engine.adapters.venue_ccxt import Events
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_terms import CcxtTerms, seconds
from engine.adapters.venue_server_gateway import Gateway, GatewayTerms, Reply, Request, WireFaults, opened
from engine.adapters.venue_server_gateway_faults import NO_WIRE_FAULTS
from engine.adapters.venue_virtual_client import CUT, TICK, Client, NextMessage, Task
from engine.adapters.venue_virtual_wire import Crossing, Pause, VirtualClock
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.latency import travel
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.answers import QueryFailed
from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import InstrumentDefined, OrderUncertain, VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.reports import OrderReport
from engine.model.time import MS

LOOK = NextMessage(0)
"""Wakes the stream to look whether it tells what it must."""
_KEY, _SECRET = "virtual-key", "virtual-secret"


@dataclass(frozen=True, slots=True)
class _Arrives:
    """A request meets the venue; `task` waits for its reply, if it still lives."""

    request: Request
    task: Task | None
    sent_at: int


@dataclass(frozen=True, slots=True)
class _Wakes:
    """A piece of work goes on with `value`."""

    task: Task
    value: Any


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message of the private stream reaches us."""

    key: str
    payload: Data


_Entry = _Arrives | _Wakes | _Heard


class VirtualVenue:
    """A `SimulatedVenue`. `settings` give the latencies of the wire, in both directions, and the account."""

    def __init__(
        self, settings: ExchangeSettings, faults: WireFaults = NO_WIRE_FAULTS, terms: CcxtTerms | None = None,
    ) -> None:
        """`terms` are the client's; the venue is called as they say."""
        self._settings = settings
        self._terms = terms or CcxtTerms(symbols=())
        self._clock = VirtualClock()
        self.gateway: Gateway = opened(
            settings, GatewayTerms(api_key=_KEY, secret=_SECRET, venue=self._terms.venue, seed=settings.seed), faults)
        self._told: list[tuple[int, VenueEvent]] = []
        self._agenda: list[tuple[int, int, _Entry]] = []
        self._number = 0
        self._lives = 0
        self._heard_at = 0
        self._client = self._born()

    @property
    def exchange(self) -> SimulatedExchange:
        """The exchange behind it: what really happened, for those who judge a run."""
        return self.gateway.office.exchange

    def _born(self) -> Client:
        self._lives += 1
        return Client(self._terms, Keys(_KEY, _SECRET), self._clock, self._tell)

    def _tell(self, event: VenueEvent) -> None:
        self._told.append((self._clock.at, event))

    def restart(self, at: int) -> None:
        """Let the client die and another begin at `at`. What was under way to us is lost; requests still arrive."""
        instruments = self._client.hearing.instruments
        self._agenda = [
            (due, number, _Arrives(entry.request, None, entry.sent_at))
            for due, number, entry in sorted(self._agenda, key=lambda item: item[:2]) if isinstance(entry, _Arrives)
        ]
        self._told = []
        self._client = self._born()
        self._client.hearing.instruments = instruments
        self._begin(at)

    def define(self, instrument: Instrument) -> None:
        """Make `instrument` tradable, or change its filters."""
        self._client.hearing.instruments[instrument.symbol] = instrument
        self.gateway.on_market(InstrumentDefined(instrument=instrument, venue_at=0), 0)

    def on_market(self, event: MarketEvent | InstrumentDefined, at: int) -> None:
        """Show what happened in the market."""
        if isinstance(event, InstrumentDefined):
            self.define(event.instrument)
            return
        if self._client.listening is None:
            self._begin(at)
        self._clock.at = max(self._clock.at, at)
        self.gateway.on_market(event, at)

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order`, once."""
        def fallen(why: str) -> VenueEvent:
            return OrderUncertain(client_id=order.client_id, reason=why, venue_at=self._clock.at)

        self._start(self._client.desk.placed(order), order.client_id, at, fallen)

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back."""
        def fallen(why: str) -> VenueEvent:
            return OrderUncertain(client_id=order.client_id, reason=f"the cancel: {why}", venue_at=self._clock.at)

        self._start(self._client.desk.cancelled(order), f"cancel-{order.client_id}", at, fallen)

    def ask(self, ask: AskVenue, at: int) -> None:
        """Ask how something stands."""
        def fallen(why: str) -> VenueEvent:
            return QueryFailed(
                ask=ask.ask, query=ask.query, venue=ask.venue, reason=why, venue_at=self._clock.at, symbol=ask.symbol,
                client_id=ask.client_id,
            )

        self._start(self._client.desk.answered(ask), f"ask-{ask.ask}", at, fallen)

    def _start(self, work: Coroutine[Any, Any, Events], name: str, at: int, fallen: Any) -> None:
        if self._client.listening is None:
            self._begin(at)
        # Not now but as the next thing that happens: who sends must not be answered while sending.
        self._put(at, _Wakes(Task(work, fallen, name), None))

    def _begin(self, at: int) -> None:
        task = self._client.listening = Task(self._client.stream.listen(), None, f"stream-{self._lives}")
        self._put(at, _Wakes(task, None))

    def _put(self, due: int, entry: _Entry) -> None:
        self._number += 1
        heappush(self._agenda, (due, self._number, entry))

    def next_due(self) -> int | None:
        """Return when something next happens here (ns)."""
        there = self.gateway.next_due()
        if not self._agenda:
            return there
        mine = self._agenda[0][0]
        return mine if there is None or mine <= there else there

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen; return (when it reached us, event), in order."""
        while (due := self.next_due()) is not None and due <= at:
            self._clock.at = max(self._clock.at, due)
            there = self.gateway.next_due()
            if there is not None and there <= due:
                self._said(due)
            else:
                self._happen(heappop(self._agenda)[2])
        told, self._told = self._told, []
        return told

    def _said(self, at: int) -> None:
        """Put what the venue says now on its way to us; messages of one stream keep their order."""
        for message in self.gateway.advance(at):
            self._heard_at = max(self._heard_at, at + self._way(self._settings.answer_travel, f"said-{at}", "answer"))
            self._put(self._heard_at, _Heard(message.key, CUT if message.payload is None else message.payload))

    def _way(self, span: Span, name: str, leg: str) -> int:
        return travel(span, seed=self._settings.seed, client_id=name, leg=leg)

    def _happen(self, entry: _Entry) -> None:
        at = self._clock.at
        if isinstance(entry, _Arrives):
            reply = self.gateway.handle(entry.request, at)
            if entry.task is not None:
                self._answer(entry.task, reply, entry.sent_at)
        elif isinstance(entry, _Heard):
            client = self._client
            if entry.key == client.stream.key and client.listening is not None:
                if client.waits is not None:
                    self._step(client.listening, entry.payload)
                else:
                    client.unread.append(entry.payload)
        elif entry.task is self._client.listening and isinstance(entry.value, NextMessage):
            # A tick of a wait that a message has ended already is none; a look is always one.
            if self._client.waits is not None and entry.value in (self._client.waits, LOOK):
                self._step(entry.task, None)
        else:
            self._step(entry.task, entry.value)

    def _answer(self, task: Task, reply: Reply, sent_at: int) -> None:
        way = self._way(self._settings.answer_travel, f"{task.name}/{task.legs}", "answer")
        back = self._clock.at + reply.delay + way
        late = sent_at + self._terms.timeout_ms * MS
        self._put(min(back, late), _Wakes(task, reply if back <= late else None))

    def _step(self, task: Task, value: Any) -> None:
        """Let a piece of work go on until it waits again or ends."""
        client, at = self._client, self._clock.at
        listens = task is client.listening
        if listens:
            client.waits = None
        try:
            wish = task.work.send(value)
        except StopIteration as ended:
            self._ended(ended.value)
            return
        except Exception as error:
            # As live: an order without an answer would be lost without a trace.
            if task.fallen is None:
                raise
            self._ended((task.fallen(str(error) or type(error).__name__),))
            return
        if isinstance(wish, Crossing):
            task.legs += 1
            there = at + self._way(self._settings.order_travel, f"{task.name}/{task.legs}", "order")
            self._put(there, _Arrives(wish.request, task, at))
        elif isinstance(wish, Pause):
            self._put(wish.until, _Wakes(task, None))
        elif client.unread:
            self._step(task, client.unread.pop(0))
        else:
            client.waits = wish
            self._put(wish.until, _Wakes(task, wish))

    def _ended(self, events: Events) -> None:
        for event in events:
            self._tell(event)
        # What a reply proved the stream must tell too: somebody has to look whether it does.
        listening = self._client.listening
        if listening is not None:
            for wait in (TICK, seconds(self._terms.told_within_s) + TICK):
                self._put(self._clock.at + wait, _Wakes(listening, LOOK))

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Return what is open at the venue, conditional orders included."""
        return tuple(working.report() for working in self.exchange.open_orders())

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""
        return self.exchange.positions()

    def dump(self) -> Data:
        """Return the venue and the requests under way to it as JSON data. The client's mind is not in it."""
        arriving = [
            [due, entry.sent_at, to_data(entry.request)]
            for due, _, entry in sorted(self._agenda, key=lambda item: item[:2]) if isinstance(entry, _Arrives)
        ]
        return {"gateway": self.gateway.dump(), "arriving": json.dumps(arriving), "at": self._clock.at}

    def load(self, data: Data) -> None:
        """Become what `dump` saw, with a client that begins anew: what was under way to us is lost, as in a crash."""
        self.gateway.load(data["gateway"])
        self._clock.at, self._agenda = data["at"], []
        for due, sent_at, item in json.loads(data["arriving"]):
            self._put(due, _Arrives(from_data(Request, item), None, sent_at))
        self.restart(data["at"])
