"""One event to the body of its tape line; `tape_decode` is the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from engine.adapters.tape_format import escape
from engine.model.codec import canonical, to_data
from engine.model.events import InstrumentDefined
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


def number(value: float) -> str:
    """Return the shortest text that reads back as `value`; ValueError for NaN and infinity."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return repr(value)


def _levels_text(levels: Levels) -> str:
    return " ".join(f"{number(price)} {number(size)}" for price, size in levels)


def encode(event: TapeEvent, at: int, name: Callable[[str, str], int]) -> str:
    """Return the body of the line of `event`.

    `at` counts only for an InstrumentDefined, which has no `received_at`; `name` returns
    the number of (venue, symbol) in the header's table. ValueError for what has no finite form.
    """
    if type(event) not in _ENCODERS:
        raise ValueError(f"a tape cannot hold a {type(event).__name__}")
    return _ENCODERS[type(event)](event, at, name)


def _quote_text(e: Quote, at: int, name: Callable[[str, str], int]) -> str:
    prices = f"{number(e.bid)}\t{number(e.bid_size)}\t{number(e.ask)}\t{number(e.ask_size)}"
    return f"Q\t{e.received_at}\t{name(e.venue, e.symbol)}\t{prices}\t{e.venue_at}"


def _trade_text(e: Trade, at: int, name: Callable[[str, str], int]) -> str:
    what = f"{number(e.price)}\t{number(e.size)}\t{'B' if e.aggressor_buys else 'S'}\t{escape(e.trade_id)}"
    return f"T\t{e.received_at}\t{name(e.venue, e.symbol)}\t{what}\t{e.venue_at}"


def _delta_text(e: DepthDelta, at: int, name: Callable[[str, str], int]) -> str:
    ids = f"{e.first_id}\t{e.last_id}\t{e.previous_id}\t{e.venue_at}"
    levels = f"{_levels_text(e.bids)}\t{_levels_text(e.asks)}"
    return f"D\t{e.received_at}\t{name(e.venue, e.symbol)}\t{ids}\t{levels}"


def _snapshot_text(e: DepthSnapshot, at: int, name: Callable[[str, str], int]) -> str:
    levels = f"{_levels_text(e.bids)}\t{_levels_text(e.asks)}"
    return f"S\t{e.received_at}\t{name(e.venue, e.symbol)}\t{e.last_id}\t{e.venue_at}\t{levels}"


def _bar_text(e: Bar, at: int, name: Callable[[str, str], int]) -> str:
    prices = "\t".join(map(number, (e.open, e.high, e.low, e.close, e.volume)))
    return f"B\t{e.received_at}\t{name(e.venue, e.symbol)}\t{prices}\t{e.interval}\t{e.venue_at}"


def _oracle_text(e: OraclePrice, at: int, name: Callable[[str, str], int]) -> str:
    words = f"{escape(e.source)}\t{escape(e.asset)}\t{escape(e.quote)}"
    return f"O\t{e.received_at}\t{words}\t{number(e.price)}\t{escape(e.round_id)}\t{e.venue_at}"


def _funding_text(e: FundingRate, at: int, name: Callable[[str, str], int]) -> str:
    line = f"F\t{e.received_at}\t{name(e.venue, e.symbol)}\t{number(e.rate)}\t{e.interval}\t{e.venue_at}"
    # Only where it says more than tapes once did: those stay as they are, byte for byte.
    return f"{line}\t{'paid' if e.paid else 'next'}\t{e.next_at}" if e.paid or e.next_at else line


def _announcement_text(e: Announcement, at: int, name: Callable[[str, str], int]) -> str:
    # No symbol is empty: what comes behind an empty one is what older tapes do not have.
    more = ("", e.market, str(e.trading_at)) if e.market or e.trading_at else ()
    words = "\t".join(map(escape, (e.source, e.announcement_id, e.kind, e.title, *e.symbols, *more)))
    return f"A\t{e.received_at}\t{e.venue_at}\t{words}"


def _heartbeat_text(e: Heartbeat, at: int, name: Callable[[str, str], int]) -> str:
    return f"H\t{e.received_at}\t{escape(e.producer)}"


def _connection_text(e: FeedState, at: int, name: Callable[[str, str], int]) -> str:
    return f"C\t{e.received_at}\t{escape(e.venue)}\t{'up' if e.connected else 'down'}\t{escape(e.reason)}"


def _dropped_text(e: FeedDropped, at: int, name: Callable[[str, str], int]) -> str:
    return f"X\t{e.received_at}\t{escape(e.venue)}\t{escape(e.symbol)}\t{escape(e.stream)}\t{e.count}"


def _instrument_text(e: InstrumentDefined, at: int, name: Callable[[str, str], int]) -> str:
    return f"I\t{at}\t{e.venue_at}\t{escape(canonical(to_data(e.instrument)).decode())}"


_ENCODERS: dict[type, Callable[[Any, int, Callable[[str, str], int]], str]] = {
    Quote: _quote_text, Trade: _trade_text, DepthDelta: _delta_text, DepthSnapshot: _snapshot_text,
    Bar: _bar_text, OraclePrice: _oracle_text, FundingRate: _funding_text, Announcement: _announcement_text,
    Heartbeat: _heartbeat_text, FeedState: _connection_text, FeedDropped: _dropped_text,
    InstrumentDefined: _instrument_text,
}
