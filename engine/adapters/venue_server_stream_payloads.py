"""Market streams as Binance words them: what happened, as the JSON of each stream that tells it.

Prices and sizes are text with the decimals of the instrument, instants are ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.venue_server_stream_book import Change, StreamBook
from engine.model.codec import Data
from engine.model.instruments import Instrument
from engine.model.market import Levels, Quote, Trade
from engine.model.time import HOUR, MINUTE, MS

FUNDING_EVERY = 8 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Fineness:
    """How many decimals a symbol's prices and sizes have; None where nobody said, then as many as they need."""

    price: int | None = None
    size: int | None = None

    @classmethod
    def of(cls, instrument: Instrument) -> Fineness:
        """Return what `instrument` says."""
        return cls(price=_decimals(instrument.tick), size=_decimals(instrument.step))

    def price_text(self, value: float) -> str:
        """Return a price as the venue writes it."""
        return _text(value, self.price)

    def size_text(self, value: float) -> str:
        """Return a size as the venue writes it."""
        return _text(value, self.size)

    def levels(self, levels: Levels) -> list[list[str]]:
        """Return (price, size) pairs as the venue writes them."""
        return [[_text(price, self.price), _text(size, self.size)] for price, size in levels]


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _text(value: float, decimals: int | None) -> str:
    return format(Decimal(repr(value)), "f") if decimals is None else f"{value:.{decimals}f}"


def book_ticker(quote: Quote, number: int, form: Fineness, *, spot: bool) -> Data:
    """Return `quote` as bookTicker; on spot it carries no name and no instants."""
    data: Data = {
        "u": number, "s": quote.symbol, "b": form.price_text(quote.bid), "B": form.size_text(quote.bid_size),
        "a": form.price_text(quote.ask), "A": form.size_text(quote.ask_size),
    }
    if spot:
        return data
    at = quote.received_at // MS
    return {"e": "bookTicker", "E": at, "T": quote.venue_at // MS, **data}


def trade(event: Trade, number: int, form: Fineness) -> Data:
    """Return `event` as one trade."""
    return {
        "e": "trade", "E": event.received_at // MS, "T": event.venue_at // MS, "s": event.symbol, "t": number,
        "p": form.price_text(event.price), "q": form.size_text(event.size), "X": "MARKET",
        "m": not event.aggressor_buys,
    }


def agg_trade(event: Trade, number: int, form: Fineness) -> Data:
    """Return `event` as an aggregate trade of one."""
    return {
        "e": "aggTrade", "E": event.received_at // MS, "s": event.symbol, "a": number,
        "p": form.price_text(event.price), "q": form.size_text(event.size), "f": number, "l": number,
        "T": event.venue_at // MS, "m": not event.aggressor_buys,
    }


def depth_update(symbol: str, change: Change, at: int, form: Fineness) -> Data:
    """Return `change`, made at `at` (ns), as a diff."""
    return {
        "e": "depthUpdate", "E": at // MS, "T": at // MS, "s": symbol, "U": change.first_id, "u": change.last_id,
        "pu": change.previous_id, "b": form.levels(change.bids), "a": form.levels(change.asks),
    }


def partial_depth(symbol: str, book: StreamBook, limit: int, at: int, form: Fineness) -> Data:
    """Return the first `limit` levels of each side as the partial book streams tell them."""
    bids, asks = book.top(limit)
    return {
        "e": "depthUpdate", "E": at // MS, "T": at // MS, "s": symbol, "U": book.depth_id, "u": book.depth_id,
        "pu": book.previous_id, "b": form.levels(bids), "a": form.levels(asks),
    }


def depth_snapshot(book: StreamBook, limit: int, at: int, form: Fineness) -> Data:
    """Return the answer to GET depth: the ids fit the diffs."""
    bids, asks = book.top(limit)
    return {
        "lastUpdateId": book.depth_id, "E": at // MS, "T": at // MS, "bids": form.levels(bids),
        "asks": form.levels(asks),
    }


def mark_price(symbol: str, mark: tuple[str, str], due: int, at: int) -> Data:
    """Return (mark price, funding rate) at `at` (ns); the index is the same, and funding is paid next at `due` (ns)."""
    price, rate = mark
    return {
        "e": "markPriceUpdate", "E": at // MS, "s": symbol, "p": price, "P": price, "i": price, "r": rate,
        "T": due // MS,
    }


class Candle:
    """The one-minute bar that is under way, from the trades that were told."""

    __slots__ = (
        "_buys", "_buys_quote", "_close", "_count", "_first", "_high", "_low", "_open", "_quote", "_start", "_volume",
    )

    def __init__(self) -> None:
        self._start = -1
        self._open = self._high = self._low = self._close = 0.0
        self._volume = self._quote = self._buys = self._buys_quote = 0.0
        self._first = self._count = 0

    def add(self, event: Trade, number: int, at: int) -> None:
        """Take in a trade at `at` (ns); one of another minute begins another bar."""
        start = at // MINUTE * MINUTE
        if start != self._start:
            self._start, self._first, self._count = start, number, 0
            self._open = self._high = self._low = event.price
            self._volume = self._quote = self._buys = self._buys_quote = 0.0
        self._close = event.price
        self._high, self._low = max(self._high, event.price), min(self._low, event.price)
        self._count += 1
        self._volume += event.size
        self._quote += event.size * event.price
        if event.aggressor_buys:
            self._buys += event.size
            self._buys_quote += event.size * event.price

    def data(self, symbol: str, at: int, form: Fineness) -> Data:
        """Return the bar as the kline stream tells it at `at` (ns)."""
        price, size = form.price_text, form.size_text
        return {"e": "kline", "E": at // MS, "s": symbol, "k": {
            "t": self._start // MS, "T": (self._start + MINUTE) // MS - 1, "s": symbol, "i": "1m",
            "f": self._first, "L": self._first + self._count - 1, "o": price(self._open), "c": price(self._close),
            "h": price(self._high), "l": price(self._low), "v": size(self._volume), "n": self._count,
            "x": at >= self._start + MINUTE, "q": f"{self._quote:.4f}", "V": size(self._buys),
            "Q": f"{self._buys_quote:.4f}", "B": "0",
        }}
