"""What one USDT is worth in USD, as the market for other stablecoins says: once a period.

A pair such as USDCUSDT says what a dollar (as one issuer promises it) costs in USDT; one
USDT is worth the inverse. Each issuer can fail by itself, so the median of the pairs
counts, and only of those that are fresh, sound and agree. Where no majority agrees
nothing is told: silence becomes doubt, and doubt restrains without latching anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from engine.adapters.feed_binance_parse import Refused, believable, plain, whole
from engine.adapters.feed_line import Heard, LineLimits, Reply, Slot
from engine.adapters.feed_outside import UNREADABLE, Outside, read_json
from engine.adapters.feed_rest import Rest, Unanswered
from engine.model.market import OraclePrice
from engine.model.time import MINUTE, SECOND
from engine.ports.feed import ORACLE

TICKER = "/api/v3/ticker/bookTicker"


@dataclass(frozen=True, slots=True, kw_only=True)
class PegFeedSettings:
    """Where the peg is seen, and when it is believed. Durations in ns."""

    pairs: tuple[str, ...] = ("USDCUSDT", "FDUSDUSDT")
    """Each a stablecoin priced in USDT. With three or more, one that fails by itself is outvoted."""
    stream: str = "wss://stream.binance.com:9443/ws"
    rest: str = "https://api.binance.com"
    """Asked for a pair whose stream is silent."""
    period: int = MINUTE
    """That of the signal `peg_usdt_usd`: told at most once in each, counted from the full minute."""
    grace: int = 5 * SECOND
    """How long into a period all pairs are waited for; then those that are fresh must do."""
    fresh_for: int = 90 * SECOND
    """A quote that nothing has replaced is believed so long."""
    poll: int = 20 * SECOND
    """After so much silence of a pair's stream REST is asked, and again so often."""
    lowest: float = 0.2
    highest: float = 5.0
    """What one USDT can be worth; anything else is absurd."""
    widest: float = 0.02
    """Of a believable spread, as a part of the price."""
    agree: float = 0.01
    """Pairs further from the median (as a part of it) are left out; a majority must be left."""
    line: LineLimits = field(default_factory=lambda: LineLimits(silent_after=3 * MINUTE))

    def __post_init__(self) -> None:
        """ValueError where something cannot be."""
        wrong = [pair for pair in self.pairs if not pair.endswith("USDT") or not pair.isalnum() or pair == "USDT"]
        if wrong or not self.pairs or len(set(self.pairs)) != len(self.pairs):
            raise ValueError(f"pairs: {wrong or self.pairs}; write each once, such as USDCUSDT")
        if not self.stream.startswith(("ws://", "wss://")) or not self.rest.startswith(("http://", "https://")):
            raise ValueError("stream begins with wss:// or ws://, rest with https:// or http://")
        if min(self.period, self.grace, self.fresh_for, self.poll) <= 0 or self.grace >= self.period:
            raise ValueError("durations are positive, and grace is shorter than the period")
        if not (0 < self.lowest < 1 < self.highest and self.widest > 0 and self.agree > 0):
            raise ValueError("lowest < 1 < highest, and widest and agree are positive")

    @classmethod
    def at(cls, base: str, **others: object) -> PegFeedSettings:
        """Return the settings of a venue with one address for everything, such as ws://127.0.0.1:9443."""
        base = base.rstrip("/")
        urls = {"stream": f"{base}/stream.spot/ws", "rest": "http" + base.removeprefix("ws")}
        return cls(**urls, **others)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Seen:
    """The last that a pair said: what one USDT is worth, the venue's number of it, and when (monotonic, wall; ns)."""

    price: float
    number: str
    heard_at: int
    received_at: int


