"""What the simulated exchange charges, how far away it is and how strict it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.model.time import MS, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From how short to how long something takes, both ends included, in ns."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """The terms of a simulated exchange. Fees are the instrument's own. Durations in ns."""

    account: str = "main"
    balances: tuple[tuple[str, Decimal], ...] = (("USDT", Decimal(10_000)),)
    """What the account holds at the start, in units of each asset."""
    seed: str = "0"
    """Enters every draw of a latency, so that two seeds give two exchanges."""
    order_travel: Span = Span(low=20 * MS, high=60 * MS)
    answer_travel: Span = Span(low=10 * MS, high=40 * MS)
    trigger_travel: Span = Span(low=5 * MS, high=25 * MS)
    """From the trigger of a conditional order until its market order meets the book."""
    uncertain_after: int = 5 * SECOND
    """How long the sender of an order waits for a reply that does not come (see `faults`)."""
    impact_bps: Decimal = Decimal(5)
    """Beyond the displayed levels each further touch size is this much worse than the one before."""
    price_band_bps: Decimal = Decimal(500)
    """How far from the mid an order may be priced or filled."""
    unseen_queue: Decimal = Decimal(2)
    """Where a level is not displayed, the queue there is taken for this many touch sizes."""
    remember_taken: int = 60 * SECOND
    """How long liquidity we took is gone at most, if the market does not refresh its level sooner."""
    leverage: Decimal = Decimal(20)
    """Notional per unit of margin; an order that needs more than is free is rejected."""
    max_conditional: int = 200
    """How many conditional orders may wait at once, all symbols together."""
    remembered: int = 256
    """How many ended orders, trades and movements of the balance can still be asked for, each."""
    trade_prefix: str = "sim-t"
    """How the id of every trade begins; its number follows."""
    funding: bool = False
    """Whether funding is paid on perpetuals at each multiple of the interval that the market's funding rate names."""
    one_close_per_side: bool = False
    """Whether a second close_position order of the same kind and side is rejected, as Binance does."""
