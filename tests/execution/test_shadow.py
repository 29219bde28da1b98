"""What is not posted fills only where a real order surely would have: behind the queue, or traded through."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.execution.shadow import MOST, TRAVEL
from engine.model.orders import Intent, Side
from engine.model.terms import Route, Style
from engine.model.time import MS, SECOND
from tests.execution.kit import ENTRY
from tests.execution.router_kit import Bench

SCALP = replace(ENTRY, intent=Intent.SCALP, purpose="scalp")
ROUTE = Route(intent=Intent.SCALP, style=Style.MAKER, cap_bps=100.0, timeout=20 * SECOND, then=Style.CAPPED)


def followed(side: Side = Side.BUY) -> Bench:
    """Return a bench with one shadow of 10 at the touch, 5 displayed there, long enough on its way."""
    bench = Bench(ROUTE, shadows=True)
    bench.want(replace(SCALP, side=side))
    bench.wait(TRAVEL + MS)
    return bench


def evidence(bench: Bench) -> dict[tuple[str, str], float]:
    """Return the samples by (name, last label)."""
    return {(one.name, one.labels[-1]): float(one.value) for one in bench.samples}


def test_the_real_order_takes_and_the_shadow_posts_nothing() -> None:
    """Though makers are granted: with the flag on, scalps rehearse."""
    bench = followed()
    assert len(bench.placed) == 1 and bench.last.immediate and not bench.last.post_only
    assert bench.router.next_due() == bench.last.at + 20 * SECOND


def test_without_the_flag_a_scalp_with_a_grant_rests() -> None:
    bench = Bench(ROUTE)
    bench.want(SCALP)
    assert bench.last.post_only and bench.router.dump()["shadows"]["open"] == []


def test_any_maker_without_a_grant_is_followed() -> None:
    """So that a revoked gate gets the evidence to open again."""
    bench = Bench(replace(ROUTE, intent=Intent.ENTRY), shadows=True)
    bench.granted_now = False
    bench.want(ENTRY)
    assert bench.last.immediate and len(bench.router.dump()["shadows"]["open"]) == 1


def test_a_trade_through_the_price_fills() -> None:
    bench = followed()
    bench.trade(1.98, 10.0)
    (told,) = bench.shadowed
    assert (told.outcome, told.filled, told.price) == ("filled", Decimal(10), Decimal("1.99"))
    assert told.waited == TRAVEL + MS and told.taker_price == Decimal("2.01")
    assert evidence(bench) == {
        ("maker_shadow_fill", "SCALP"): 1.0, ("fill_slippage_bps", "maker_shadow"): pytest.approx(-50.0),
        ("fill_ms", "maker_shadow"): 101.0,
    }
    assert not bench.router.interested(bench.desk.quotes["paper", "XYZUSDT"])


def test_trades_at_the_price_must_use_up_the_queue_first() -> None:
    """Five were displayed: fourteen traded there leave nine for us, and the fifteenth makes ten."""
    bench = followed()
    bench.trade(1.99, 14.0)
    assert bench.shadowed == []
    bench.wait(SECOND)
    bench.trade(1.99, 1.0)
    assert [told.outcome for told in bench.shadowed] == ["filled"]


def test_a_sell_is_filled_from_above() -> None:
    bench = followed(Side.SELL)
    bench.trade(1.99, 100.0)
    assert bench.shadowed == []
    bench.trade(2.02, 10.0, buys=True)
    assert [told.outcome for told in bench.shadowed] == ["filled"]


def test_what_traded_before_it_could_be_there_is_not_for_it() -> None:
    bench = Bench(ROUTE, shadows=True)
    bench.want(SCALP)
    bench.wait(TRAVEL)
    bench.trade(1.90, 1000.0)
    assert bench.shadowed == []


def test_offers_that_are_shown_fill_nothing() -> None:
    """Only a trade proves that somebody sold."""
    bench = followed()
    bench.wait(SECOND)
    bench.quote(1.97, 1.98)
    assert bench.shadowed == []


def test_a_market_that_left_before_it_came_would_have_been_taken() -> None:
    """A real post-only order would have been refused; that is no fill."""
    bench = Bench(ROUTE, shadows=True)
    bench.want(SCALP)
    bench.quote(1.97, 1.98)
    assert [told.outcome for told in bench.shadowed] == ["would_take"]
    assert evidence(bench) == {("maker_shadow_fill", "SCALP"): 0.0}


def test_a_cancel_ahead_is_taken_for_one_behind() -> None:
    """The level shrinks to 3 with nobody trading: no more than 3 can be ahead, but no less either."""
    bench = followed()
    bench.wait(SECOND)
    bench.quote(1.99, 2.01, size=3.0)
    bench.wait(SECOND)
    bench.trade(1.99, 12.0)
    assert bench.shadowed == []
    bench.trade(1.99, 1.0)
    assert [told.outcome for told in bench.shadowed] == ["filled"]


def test_a_shrunk_level_and_the_trade_that_shrank_it_move_it_once() -> None:
    """Two messages, one event: the trade comes second and bears the same stamp."""
    bench = followed()
    bench.wait(SECOND)
    bench.quote(1.99, 2.01, size=1.0)
    bench.trade(1.99, 4.0)
    bench.wait(SECOND)
    bench.trade(1.99, 10.0)
    assert bench.shadowed == []
    bench.trade(1.99, 1.0)
    assert [told.outcome for told in bench.shadowed] == ["filled"]


def test_the_queue_never_grows() -> None:
    """Who joins the level later stands behind."""
    bench = followed()
    bench.wait(SECOND)
    bench.quote(1.99, 2.01, size=500.0)
    bench.wait(SECOND)
    bench.trade(1.99, 15.0)
    assert [told.outcome for told in bench.shadowed] == ["filled"]


def test_a_part_is_no_fill() -> None:
    bench = followed()
    bench.trade(1.99, 14.9)
    bench.wait(20 * SECOND)
    bench.quote(1.99, 2.01)
    (told,) = bench.shadowed
    assert (told.outcome, told.filled, told.waited) == ("timed_out", Decimal("9.9"), 20 * SECOND)
    assert evidence(bench) == {("maker_shadow_fill", "SCALP"): 0.0}


def test_the_taker_in_its_place_is_what_it_is_compared_with() -> None:
    bench = followed()
    bench.fill("10", "0", price="2.015")
    bench.trade(1.98, 10.0)
    assert [told.taker_price for told in bench.shadowed] == [Decimal("2.015")]


def test_turning_shadows_off_is_no_evidence() -> None:
    bench = followed()
    bench.desk.flags = {"SCALP_MAKER_SHADOW": False}
    bench.quote(1.99, 2.01)
    assert [told.outcome for told in bench.shadowed] == ["revoked"] and bench.samples == []


def test_there_are_never_too_many() -> None:
    """Each costs time at every quote of its symbol."""
    bench = Bench(ROUTE, shadows=True)
    bench.desk.instruments["paper", "XYZUSDT"] = replace(
        bench.desk.instruments["paper", "XYZUSDT"], max_quantity=Decimal(10**6))
    for number in range(MOST + 5):
        bench.want(replace(SCALP, purpose=f"scalp/{number}"))
    assert len(bench.placed) == MOST + 5
    assert len(bench.router.dump()["shadows"]["open"]) == MOST
    bench.wait(20 * SECOND)
    assert len(bench.samples) == MOST


@settings(max_examples=80, deadline=None)
@given(
    moves=st.lists(st.tuples(st.sampled_from(["quote", "trade", "wait"]), st.integers(-4, 4), st.integers(1, 80)),
                   max_size=40),
    side=st.sampled_from(Side),
)
def test_no_shadow_fills_by_more_than_was_traded_at_or_through_it(
    moves: list[tuple[str, int, int]], side: Side
) -> None:
    """Nor while a checkpoint is taken anywhere: dump and load are exact."""
    bench = followed(side)
    limit = 1.99 if side is Side.BUY else 2.01
    reached = 0.0
    for what, ticks, size in moves:
        price = round(2.0 + ticks / 100, 2)
        if what == "wait":
            bench.wait(size * 100 * MS)
        elif what == "quote":
            bench.quote(round(price - 0.01, 2), round(price + 0.01, 2), size=size / 10, ask_size=size / 10)
        else:
            reached += size / 10 if (limit - price) * side.sign >= 0 and not bench.shadowed else 0.0
            bench.trade(price, size / 10)
        bench.cut()
    bench.wait(30 * SECOND)
    bench.quote(1.99, 2.01)
    (told,) = bench.shadowed
    assert told.filled <= Decimal(str(round(reached, 6)))
    assert (told.outcome == "filled") == (told.filled == 10)
