"""Sizes by risk parity: the caps, what is said of them, and that they are exact."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.flags import FlagValue
from engine.risk.course import Candle, average_range_pct
from engine.risk.sizer import sized
from engine.risk.wanted import DEFAULTS
from engine.runtime.config import load_config
from tests.conftest import ROOT
from tests.risk.bars_kit import ON, SPAN


def moving(pct: float, count: int = 3) -> list[Candle]:
    """Return bars that move `pct` percent of a price of 100 each."""
    return [Candle(number * SPAN, 100.0 + pct, 100.0, 100.0) for number in range(count)]


NOW = 3 * SPAN


def worth(bars: Sequence[Candle], usual: str, at: int = NOW, **flags: FlagValue) -> tuple[str, str]:
    """Return (notional, why) of an entry."""
    found = sized(bars, Decimal(usual), at, {**ON, **flags})
    return str(found.notional), found.why


def test_what_moves_twice_as_much_as_the_target_is_half_as_large() -> None:
    notional, why = worth(moving(2.0), "1000")
    assert notional == "500"
    moves = "a bar of 5m moves 2.00 % of the price on average"
    assert why == f"risk parity: {moves}, the target is 1 %: 500 instead of 1000"


def test_off_it_is_the_usual_size_whatever_is_known() -> None:
    assert worth([], "1000", RISK_PARITY_ENABLED=False) == ("1000", "")
    assert sized([], Decimal(7), 0, {}) == sized([], Decimal(7), 0, {**ON, "RISK_PARITY_ENABLED": False})


def test_nothing_is_ever_larger_than_its_strategy_asked_for() -> None:
    assert worth(moving(0.25), "1000", RISK_PARITY_MAX_NOTIONAL_USD=9000.0) == ("1000", "")
    assert worth(moving(9.0), "40")[0] == "40"
    assert worth([], "40")[0] == "40"


def test_the_caps() -> None:
    assert worth(moving(0.5), "5000")[0] == "2000"
    assert worth(moving(40.0), "1000")[0] == "100"
    assert worth(moving(3.0), "1000")[0] == "333.33"


@pytest.mark.parametrize(
    ("bars", "at", "why"),
    [
        ([], NOW, "0 of 3 bars of 5m are known"),
        (moving(1.0, 2), NOW, "2 of 3 bars of 5m are known"),
        (moving(0.0), NOW, "no bar of 5m moved at all"),
        (moving(1.0), NOW + 3 * SPAN + 1, "the last bar of 5m is older than 3 of them"),
    ],
)
def test_what_is_not_known_is_entered_at_the_least_and_says_so(bars: list[Candle], at: int, why: str) -> None:
    assert worth(bars, "1000", at) == ("100", f"risk parity: {why}: 100 instead of 1000")


def test_the_last_instant_at_which_bars_count() -> None:
    assert worth(moving(2.0), "1000", NOW + 3 * SPAN)[0] == "500"


@given(
    st.lists(st.tuples(*[st.integers(1, 10**9)] * 3), min_size=1, max_size=40), st.integers(1, 20),
    st.integers(1, 10**7),
)
@settings(max_examples=200, deadline=None)
def test_a_size_is_exact_and_no_path_can_change_it(rows: list[tuple[int, int, int]], count: int, usual: int) -> None:
    bars = [
        Candle(number * SPAN, max(row) / 1e5, min(row) / 1e5, row[2] / 1e5) for number, row in enumerate(rows)
    ]
    found = average_range_pct(bars, count)
    ranges, before = [], None
    for one in bars:
        reach = [Fraction(one.high), Fraction(one.low)] + ([] if before is None else [before])
        ranges.append(max(reach) - min(reach))
        before = Fraction(one.close)
    if len(bars) < count:
        assert found is None
        return
    kept = bars[-count - 1:]
    # What was forgotten cannot matter, nor can what stands before it.
    assert average_range_pct(kept, count) == found
    assert found == 100 * sum(ranges[-count:]) / (count * Fraction(bars[-1].close))
    asked = Decimal(usual) / 100
    notional = sized(bars, asked, bars[-1].start + SPAN, {**ON, "RISK_PARITY_N": float(count)}).notional
    assert notional <= asked
    if found > 0:
        exact = min(max(Fraction(asked) / found, Fraction(100)), Fraction(2000), Fraction(asked))
        assert exact - Fraction(1, 100) < Fraction(notional) <= exact


def test_the_numbers_without_a_flag_are_those_of_the_file() -> None:
    book = load_config(ROOT, {}).flag_book()
    assert {name: value for name, value in book.values.items() if name in DEFAULTS} == DEFAULTS
