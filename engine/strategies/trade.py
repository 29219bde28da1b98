"""What every strategy here remembers of one trade, and one look at everything that concerns it.

A trade keeps only what the orders cannot tell: the state of an order is asked, not copied.
All trades are long: bought, protected at the venue at once, sold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.effects import PlanMade
from engine.model.instruments import Instrument
from engine.model.ledger import OrderRecord, OrdersView
from engine.model.market import Quote
from engine.model.orders import ENTRY_INTENTS, Cancellation, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.samples import Derived
from engine.model.time import SECOND
from engine.model.view import StrategyView

Wish = Proposal | Cancellation | PlanMade | Derived

FIRST_RETRY, LONGEST_RETRY = 5 * SECOND, 60 * SECOND
"""An entry that came to nothing is tried again after the first, each time twice as late, up to the longest."""


@dataclass(slots=True, kw_only=True)
class Trade:
    """One trade, from the wish for it to the end of its position. Times in ns."""

    strategy: str
    """The proposer of its orders."""
    number: int
    venue: str
    symbol: str
    realized_before: Decimal
    fees_before: Decimal
    entered_at: int = 0
    """When the first fill was seen; 0 before."""
    stops: int = 0
    """How many stops on the whole position were proposed; the last is the current one."""
    best_stop: Decimal = Decimal(0)
    """The highest trigger a stop of this trade was acknowledged with: it may only rise."""
    exits: int = 0
    leaving: str = ""
    """Why everything is to be sold, or empty."""
    told: list[str] = field(default_factory=list)
    """What of the story was told already."""
    retry: dict[str, int] = field(default_factory=dict)
    """What is not to be tried before when."""
    failures: dict[str, int] = field(default_factory=dict)
    checked_at: int = 0
    """When the trade was last looked at."""

    @property
    def base(self) -> str:
        """The beginning of every purpose of this trade."""
        return f"{self.symbol}/{self.number}"

    def may(self, what: str, at: int) -> bool:
        """Whether `what` may be tried at `at`."""
        return at >= self.retry.get(what, 0)

    def failed(self, what: str) -> int:
        """Count one more failure of `what`; return how many that makes."""
        self.failures[what] = self.failures.get(what, 0) + 1
        return self.failures[what]

    def put_off_entry(self, at: int) -> None:
        """Do not try an entry again for a while; longer each time."""
        tries = self.failed("put_off")
        self.retry["entry"] = at + min(FIRST_RETRY * 2 ** min(tries - 1, 6), LONGEST_RETRY)

    def story(self, at: int, state: str, text: str) -> PlanMade:
        """Return one line of the trade's story."""
        return PlanMade(at=at, strategy=self.strategy, symbol=self.symbol, state=state, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Everything about one trade at one instant. `held` is the signed position in base."""

    at: int
    view: StrategyView
    orders: OrdersView
    quote: Quote | None
    instrument: Instrument | None
    held: Decimal
    average: Decimal

    def mine(self, trade: Trade) -> list[OrderRecord]:
        """Return the trade's live orders, oldest first."""
        prefix = trade.base + "/"
        return [
            record for record in self.orders.live(trade.venue, trade.symbol)
            if record.proposer == trade.strategy and record.purpose.startswith(prefix)
        ]

    def mid(self) -> Decimal | None:
        """Return the mid price, or None before the first quote."""
        return None if self.quote is None else mid_of(self.quote)

    def sellable(self) -> Decimal:
        """Return how much of the position the venue would take in an order; 0 when only dust is left."""
        if self.instrument is None or self.held <= 0:
            return Decimal(0)
        quantity = self.instrument.floor_quantity(self.held)
        return quantity if quantity >= self.instrument.min_quantity else Decimal(0)

    def somebody_else(self, trade: Trade) -> bool:
        """Whether the symbol is taken: a position that is not this trade's, or an order of others that may open one."""
        if self.held != 0 and not trade.entered_at:
            return True
        return any(
            record.proposer != trade.strategy and not record.reduces
            for record in self.orders.live(trade.venue, trade.symbol)
        )


def mid_of(quote: Quote) -> Decimal:
    """Return the exact mid price of `quote`."""
    return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2


_KINDS = {
    Intent.STOP: OrderKind.STOP_MARKET, Intent.TAKE_PROFIT: OrderKind.LIMIT, Intent.EXIT: OrderKind.MARKET,
}


def selling(trade: Trade, now: Glance, purpose: str, *, intent: Intent, quantity: Decimal | None) -> Proposal:
    """Return a sell order that can only make the position smaller; None closes the whole of it."""
    reference = now.mid() or now.average
    return Proposal(
        proposer=trade.strategy, purpose=purpose, intent=intent, venue=trade.venue, symbol=trade.symbol,
        side=Side.SELL, kind=_KINDS[intent], quantity=quantity, reference_price=reference,
        reduce_only=quantity is not None, close_position=quantity is None, account=now.view.account,
    )


def cancelling(record: OrderRecord, why: str) -> Cancellation:
    """Return the wish to take `record` back."""
    return Cancellation(
        proposer=record.proposer, client_id=record.client_id, venue=record.venue, symbol=record.symbol, why=why
    )


def can_cancel(record: OrderRecord) -> bool:
    """Whether asking for it back is of any use and was not done.

    Of an entry it is said once more: it may be on its way back only to be sent again elsewhere.
    """
    if record.intent in ENTRY_INTENTS:
        return not record.state.final
    return not record.state.final and not record.cancel_asked and record.state is not OrderState.CANCELLING
