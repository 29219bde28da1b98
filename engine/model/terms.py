"""On what terms orders are worked: how doubt about them is resolved, and how an intent is routed.

Set in `conf/engine.yaml`, the same for a whole run. Durations in ns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engine.model.orders import Intent
from engine.model.time import HOUR, MINUTE, MS, SECOND


class Style(StrEnum):
    """How an approved wish is executed."""

    MARKET = "market"
    """A market order: fills now, whatever it costs."""
    CAPPED = "capped"
    """Takes what is offered up to a cap on slippage, and takes the rest back (IOC)."""
    MAKER = "maker"
    """Rests at the touch, post-only, and follows it; needs a grant, and without one it is `CAPPED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How orders of one intent are executed, on one symbol or (empty) on all."""

    intent: Intent
    symbol: str = ""
    style: Style = Style.MARKET
    cap_bps: float = 30.0
    """For CAPPED: how much worse than the reference price it may fill."""
    reprice_after: int = 2 * SECOND
    """For MAKER: how long the touch may have moved away before the order follows it."""
    reprices: int = 5
    """For MAKER: how often it may follow."""
    timeout: int = 20 * SECOND
    """For MAKER: how long it may rest in all."""
    then: Style | None = Style.CAPPED
    """For MAKER: what becomes of the rest after the timeout; None gives it up."""


class Foreign(StrEnum):
    """What to do about an order or a position at the venue that is not ours."""

    ALERT = "alert"
    """Tell a person, and count it; nothing is begun on its symbol while it is there."""
    ADOPT = "adopt"
    """Treat it as ours: it counts as exposure, a position gets its stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionTerms:
    """The terms of a run."""

    first_lookup: int = 500 * MS
    longest_lookup: int = 8 * SECOND
    """An order of unknown fate is looked up after the first, each time twice as late up to the longest."""
    absent_grace: int = 15 * SECOND
    """No order is proven absent sooner than this after it was sent, whatever a book says."""
    in_flight: int = 5 * SECOND
    """An order or a cancel without any answer for this long is of unknown fate."""
    reconcile_every: int = 30 * SECOND
    """Between two questions for the whole account while a position or an order is open."""
    reconcile_idle: int = 5 * MINUTE
    """The same while nothing is open."""
    reconcile_stale: int = 2 * MINUTE
    """Beyond its time, after which an account that does not answer counts as not reconciled."""
    income_every: int = HOUR
    foreign_orders: Foreign = Foreign.ALERT
    foreign_positions: Foreign = Foreign.ADOPT
    hedge_symbol: str = "BTCUSDT"
    """The perpetual, at the venue of what is hedged, in which hedges are held; empty for none."""
    hedge_quote_age: int = 10 * SECOND
    """No hedge is worked out or sent at an older price."""
    routes: tuple[Route, ...] = field(default_factory=tuple)

    def route(self, intent: Intent, symbol: str) -> Route:
        """Return the route of `intent` on `symbol`: the symbol's own, else the intent's, else market."""
        for wanted in (symbol, ""):
            for route in self.routes:
                if route.intent is intent and route.symbol == wanted:
                    return route
        return Route(intent=intent)
