"""The fields of a tape line to its event; `tape_encode` is the way there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.adapters.tape_format import unescape
from engine.model.codec import from_data
from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument
from engine.model.market import (
    Announcement,
    Bar,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    FundingRate,
    Heartbeat,
    Levels,
    OraclePrice,
    Quote,
    Trade,
)
from engine.ports.feed import TapeEvent

Names = Mapping[bytes, tuple[str, str]]
"""The digits a line writes for an instrument -> (venue, symbol)."""
Fields = list[bytes]
"""A line split at its TABs, kind letter first, checksum left out."""


def _levels(raw: bytes) -> Levels:
    values = list(map(float, raw.split()))
    if not abs(sum(values)) < math.inf:
        raise ValueError("a level is not finite")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _finite(raw: bytes) -> float:
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


class _Draft:
    """A quote while it is made: setting eight fields of a frozen class costs four times as much.

    It has the very slots of Quote, so that the finished object can become one.
    """

    __slots__ = Quote.__slots__

    def __init__(  # noqa: PLR0913 (the fields of Quote, in its order)
        self, venue: str, symbol: str, bid: float, bid_size: float, ask: float, ask_size: float,
        venue_at: int, received_at: int,
    ) -> None:
        self.venue = venue
        self.symbol = symbol
        self.bid = bid
        self.bid_size = bid_size
        self.ask = ask
        self.ask_size = ask_size
        self.venue_at = venue_at
        self.received_at = received_at


def _read_quote(fields: Fields, names: Names) -> Quote:
    _, received, key, bid, bid_size, ask, ask_size, venue_at = fields
    venue, symbol = names[key]
    b, b_size, a, a_size = float(bid), float(bid_size), float(ask), float(ask_size)
    if not abs(b + b_size + a + a_size) < math.inf:  # one test for four numbers: NaN compares false
        raise ValueError("a price or size is not a finite number")
    draft: Any = _Draft(venue, symbol, b, b_size, a, a_size, int(venue_at), int(received))
    draft.__class__ = Quote
    quote: Quote = draft
    return quote


def _read_trade(fields: Fields, names: Names) -> Trade:
    _, received, key, price, size, side, trade_id, venue_at = fields
    venue, symbol = names[key]
    buys = _one_of(side, b"B", b"S")
    return Trade(venue, symbol, _finite(price), _finite(size), buys, unescape(trade_id), int(venue_at), int(received))


def _one_of(raw: bytes, yes: bytes, no: bytes) -> bool:
    if raw != yes and raw != no:
        raise ValueError(f"{raw.decode()!r} is neither {yes.decode()!r} nor {no.decode()!r}")
    return raw == yes


def _read_delta(fields: Fields, names: Names) -> DepthDelta:
    _, received, key, first, last, previous, venue_at, bids, asks = fields
    venue, symbol = names[key]
    return DepthDelta(
        venue, symbol, _levels(bids), _levels(asks), int(first), int(last), int(previous), int(venue_at), int(received)
    )


def _read_snapshot(fields: Fields, names: Names) -> DepthSnapshot:
    _, received, key, last, venue_at, bids, asks = fields
    venue, symbol = names[key]
    return DepthSnapshot(venue, symbol, _levels(bids), _levels(asks), int(last), int(venue_at), int(received))


def _read_bar(fields: Fields, names: Names) -> Bar:
    _, received, key, *prices, interval, venue_at = fields
    venue, symbol = names[key]
    opened, high, low, close, volume = map(_finite, prices)
    return Bar(venue, symbol, opened, high, low, close, volume, int(interval), int(venue_at), int(received))


def _read_oracle(fields: Fields, names: Names) -> OraclePrice:
    _, received, source, asset, quote, price, round_id, venue_at = fields
    return OraclePrice(
        unescape(source), unescape(asset), unescape(quote), _finite(price), unescape(round_id),
        int(venue_at), int(received),
    )


def _read_funding(fields: Fields, names: Names) -> FundingRate:
    _, received, key, rate, interval, venue_at, *more = fields
    venue, symbol = names[key]
    word, next_at = more or (b"next", b"0")
    paid = _one_of(word, b"paid", b"next")
    return FundingRate(
        venue, symbol, _finite(rate), int(interval), int(venue_at), int(received), paid, int(next_at)
    )


def _read_announcement(fields: Fields, names: Names) -> Announcement:
    _, received, venue_at, source, identity, kind, title, *symbols = fields
    market, trading_at = b"", b"0"
    if len(symbols) >= 3 and not symbols[-3]:
        *symbols, _, market, trading_at = symbols
    return Announcement(
        unescape(source), unescape(identity), unescape(kind), unescape(title), tuple(map(unescape, symbols)),
        int(venue_at), int(received), unescape(market), int(trading_at),
    )


def _read_heartbeat(fields: Fields, names: Names) -> Heartbeat:
    _, received, producer = fields
    return Heartbeat(unescape(producer), int(received))


def _read_connection(fields: Fields, names: Names) -> FeedState:
    _, received, venue, state, reason = fields
    return FeedState(unescape(venue), _one_of(state, b"up", b"down"), unescape(reason), int(received))


def _read_dropped(fields: Fields, names: Names) -> FeedDropped:
    _, received, venue, symbol, stream, count = fields
    return FeedDropped(unescape(venue), unescape(symbol), unescape(stream), int(count), int(received))


def _read_instrument(fields: Fields, names: Names) -> InstrumentDefined:
    _, _, venue_at, data = fields
    instrument: Instrument = from_data(Instrument, json.loads(unescape(data)))
    return InstrumentDefined(instrument=instrument, venue_at=int(venue_at))


READERS: dict[bytes, Callable[[Fields, Names], TapeEvent]] = {
    b"Q": _read_quote, b"T": _read_trade, b"D": _read_delta, b"S": _read_snapshot, b"B": _read_bar,
    b"O": _read_oracle, b"F": _read_funding, b"A": _read_announcement, b"H": _read_heartbeat,
    b"C": _read_connection, b"X": _read_dropped, b"I": _read_instrument,
}
"""Kind letter -> reader of such a line. It raises one of UNREADABLE for fields that make no event."""

UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError, AttributeError, RecursionError)
