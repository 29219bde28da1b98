"""Entropy of a price's minutes: against distributions whose entropy is known, and on recorded markets."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import pairwise
from math import log, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.risk.entropy import WORDS, Words, entropy_bits
from engine.risk.wanted import DEFAULTS
from tests.shared_data import MARKET_DATA, needs_shared

LIMIT = float(DEFAULTS["DENYLIST_ENTROPY_BITS"])


def said(closes: list[float], first: int = 0) -> Words:
    """Return the words of closes, a minute each."""
    words = Words()
    for minute, close in enumerate(closes, first):
        words.hear(minute, close)
    return words


@pytest.mark.parametrize(
    ("counts", "bits"),
    [
        ([], 0.0), ([0, 0], 0.0), ([7], 0.0),
        # The plain entropy and the correction (m - 1) / (2 n) nats, by hand.
        ([5, 5], 1.0 + 1 / 20 / log(2)), ([1, 1, 1, 1], 2.0 + 3 / 8 / log(2)),
        ([1, 3], 2.0 - 0.75 * log2(3) + 1 / 8 / log(2)),
    ],
)
def test_small_counts_by_hand(counts: list[int], bits: float) -> None:
    assert entropy_bits(counts) == pytest.approx(bits, abs=1e-12)


@given(st.permutations([9, 4, 4, 1, 0, 77, 3]))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_words_is_no_matter_to_the_last_bit(counts: list[int]) -> None:
    assert entropy_bits(counts) == entropy_bits([0, 1, 3, 4, 4, 9, 77])


@pytest.mark.parametrize("weights", [[1.0] * 27, [0.5, 0.25, 0.125, 0.125], [0.9, 0.1], [0.4, 0.3, 0.2, 0.05, 0.05]])
def test_the_correction_brings_samples_to_the_truth(weights: list[float]) -> None:
    """Of many samples of 300 the mean is within a hundredth of a bit of the truth, and the uncorrected one is not."""
    total = sum(weights)
    truth = -sum(one / total * log2(one / total) for one in weights)
    draw, corrected, plain = random.Random(7), 0.0, 0.0
    for _ in range(150):
        counts = list(Counter(draw.choices(range(len(weights)), weights, k=300)).values())
        corrected += entropy_bits(counts) / 150
        plain += -sum(one / 300 * log2(one / 300) for one in counts) / 150
    assert corrected == pytest.approx(truth, abs=0.012)
    assert abs(plain - truth) > abs(corrected - truth)


def test_a_dead_price_says_nothing_a_seesaw_a_third_and_a_coin_one_bit() -> None:
    draw = random.Random(3)
    dead, seesaw = said([5.0] * 1000), said([5.0 + number % 2 for number in range(1000)])
    climb = said([float(number + 1) for number in range(1000)])
    coin = [100.0]
    for _ in range(1439):
        coin.append(coin[-1] + draw.choice((-1, 1)))
    assert dead.bits_a_minute() == climb.bits_a_minute() == 0.0
    assert seesaw.bits_a_minute() == pytest.approx(1 / 3, abs=1e-3)
    assert said(coin).bits_a_minute() == pytest.approx(1.0, abs=0.01)
    assert max(dead.bits_a_minute(), seesaw.bits_a_minute()) < LIMIT < said(coin).bits_a_minute()


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=80), st.integers(0, 79))
@settings(max_examples=150, deadline=None)
def test_words_are_those_of_minutes_in_a_row(steps: list[tuple[int, int]], cut: int) -> None:
    minute, heard = 10, []
    words = Words()
    for number, (gap, price) in enumerate(steps):
        minute += 1 if gap < 3 else gap
        heard.append((minute, price))
        words.hear(minute, float(price))
        words.hear(minute - 1, 99.0)
        if number == cut:
            kept = json.loads(json.dumps(words.dump()))
            words = Words.load(kept)
            assert words.dump() == kept
    wanted: Counter[tuple[int, ...]] = Counter()
    for place in range(len(heard) - 3):
        four = heard[place:place + 4]
        if all(later[0] - sooner[0] == 1 for sooner, later in pairwise(four)):
            wanted[tuple((later[1] > sooner[1]) - (later[1] < sooner[1]) for sooner, later in pairwise(four))] += 1
    assert sorted(one for one in words.spoken if one) == sorted(wanted.values())
    assert words.count() == sum(wanted.values())
    assert words.bits_a_minute() == entropy_bits(list(wanted.values())) / 3


def test_a_new_day_counts_anew_and_the_word_goes_on() -> None:
    words = said([1.0, 2.0, 3.0, 4.0])
    assert words.count() == 1
    words.begin_day()
    assert words.count() == 0
    words.hear(4, 5.0)
    assert words.spoken[WORDS - 1] == 1


@needs_shared
@pytest.mark.parametrize(
    ("file", "least"),
    [
        ("btc_perp_1m_20211231_20220201.parquet", 0.95), ("lean_binance_spot_btcbusd_1m_20221213_trade.parquet", 0.95),
        ("lean_binance_usdm_adausdt_1m_20221213_trade.parquet", 0.95),
    ],
)
def test_every_recorded_day_is_alive(file: str, least: float) -> None:
    import duckdb

    rows = duckdb.connect().execute(f"select ts_ms // 60000, close from '{MARKET_DATA / file}' order by 1").fetchall()
    days: dict[int, Words] = {}
    for minute, close in rows:
        days.setdefault(minute // 1440, Words()).hear(minute, close)
    full = [one.bits_a_minute() for one in days.values() if one.count() > 1000]
    assert full
    assert min(full) > least