class PegFeed:
    """See `engine.ports.live_feed.LiveFeed`."""

    def __init__(self, settings: PegFeedSettings, outside: Outside) -> None:
        self._settings, self._outside = settings, outside
        self._seen: dict[str, Seen] = {}
        self._told = -1
        self.counts: Counter[str] = Counter()
        """What became of messages and periods: quotes by pair, `told`, and refusals by reason."""

    @property
    def name(self) -> str:
        """The feed's name, for people."""
        return "peg of USDT on Binance spot"

    @property
    def producers(self) -> frozenset[str]:
        """It stands for the oracle."""
        return frozenset({ORACLE})

    async def run(self) -> None:
        """Tell until cancelled."""
        settings = self._settings
        slot = Slot(settings.stream, settings.line, self._outside, self._hear, self._on_state)
        slot.add(f"{pair.lower()}@bookTicker" for pair in settings.pairs)
        async with Rest(settings.rest, self._outside) as rest, asyncio.TaskGroup() as group:
            group.create_task(slot.run())
            group.create_task(self._poll(rest))
            group.create_task(self._close_periods())

    def _on_state(self, slot: Slot, up: bool, why: str) -> None:
        self.counts["line opened" if up else "line ended"] += 1

    def _hear(self, raw: bytes, received_at: int) -> Heard:
        """Take a message of the stream; True for a pair's quote that can be believed."""
        try:
            data = read_json(raw)
            data = data.get("data", data)
            if "u" not in data:
                error = data.get("error") or data.get("msg")
                return Reply(whole(data["id"]), str(error)[:80] if error else "")
            self._see(data["s"], str(whole(data["u"])), [data[key] for key in "bBaA"], received_at)
        except Refused as refusal:
            self.counts[f"refused: {refusal}"] += 1
            return False
        except UNREADABLE:
            self.counts["refused: not a message"] += 1
            return False
        self._tell_if_whole()
        return True

    def _see(self, pair: Any, number: str, texts: list[Any], received_at: int) -> None:
        """Take a pair's quote: (bid, its size, ask, its size) as texts. Refused where it cannot be believed."""
        if pair not in self._settings.pairs:
            raise Refused("nobody asked for it")
        plain("".join(texts))
        bid, bid_size, ask, ask_size = (float(text) for text in texts)
        believable(bid, bid_size, ask, ask_size)
        middle = (bid + ask) / 2
        if ask - bid > self._settings.widest * middle:
            raise Refused("the spread is too wide")
        if not self._settings.lowest <= 1.0 / middle <= self._settings.highest:
            raise Refused("absurd")
        self._seen[pair] = Seen(1.0 / middle, number, self._outside.clock.monotonic(), received_at)
        self.counts[pair] += 1

    def _fresh(self, within: int) -> dict[str, Seen]:
        now = self._outside.clock.monotonic()
        return {
            pair: seen for pair in self._settings.pairs
            if (seen := self._seen.get(pair)) is not None and now - seen.heard_at < within
        }

    def _period(self) -> int:
        return self._outside.clock.now() // self._settings.period

    def _tell_if_whole(self) -> None:
        """Tell early in a period, once every pair has been heard."""
        if self._period() != self._told and len(self._fresh(self._settings.fresh_for)) == len(self._settings.pairs):
            self._tell()

    def _tell(self) -> None:
        agreed = _agreed(self._fresh(self._settings.fresh_for), self._settings.agree)
        if not agreed:
            self.counts["nothing to tell: no pair is fresh, or they disagree"] += 1
            return
        self._told = self._period()
        self.counts["told"] += 1
        self._outside.tell(OraclePrice(
            source="binance.spot:" + "+".join(agreed), asset="USDT", quote="USD",
            price=median(seen.price for seen in agreed.values()),
            round_id="+".join(seen.number for seen in agreed.values()),
            # The stream has no stamps: as old as the oldest that was counted.
            venue_at=min(seen.received_at for seen in agreed.values()), received_at=self._outside.clock.now(),
        ))

    async def _close_periods(self) -> None:
        """See that a period is told although a pair is missing."""
        settings = self._settings
        await self._outside.sleep(settings.grace / SECOND)
        while True:
            if self._period() != self._told:
                self._tell()
            left = settings.period - self._outside.clock.now() % settings.period
            await self._outside.sleep((left + settings.grace) / SECOND)

    async def _poll(self, rest: Rest) -> None:
        """Ask for pairs whose stream is silent, each by itself: one that is gone must not hide the others."""
        failures = 0
        while True:
            longer_s = self._outside.backoff_s(failures) if failures else 0.0
            await self._outside.sleep(self._settings.poll / SECOND + longer_s)
            lively = self._fresh(self._settings.poll)
            failed = False
            for pair in self._settings.pairs:
                if pair not in lively:
                    failed |= not await self._ask(rest, pair)
            failures = failures + 1 if failed else 0

    async def _ask(self, rest: Rest, pair: str) -> bool:
        try:
            data, _ = await rest.get(TICKER, {"symbol": pair})
        except Unanswered as error:
            self.counts[f"REST: {error.kind}"] += 1
            return False
        now = self._outside.clock.now()
        try:
            texts = [data[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")]
            self._see(data["symbol"], f"rest-{now // SECOND}", texts, now)
        except Refused as refusal:
            self.counts[f"REST: {refusal}"] += 1
            return False
        except UNREADABLE:
            self.counts["REST: not a quote"] += 1
            return False
        self._tell_if_whole()
        return True


def _agreed(seen: dict[str, Seen], within: float) -> dict[str, Seen]:
    """Return the pairs near the median of all, if they are a majority; else none."""
    if not seen:
        return {}
    middle = median(each.price for each in seen.values())
    near = {pair: each for pair, each in seen.items() if abs(each.price - middle) <= within * middle}
    return near if 2 * len(near) > len(seen) else {}
