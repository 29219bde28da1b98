"""What other stablecoins cost in USDT on the spot market: each pair by itself, once a period.

What the pairs say together of USDT and of each other is made of them in the core
(`engine.signals.pegs`), where it can be replayed. Here each is only read, checked for
being a sound quote, and told; a pair that falls silent is told no more, and ages there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from engine.adapters.feed_binance_parse import Refused, believable, plain, whole
from engine.adapters.feed_line import Heard, LineLimits, Reply, Slot
from engine.adapters.feed_outside import UNREADABLE, Outside, read_json
from engine.adapters.feed_rest import Rest, Unanswered
from engine.model.market import OraclePrice
from engine.model.time import MINUTE, SECOND
from engine.ports.feed import ORACLE

TICKER = "/api/v3/ticker/bookTicker"
SOURCE = "binance.spot"


@dataclass(frozen=True, slots=True, kw_only=True)
class PegFeedSettings:
    """Where the pegs are seen. Durations in ns."""

    pairs: tuple[str, ...] = ("USDCUSDT", "FDUSDUSDT")
    """Each a stablecoin priced in USDT. With two or more, one coin that fails by itself is told from USDT."""
    stream: str = "wss://stream.binance.com:9443/ws"
    rest: str = "https://api.binance.com"
    """Asked for a pair whose stream is silent."""
    period: int = MINUTE
    """That of the signals `peg_*_usd`: each pair is told at most once in each, counted from the full minute."""
    poll: int = 20 * SECOND
    """After so much silence of a pair's stream REST is asked, and again so often."""
    widest: float = 0.02
    """Of a believable spread, as a part of the price."""
    line: LineLimits = field(default_factory=lambda: LineLimits(silent_after=3 * MINUTE))

    def __post_init__(self) -> None:
        """ValueError where something cannot be."""
        wrong = [pair for pair in self.pairs if not pair.endswith("USDT") or not pair.isalnum() or pair == "USDT"]
        if wrong or not self.pairs or len(set(self.pairs)) != len(self.pairs):
            raise ValueError(f"pairs: {wrong or self.pairs}; write each once, such as USDCUSDT")
        if not self.stream.startswith(("ws://", "wss://")) or not self.rest.startswith(("http://", "https://")):
            raise ValueError("stream begins with wss:// or ws://, rest with https:// or http://")
        if min(self.period, self.poll) <= 0 or not self.widest > 0:
            raise ValueError("period, poll and widest are positive")

    @classmethod
    def at(cls, base: str, **others: object) -> PegFeedSettings:
        """Return the settings of a venue with one address for everything, such as ws://127.0.0.1:9443."""
        base = base.rstrip("/")
        urls = {"stream": f"{base}/stream.spot/ws", "rest": "http" + base.removeprefix("ws")}
        return cls(**urls, **others)  # type: ignore[arg-type]


class PegFeed:
    """See `engine.ports.live_feed.LiveFeed`."""

    def __init__(self, settings: PegFeedSettings, outside: Outside) -> None:
        self._settings, self._outside = settings, outside
        self._heard_at: dict[str, int] = {}
        """When each pair last said something that can be believed (monotonic, ns)."""
        self._told: dict[str, int] = {}
        """The period in which each pair was last told."""
        self.counts: Counter[str] = Counter()
        """What became of messages: quotes by pair, `told`, and refusals by reason."""

    @property
    def name(self) -> str:
        """The feed's name, for people."""
        return "stablecoins on Binance spot"

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
        return True

    def _see(self, pair: Any, number: str, texts: list[Any], received_at: int) -> None:
        """Take a pair's quote: (bid, its size, ask, its size) as texts. Refused where it cannot be believed.

        What price is absurd for a stablecoin is the core's to say: it must hear of it.
        """
        if pair not in self._settings.pairs:
            raise Refused("nobody asked for it")
        plain("".join(texts))
        bid, bid_size, ask, ask_size = (float(text) for text in texts)
        believable(bid, bid_size, ask, ask_size)
        middle = (bid + ask) / 2
        if ask - bid > self._settings.widest * middle:
            raise Refused("the spread is too wide")
        self._heard_at[pair] = self._outside.clock.monotonic()
        self.counts[pair] += 1
        period = self._outside.clock.now() // self._settings.period
        if self._told.get(pair) == period:
            return
        self._told[pair] = period
        self.counts["told"] += 1
        self._outside.tell(OraclePrice(
            source=SOURCE, asset=pair.removesuffix("USDT"), quote="USDT", price=middle, round_id=number,
            # The stream has no stamps of the venue.
            venue_at=received_at, received_at=received_at,
        ))

    async def _poll(self, rest: Rest) -> None:
        """Ask for pairs whose stream is silent, each by itself: one that is gone must not hide the others."""
        failures = 0
        while True:
            longer_s = self._outside.backoff_s(failures) if failures else 0.0
            await self._outside.sleep(self._settings.poll / SECOND + longer_s)
            now, failed = self._outside.clock.monotonic(), False
            for pair in self._settings.pairs:
                heard_at = self._heard_at.get(pair)
                if heard_at is None or now - heard_at >= self._settings.poll:
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
        return True
