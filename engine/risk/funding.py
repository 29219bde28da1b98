"""What each of our positions pays for being held, and how surely that is known.

A rate is the market's; a cost is ours: a long pays what a short receives. It is told while
a position is open, and as nothing once it was closed, so that what it set off can end. Of
a symbol that was never held nothing is told, and no rule may wait for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from engine.model.answers import AccountReported
from engine.model.codec import Data
from engine.model.events import Event, Input, OrderFilled
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.instruments import MarketKind
from engine.model.market import FundingRate
from engine.model.samples import Derived
from engine.model.time import SECOND
from engine.model.view import View
from engine.signals.funding import Known

EVERY = 30 * SECOND
"""Samples are never further apart than this, or rules would take silence for doubt."""

Key = tuple[str, str]
"""(venue, symbol)."""


class Rates(Protocol):
    """Where the rates are known."""

    def of(self, venue: str, symbol: str) -> Known | None:
        """Return what is known of one perpetual, or None before the first word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """How long rates are believed; durations in ns."""

    silent: int
    """A prediction not renewed for so long is no longer known; and so long may the next payment be late."""
    paid: int
    """How long a payment counts beside a newer prediction."""

    @classmethod
    def from_flags(cls, flags: Mapping[str, FlagValue]) -> Belief:
        """Return what the flags FUNDING_SILENT_SEC and FUNDING_PAID_SEC say."""
        return cls(
            silent=round(float(flags["FUNDING_SILENT_SEC"]) * SECOND),
            paid=round(float(flags["FUNDING_PAID_SEC"]) * SECOND),
        )


def cost_pct(position: Position, known: Known, at: int, belief: Belief) -> float | None:
    """Return what `position` pays for eight hours in per cent of itself, negative where it receives.

    The dearer of what is predicted and what was just paid, as far as either is believed at
    `at` (ns); None where neither is. A payment from before the position was opened is not
    ours where a prediction says what comes next.
    """
    sign = 1.0 if position.quantity > 0 else -1.0
    found: list[float] = []
    predicted, paid = known.predicted_pct(), known.paid_pct()
    if predicted is not None and at <= known.heard_at + belief.silent:
        found.append(predicted * sign)
        if paid is not None and position.opened_at <= known.paid_at and at < known.paid_at + belief.paid:
            found.append(paid * sign)
    elif paid is not None and at < known.paid_at + known.paid_interval + belief.silent:
        found.append(paid * sign)
    return max(found, default=None)


def silence(known: Known, at: int) -> int:
    """Return for how long a word on the funding is overdue (ns): a prediction since its last, a payment since its time.

    A payment that is told for the first time, so that nobody knows how often it is paid, is not awaited.
    """
    if known.rate is not None:
        return max(at - known.heard_at, 0)
    return max(at - known.paid_at - known.paid_interval, 0) if known.paid_interval else 0


class FundingCost:
    """The cost of every position of one account, as signals."""

    def __init__(self) -> None:
        self._held: dict[Key, None] = {}
        """Every symbol that a position was ever open in."""
        self._open: frozenset[str] = frozenset()
        """Of the open positions, for the cheap look at each rate."""
        self._sampled_at: int | None = None

    def interested(self, event: Event) -> bool:
        """Whether `event`, which is no order event, can change a cost; cheap: asked at every event."""
        if self._sampled_at is None:
            return True
        return type(event) is FundingRate and event.symbol in self._open

    def on_event(self, item: Input, view: View, rates: Rates, hedges: tuple[float, float]) -> list[Derived]:
        """Return the samples that an event leads to; `hedges` are (wanted, held) in USD."""
        event, at = item.event, item.at
        if self._sampled_at is None or type(event) in (OrderFilled, AccountReported):
            self._look(view)
            return self._all(at, view, rates, hedges)
        if type(event) is FundingRate and event.symbol in self._open:
            key = (event.venue, event.symbol)
            return self._cost(key, view, rates, at) if key in self._held else []
        return []

    def next_due(self) -> int | None:
        """Return when samples are due though nothing happened (ns); None before the first event."""
        return None if self._sampled_at is None else self._sampled_at + EVERY

    def on_timer(self, at: int, view: View, rates: Rates, hedges: tuple[float, float]) -> list[Derived]:
        """Return samples when the last are as old as they may get."""
        due = self.next_due()
        return self._all(at, view, rates, hedges) if due is not None and due <= at else []

    def _look(self, view: View) -> None:
        """Work out again what is held. Spot pays nothing for being held."""
        opened: list[str] = []
        for position in view.positions():
            instrument = view.instrument(position.venue, position.symbol)
            if instrument is not None and instrument.kind is MarketKind.PERPETUAL:
                self._held.setdefault((position.venue, position.symbol))
                opened.append(position.symbol)
        self._open = frozenset(opened)

    def _all(self, at: int, view: View, rates: Rates, hedges: tuple[float, float]) -> list[Derived]:
        self._sampled_at = at
        samples: list[Derived] = []
        longest = 0
        for key in self._held:
            samples += self._cost(key, view, rates, at)
            known = rates.of(*key)
            if known is not None and view.position(*key).quantity:
                longest = max(longest, silence(known, at))
        labels = (view.account,)
        samples.append(Derived("funding_silent_s", labels, longest / SECOND, at))
        samples.append(Derived("hedge_wanted_usd", labels, hedges[0], at))
        samples.append(Derived("hedge_held_usd", labels, hedges[1], at))
        return samples

    def _cost(self, key: Key, view: View, rates: Rates, at: int) -> list[Derived]:
        position, known = view.position(*key), rates.of(*key)
        if position.quantity == Decimal(0):
            return [Derived("funding_cost_pct", key, 0.0, at)]
        cost = None if known is None else cost_pct(position, known, at, Belief.from_flags(view.flags))
        return [] if cost is None else [Derived("funding_cost_pct", key, cost, at)]

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "held": [list(key) for key in self._held], "open": sorted(self._open), "sampled_at": self._sampled_at,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._held = dict.fromkeys((venue, symbol) for venue, symbol in data["held"])
        self._open, self._sampled_at = frozenset(data["open"]), data["sampled_at"]
