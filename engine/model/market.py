"""What a market told us: the hot path's values, floats and integer nanoseconds.

Prices are in quote currency per 1 base, sizes in base. `venue_at` is the venue's own
stamp, `received_at` ours (Clock port); age is counted from `received_at`, because venue
clocks drift. Every market event has both, `venue` and, but for oracles, `symbol`.
"""

from __future__ import annotations

from dataclasses import dataclass

Levels = tuple[tuple[float, float], ...]
"""(price, size) pairs, best first in a snapshot; size 0 in a delta removes the level."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask of one instrument."""

    venue: str
    symbol: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade; `aggressor_buys` is true when the taker bought."""

    venue: str
    symbol: str
    price: float
    size: float
    aggressor_buys: bool
    trade_id: str
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class DepthDelta:
    """Changed levels of a book. Applies when `previous_id` (futures) or `first_id` continues the book's id."""

    venue: str
    symbol: str
    bids: Levels
    asks: Levels
    first_id: int
    last_id: int
    previous_id: int
    """The last id before this delta, or -1 where the venue does not say (spot)."""
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class DepthSnapshot:
    """A whole book, as far as the venue shows it."""

    venue: str
    symbol: str
    bids: Levels
    asks: Levels
    last_id: int
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One finished bar; `venue_at` is its start, `received_at` its end."""

    venue: str
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    interval: int
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class OraclePrice:
    """What a reference (an oracle round) says 1 `asset` is worth in `quote`, e.g. USDT in USD."""

    source: str
    asset: str
    quote: str
    price: float
    round_id: str
    venue_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class FundingRate:
    """The funding rate of a perpetual, as a fraction per interval: what is predicted, or what was paid.

    `venue_at` of a paid one is when it was paid. Longs pay a positive rate, shorts receive it.
    """

    venue: str
    symbol: str
    rate: float
    interval: int
    """Between two payments (ns); 0 where the venue does not say."""
    venue_at: int
    received_at: int
    paid: bool = False
    next_at: int = 0
    """When what is predicted will be paid (ns); 0 where the venue does not say."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A venue's public announcement, already read.

    `kind` is listing (of a coin on spot; older tapes say it of futures too), futures_launch, trading_start,
    delisting or other.
    """

    source: str
    announcement_id: str
    kind: str
    title: str
    symbols: tuple[str, ...]
    """The trading symbols it is about, such as `XYZUSDT`."""
    venue_at: int
    received_at: int
    market: str = ""
    """spot or futures; empty where it does not say, and on older tapes."""
    trading_at: int = 0
    """When trading starts by its text (ns since the epoch), 0 where that is not known for sure."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A producer is alive though it has nothing to say: a successful poll, a pong with content."""

    producer: str
    received_at: int


@dataclass(frozen=True, slots=True)
class FeedState:
    """A feed's connection opened or closed."""

    venue: str
    connected: bool
    reason: str
    received_at: int


@dataclass(frozen=True, slots=True)
class FeedDropped:
    """The queue had to drop `count` market events of one stream; `symbol` may be empty."""

    venue: str
    symbol: str
    stream: str
    count: int
    received_at: int


MarketEvent = (
    Quote | Trade | DepthDelta | DepthSnapshot | Bar | OraclePrice | FundingRate
    | Announcement | Heartbeat | FeedState | FeedDropped
)
