"""One wish that is worked as a maker, and what the maker gate's evidence hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from engine.model.events import OrderAccepted, OrderCancelled, OrderFilled, OrderRejected
from engine.model.ledger import OrderRecord
from engine.model.orders import OrderState, Proposal
from engine.model.reports import Rejection
from engine.model.samples import Derived
from engine.model.terms import Route

Key = tuple[str, str]
"""(proposer, purpose)."""


class Goal(StrEnum):
    """What is to become of the rest when the order that is being taken back has ended."""

    NONE = ""
    FOLLOW = "follow"
    """Post it again, where the touch is then."""
    THEN = "then"
    """What the route says comes after resting."""
    STOP = "stop"
    """Nothing: somebody else wanted the order gone."""


@dataclass(slots=True, kw_only=True)
class Work:
    """One wish that is worked as a maker. Quantities in base, times in ns."""

    wish: Proposal
    """As it was asked for, before it was routed and before cutbacks."""
    route: Route
    allowed: Decimal
    """What review let through, all its orders together."""
    client_id: str
    """The order that rests, or rested last."""
    limit: Decimal
    began_at: int
    away_since: int = 0
    """Since when the touch has been better than `limit`; 0 while it is not."""
    reprices: int = 0
    goal: Goal = Goal.NONE
    would_take: bool = False
    """The order was refused because it would have taken."""
    told_id: str = ""
    """The order of which the maker gate's evidence has heard."""
    outcome_told: bool = False
    """The gate's evidence has heard what came of it."""
    checked_at: int = 0

    @property
    def key(self) -> Key:
        """Whose wish it is."""
        return self.wish.proposer, self.wish.purpose

    @property
    def ends_at(self) -> int:
        """When its time to rest is over."""
        return self.began_at + self.route.timeout


def evidence(
    work: Work, record: OrderRecord, event: OrderAccepted | OrderRejected | OrderCancelled | OrderFilled
) -> list[Derived]:
    """Return what `event` says of makers, each thing once; `record` is the order as it is behind it."""
    samples: list[Derived] = []
    labels = (work.wish.venue, work.wish.symbol, work.wish.intent.value)
    venue_at = event.fill.venue_at if isinstance(event, OrderFilled) else event.venue_at
    took = _took(event, work, record)
    work.would_take = work.would_take or took
    if work.told_id != work.client_id and (took or isinstance(event, OrderAccepted)):
        work.told_id = work.client_id
        samples.append(Derived("maker_would_take", labels, 1.0 if took else 0.0, venue_at))
    outcome = _outcome(work, record)
    if outcome is not None and not work.outcome_told:
        work.outcome_told = True
        samples.append(Derived("maker_fill", labels, outcome, venue_at))
    return samples


def _took(event: object, work: Work, record: OrderRecord) -> bool:
    """Whether the venue says that the order would have taken."""
    if isinstance(event, OrderRejected):
        return event.kind is Rejection.WOULD_TAKE
    # Some venues accept first and let the order expire at once.
    expired = isinstance(event, OrderCancelled) and event.reason == "expired"
    return expired and work.goal is Goal.NONE and record.filled <= 0


def _outcome(work: Work, record: OrderRecord) -> float | None:
    """Return 1 where resting has filled all of it, 0 where that is over, None while it is open or tells nothing.

    What somebody else took back says nothing about makers.
    """
    if record.state is OrderState.FILLED:
        return 1.0
    exhausted = work.would_take and work.reprices >= work.route.reprices
    return 0.0 if record.state.final and (work.goal is Goal.THEN or exhausted) else None
