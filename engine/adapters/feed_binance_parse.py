"""Binance's USD-M market messages to nouns: fast, and never a number that was not one.

Every message ends as an event, as an answer to a request, or as a refusal with a reason
that is counted. Prices and sizes are JSON texts of plain decimals and nothing else: `NaN`,
`1_0`, true or a missing field are refused, and with them the whole message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from engine.adapters.feed_binance_trades import RESET_MS, TradeIds
from engine.adapters.feed_line import Heard, Reply
from engine.adapters.feed_outside import UNREADABLE, read_json
from engine.model.market import DepthDelta, DepthSnapshot, FundingRate, Levels, MarketEvent, Quote, Trade
from engine.model.time import HOUR, MS

VENUE = "binanceusdm"
INF = float("inf")
LATEST_MS = 4_102_444_800_000
"""The year 2100: what is later is no stamp."""
EVERYBODY = 10_000
"""Symbols of which the last quote is kept though nobody watches them: far more than any venue lists."""
USUAL_FUNDING = 8 * HOUR
"""The interval of a perpetual of which the venue says nothing else."""


class Refused(Exception):
    """A payload that cannot be believed; the text is one of few, so that refusals can be counted by it."""


class Read(NamedTuple):
    """An event and its place in its stream: `number` only rises, and `at_ms` is the venue's instant of it."""

    event: MarketEvent
    number: int
    at_ms: int


def whole(value: Any) -> int:
    """Return a whole number that is not negative; Refused for anything else."""
    if type(value) is not int or value < 0:
        raise Refused("not a whole number")
    return value


def stamp(data: Any) -> int:
    """Return the venue's instant in ms: of the transaction, else of the event."""
    at = data.get("T") or data["E"]
    if type(at) is not int or not 0 < at < LATEST_MS:
        raise Refused("not an instant")
    return at


def plain(joined: str) -> None:
    """Refuse what `float` would read and no venue means: 1_0, and digits of other scripts."""
    if not joined.isascii() or "_" in joined:
        raise Refused("not a plain number")


def believable(bid: float, bid_size: float, ask: float, ask_size: float) -> None:
    """Refuse a best bid and ask that no market shows. Written so that NaN fails too."""
    if not (0.0 < bid <= ask < INF):
        raise Refused("bid and ask cannot be")
    if not (0.0 <= bid_size < INF and 0.0 <= ask_size < INF):
        raise Refused("a size cannot be")


def levels_of(rows: Any) -> Levels:
    """Return (price, size) pairs, as they came; Refused where one cannot be."""
    if type(rows) is not list:
        raise Refused("no list of levels")
    found = []
    for price_text, size_text in rows:
        plain(price_text + size_text)
        price, size = float(price_text), float(size_text)
        if not (0.0 < price < INF and 0.0 <= size < INF):
            raise Refused("a level cannot be")
        found.append((price, size))
    return tuple(found)


def read_quote(data: Any, received_at: int) -> Read:
    """Return bookTicker as a Quote."""
    bid_text, bid_size_text, ask_text, ask_size_text = data["b"], data["B"], data["a"], data["A"]
    plain(bid_text + bid_size_text + ask_text + ask_size_text)
    bid, bid_size, ask, ask_size = float(bid_text), float(bid_size_text), float(ask_text), float(ask_size_text)
    believable(bid, bid_size, ask, ask_size)
    at = stamp(data)
    return Read(Quote(VENUE, data["s"], bid, bid_size, ask, ask_size, at * MS, received_at), whole(data["u"]), at)


def read_trade(data: Any, received_at: int) -> Read:
    """Return aggTrade as a Trade."""
    price_text, size_text, maker_buys = data["p"], data["q"], data["m"]
    plain(price_text + size_text)
    price, size = float(price_text), float(size_text)
    if not (0.0 < price < INF and 0.0 < size < INF):
        raise Refused("price or size of a trade cannot be")
    if type(maker_buys) is not bool:
        raise Refused("the side of a trade is missing")
    at, number = stamp(data), whole(data["a"])
    return Read(Trade(VENUE, data["s"], price, size, not maker_buys, str(number), at * MS, received_at), number, at)


def read_delta(data: Any, received_at: int) -> Read:
    """Return a diff of the book as a DepthDelta."""
    first, last, previous = whole(data["U"]), whole(data["u"]), whole(data["pu"])
    if not (previous <= last and first <= last):
        raise Refused("ids of a diff cannot be")
    at = stamp(data)
    event = DepthDelta(
        VENUE, data["s"], levels_of(data["b"]), levels_of(data["a"]), first, last, previous, at * MS, received_at
    )
    return Read(event, last, at)


def read_snapshot(data: Any, symbol: str, received_at: int) -> DepthSnapshot:
    """Return the answer to GET depth; Refused says why it cannot be used."""
    try:
        bids, asks, last = levels_of(data["bids"]), levels_of(data["asks"]), whole(data["lastUpdateId"])
        at = stamp(data)
    except UNREADABLE:
        raise Refused("not a book") from None
    if any(one[0] <= other[0] for one, other in pairwise(bids)) or any(
        one[0] >= other[0] for one, other in pairwise(asks)
    ):
        raise Refused("a book out of order")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Refused("a crossed book")
    return DepthSnapshot(VENUE, symbol, bids, asks, last, at * MS, received_at)


