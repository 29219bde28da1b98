"""Bars of quotes against a naive reading of the same quotes, and bars that a feed tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.market import Bar, FeedState, Quote
from engine.model.samples import Derived
from engine.model.time import HOUR, MINUTE, SECOND
from engine.risk.course import Candle
from engine.risk.prices import Prices
from tests.risk.bars_kit import KEY, ON, SPAN, bar, candles, hear, quote


def naive(segments: Sequence[Sequence[tuple[int, float]]]) -> list[Candle]:
    """Return the bars that `segments` give, one for each time the line stood: all prices kept, nothing folded."""
    found: list[Candle] = []
    for prices in segments:
        buckets = sorted({at // SPAN for at, _ in prices})
        for place, bucket in enumerate(buckets[:-1]):
            within = [(at, price) for at, price in prices if at // SPAN == bucket]
            began = place > 0 or within[0][0] // MINUTE == bucket * SPAN // MINUTE
            values = [price for _, price in within]
            if began and not any(one.start == bucket * SPAN for one in found):
                found.append(Candle(bucket * SPAN, max(values), min(values), values[-1]))
    return found


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 90), st.integers(1, 1500)), st.integers(1, 10**6),
        st.booleans() | st.just(False) | st.just(False) | st.just(False),
    ),
    min_size=1, max_size=120,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_bars_of_quotes_are_those_of_a_naive_reading(moves: list[tuple[int, int, bool]]) -> None:
    prices, at = Prices(), 0
    flags = {**ON, "RISK_PARITY_N": 200.0}
    segments: list[list[tuple[int, float]]] = [[]]
    for seconds, price, down in moves:
        at += seconds * SECOND
        if down:
            prices.on_event(FeedState(KEY[0], False, "gone", at), at, flags)
            segments.append([])
        else:
            prices.on_event(quote(at, price / 1000), at, flags)
            segments[-1].append((at, price / 1000))
    if segments != [[]] * len(segments):
        assert candles(prices) == naive(segments)


@given(steps, st.integers(0, 119))
@settings(max_examples=60, deadline=None)
def test_a_state_that_was_kept_goes_on_alike(moves: list[tuple[int, int, bool]], cut: int) -> None:
    whole, at = Prices(), 0
    other = Prices()
    for number, (seconds, price, down) in enumerate(moves):
        at += seconds * SECOND
        event = FeedState(KEY[0], False, "gone", at) if down else quote(at, price / 1000)
        assert list(whole.on_event(event, at, ON)) == list(other.on_event(event, at, ON))
        if number == cut:
            kept = json.loads(json.dumps(other.dump()))
            other = Prices()
            other.load(kept)
    assert whole.dump() == other.dump()


def test_a_minute_without_a_price_in_a_bar_is_no_matter_and_a_bar_without_a_price_is_none() -> None:
    prices = Prices()
    hear(prices, [quote(0, 10.0), quote(4 * MINUTE, 12.0), quote(16 * MINUTE, 11.0), quote(20 * MINUTE, 1.0)], ON)
    assert candles(prices) == [Candle(0, 12.0, 10.0, 12.0), Candle(15 * MINUTE, 11.0, 11.0, 11.0)]


def test_a_bar_whose_beginning_we_missed_is_none() -> None:
    prices = Prices()
    hear(prices, [quote(MINUTE, 10.0), quote(SPAN, 11.0), quote(2 * SPAN, 12.0)], ON)
    assert [one.start for one in candles(prices)] == [SPAN]


def test_a_process_that_begins_did_not_hear_what_runs() -> None:
    prices = Prices()
    hear(prices, [quote(0, 10.0), quote(SPAN, 11.0)], ON)
    prices.begin()
    hear(prices, [quote(SPAN + 2 * MINUTE, 12.0), quote(2 * SPAN, 12.0), quote(3 * SPAN, 12.0)], ON)
    assert [one.start for one in candles(prices)] == [0, 2 * SPAN]


def test_a_line_of_another_venue_tears_nothing() -> None:
    prices = Prices()
    down = FeedState("other", False, "gone", MINUTE)
    up = FeedState(KEY[0], True, "there", MINUTE)
    hear(prices, [quote(0, 10.0), down, up, quote(SPAN, 11.0)], ON)
    assert [one.start for one in candles(prices)] == [0]


@pytest.mark.parametrize(
    ("bid", "ask"), [(float("nan"), 10.0), (0.0, 10.0), (11.0, 10.0), (10.0, float("inf")), (-1.0, 10.0)]
)
def test_a_quote_that_cannot_be_is_no_price(bid: float, ask: float) -> None:
    prices = Prices()
    torn = Quote(*KEY, bid, 1.0, ask, 1.0, SECOND, SECOND)
    hear(prices, [quote(0, 10.0), torn, quote(SPAN, 10.0)], ON)
    assert candles(prices) == [Candle(0, 10.0, 10.0, 10.0)]


def test_the_mid_makes_the_bar_and_the_crossing_of_its_end_tells_the_sample() -> None:
    prices = Prices()
    flags = {**ON, "RISK_PARITY_N": 2.0}
    wide = Quote(*KEY, 98.0, 1.0, 104.0, 1.0, SECOND, SECOND)
    told = [quote(0, 100.0), wide, quote(SPAN, 100.0), quote(2 * SPAN, 7.0), quote(2 * SPAN + 1, 8.0)]
    made = hear(prices, told, flags)
    # First bar 100 to 101; the second stands at 100, one below the close before it.
    assert made == [Derived("atr_pct", KEY, 1.0, 2 * SPAN)]


# -- bars that a feed tells -----------------------------------------------------------------


def test_told_bars_take_the_place_of_our_own_and_a_history_may_come_late() -> None:
    prices = Prices()
    hear(prices, [quote(at * MINUTE, 50.0) for at in range(16)], ON)
    assert len(candles(prices)) == 3
    told = [bar(start * SPAN, (10.0, 12.0, 9.0, 11.0), SPAN) for start in (2, 0, 1, 1)]
    hear(prices, told, ON)
    assert [one.start for one in candles(prices)] == [0, SPAN, 2 * SPAN]
    assert {one.high for one in candles(prices)} == {12.0}
    hear(prices, [quote(at * MINUTE, 50.0) for at in range(16, 40)], ON)
    assert len(candles(prices)) == 3


def test_only_the_newest_bars_are_kept() -> None:
    prices = Prices()
    hear(prices, [bar(start * SPAN, (10.0, 12.0, 9.0, 11.0), SPAN) for start in range(40)], ON)
    assert [one.start // SPAN for one in candles(prices)] == [36, 37, 38, 39]


@pytest.mark.parametrize(
    "wrong",
    [
        bar(0, (10.0, 9.0, 11.0, 10.0)), bar(0, (0.0, 1.0, 0.0, 1.0)), bar(0, (5.0, 12.0, 9.0, 11.0)),
        bar(0, (10.0, 12.0, 9.0, 13.0)), bar(0, (10.0, float("inf"), 9.0, 11.0)), bar(7, (10.0, 12.0, 9.0, 11.0)),
        bar(0, (10.0, float("nan"), 9.0, 11.0)), bar(0, (10.0, 12.0, 9.0, 11.0), 0),
        bar(0, (10.0, 12.0, 9.0, 11.0), HOUR), bar(0, (10.0, 12.0, 9.0, 11.0), 2 * MINUTE),
    ],
)
def test_a_bar_that_cannot_be_or_does_not_fit_is_none(wrong: Bar) -> None:
    prices = Prices()
    assert not hear(prices, [wrong], ON)
    assert not prices.dump()["known"] or candles(prices) == []


def test_another_length_of_bars_begins_anew() -> None:
    prices = Prices()
    hear(prices, [bar(start * SPAN, (10.0, 12.0, 9.0, 11.0), SPAN) for start in range(5)], ON)
    other = {**ON, "RISK_PARITY_TF": "15m"}
    assert prices.sized(KEY, Decimal(500), 5 * SPAN, other).why.startswith("risk parity: 0 of 3 bars of 15m are known")
    hear(prices, [bar(start * 15 * MINUTE, (10.0, 12.0, 9.0, 11.0), 15 * MINUTE) for start in range(2)], other)
    assert [one.start for one in candles(prices)] == [0, 15 * MINUTE]
