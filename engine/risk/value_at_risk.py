"""Value at risk by historical simulation: what the days of the past would do to what is held now.

Every day of the lookback for which each position's return is known gives one result: the sum
of notional x return. The value at risk is the smallest loss that at least
VAR_CONFIDENCE_PCT of these days stay within: of n losses in rising order the one numbered
ceil(n x confidence), never interpolated (the inverse of the empirical distribution: type 1 of
Hyndman and Fan, 1996), at least 0 and rounded up to a cent. A position without enough days has
no say in which day is bad: it is taken to lose VAR_UNKNOWN_MOVE_PCT of its worth on any of them, or
the worst move of the rest where that was more. Sums are of integers, so their order is no matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from engine.model.flags import FlagValue
from engine.risk.days import PARTS
from engine.risk.wanted import wanted

Key = tuple[str, str]
"""(venue, symbol)."""
_MICRO = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the flags say. Percentages exact."""

    confidence_pct: Fraction
    lookback: int
    least_days: int
    unknown_pct: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came out. Money in quote currency, taken as USD."""

    var_usd: Decimal
    unknown_usd: Decimal
    rank: int
    """Which of the losses in rising order it is, from 1; 0 where no day was simulated."""
    results: tuple[tuple[int, Decimal], ...]
    """(day, what it would have brought), the oldest first."""
    returns: Mapping[Key, int]
    """How many returns of each position are known."""
    short: frozenset[Key]
    """Positions without enough days."""
    move_pct: Fraction
    """What those are taken to move, in percent."""


class _Book(NamedTuple):
    """What is held: micros (1e-6 USD, signed) by position, and the returns that are known."""

    micros: Mapping[Key, int]
    returns: Mapping[Key, Mapping[int, int]]


def terms_of(flags: Mapping[str, FlagValue]) -> Terms:
    """Return what `flags` say."""
    return Terms(
        confidence_pct=Fraction(str(wanted(flags, "VAR_CONFIDENCE_PCT"))),
        lookback=int(wanted(flags, "VAR_LOOKBACK_DAYS")), least_days=int(wanted(flags, "VAR_MIN_DAYS")),
        unknown_pct=Fraction(str(wanted(flags, "VAR_UNKNOWN_MOVE_PCT"))),
    )


def value_at_risk(
    held: Mapping[Key, Decimal], returns: Mapping[Key, Mapping[int, int]], today: int, terms: Terms
) -> Measured:
    """Return the value at risk of `held` (signed notionals) on day number `today`, which is not over.

    `returns` are those of days, in billionths (see `days.returns_of`); they may hold more than is asked for.
    """
    first = today - terms.lookback
    book = _Book(
        {key: round(Fraction(held[key]) * _MICRO) for key in sorted(held)},
        {key: {day: one for day, one in returns.get(key, {}).items() if first <= day < today} for key in sorted(held)},
    )
    known, days = _common(book, terms.least_days)
    worst = max((abs(book.returns[key][day]) for key in known for day in days), default=0)
    move = max(terms.unknown_pct / 100, Fraction(worst, PARTS))
    short = frozenset(key for key in held if key not in known)
    unknown = sum((abs(book.micros[key]) * move for key in sorted(short)), Fraction(0)) / _MICRO
    results = [(day, sum(book.micros[key] * book.returns[key][day] for key in known)) for day in days]
    losses = sorted(-result for _, result in results)
    rank = -(-len(losses) * terms.confidence_pct // 100) if losses else 0
    simulated = Fraction(max(0, losses[rank - 1]), _MICRO * PARTS) if losses else Fraction(0)
    return Measured(
        var_usd=_up(simulated + unknown), unknown_usd=_up(unknown), rank=int(rank),
        results=tuple((day, _near(Fraction(result, _MICRO * PARTS))) for day, result in results),
        returns={key: len(found) for key, found in book.returns.items()}, short=short, move_pct=move * 100,
    )


def _common(book: _Book, least: int) -> tuple[Sequence[Key], Sequence[int]]:
    """Return the positions with a history and the days that all of them know, at least `least`.

    Where they have too few in common, who knows the fewest goes first: the last by name among equals.
    """
    known = [key for key, found in book.returns.items() if len(found) >= least]
    while known:
        days = set(book.returns[known[0]]).intersection(*(book.returns[key] for key in known[1:]))
        if len(days) >= least:
            return known, sorted(days)
        fewest = min(len(book.returns[key]) for key in known)
        known.remove(max(key for key in known if len(book.returns[key]) == fewest))
    return (), ()


def _up(amount: Fraction) -> Decimal:
    return Decimal(-(-amount.numerator * 100 // amount.denominator)).scaleb(-2)


def _near(amount: Fraction) -> Decimal:
    return Decimal(round(amount * 100)).scaleb(-2)
