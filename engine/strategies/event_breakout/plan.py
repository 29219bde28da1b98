"""What is remembered of one listing, and one look at everything that concerns it.

A plan keeps only what the orders cannot tell: the state of an order is asked, not copied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.effects import PlanMade
from engine.model.instruments import Instrument
from engine.model.ledger import OrderRecord, OrdersView
from engine.model.market import Quote
from engine.model.orders import ENTRY_INTENTS, Cancellation, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.view import StrategyView
from engine.strategies.event_breakout.settings import Settings

STRATEGY = "event_breakout"

Wish = Proposal | Cancellation | PlanMade


@dataclass(slots=True, kw_only=True)
class Leg:
    """One entry: the first half, the second half, or the whole. Quantity in base."""

    name: str
    purpose: str
    ended: bool = False
    """Nothing more can come of its order."""
    filled: Decimal = Decimal(0)
    average: Decimal = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Plan:
    """One listing, from its announcement to the end of its position. Times in ns."""

    number: int
    venue: str
    symbol: str
    announcement: str
    announced_at: int
    reference: Decimal
    """The mid price when the announcement came: what the breakout and the chase are measured from."""
    realized_before: Decimal
    fees_before: Decimal
    legs: list[Leg] = field(default_factory=list)
    entered_at: int = 0
    """When the first fill was seen; 0 before."""
    peak: float = 0.0
    """The highest bid since."""
    stops: int = 0
    """How many stops on the whole position were proposed; the last is the current one."""
    raises: int = 0
    """The same of the stops that follow the price."""
    best_stop: Decimal = Decimal(0)
    """The highest trigger a stop of this plan was acknowledged with: it may only rise."""
    exits: int = 0
    leaving: str = ""
    """Why everything is to be sold, or empty."""
    told: list[str] = field(default_factory=list)
    """What of the story was told already."""
    retry: dict[str, int] = field(default_factory=dict)
    """What is not to be tried before when."""
    failures: dict[str, int] = field(default_factory=dict)
    checked_at: int = 0
    """When the plan was last looked at."""

    @property
    def base(self) -> str:
        """The beginning of every purpose of this plan."""
        return f"{self.symbol}/{self.number}"

    def may(self, what: str, at: int) -> bool:
        """Whether `what` may be tried at `at`."""
        return at >= self.retry.get(what, 0)

    def failed(self, what: str) -> int:
        """Count one more failure of `what`; return how many that makes."""
        self.failures[what] = self.failures.get(what, 0) + 1
        return self.failures[what]

    def story(self, at: int, state: str, text: str) -> PlanMade:
        """Return one line of the plan's story."""
        return PlanMade(at=at, strategy=STRATEGY, symbol=self.symbol, state=state, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Everything about one plan at one instant. `held` is the signed position in base."""

    at: int
    view: StrategyView
    orders: OrdersView
    settings: Settings
    quote: Quote | None
    instrument: Instrument | None
    held: Decimal
    average: Decimal

    def mine(self, plan: Plan) -> list[OrderRecord]:
        """Return the plan's live orders, oldest first."""
        prefix = plan.base + "/"
        return [
            record for record in self.orders.live(plan.venue, plan.symbol)
            if record.proposer == STRATEGY and record.purpose.startswith(prefix)
        ]

    def latest(self, purpose: str) -> OrderRecord | None:
        """Return the last order for `purpose`."""
        return self.orders.latest(STRATEGY, purpose)

    def mid(self) -> Decimal | None:
        """Return the mid price, or None before the first quote."""
        return None if self.quote is None else mid_of(self.quote)

    def sellable(self) -> Decimal:
        """Return how much of the position the venue would take in an order; 0 when only dust is left."""
        if self.instrument is None or self.held <= 0:
            return Decimal(0)
        quantity = self.instrument.floor_quantity(self.held)
        return quantity if quantity >= self.instrument.min_quantity else Decimal(0)


def mid_of(quote: Quote) -> Decimal:
    """Return the exact mid price of `quote`."""
    return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2


_KINDS = {
    Intent.STOP: OrderKind.STOP_MARKET, Intent.TAKE_PROFIT: OrderKind.LIMIT, Intent.EXIT: OrderKind.MARKET,
}


def selling(plan: Plan, now: Moment, purpose: str, *, intent: Intent, quantity: Decimal | None) -> Proposal:
    """Return a sell order that can only make the position smaller; None closes the whole of it."""
    reference = now.mid() or now.average
    return Proposal(
        proposer=STRATEGY, purpose=purpose, intent=intent, venue=plan.venue, symbol=plan.symbol, side=Side.SELL,
        kind=_KINDS[intent], quantity=quantity, reference_price=reference, reduce_only=quantity is not None,
        close_position=quantity is None, account=now.view.account,
    )


def cancelling(record: OrderRecord, why: str) -> Cancellation:
    """Return the wish to take `record` back."""
    return Cancellation(
        proposer=STRATEGY, client_id=record.client_id, venue=record.venue, symbol=record.symbol, why=why
    )


def can_cancel(record: OrderRecord) -> bool:
    """Whether asking for it back is of any use and was not done.

    Of an entry it is said once more: it may be on its way back only to be sent again elsewhere.
    """
    if record.intent in ENTRY_INTENTS:
        return not record.state.final
    return not record.state.final and not record.cancel_asked and record.state is not OrderState.CANCELLING
