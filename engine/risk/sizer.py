"""Risk parity: what moves twice as much is entered half as large.

An entry is worth `usual x RISK_PARITY_TARGET_PCT / ATR%`, at most RISK_PARITY_MAX_NOTIONAL_USD,
at least RISK_PARITY_MIN_NOTIONAL_USD, and never more than its strategy asked for: turning
risk parity on only ever makes entries smaller. A symbol of which too little is known, or
that did not move at all, is entered at the minimum. Money in quote currency, taken as USD.
The rules' own cutbacks come on top of it, in review.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from engine.model.codec import decimal_text, plain
from engine.model.flags import FlagValue
from engine.model.sizing import Sized
from engine.model.time import parse_duration
from engine.risk.course import Candle, average_range_pct
from engine.risk.wanted import wanted

ENABLED, SPAN, COUNT, TARGET = "RISK_PARITY_ENABLED", "RISK_PARITY_TF", "RISK_PARITY_N", "RISK_PARITY_TARGET_PCT"
LEAST, MOST = "RISK_PARITY_MIN_NOTIONAL_USD", "RISK_PARITY_MAX_NOTIONAL_USD"


def span_of(flags: Mapping[str, FlagValue]) -> int:
    """Return the length of the bars that `flags` want, ns."""
    return parse_duration(str(wanted(flags, SPAN)))


def count_of(flags: Mapping[str, FlagValue]) -> int:
    """Return how many bars `flags` want to be averaged."""
    return int(wanted(flags, COUNT))


def sized(bars: Sequence[Candle], usual: Decimal, at: int, flags: Mapping[str, FlagValue]) -> Sized:
    """Return what an entry of the usual size `usual` is to be worth at `at` (ns); `bars` are of RISK_PARITY_TF.

    Bars of which the newest ended longer ago than the average reaches back are no evidence.
    """
    if not wanted(flags, ENABLED):
        return Sized(notional=usual)
    count, word = count_of(flags), str(wanted(flags, SPAN))
    found = average_range_pct(bars, count)
    if found is None:
        return _least(usual, flags, f"{len(bars)} of {count} bars of {word} are known")
    span = span_of(flags)
    if at - (bars[-1].start + span) > count * span:
        return _least(usual, flags, f"the last bar of {word} is older than {count} of them")
    if found <= 0:
        return _least(usual, flags, f"no bar of {word} moved at all")
    target = Fraction(str(wanted(flags, TARGET)))
    parity = max(Fraction(usual) * target / found, Fraction(str(wanted(flags, LEAST))))
    allowed = min(parity, Fraction(str(wanted(flags, MOST))), Fraction(usual))
    if allowed == Fraction(usual):
        return Sized(notional=usual)
    notional = _cents(allowed)
    return Sized(
        notional=notional,
        why=f"risk parity: a bar of {word} moves {float(found):.2f} % of the price on average, the target is "
        f"{float(target):g} %: {decimal_text(notional)} instead of {decimal_text(usual)}",
    )


def _least(usual: Decimal, flags: Mapping[str, FlagValue], what: str) -> Sized:
    notional = _cents(min(Fraction(usual), Fraction(str(wanted(flags, LEAST)))))
    return Sized(
        notional=notional,
        why=f"risk parity: {what}: {decimal_text(notional)} instead of {decimal_text(usual)}",
    )


def _cents(amount: Fraction) -> Decimal:
    """Return `amount`, floored to hundredths."""
    return plain(Decimal(amount.numerator * 100 // amount.denominator).scaleb(-2))
