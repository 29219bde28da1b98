"""Which coin broke: quotes of several sources, in dollars and in USDT, over a table."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.market import OraclePrice
from engine.model.time import SECOND
from engine.signals.pegs import Pegs, PegTerms
from tests.signals.world import T0

TERMS = PegTerms(fresh_for=120 * SECOND, agree=0.0015, lowest=0.2, highest=5.0)
Quote = tuple[str, str, str, float]
"""(source, asset, quote, price)"""
UNKNOWN = None


def told(pegs: Pegs, quotes: list[Quote], *, at: int = T0) -> dict[str, float | None]:
    """Return what is known of each coin after all of `quotes`, told at one instant."""
    known: dict[str, float | None] = {}
    for source, asset, quote, price in quotes:
        for peg in pegs.on_price(OraclePrice(source, asset, quote, price, "1", at, at), at):
            known[peg.asset] = peg.worth
    return known


def spot(**ratios: float) -> list[Quote]:
    """Return the pairs of one market against USDT."""
    return [("spot", asset, "USDT", ratio) for asset, ratio in ratios.items()]


def dollars(source: str = "oracle", **prices: float) -> list[Quote]:
    """Return direct quotes of one source."""
    return [(source, asset, "USD", price) for asset, price in prices.items()]


TABLE: list[tuple[str, list[Quote], dict[str, float | None]]] = [
    ("one oracle alone counts", dollars(USDT=0.951816), {"USDT": 0.951816}),
    ("an oracle of another coin says nothing of USDT", dollars(USDC=0.88), {"USDC": 0.88}),
    ("all is well", spot(USDC=1.0001, FDUSD=0.9992), {"USDT": 1.0, "USDC": 1.0001, "FDUSD": 0.9992}),
    ("both pairs are off by as much: USDT moved", spot(USDC=1 / 0.985, FDUSD=1 / 0.985),
     {"USDT": 0.985, "USDC": 1.0, "FDUSD": 1.0}),
    ("nearly as much is as much", spot(USDC=1 / 0.9850, FDUSD=1 / 0.9855), {"USDT": 0.98525}),
    ("one pair is off: that coin moved (USDC in March 2023)", spot(USDC=0.88, FDUSD=1.0),
     {"USDT": 1.0, "USDC": 0.88, "FDUSD": 1.0}),
    ("and so the other way round", spot(USDC=1.0, FDUSD=0.88), {"USDT": 1.0, "USDC": 1.0, "FDUSD": 0.88}),
    ("one pair alone, near one", spot(USDC=1.0002), {"USDT": 0.9999, "USDC": 1.0001}),
    ("one pair alone, off: which of the two nobody knows", spot(USDC=1.0152), {"USDT": UNKNOWN, "USDC": UNKNOWN}),
    ("three say three things", spot(USDC=0.88, FDUSD=1.06), {"USDT": UNKNOWN, "USDC": UNKNOWN, "FDUSD": UNKNOWN}),
    ("two of four coins broke apart: no majority", spot(USDC=0.88, FDUSD=0.95, TUSD=1.0),
     {"USDT": UNKNOWN, "TUSD": UNKNOWN}),
    ("two of five", spot(USDC=0.88, FDUSD=0.95, TUSD=1.0, DAI=1.0005), {"USDT": 1.0, "USDC": 0.88, "DAI": 1.0005}),
    ("two that break together look like a rise of USDT", spot(USDC=0.9, FDUSD=0.9), {"USDT": 1 / 0.9, "USDC": 1.0}),
    ("an oracle of USDT settles that", [*dollars(USDT=1.0, USDC=0.9), *spot(USDC=0.9, FDUSD=0.9)],
     {"USDT": 1.0, "FDUSD": 0.9}),
    ("an oracle of one pair's coin settles which of the two", [*dollars(USDC=0.88), *spot(USDC=0.88)],
     {"USDT": 1.0, "USDC": 0.88}),
    ("an oracle against two pairs is outvoted", [*dollars(USDT=0.9), *spot(USDC=1.0, FDUSD=1.0)], {"USDT": 1.0}),
    ("two oracles that differ", [*dollars(USDT=1.0), *dollars("other", USDT=0.98)], {"USDT": UNKNOWN}),
    ("two oracles that nearly agree", [*dollars(USDT=1.0), *dollars("other", USDT=0.998)], {"USDT": 0.999}),
    ("three oracles, one broken", [*dollars("a", USDT=1.0), *dollars("b", USDT=0.5), *dollars("c", USDT=1.0008)],
     {"USDT": 1.0004}),
    ("the promise of USDT has no vote beside an oracle", [*dollars(USDT=0.985), *spot(USDC=1 / 0.985)],
     {"USDT": 0.985}),
    ("a coin's oracle and its pair differ", [*spot(USDC=1.0, FDUSD=1.0), *dollars(FDUSD=0.9)], {"FDUSD": UNKNOWN}),
]


@pytest.mark.parametrize(("quotes", "known"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_which_coin_moved(quotes: list[Quote], known: dict[str, float | None]) -> None:
    found = told(Pegs(TERMS), [*quotes, *quotes])

    for asset, worth in known.items():
        assert found[asset] == (worth if worth is None else pytest.approx(worth, abs=6e-5)), asset


@pytest.mark.parametrize("quotes", [row[1] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_order_of_the_quotes_does_not_matter(quotes: list[Quote]) -> None:
    """Once everybody has spoken: before that a coin may look otherwise."""
    finals = []
    for order in itertools.islice(itertools.permutations(quotes), 6):
        pegs = Pegs(TERMS)
        told(pegs, list(order))
        finals.append(told(pegs, quotes))
    assert all(final == finals[0] for final in finals)


@pytest.mark.parametrize("price", [math.nan, math.inf, -1.0, 0.0, 0.19, 5.1])
def test_an_absurd_quote_takes_back_what_its_source_said(price: float) -> None:
    pegs = Pegs(TERMS)
    assert told(pegs, dollars(USDT=1.0)) == {"USDT": 1.0}
    assert told(pegs, dollars(USDT=price)) == {"USDT": UNKNOWN}
    assert told(pegs, dollars("other", USDT=0.98)) == {"USDT": 0.98}


def test_a_quote_is_believed_for_its_time_and_no_longer() -> None:
    pegs = Pegs(TERMS)
    told(pegs, spot(USDC=1 / 0.985))
    assert told(pegs, spot(FDUSD=1 / 0.985), at=T0 + 120 * SECOND)["USDT"] == pytest.approx(0.985)
    assert told(pegs, spot(FDUSD=1 / 0.985), at=T0 + 121 * SECOND)["USDT"] is UNKNOWN, "one against one"


def test_only_coins_of_which_an_event_speaks_are_told_and_as_old_as_what_counted() -> None:
    pegs = Pegs(TERMS)
    told(pegs, spot(USDC=1.0))
    later = T0 + 60 * SECOND
    pegs_known = pegs.on_price(OraclePrice("spot", "FDUSD", "USDT", 1.0, "", later, later), later)

    assert [(one.asset, one.event_at) for one in pegs_known] == [("FDUSD", T0), ("USDT", T0)]
    assert [one.asset for one in pegs.on_price(OraclePrice("o", "usdc", "usd", 1.0, "", later, later), later)] == [
        "USDC"
    ]


@pytest.mark.parametrize(("asset", "quote"), [("EUR", "BTC"), ("USDT", "USDT"), ("USD", "USDT"), ("USD", "USD")])
def test_other_pairs_say_nothing(asset: str, quote: str) -> None:
    pegs = Pegs(TERMS)
    assert told(pegs, [("x", asset, quote, 0.5)]) == {}
    assert pegs.dump() == []


def test_what_was_lost_on_the_way_is_forgotten() -> None:
    pegs = Pegs(TERMS)
    told(pegs, spot(USDC=1.0))
    pegs.forget()
    assert told(pegs, spot(FDUSD=1.0152))["USDT"] is UNKNOWN


def test_other_terms_count_at_once() -> None:
    pegs = Pegs(TERMS)
    told(pegs, dollars(USDT=1.0))
    assert told(pegs, dollars("b", USDT=0.98))["USDT"] is UNKNOWN
    pegs.set_terms(replace(TERMS, agree=0.02))
    assert told(pegs, dollars("b", USDT=0.98))["USDT"] == pytest.approx(0.99)


QUOTES = st.lists(st.tuples(
    st.sampled_from(["a", "b"]), st.sampled_from(["USDT", "USDC", "FDUSD"]), st.sampled_from(["USD", "USDT"]),
    st.floats(0.9, 1.1) | st.sampled_from([1.0, 0.985, math.nan, 9.0]),
), max_size=12)


@given(QUOTES, QUOTES)
def test_a_resumed_run_knows_the_same(before: list[Quote], after: list[Quote]) -> None:
    whole, first, second = Pegs(TERMS), Pegs(TERMS), Pegs(TERMS)
    told(whole, before)
    told(first, before)
    second.load(json.loads(json.dumps(first.dump())))
    assert second.dump() == first.dump()
    assert told(second, after, at=T0 + 90 * SECOND) == told(whole, after, at=T0 + 90 * SECOND)


@given(st.lists(st.floats(0.9, 1.1), min_size=1, max_size=7))
def test_what_is_told_was_said_by_a_majority(prices: list[float]) -> None:
    found = told(Pegs(TERMS), [(str(number), "USDT", "USD", price) for number, price in enumerate(prices)])
    worth = found["USDT"]
    if worth is not None:
        assert 2 * sum(abs(price - worth) <= 2.1 * TERMS.agree * worth for price in prices) > len(prices)
