"""What is worked out at the daily boundary from what the core holds: value at risk, and who offends.

Value at risk is told as a signal after every fill too: a guard that looked once a day would look
while everything is flat.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from engine.core.state import State
from engine.model.codec import plain
from engine.model.effects import Effect
from engine.model.nightly import DayResult, HeldAtRisk, OffendersJudged, RiskMeasured
from engine.model.samples import Derived
from engine.model.time import DAY
from engine.risk.days import returns_of
from engine.risk.value_at_risk import Key, Measured, Terms, terms_of, value_at_risk
from engine.risk.wanted import wanted

SIGNAL = "var_usd"
_EPOCH = date(1970, 1, 1).toordinal()


def risk_now(state: State, at: int) -> list[Derived]:
    """Return the value at risk of what is held at `at` (ns) as a sample."""
    measured = _measure(_held(state), state, at, terms_of(state.flags.values))
    return [Derived(SIGNAL, (state.account,), float(measured.var_usd), at)]


def end_day(state: State, at: int, day: str, out: list[Effect]) -> list[Derived]:
    """Tell what the day that ended leaves: `day` is the local date that begins at `at` (ns). Returns its samples."""
    flags = state.flags.values
    samples = list(state.prices.settle(at, flags))
    terms, held = terms_of(flags), _held(state)
    measured = _measure(held, state, at, terms)
    out.append(_told(held, measured, terms, at, day))
    offences = state.offenders.end_day(at, day, state.prices.words(), flags)
    if wanted(flags, "DENYLIST_REFRESH_ENABLED"):
        out.append(OffendersJudged(at=at, day=day, offences=offences))
    return [*samples, Derived(SIGNAL, (state.account,), float(measured.var_usd), at)]


def _held(state: State) -> dict[Key, Decimal]:
    """Return what each open position is worth, signed: at its mid, or at its entry price where nobody quotes it."""
    found: dict[Key, Decimal] = {}
    for one in state.look.positions():
        quote, instrument = state.look.quote(one.venue, one.symbol), state.look.instrument(one.venue, one.symbol)
        price = one.average_price if quote is None else (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2
        found[one.venue, one.symbol] = one.quantity * price * (1 if instrument is None else instrument.contract_size)
    return found


def _measure(held: dict[Key, Decimal], state: State, at: int, terms: Terms) -> Measured:
    returns = {key: returns_of(state.prices.closes(key)) for key in held}
    return value_at_risk(held, returns, at // DAY, terms)


def _told(held: dict[Key, Decimal], measured: Measured, terms: Terms, at: int, day: str) -> RiskMeasured:
    count = len(measured.results)
    moved = f"taken to lose {float(measured.move_pct):g} % on any day"
    none = "no position has a history of its own" if held else "nothing is held"
    return RiskMeasured(
        at=at, day=day, var_usd=measured.var_usd, unknown_usd=measured.unknown_usd,
        confidence_pct=float(terms.confidence_pct), lookback_days=terms.lookback,
        quantile=f"loss {measured.rank} of {count} in rising order, not interpolated" if count else none,
        held=tuple(
            HeldAtRisk(
                venue=key[0], symbol=key[1], notional_usd=plain(round(held[key], 2)), returns=measured.returns[key],
                basis=moved if key in measured.short else "history",
            )
            for key in sorted(held)
        ),
        results=tuple(
            DayResult(day=date.fromordinal(_EPOCH + number).isoformat(), usd=plain(usd))
            for number, usd in measured.results
        ),
    )
