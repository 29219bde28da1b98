"""Binance's market messages, spot and USD-M, to events; and the hftbacktest recording of them.

One reader for both markets: what a field is called decides, not which file it came from.
Spot's bookTicker has no stamp of its own, so it carries the instant it was received.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any

from engine.adapters.tape_file import STREAM_ERRORS, broken_stream
from engine.adapters.tape_format import instant
from engine.adapters.tape_import_account import DEFAULT_MIN_NOTIONAL, Account, Fineness, ImportOptions
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Bar, DepthDelta, DepthSnapshot, FeedState, Levels, Quote, Trade
from engine.model.time import MS, parse_duration
from engine.ports.feed import TapeError, TapeEvent

HFT_LINE = re.compile(rb"\d{16,20} \{")
"""How a line of an hftbacktest recording begins: receive time in ns, then JSON."""
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, ArithmeticError, AttributeError, RecursionError)
"""What a message of the wrong shape raises."""


class BinanceReader:
    """Turns one message after another into events and accounts for each."""

    def __init__(self, venue: str, account: Account, fineness: Fineness, symbol: str | None = None) -> None:
        """`symbol` is for snapshots that come before any message with a name."""
        self.venue = venue
        self._account, self._fineness = account, fineness
        self._symbols: dict[str, None] = {symbol: None} if symbol else {}
        self._readers = {
            "bookTicker": self._quote, "trade": self._trade, "aggTrade": self._trade,
            "depthUpdate": self._delta, "kline": self._bar,
        }

    def read(self, received: int, message: Any, symbol: str | None = None) -> TapeEvent | None:
        """Return the event of `message`, or None when it was counted as skipped.

        One of UNREADABLE when it is damaged. `symbol` is of a book snapshot, which does not say.
        """
        data = message.get("data", message)
        kind = data.get("e") or ("bookTicker" if "B" in data and "A" in data else "")
        if kind in self._readers:
            if not isinstance(data["s"], str):
                raise ValueError("its symbol is not a text")
            self._symbols.setdefault(data["s"])
            event = self._readers[kind](data, received)
            if event is not None:
                self._account.used[kind] += 1
            return event
        if "lastUpdateId" in data:
            return self._snapshot(data, received, symbol)
        self._skipped(f"message type {kind!r} is not used" if kind else "not a market message")
        return None

    def _skipped(self, reason: str) -> None:
        self._account.skipped[reason] += 1

    def _quote(self, data: Any, received: int) -> Quote:
        symbol, venue_at = data["s"], data.get("T") or data.get("E")
        self._fineness.see(self.venue, symbol, data["b"], data["B"])
        self._fineness.see(self.venue, symbol, data["a"], data["A"])
        at = _whole(venue_at) * MS if venue_at else received
        bid, bid_size, ask, ask_size = (_number(data[key]) for key in "bBaA")
        return Quote(self.venue, symbol, bid, bid_size, ask, ask_size, at, received)

    def _trade(self, data: Any, received: int) -> Trade | None:
        if data.get("X", "MARKET") != "MARKET":
            self._skipped(f"trade outside the market ({data['X']})")
            return None
        symbol, price, size = data["s"], data["p"], data["q"]
        self._fineness.see(self.venue, symbol, price, size)
        identity = str(_whole(data["a"] if data["e"] == "aggTrade" else data["t"]))
        at, buys = _whole(data["T"]) * MS, not data["m"]
        return Trade(self.venue, symbol, _number(price), _number(size), buys, identity, at, received)

    def _levels(self, symbol: str, pairs: Any) -> Levels:
        for price, size in pairs:
            self._fineness.see(self.venue, symbol, price, size)
        return tuple((_number(price), _number(size)) for price, size in pairs)

    def _delta(self, data: Any, received: int) -> DepthDelta:
        symbol, venue_at = data["s"], _whole(data.get("T") or data["E"]) * MS
        bids, asks = self._levels(symbol, data["b"]), self._levels(symbol, data["a"])
        first, last, previous = _whole(data["U"]), _whole(data["u"]), _whole(data.get("pu", -1))
        return DepthDelta(self.venue, symbol, bids, asks, first, last, previous, venue_at, received)

    def _snapshot(self, data: Any, received: int, symbol: str | None) -> DepthSnapshot | None:
        if symbol is None and len(self._symbols) == 1:
            symbol = next(iter(self._symbols))
        if symbol is None:
            few = "no message before it" if not self._symbols else "several symbols before it"
            self._skipped(f"book snapshot without a symbol, {few}")
            return None
        venue_at = data.get("T") or data.get("E")
        bids, asks = self._levels(symbol, data["bids"]), self._levels(symbol, data["asks"])
        at = _whole(venue_at) * MS if venue_at else received
        snapshot = DepthSnapshot(self.venue, symbol, bids, asks, _whole(data["lastUpdateId"]), at, received)
        self._account.used["book snapshot"] += 1
        return snapshot

    def _bar(self, data: Any, received: int) -> Bar | None:
        bar = data["k"]
        if not bar["x"]:
            self._skipped("kline not finished")
            return None
        interval = parse_duration(bar["i"])
        opened, high, low, close, volume = (_number(bar[key]) for key in "ohlcv")
        return Bar(self.venue, data["s"], opened, high, low, close, volume, interval, _whole(bar["t"]) * MS, received)


def _number(text: Any) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _whole(value: Any) -> int:
    # A text times a million would be a million texts.
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a whole number")
    return value


class HftFile:
    """One hftbacktest recording: lines of receive time and message."""

    def __init__(self, path: str, options: ImportOptions, account: Account, fineness: Fineness) -> None:
        """`account` and `fineness` are shared by the files of one import."""
        self._path, self._options, self._account, self._fineness = path, options, account, fineness

    def events(self, stream: IO[bytes]) -> Iterator[TapeEvent]:
        """Yield the events of the file; TapeError when its compression breaks."""
        account, reader = self._account, None
        for place, line in numbered(self._path, stream, account):
            try:
                stamp, _, text = line.partition(b" ")
                received, message = instant(int(stamp)), json.loads(text)
                if reader is None:
                    reader = self._reader(message)
                    account.added["FeedState"] += 1
                    yield FeedState(reader.venue, True, "the recording starts", received)
                event = reader.read(received, message)
            except UNREADABLE as error:
                account.damaged_at(place, reason_of(error))
                continue
            if event is not None:
                yield event

    def _reader(self, message: Any) -> BinanceReader:
        venue = self._options.venue or _market(message)
        if not self._options.venue:
            self._account.note(f"{self._path}: the venue is taken to be {venue}; --venue NAME says otherwise")
        return BinanceReader(venue, self._account, self._fineness, self._options.symbol)


def _market(message: Any) -> str:
    """Only USD-M messages carry `pu` (depth), `T` beside a bookTicker, or `X` (trade)."""
    data = message.get("data", message)
    futures = "pu" in data or "X" in data or ("A" in data and "T" in data)
    return "binanceusdm" if futures else "binance"


def numbered(path: str, stream: IO[bytes], account: Account) -> Iterator[tuple[str, bytes]]:
    """Yield (file:line, line) and count each line; TapeError when the file breaks off."""
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            account.lines += 1
            yield f"{path}:{number}", line
    except STREAM_ERRORS as error:
        raise TapeError(f"{path}:{number + 1}", broken_stream(error), "copy the file again") from None


def reason_of(error: Exception) -> str:
    """Return in words why a line could not be read."""
    if isinstance(error, KeyError):
        return f"the message has no field {error}"
    return f"the line is not a message ({error})"


def exchange_instruments(venue: str, info: Any) -> dict[str, Instrument]:
    """Return symbol -> instrument of an exchangeInfo answer; one of UNREADABLE when it is none."""
    found = {}
    for entry in info["symbols"]:
        filters = {each["filterType"]: each for each in entry["filters"]}
        lot = filters["LOT_SIZE"]
        notional = filters.get("MIN_NOTIONAL", filters.get("NOTIONAL", {}))
        least = notional.get("notional", notional.get("minNotional", DEFAULT_MIN_NOTIONAL))
        perpetual = entry.get("contractType") == "PERPETUAL"
        found[entry["symbol"]] = Instrument(
            venue=venue, symbol=entry["symbol"], base=entry["baseAsset"], quote=entry["quoteAsset"],
            kind=MarketKind.PERPETUAL if perpetual else MarketKind.SPOT,
            tick=_plain(filters["PRICE_FILTER"]["tickSize"]), step=_plain(lot["stepSize"]),
            min_quantity=_plain(lot["minQty"]), max_quantity=_plain(lot["maxQty"]), min_notional=_plain(least),
        )
    return found


def _plain(text: object) -> Decimal:
    return Decimal(str(text)).normalize() + Decimal(0)
