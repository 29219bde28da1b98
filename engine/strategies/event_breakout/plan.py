"""What is remembered of one listing, and one look at everything that concerns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.ledger import OrderRecord
from engine.strategies.event_breakout.settings import Settings
from engine.strategies.trade import Glance, Trade

STRATEGY = "event_breakout"


@dataclass(slots=True, kw_only=True)
class Leg:
    """One entry: the first half, the second half, or the whole. Quantity in base."""

    name: str
    purpose: str
    ended: bool = False
    """Nothing more can come of its order."""
    filled: Decimal = Decimal(0)
    average: Decimal = Decimal(0)
    why: str = ""
    """Why its size is not the usual one."""


@dataclass(slots=True, kw_only=True)
class Plan(Trade):
    """One listing, from its announcement to the end of its position. Times in ns."""

    announcement: str
    """The article: it is one event, whatever it names."""
    coin: str
    announced_at: int
    reference: Decimal
    """The mid price when the announcement came: what the breakout and the chase are measured from."""
    legs: list[Leg] = field(default_factory=list)
    peak: float = 0.0
    """The highest bid since the first fill."""
    refusals: list[str] = field(default_factory=list)
    """Why policy refused an entry since the last look."""
    raises: int = 0
    """How many stops that follow the price were proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(Glance):
    """One look at a plan, with what the flags say now."""

    settings: Settings

    def latest(self, purpose: str) -> OrderRecord | None:
        """Return the last order for `purpose`."""
        return self.orders.latest(STRATEGY, purpose)
