"""Orders: what is proposed, how it may be sent, and what state it can be in.

Decimal begins here. A `Proposal` is a wish; only `policy.review` turns one into an
`Approved`, and only an `Approved` can be planned into a `PlaceOrder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Intent(StrEnum):
    """Why an order exists; restraints and grants speak of intents."""

    ENTRY = "ENTRY"
    SCALP = "SCALP"
    HEDGE = "HEDGE"
    EXIT = "EXIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    STOP = "STOP"
    FLATTEN = "FLATTEN"


ENTRY_INTENTS = frozenset({Intent.ENTRY, Intent.SCALP})
PROTECTIVE_INTENTS = frozenset({Intent.EXIT, Intent.TAKE_PROFIT, Intent.STOP, Intent.FLATTEN})


class OrderKind(StrEnum):
    """How the order executes."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    TAKE_PROFIT_MARKET = "take_profit_market"


CONDITIONAL_KINDS = frozenset({OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET})


class OrderState(StrEnum):
    """The life of an order as we know it. UNKNOWN counts as exposure until proven absent."""

    INTENDED = "intended"
    SENT = "sent"
    OPEN = "open"
    PARTLY_FILLED = "partly_filled"
    CANCELLING = "cancelling"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHHELD = "withheld"
    ABANDONED = "abandoned"
    """Proven absent after its fate was unknown: it never was, or never will be. A late appearance is an incident."""

    @property
    def final(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.WITHHELD,
        OrderState.ABANDONED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order that a strategy or risk would like, in base units and quote prices.

    `reference_price` is the mid when the wish was made: slippage is measured from it.
    `facts` are the order-scope signals the proposer alone knows (`order_late_chase_bps`,
    `order_expected_slippage_bps`); review binds the rest from the order itself.
    """

    proposer: str
    purpose: str
    """What it is for, unique among the proposer's live orders, e.g. `XYZUSDT/1/entry`."""
    intent: Intent
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal | None
    """None means the whole position (`close_position`)."""
    reference_price: Decimal
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    post_only: bool = False
    replaces: str | None = None
    """The client id of the order this one takes over from, cancelled once this one is accepted."""
    immediate: bool = False
    """Taken back at once where it does not fill (IOC); with a limit price, a taker whose slippage is capped."""
    continues: str | None = None
    """The client id of an ended order of the same purpose whose unfilled rest this one takes over."""
    at_most: Decimal | None = None
    """Never more than this (base), whatever cutbacks leave of `quantity`: the unfilled rest of what it continues."""
    facts: tuple[tuple[str, float], ...] = ()
    account: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A wish that a position be brought to `quantity` (signed base) reduce-only, and not left before it is there."""

    name: str
    """Who wants it and for which occasion, such as `stops/XYZUSDT/3`: the same name is one wish."""
    venue: str
    symbol: str
    why: str
    quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """A wish to take an order back. Needs no approval: a cancel never adds risk, except of a stop, which risk owns."""

    proposer: str
    client_id: str
    venue: str
    symbol: str
    why: str
    again: bool = False
    """It was asked for before and has to be asked for once more, because the order came late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What review must know of one position key: signed base quantity and the open orders' remaining quantities.

    `open_buys` and `open_sells` include SENT, CANCELLING and UNKNOWN orders: until proven
    absent they may fill. Stops and take-profits that are reduce-only are left out.
    """

    position: Decimal = Decimal(0)
    open_buys: Decimal = Decimal(0)
    open_sells: Decimal = Decimal(0)
    free_balance: Decimal | None = None
    """Free base balance on spot; None on futures."""