class Funding:
    """Reads mark prices for their funding rate, and knows how often each symbol is settled (ns)."""

    def __init__(self) -> None:
        self.intervals: dict[str, int] = {}
        self._next_ms: dict[str, int] = {}

    def learn(self, rows: Any) -> None:
        """Take in the answer to GET fundingInfo; what cannot be read of it is left out."""
        for row in rows if isinstance(rows, list) else ():
            hours = row.get("fundingIntervalHours") if isinstance(row, dict) else None
            if type(hours) is int and 1 <= hours <= 24 and isinstance(row.get("symbol"), str):
                self.intervals[row["symbol"]] = hours * HOUR

    def read(self, data: Any, received_at: int) -> Read:
        """Return markPriceUpdate as a FundingRate; `T` is when it is settled next, not when it was said."""
        symbol, text, at, due = data["s"], data["r"], data["E"], whole(data["T"])
        plain(text)
        rate = float(text)
        if not -1.0 < rate < 1.0:
            raise Refused("a funding rate cannot be")
        if type(at) is not int or not 0 < at < LATEST_MS:
            raise Refused("not an instant")
        since = self._next_ms.get(symbol, due)
        if due != since and HOUR <= (due - since) * MS <= 24 * HOUR:
            self.intervals[symbol] = (due - since) * MS
        self._next_ms[symbol] = due
        interval = self.intervals.get(symbol, USUAL_FUNDING)
        told = FundingRate(VENUE, symbol, rate, interval, at * MS, received_at, next_at=due * MS)
        return Read(told, at, at)


class Reader:
    """Reads messages of the symbols in `watched`; hands every event that is new to `take`.

    Of all other symbols the last quote is kept, for the day on which one is announced. `counts`
    says what became of the messages: by event, `duplicate`, `kept`, and by refusal.
    """

    def __init__(
        self, watched: set[str], take: Callable[[Read], None],
        more: Mapping[str, Callable[[Any, int], Read]] = MappingProxyType({}),
    ) -> None:
        """`more` are readers of further events, by the events' names."""
        self._watched, self._take = watched, take
        self.counts: Counter[str] = Counter()
        self.funding, self.trades = Funding(), TradeIds()
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        """(symbol, stream) to number and instant of the newest: an older one says nothing any more."""
        self._kept: dict[str, Read] = {}
        """The last quote of symbols that nobody watches."""
        self._readers: dict[str, Callable[[Any, int], Read]] = {
            "bookTicker": read_quote, "aggTrade": read_trade, "depthUpdate": read_delta,
            "markPriceUpdate": self.funding.read, **more,
        }

    def hear(self, raw: bytes | str, received_at: int, *, keeps: bool = False) -> Heard:
        """Take one message in; True if it had content of ours, new or not. Never raises on any message.

        With `keeps` the last quotes of symbols that nobody watches are of ours too.
        """
        try:
            data = read_json(raw)
            data = data.get("data", data)
            kind = data.get("e")
            if kind is None:
                return self._reply(data)
            symbol = data["s"] if kind in self._readers else ""
            if symbol not in self._watched:
                if not keeps:
                    raise Refused("nobody asked for it")
                return self._keep(kind, symbol, data, received_at)
            if kind == "markPriceUpdate" and data.get("r") == "":
                self.counts["without funding"] += 1
                return True
            if kind == "kline" and data["k"]["x"] is False:
                self.counts["bar that runs"] += 1
                return True
            found = self._readers[kind](data, received_at)
        except Refused as refusal:
            self.counts[f"refused: {refusal}"] += 1
            return False
        except UNREADABLE:
            self.counts["refused: not a message"] += 1
            return False
        if (
            self.trades.take(symbol, found.number, found.at_ms, received_at) if kind == "aggTrade"
            else self._is_new((symbol, kind if kind != "kline" else f"kline_{data['k']['i']}"), found)
        ):
            self.counts[kind] += 1
            self._take(found)
        else:
            self.counts["duplicate"] += 1
        return True

    def recall(self, symbol: str) -> None:
        """Hand out the last quote of a symbol that is watched from now on: what it was worth before."""
        found = self._kept.pop(symbol, None)
        if found is not None and self._is_new((symbol, "bookTicker"), found):
            self.counts["recalled"] += 1
            self._take(found)

    def _keep(self, kind: str, symbol: str, data: Any, received_at: int) -> Heard:
        room = symbol in self._kept or len(self._kept) < EVERYBODY
        if kind != "bookTicker" or not isinstance(symbol, str) or not room:
            raise Refused("nobody asked for it")
        self._kept[symbol] = self._readers[kind](data, received_at)
        self.counts["kept"] += 1
        return True

    def _is_new(self, key: tuple[str, str], found: Read) -> bool:
        number, at = self._seen.get(key, (-1, 0))
        if found.number > number or (found.number < number and found.at_ms > at + RESET_MS):
            self._seen[key] = (found.number, found.at_ms)
            return True
        return False

    def _reply(self, data: Any) -> Heard:
        number, error = data.get("id"), data.get("error") or data.get("msg")
        if type(number) is not int:
            raise Refused("nobody asked for it")
        self.counts["reply"] += 1
        return Reply(number, str(error)[:80] if error else "")
