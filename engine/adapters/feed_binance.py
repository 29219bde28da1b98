"""Binance USD-M's public market, live: every quote, trade, diff and funding rate of the symbols that are watched.

Plain websockets and no conflation: what is told is what was said, in order, once. What the
feed knows that it missed (trades by their numbers, diffs by their ids) it says. It keeps no
prices, only numbers; whole books are fetched at the start, after every gap and
reconnection, and now and then, so that a reader who lost something gets well again. One
price it does keep: the last quote of each symbol that nobody watches, told once somebody
does, because a coin that is announced is measured by what it was worth before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from engine.adapters.feed_binance_bars import INTERVALS, BarHistory, read_kline
from engine.adapters.feed_binance_book import BookIds
from engine.adapters.feed_binance_parse import VENUE, Read, Reader, Refused, read_snapshot
from engine.adapters.feed_line import LineLimits, Slot
from engine.adapters.feed_outside import Outside
from engine.adapters.feed_rest import Rest, Unanswered
from engine.model.market import DepthDelta, FeedDropped, FeedState
from engine.model.time import MINUTE, SECOND
from engine.ports.feed import MARKET

PUBLIC, MARKETS = "public", "market"
STREAMS: Mapping[str, str] = {
    "bookTicker": PUBLIC, "depth@100ms": PUBLIC, "aggTrade": MARKETS, "markPrice@1s": MARKETS,
}
"""Each stream and the category of its address, as the venue split them (see getFutureWsCategory of ccxt)."""
DEPTH = "depth@100ms"
TOUCHES = "!bookTicker"
"""The best bid and ask of every symbol in turn; Binance tells it every 5 s."""
TOUCHES_LINE = 999
"""The number of its line, which no other has: a venue that counts lines by their addresses counts it alone."""
AGAIN_S, LONGEST_AGAIN_S = 1.0, 120.0
"""When a whole book that did not join is asked for again, and the longest pause after refusals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinanceFeedSettings:
    """Where the market is heard, and how. Durations in ns."""

    symbols: tuple[str, ...]
    """Such as `BTCUSDT`; more can be added while the feed runs."""
    streams: tuple[str, ...] = tuple(STREAMS)
    """Of each symbol; keys of `STREAMS`."""
    touches: bool = True
    """Whether to know the last quote of every symbol that is not watched yet."""
    bars: tuple[str, ...] = ()
    """Lengths of the bars that are told as they end, and from before the start; keys of `INTERVALS`."""
    public: str = "wss://fstream.binance.com/public/ws"
    market: str = "wss://fstream.binance.com/market/ws"
    rest: str = "https://fapi.binance.com"
    line: LineLimits = field(default_factory=LineLimits)
    book_levels: int = 500
    """Of a whole book: 5, 10, 20, 50, 100, 500 or 1000. 500 weigh 10 of the 2400 a minute that orders share."""
    book_pause: int = SECOND
    """Between two whole books."""
    book_refresh: int = 10 * MINUTE
    """How often a whole book is fetched although nothing is missing."""

    def __post_init__(self) -> None:
        """ValueError where something cannot be."""
        unknown = sorted(set(self.streams) - set(STREAMS))
        if set(self.bars) - set(INTERVALS):
            raise ValueError(f"bars: {sorted(self.bars)}; choose from {', '.join(INTERVALS)}")
        if unknown or not self.streams:
            raise ValueError(f"streams: {unknown or 'none'}; choose from {', '.join(STREAMS)}")
        for url in (self.public, self.market):
            if not url.startswith(("ws://", "wss://")):
                raise ValueError(f"{url!r} is no address of a websocket: it begins with wss:// or ws://")
        if not self.rest.startswith(("http://", "https://")):
            raise ValueError(f"{self.rest!r} is no address: it begins with https:// or http://")
        if self.book_pause <= 0 or self.book_refresh <= 0:
            raise ValueError("book_pause and book_refresh are positive")

    @classmethod
    def at(cls, base: str, symbols: tuple[str, ...], **others: object) -> BinanceFeedSettings:
        """Return the settings of a venue with one address for everything, such as ws://127.0.0.1:9443."""
        base = base.rstrip("/")
        urls = {"public": f"{base}/public/ws", "market": f"{base}/market/ws", "rest": "http" + base.removeprefix("ws")}
        return cls(symbols=symbols, **urls, **others)  # type: ignore[arg-type]


