"""Market events in, stream messages out: which streams tell an event, and what they say.

Nothing is worded for a stream that nobody listens to; ids and books are kept for all, so that
whoever comes later finds them whole.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from engine.adapters import venue_server_stream_payloads as payloads
from engine.adapters.venue_server_stream_book import Change, StreamBook
from engine.adapters.venue_server_stream_payloads import Candle, Fineness
from engine.model.codec import Data
from engine.model.instruments import Instrument
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, Quote, Trade

PARTIAL = (5, 10, 20)
DIFF_SPEEDS = ("", "@0ms", "@100ms", "@250ms", "@500ms")
"""Every speed is served as it happens: a client must not count on batches."""
MARK_SPEEDS = ("", "@1s")


class Market(StrEnum):
    """Which half of the venue a stream belongs to; the same name means another stream on the other."""

    LINEAR = "linear"
    SPOT = "spot"


Wanted = Callable[[str], bool]
"""Whether anybody listens to the stream of this name."""
Say = Callable[[str, Data], None]
"""Sends a message to everybody who listens to the stream of this name."""


class _Symbol:
    """What the streams know of one symbol."""

    __slots__ = ("book", "candle", "form", "funding_every", "funding_next", "quote", "trades")

    def __init__(self) -> None:
        self.book = StreamBook()
        self.candle = Candle()
        self.form = Fineness()
        self.funding_every = payloads.FUNDING_EVERY
        self.funding_next = 0
        self.quote: Quote | None = None
        self.trades = 0


class MarketStreams:
    """All market streams of one half of the venue."""

    def __init__(self, market: Market, wanted: Wanted, say: Say) -> None:
        """`say` is called only for streams that are `wanted`."""
        self._spot = market is Market.SPOT
        self._wanted, self._say = wanted, say
        self._symbols: dict[str, _Symbol] = {}

    def _of(self, symbol: str) -> _Symbol:
        known = self._symbols.get(symbol)
        if known is None:
            known = self._symbols[symbol] = _Symbol()
        return known

    def define(self, instrument: Instrument) -> None:
        """Take over how finely `instrument` is priced."""
        self._of(instrument.symbol).form = Fineness.of(instrument)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that was quoted so far."""
        return tuple(name for name, known in self._symbols.items() if known.quote is not None)

    def on_quote(self, event: Quote, at: int) -> None:
        """Tell a quote of `at` (ns)."""
        known = self._of(event.symbol)
        known.quote = event
        number = known.book.next_id()
        name = event.symbol.lower() + "@bookTicker"
        if self._wanted(name) or self._wanted("!bookTicker"):
            data = payloads.book_ticker(event, number, known.form, spot=self._spot)
            self._tell(name, data)
            self._tell("!bookTicker", data)
        self._depth(event.symbol, known, known.book.on_quote(event), at)

    def on_depth(self, event: DepthDelta | DepthSnapshot, at: int) -> None:
        """Tell a change of the book at `at` (ns)."""
        known = self._of(event.symbol)
        book = known.book
        change = book.on_snapshot(event) if isinstance(event, DepthSnapshot) else book.on_delta(event)
        self._depth(event.symbol, known, change, at)

    def on_trade(self, event: Trade, at: int) -> None:
        """Tell a public trade of `at` (ns)."""
        if not (event.price > 0 and event.size > 0):
            return
        known = self._of(event.symbol)
        known.trades += 1
        known.candle.add(event, known.trades, at)
        low = event.symbol.lower()
        if self._wanted(low + "@trade"):
            self._say(low + "@trade", payloads.trade(event, known.trades, known.form))
        if self._wanted(low + "@aggTrade"):
            self._say(low + "@aggTrade", payloads.agg_trade(event, known.trades, known.form))
        if self._wanted(low + "@kline_1m"):
            self._say(low + "@kline_1m", known.candle.data(event.symbol, at, known.form))

    def on_funding(self, event: FundingRate) -> None:
        """Take over when and how often funding is paid: the mark price stream tells when it is due."""
        known = self._of(event.symbol)
        if event.interval > 0:
            known.funding_every = event.interval
        if not event.paid:
            known.funding_next = event.next_at

    def on_mark(self, symbol: str, mark: tuple[str, str], at: int) -> Data:
        """Tell (mark price, funding rate) of `at` (ns), as the venue writes them; return the message."""
        known = self._of(symbol)
        due = known.funding_next
        if due <= at:
            due = (at // known.funding_every + 1) * known.funding_every
        data = payloads.mark_price(symbol, mark, due, at)
        for speed in MARK_SPEEDS:
            self._tell(f"{symbol.lower()}@markPrice{speed}", data)
        return data

    def _depth(self, symbol: str, known: _Symbol, change: Change | None, at: int) -> None:
        if change is None:
            return
        low = symbol.lower()
        names = [name for speed in DIFF_SPEEDS if self._wanted(name := f"{low}@depth{speed}")]
        if names:
            data = payloads.depth_update(symbol, change, at, known.form)
            for name in names:
                self._say(name, data)
        for limit in PARTIAL:
            names = [name for speed in DIFF_SPEEDS if self._wanted(name := f"{low}@depth{limit}{speed}")]
            if names:
                partial = payloads.partial_depth(symbol, known.book, limit, at, known.form)
                for name in names:
                    self._say(name, partial)

    def _tell(self, name: str, data: Data) -> None:
        if self._wanted(name):
            self._say(name, data)

    def snapshot(self, symbol: str, limit: int, at: int) -> Data | None:
        """Return the answer to GET depth for `symbol`, ids as in the streams; None for a symbol never heard of."""
        known = self._symbols.get(symbol)
        return None if known is None else payloads.depth_snapshot(known.book, limit, at, known.form)


def is_market_data(name: str) -> bool:
    """Whether `name` is how a stream of market data is called, as far as its form goes."""
    symbol, _, kind = name.partition("@")
    return bool(symbol) and (bool(kind) or symbol.startswith("!"))


def category(name: str) -> str:
    """Return the path under which a linear stream is served: public (the book and its trades) or market."""
    kind = (name[1:] if name.startswith("!") else name.partition("@")[2]).split("@")[0]
    return "public" if kind in ("bookTicker", "trade") or kind.startswith(("depth", "rpiDepth")) else "market"
