"""One tape line to one event and back; `docs/tape.md` is the description for people.

A line is its kind letter, its fields and the CRC-32 of all before it, separated by TABs.
The checksum comes before any reading of numbers: a flipped bit is damage, never a price.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from engine.model.codec import canonical, from_data, to_data
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

MAGIC = "#engine-tape"
VERSION = 1
CRC_LENGTH = 9
"""The TAB before the checksum and its eight hexadecimal digits."""

Names = Mapping[bytes, tuple[str, str]]
"""The digits a line writes for an instrument -> (venue, symbol)."""
Fields = list[bytes]
"""A line split at its TABs, kind letter first, checksum left out."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {written[1]: plain for plain, written in _ESCAPES.items()}


def seal(body: str) -> bytes:
    """Return the whole line of `body`: with its checksum and its line end."""
    raw = body.encode()
    return b"%s\t%08x\n" % (raw, crc32(raw))


def unseal(line: bytes) -> bytes:
    """Return the body of `line` (without line end); ValueError when the checksum does not fit."""
    body = line[:-CRC_LENGTH]
    if line[-CRC_LENGTH:] != b"\t%08x" % crc32(body):
        raise ValueError("the checksum does not fit: the line was changed or cut")
    return body


def escape(text: str) -> str:
    """Return `text` on one line and without TABs."""
    if text.isalnum():
        return text
    return "".join(_ESCAPES.get(char, char) for char in text)


def unescape(raw: bytes) -> str:
    """Return the text that `escape` wrote; ValueError if it never did."""
    text = raw.decode()
    if "\\" not in text:
        return text
    parts = text.split("\\")
    out, i = [parts[0]], 1
    while i < len(parts):
        part = parts[i]
        if part == "" and i + 1 < len(parts):
            out.append("\\" + parts[i + 1])
            i += 2
            continue
        if part[:1] not in _UNESCAPES:
            raise ValueError(f"a text holds \\{part[:1]}, which is no escape")
        out.append(_UNESCAPES[part[0]] + part[1:])
        i += 1
    return "".join(out)


def number(value: float) -> str:
    """Return the shortest text that reads back as `value`; ValueError for NaN and infinity."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return repr(value)


def _levels_text(levels: Levels) -> str:
    return " ".join(f"{number(price)} {number(size)}" for price, size in levels)


def _levels(raw: bytes) -> Levels:
    values = list(map(float, raw.split()))
    if not abs(sum(values)) < math.inf:
        raise ValueError("a level is not finite")
    return tuple(zip(values[::2], values[1::2], strict=True))


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
    return f"F\t{e.received_at}\t{name(e.venue, e.symbol)}\t{number(e.rate)}\t{e.interval}\t{e.venue_at}"


def _announcement_text(e: Announcement, at: int, name: Callable[[str, str], int]) -> str:
    words = "\t".join(map(escape, (e.source, e.announcement_id, e.kind, e.title, *e.symbols)))
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


def _finite(raw: bytes) -> float:
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return value


def _read_quote(fields: Fields, names: Names) -> Quote:
    _, received, key, bid, bid_size, ask, ask_size, venue_at = fields
    venue, symbol = names[key]
    b, b_size, a, a_size = float(bid), float(bid_size), float(ask), float(ask_size)
    if not abs(b + b_size + a + a_size) < math.inf:  # one test for four numbers: NaN compares false
        raise ValueError("a price or size is not a finite number")
    return Quote(venue, symbol, b, b_size, a, a_size, int(venue_at), int(received))


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
    _, received, key, rate, interval, venue_at = fields
    venue, symbol = names[key]
    return FundingRate(venue, symbol, _finite(rate), int(interval), int(venue_at), int(received))


def _read_announcement(fields: Fields, names: Names) -> Announcement:
    _, received, venue_at, source, identity, kind, title, *symbols = fields
    return Announcement(
        unescape(source), unescape(identity), unescape(kind), unescape(title), tuple(map(unescape, symbols)),
        int(venue_at), int(received),
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

UNREADABLE = (ValueError, KeyError, TypeError, ArithmeticError)


def header_line(data: dict[str, Any]) -> bytes:
    """Return the first line of a tape."""
    return seal(f"{MAGIC} {VERSION}\t{escape(canonical(data).decode())}")


def read_header_line(line: bytes) -> dict[str, Any]:
    """Return the header of the first `line`; ValueError says, for people, why it is none."""
    if not line.startswith(MAGIC.encode()):
        raise ValueError("it does not begin as a tape does")
    magic, _, rest = unseal(line.rstrip(b"\n")).partition(b"\t")
    version = magic.decode().removeprefix(MAGIC).strip()
    if version != str(VERSION):
        raise ValueError(f"it is a tape of version {version}; this engine reads version {VERSION}")
    data = json.loads(unescape(rest))
    return dict(data)
