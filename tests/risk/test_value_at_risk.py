"""Value at risk: against a plain reading with fractions, against SQL over recorded bars, and its edges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.market import Bar
from engine.model.time import DAY, HOUR, MINUTE
from engine.risk.days import PARTS, Days, returns_of
from engine.risk.prices import Prices
from engine.risk.value_at_risk import Key, Measured, Terms, value_at_risk
from tests.risk.bars_kit import ON
from tests.shared_data import MARKET_DATA, needs_shared

A, B, C = ("paper", "AUSDT"), ("paper", "BUSDT"), ("paper", "CUSDT")
TERMS = Terms(confidence_pct=Fraction(99), lookback=250, least_days=5, unknown_pct=Fraction(30))


def pct(*values: float, first: int = 0) -> dict[int, int]:
    """Return returns (percent) of days in a row."""
    return {first + number: round(value * PARTS / 100) for number, value in enumerate(values)}


def risk(held: Mapping[Key, str], returns: Mapping[Key, Mapping[int, int]], today: int, **terms: Any) -> Measured:
    """Return the value at risk of notionals given as text, under TERMS with changes."""
    known = {name: getattr(TERMS, name) for name in ("confidence_pct", "lookback", "least_days", "unknown_pct")}
    amounts = {key: Decimal(text) for key, text in held.items()}
    return value_at_risk(amounts, returns, today, Terms(**{**known, **terms}))


# -- the measure ----------------------------------------------------------------------------


def test_nothing_held_is_nothing_at_risk() -> None:
    found = risk({}, {}, 100)
    assert (found.var_usd, found.rank, found.results) == (Decimal(0), 0, ())


def test_it_is_a_loss_that_happened_and_never_one_in_between() -> None:
    returns = {A: pct(*(float(-number) for number in range(100)))}
    # Of 100 losses the 99th in rising order: 98 %. One more of confidence would be the worst.
    assert risk({A: "1000"}, returns, 100).var_usd == Decimal("980.00")
    assert risk({A: "1000"}, returns, 100, confidence_pct=Fraction("99.1")).var_usd == Decimal("990.00")
    assert risk({A: "1000"}, returns, 100, confidence_pct=Fraction(50)).var_usd == Decimal("490.00")
    assert risk({A: "1000"}, returns, 100).rank == 99


def test_a_short_position_loses_when_the_price_rises_and_one_hedges_the_other() -> None:
    returns = {A: pct(1, 2, 3, 4, 10), B: pct(1, 2, 3, 4, 10)}
    assert risk({A: "-1000"}, returns, 5).var_usd == Decimal("100.00")
    assert risk({A: "1000"}, returns, 5).var_usd == Decimal(0)
    assert risk({A: "1000", B: "-1000"}, returns, 5).var_usd == Decimal(0)


def test_only_days_of_the_lookback_that_are_over_count() -> None:
    returns = {A: pct(-50, -1, -1, -1, -1, -1, -90)}
    found = risk({A: "1000"}, returns, 6, lookback=5)
    assert found.var_usd == Decimal("10.00")
    assert [day for day, _ in found.results] == [1, 2, 3, 4, 5]


def test_a_position_without_enough_days_loses_what_nothing_else_did_worse() -> None:
    returns = {A: pct(-1, -2, -3, -4, -5), B: pct(-1, -2, -3, -4)}
    found = risk({A: "1000", B: "-500"}, returns, 5)
    assert found.short == {B}
    assert (found.move_pct, found.unknown_usd) == (Fraction(30), Decimal("150.00"))
    assert found.var_usd == Decimal("200.00")
    assert found.returns == {A: 5, B: 4}
    worse = risk({A: "1000", B: "-500"}, {A: pct(-1, -2, 40, -4, -5), B: {}}, 5)
    assert (worse.move_pct, worse.unknown_usd) == (Fraction(40), Decimal("200.00"))
    alone = risk({B: "500"}, {}, 5)
    assert (alone.var_usd, alone.rank, alone.results) == (Decimal("150.00"), 0, ())


def test_days_must_be_common_and_who_knows_the_fewest_goes_first() -> None:
    returns = {A: pct(-1, -1, -1, -1, -1, -1, -1), B: pct(-2, -2, -2, -2, -2, -2, first=1), C: pct(*[-9] * 6, first=50)}
    found = risk({A: "100", B: "100", C: "100"}, returns, 100)
    assert found.short == {C}
    assert found.results == tuple((day, Decimal("-3")) for day in range(1, 7))
    # Equals: the last by name.
    found = risk({A: "100", B: "100"}, {A: pct(*[-1] * 5), B: pct(*[-1] * 5, first=50)}, 100)
    assert found.short == {B}


def test_a_fraction_of_a_cent_is_a_cent_at_risk() -> None:
    assert risk({A: "0.01"}, {A: pct(-1, -1, -1, -1, -1)}, 5).var_usd == Decimal("0.01")


amounts = st.integers(-10**8, 10**8).map(lambda cents: Decimal(cents) / 100)
histories = st.dictionaries(st.integers(0, 30), st.integers(-PARTS, PARTS), max_size=31)


@given(
    st.dictionaries(st.sampled_from([A, B, C]), st.tuples(amounts, histories)), st.integers(50, 100), st.integers(2, 9)
)
@settings(max_examples=250, deadline=None)
def test_it_is_what_a_plain_reading_gives(
    held: dict[Key, tuple[Decimal, dict[int, int]]], confidence: int, least: int
) -> None:
    notionals = {key: amount for key, (amount, _) in held.items()}
    returns = {key: history for key, (_, history) in held.items()}
    terms = Terms(confidence_pct=Fraction(confidence), lookback=20, least_days=least, unknown_pct=Fraction(30))
    found = value_at_risk(notionals, returns, 31, terms)
    assert found.var_usd == plain_reading(notionals, returns, terms)
    # The same in another order is the same.
    turned = value_at_risk(dict(reversed(notionals.items())), dict(reversed(returns.items())), 31, terms)
    assert (turned.var_usd, turned.results, turned.short) == (found.var_usd, found.results, found.short)


def plain_reading(
    notionals: Mapping[Key, Decimal], returns: Mapping[Key, Mapping[int, int]], terms: Terms
) -> Decimal:
    """Return the same from its definition, day by day: the smallest loss that enough days stay within."""
    window = {key: {d: Fraction(r, PARTS) for d, r in returns[key].items() if 11 <= d < 31} for key in notionals}
    good = [key for key in sorted(window) if len(window[key]) >= terms.least_days]
    while good and len(set.intersection(*(set(window[key]) for key in good))) < terms.least_days:
        good.remove(sorted(good, key=lambda key: (-len(window[key]), key))[-1])
    days = sorted(set.intersection(*(set(window[key]) for key in good))) if good else []
    move = max([Fraction(3, 10), *(abs(window[key][day]) for key in good for day in days)])
    losses = [-sum(Fraction(notionals[key]) * window[key][day] for key in good) for day in days]
    simulated = Fraction(0)
    for loss in sorted(losses):
        simulated = max(Fraction(0), Fraction(loss))
        if 100 * sum(other <= loss for other in losses) >= terms.confidence_pct * len(losses):
            break
    total = simulated + sum(abs(Fraction(notionals[key])) * move for key in notionals if key not in good)
    return Decimal(-(-total * 100 // 1)) / 100


# -- the days it is made of -----------------------------------------------------------------


def test_a_price_of_the_last_hour_ends_a_day_and_an_older_one_does_not() -> None:
    days = Days()
    days.hear(DAY - HOUR + MINUTE, 100.0, 9)
    days.hear(2 * DAY - HOUR, 110.0, 9)
    days.hear(3 * DAY, 120.0, 9)
    days.hear(3 * DAY + MINUTE, 130.0, 9)
    assert days.closes == {0: 100.0, 2: 120.0}
    assert returns_of(days.closes) == {}


def test_what_a_feed_tells_of_a_day_stands() -> None:
    days = Days()
    days.hear(DAY, 100.0, 9)
    days.tell(0, 101.0, 9)
    days.settle(DAY, 9)
    days.tell(1, 104.03, 9)
    assert days.closes == {0: 101.0, 1: 104.03}
    assert returns_of(days.closes) == {1: 30_000_000}


def test_only_the_newest_days_are_kept_over_a_restart_too() -> None:
    days = Days()
    for day in range(7):
        days.hear((day + 1) * DAY, 100.0 + day, 3)
    days.settle(7 * DAY - 1, 3)
    assert sorted(days.closes) == [3, 4, 5]
    days.settle(7 * DAY, 3)
    kept = Days.load(json.loads(json.dumps(days.dump())))
    assert kept.closes == days.closes == {4: 104.0, 5: 105.0, 6: 106.0}
    assert kept.dump() == days.dump()


@needs_shared
@pytest.mark.parametrize(("notional", "confidence"), [("25000", 95), ("-25000", 95), ("25000", 99), ("-1234.56", 90)])
def test_recorded_days_give_what_sql_says(notional: str, confidence: int) -> None:
    import duckdb

    file = MARKET_DATA / "btc_perp_1m_20211231_20220201.parquet"
    connection = duckdb.connect()
    rows = connection.execute(f"select ts_ms, open, high, low, close from '{file}' order by 1").fetchall()
    prices, key = Prices(), ("ftx", "BTC-PERP")
    for at_ms, *values in rows:
        bar = Bar(*key, values[0], values[1], values[2], values[3], 1.0, MINUTE, at_ms * 10**6, at_ms * 10**6 + MINUTE)
        prices.on_event(bar, bar.received_at, ON)
    today = rows[-1][0] // 86_400_000
    found = value_at_risk(
        {key: Decimal(notional)}, {key: returns_of(prices.closes(key))}, today,
        Terms(confidence_pct=Fraction(confidence), lookback=250, least_days=20, unknown_pct=Fraction(30)),
    )
    wanted = connection.execute(f"""
        with d as (
            select ts_ms // 86400000 as day, arg_max(close, ts_ms) as c from '{file}' group by 1 having day < {today}
        ), r as (select day, -({notional}) * (c / lag(c) over (order by day) - 1) as loss from d)
        select quantile_disc(loss, {confidence} / 100.0), count(loss) from r where loss is not null
    """).fetchall()[0]
    assert len(found.results) == wanted[1] == 31
    assert float(found.var_usd) == pytest.approx(wanted[0], abs=0.01)
    assert float(found.var_usd) > 0