class BinanceFeed:
    """See `engine.ports.live_feed.LiveFeed`."""

    def __init__(self, settings: BinanceFeedSettings, outside: Outside) -> None:
        self._settings, self._outside, self._tell = settings, outside, outside.tell
        self._watched: set[str] = set()
        self._reader = Reader(self._watched, self._take, {"kline": read_kline} if settings.bars else {})
        self._slots: dict[str, list[Slot]] = {PUBLIC: [], MARKETS: []}
        self._awaited: set[Slot] = set()
        self._down: set[Slot] = set()
        self._connected: bool | None = None
        self._books: dict[str, BookIds] = {}
        self._wanted: dict[str, int] = {}
        """Symbols whose whole book is to be fetched, first come first served, and how often it was refused."""
        self._want = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self.faults: Counter[str] = Counter()
        """What went wrong beside messages, by what it was."""
        self._history = BarHistory(settings.bars, outside, self.faults, self._tell)
        self._touches: Slot | None = None
        if settings.touches:
            url = f"{settings.public}/{TOUCHES_LINE}"
            # Nobody waits for it, and while it is down only the price of what is announced just then is not known.
            self._touches = Slot(
                url, settings.line, outside, partial(self._reader.hear, keeps=True), self._on_touches
            )
            self._touches.add([TOUCHES])
        self.watch(settings.symbols)

    @property
    def name(self) -> str:
        """The venue's name: what every noun of this feed carries."""
        return VENUE

    @property
    def producers(self) -> frozenset[str]:
        """It stands for the market."""
        return frozenset({MARKET})

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages became what: by event type, `duplicate`, `refused: why`."""
        return self._reader.counts

    def watch(self, symbols: Iterable[str]) -> None:
        """Hear these symbols too, from now on, also while it runs. ValueError for what is no symbol."""
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._watched]
        for symbol in new:
            if not symbol.replace("_", "").isalnum() or symbol != symbol.upper():
                raise ValueError(f"{symbol!r} is no symbol of {VENUE}: write it as BTCUSDT")
        for symbol in new:
            self._watched.add(symbol)
            self._reader.recall(symbol)
            self._history.want(symbol)
            if DEPTH in self._settings.streams:
                self._books[symbol] = BookIds()
                # On a line that stands: by then the venue will have begun to send its diffs.
                self._later(symbol, 0, AGAIN_S)
            for category in (PUBLIC, MARKETS):
                names = [f"{symbol.lower()}@{name}" for name in self._settings.streams if STREAMS[name] == category]
                if category == MARKETS:
                    names += [f"{symbol.lower()}@kline_{name}" for name in self._settings.bars]
                if names:
                    self._slot(category, len(names)).add(names)

    def resync(self, symbol: str) -> None:
        """Fetch the whole book of `symbol`: somebody lost a diff of it."""
        if symbol in self._books:
            self._ask_book(symbol)

    async def run(self) -> None:
        """Tell until cancelled."""
        async with Rest(self._settings.rest, self._outside) as rest, asyncio.TaskGroup() as group:
            self._group = group
            try:
                for slot in (slot for slots in self._slots.values() for slot in slots):
                    group.create_task(slot.run())
                if self._touches is not None:
                    group.create_task(self._touches.run())
                if DEPTH in self._settings.streams:
                    group.create_task(self._fetch_books(rest))
                    group.create_task(self._refresh_books())
                if "aggTrade" in self._settings.streams:
                    group.create_task(self._tell_lost())
                if "markPrice@1s" in self._settings.streams:
                    group.create_task(self._learn_funding(rest))
                if self._settings.bars:
                    group.create_task(self._history.run(rest, self._settings.book_pause))
                await asyncio.Event().wait()
            finally:
                self._group = None

    def _slot(self, category: str, streams: int) -> Slot:
        slots = self._slots[category]
        if not slots or slots[-1].room < streams:
            url = f"{getattr(self._settings, category)}/{len(slots)}"
            slots.append(Slot(url, self._settings.line, self._outside, self._reader.hear, self._on_state))
            if self._group is None:
                self._awaited.add(slots[-1])
            else:
                self._group.create_task(slots[-1].run())
        return slots[-1]

    def _on_touches(self, slot: Slot, up: bool, why: str) -> None:
        """Count when the quotes of everybody broke off: no restriction follows from it."""
        if not up:
            self.faults["line of all quotes ended"] += 1

    def _on_state(self, slot: Slot, up: bool, why: str) -> None:
        """Tell the venue's state when it changes: connected once every line stands, and not while one is down."""
        self._awaited.discard(slot)
        if up:
            self._down.discard(slot)
            for stream in slot.streams:
                if stream.endswith(DEPTH):
                    self._ask_book(stream.removesuffix(f"@{DEPTH}").upper())
        else:
            self._down.add(slot)
            self.faults["line ended"] += 1
        connected = not self._awaited and not self._down
        if connected != self._connected and (connected or not up):
            self._connected = connected
            reason = "every stream is granted" if connected else why
            self._tell(FeedState(VENUE, connected, reason, self._outside.clock.now()))

    def _take(self, read: Read) -> None:
        event = read.event
        if type(event) is DepthDelta:
            self._take_delta(event)
            return
        self._tell(event)

    async def _tell_lost(self) -> None:
        """Say which trades were missed, once they can no longer come on a line that overlaps."""
        patience = self._settings.line.overlap
        while True:
            await self._outside.sleep(patience / SECOND)
            now = self._outside.clock.now()
            for symbol, lost in self._reader.trades.lost(now, patience):
                self.faults["trades missed"] += lost
                self._tell(FeedDropped(VENUE, symbol, "Trade", lost, now))

    def _take_delta(self, event: DepthDelta) -> None:
        book = self._books.get(event.symbol)
        if book is None:
            return
        was_whole = book.whole
        told = book.on_delta(event)
        if told is not None:
            self._tell(told)
        if was_whole and not book.whole:
            self.faults["book gap"] += 1
            self._ask_book(event.symbol)

    def _ask_book(self, symbol: str) -> None:
        self._wanted.setdefault(symbol, 0)
        self._want.set()

    async def _fetch_books(self, rest: Rest) -> None:
        """Fetch whole books one after another: they share the address's weight with orders."""
        while True:
            await self._want.wait()
            while self._wanted:
                # What nobody can believe goes before what is only refreshed.
                broken = (symbol for symbol in self._wanted if not self._books[symbol].whole)
                symbol = next(broken, next(iter(self._wanted)))
                failures = self._wanted.pop(symbol)
                wait_s = await self._fetch_book(rest, symbol, failures)
                if wait_s:
                    self._later(symbol, failures + 1, wait_s)
                await self._outside.sleep(self._settings.book_pause / SECOND)
            self._want.clear()

    async def _fetch_book(self, rest: Rest, symbol: str, failures: int) -> float:
        """Tell the whole book of `symbol`; return 0, or in how many seconds to try again."""
        params = {"symbol": symbol, "limit": str(self._settings.book_levels)}
        try:
            data, _ = await rest.get("/fapi/v1/depth", params)
            snapshot = read_snapshot(data, symbol, self._outside.clock.now())
        except (Unanswered, Refused) as error:
            self.faults[f"book: {error.kind if isinstance(error, Unanswered) else error}"] += 1
            return self._outside.backoff_s(failures + 2, LONGEST_AGAIN_S)
        if not self._books[symbol].on_snapshot(snapshot):
            return AGAIN_S
        self._tell(snapshot)
        return 0.0

    def _later(self, symbol: str, failures: int, wait_s: float) -> None:
        async def again() -> None:
            await self._outside.sleep(wait_s)
            self._wanted.setdefault(symbol, failures)
            self._want.set()

        if self._group is not None:
            self._group.create_task(again())

    async def _refresh_books(self) -> None:
        while True:
            await self._outside.sleep(self._settings.book_refresh / SECOND)
            for symbol in self._books:
                self._ask_book(symbol)

    async def _learn_funding(self, rest: Rest) -> None:
        """Ask once how often each symbol is settled; where the venue does not say, 8 h stand until a time changes."""
        failures = 0
        while True:
            try:
                data, _ = await rest.get("/fapi/v1/fundingInfo", {})
            except Unanswered as error:
                if error.status in (400, 404):
                    return
                failures += 1
                await self._outside.sleep(self._outside.backoff_s(failures, LONGEST_AGAIN_S))
            else:
                self._reader.funding.learn(data)
                return
