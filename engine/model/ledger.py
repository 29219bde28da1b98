"""Our orders as we know them, and the look at them that those who propose orders get.

A record is immutable: what an event changes is a new record. What it says is what was
proven; where nothing is proven the order counts as exposure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from engine.model.codec import plain
from engine.model.orders import CONDITIONAL_KINDS, Intent, OrderKind, OrderState, Side
from engine.model.reports import Rejection

_WORKING = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED})
_HIDDEN_WHEN_REDUCING = frozenset({Intent.STOP, Intent.TAKE_PROFIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One order we sent. Quantities in base, prices in quote currency, times in ns."""

    client_id: str
    number: int
    """The order of planning; never used twice."""
    proposer: str
    purpose: str
    account: str
    venue: str
    symbol: str
    side: Side
    kind: OrderKind
    intent: Intent
    quantity: Decimal | None
    """None closes the whole position."""
    limit_price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    close_position: bool
    replaces: str | None
    sent_at: int
    moved_at: int
    """When `state` last changed."""
    state: OrderState = OrderState.SENT
    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    """Sum of price x quantity over the fills."""
    unseen: Decimal = Decimal(0)
    """Executed as the venue's end of the order says, though the fill has not reached us yet."""
    triggered_at: int = 0
    cancel_asked: bool = False
    code: str = ""
    reason: str = ""
    """Why the venue rejected or ended it, in its own words."""
    reference_price: Decimal = Decimal(0)
    """The price at the decision: what slippage is measured from."""
    venue_order_id: str = ""
    rejection: Rejection = Rejection.OTHER
    post_only: bool = False
    immediate: bool = False
    foreign: bool = False
    """Somebody else placed it; it was found at the venue and counts like one of ours."""

    @property
    def average_price(self) -> Decimal:
        """Return the average price of the fills, or 0 without any."""
        return self.cost / self.filled if self.filled else Decimal(0)

    @property
    def conditional(self) -> bool:
        """Whether it waits in the conditional book."""
        return self.kind in CONDITIONAL_KINDS

    @property
    def reduces(self) -> bool:
        """Whether the venue holds it to making the position smaller."""
        return self.reduce_only or self.close_position

    @property
    def live(self) -> bool:
        """Whether something may still happen to it, UNKNOWN and fills that have not reached us included."""
        return not self.state.final or self.unseen > 0

    @property
    def working(self) -> bool:
        """Whether the venue is known to hold it."""
        return self.state in _WORKING

    @property
    def may_have_filled(self) -> bool:
        """Whether any of it was, or may yet prove to be, executed."""
        return self.filled > 0 or self.live

    def may_fill(self) -> Decimal:
        """Return what counts as exposure beside the position: all that may still be executed, in base."""
        if self.state.final:
            return self.unseen
        if self.quantity is None or (self.reduces and self.intent in _HIDDEN_WHEN_REDUCING):
            return Decimal(0)
        return max(self.quantity - self.filled, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a purpose has come, over all orders that were sent for it. Quantities in base."""

    filled: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    """Sum of price x quantity over the fills."""
    live: Decimal = Decimal(0)
    """What its orders may still fill."""
    ended: bool = False
    """There were orders, and nothing can happen to any of them any more."""

    @property
    def average_price(self) -> Decimal:
        """Return the average price of the fills, or 0 without any."""
        return self.cost / self.filled if self.filled else Decimal(0)


def progress_of(attempts: Iterable[OrderRecord]) -> Progress:
    """Return what the orders of one purpose have come to together."""
    filled = cost = live = Decimal(0)
    known, ended = False, True
    for record in attempts:
        known = True
        filled += record.filled
        cost += record.cost
        live += record.may_fill()
        ended = ended and not record.live
    return Progress(filled=plain(filled), cost=plain(cost), live=plain(live), ended=known and ended)


class OrdersView(Protocol):
    """What strategies may look at: the state of orders, read only."""

    def order(self, client_id: str) -> OrderRecord | None:
        """Return the record of one order, or None if it is not ours or long gone."""

    def latest(self, proposer: str, purpose: str) -> OrderRecord | None:
        """Return the last order planned for `purpose`, or None."""

    def attempts(self, proposer: str, purpose: str) -> tuple[OrderRecord, ...]:
        """Return every order planned for `purpose` that is still remembered, oldest first."""

    def progress(self, proposer: str, purpose: str) -> Progress:
        """Return how far `purpose` has come: an order that follows the market is several, one after the other."""

    def live(self, venue: str, symbol: str) -> tuple[OrderRecord, ...]:
        """Return the orders to which something may still happen, oldest first."""
