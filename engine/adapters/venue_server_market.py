"""What happens on the market, handed to whom it concerns: the gateway, the streams, the announcement page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from engine.adapters.venue_server_gateway import Gateway, Reply
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_news import Announcements, peg_quotes, spot_instruments
from engine.adapters.venue_server_stream_hub import Hub
from engine.adapters.venue_server_streams import Market, MarketStreams
from engine.model.codec import Data
from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument
from engine.model.market import (
    Announcement,
    DepthDelta,
    DepthSnapshot,
    FeedState,
    FundingRate,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.time import SECOND
from engine.ports.feed import TapeEvent

DEPTH = "/fapi/v1/depth"
MARK_EVERY = SECOND
ALL_MARKS = ("!markPrice@arr", "!markPrice@arr@1s")
DEFAULT_DEPTH, MOST_DEPTH = 500, 1000


class MarketFloor:
    """The market side of the venue."""

    def __init__(self, gateway: Gateway, hub: Hub, *, history: Callable[[], bool]) -> None:
        """`history` says whether what happens now is told to nobody."""
        self._gateway, self._hub = gateway, hub
        self.news = Announcements()
        self.linear = MarketStreams(
            Market.LINEAR, lambda name: hub.wanted(Market.LINEAR, name) and not history(),
            lambda name, data: hub.say(Market.LINEAR, name, data),
        )
        self.spot = MarketStreams(
            Market.SPOT, lambda name: hub.wanted(Market.SPOT, name) and not history(),
            lambda name, data: hub.say(Market.SPOT, name, data),
        )
        self._down = False
        """Whether the tape says that nothing of the market can be heard now."""
        self._offered: dict[str, None] = {}
        for instrument in spot_instruments():
            self.spot.define(instrument)
            gateway.on_market(InstrumentDefined(instrument=instrument, venue_at=0), 0)

    @property
    def offered(self) -> tuple[str, ...]:
        """What can be traded as futures now."""
        return tuple(self._offered)

    def define(self, instrument: Instrument, at: int = 0) -> None:
        """Make `instrument` tradable."""
        self._offered[instrument.symbol] = None
        self.linear.define(instrument)
        self._gateway.on_market(InstrumentDefined(instrument=instrument, venue_at=at), at)

    def on_market(self, event: TapeEvent, at: int) -> None:
        """Take one event of `at` (ns)."""
        if isinstance(event, Quote):
            self._gateway.on_market(event, at)
            self.linear.on_quote(event, at)
        elif isinstance(event, Trade):
            self._gateway.on_market(event, at)
            self.linear.on_trade(event, at)
        elif isinstance(event, DepthDelta | DepthSnapshot):
            self._gateway.on_market(event, at)
            self.linear.on_depth(event, at)
        elif isinstance(event, InstrumentDefined):
            self.define(event.instrument, at)
        elif isinstance(event, FundingRate):
            self._gateway.on_market(event, at)
            self.linear.on_funding(event)
        elif isinstance(event, OraclePrice):
            for quote in peg_quotes(event):
                self._gateway.on_market(quote, at)
                self.spot.on_quote(quote, at)
        elif isinstance(event, Announcement):
            self.news.add(event)
        elif isinstance(event, FeedState):
            self._down = not event.connected
            if self._down:
                self._hub.drop(market=Market.LINEAR)

    async def tell_marks(self, now: Callable[[], int]) -> None:
        """Tell every symbol's mark price each second, until cancelled. `now` is the venue's time (ns)."""
        while True:
            await asyncio.sleep(MARK_EVERY / SECOND)
            if not self._down:
                self.tell_marks_once(now())

    def tell_marks_once(self, at: int) -> None:
        """Tell the mark prices of `at` (ns)."""
        told: list[Data] = []
        for symbol in self.linear.symbols:
            mark = self._gateway.mark(symbol)
            if mark is not None:
                told.append(self.linear.on_mark(symbol, mark, at))
        for name in ALL_MARKS:
            if told and self._hub.wanted(Market.LINEAR, name):
                self._hub.say(Market.LINEAR, name, told)

    def corrected(self, asked: Request, reply: Reply, at: int) -> Reply:
        """Return `reply`, where it is a book with the book as the streams told it: the ids must fit the diffs."""
        if (asked.method, asked.path, reply.status) != ("GET", DEPTH, 200) or not isinstance(reply.body, dict):
            return reply
        words = dict(asked.params)
        limit = words.get("limit", "")
        found = self.linear.snapshot(
            words.get("symbol", ""), min(int(limit), MOST_DEPTH) if limit.isdecimal() else DEFAULT_DEPTH, at
        )
        return reply if found is None else replace(reply, body=found)
