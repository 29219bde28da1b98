"""What the core works out once a day: what could be lost, and who misbehaved. Effects; the shell files them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAtRisk:
    """One position of a measurement."""

    venue: str
    symbol: str
    notional_usd: Decimal
    """Signed: below zero for a short position."""
    returns: int
    """Days of the lookback whose return is known."""
    basis: str
    """`history`, or the move that was taken for every day because there is none, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """What one day of the past would have done to the positions whose history is known."""

    day: str
    usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMeasured:
    """Value at risk at the daily boundary: everything it was made of, so that anybody can work it out again."""

    at: int
    day: str
    """The local date that begins here."""
    var_usd: Decimal
    confidence_pct: float
    lookback_days: int
    quantile: str
    """Which of the losses it is, in words."""
    unknown_usd: Decimal
    """What positions without a history add, whatever the day; part of `var_usd`."""
    held: tuple[HeldAtRisk, ...]
    results: tuple[DayResult, ...]
    """By day, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """A symbol that nobody is to enter until `until` (ns), and why, in a line."""

    symbol: str
    until: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OffendersJudged:
    """Which symbols the denylist is to hold after the day that ended; by symbol."""

    at: int
    day: str
    """The local date that begins here."""
    offences: tuple[Offence, ...]
