"""The listing breakout against a simulated exchange, from the announcement to the entry."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from engine.exchange.faults import Fault, FaultKind, FaultPlan
from engine.model.instruments import MarketKind
from engine.model.orders import OrderState
from engine.model.restraints import Level
from engine.model.time import HOUR, MINUTE, SECOND
from tests.strategies.world import SYMBOL, VENUE, XYZ, World, entered, listed


def test_a_listing_becomes_a_plan_and_says_what_it_waits_for() -> None:
    """Reference, trigger and end of the window in one line."""
    world = listed(World())
    assert world.story() == ["planned"]
    assert "reference 10, buys above 10.1 (+100 bps)" in world.texts("planned")[0]
    assert world.places() == []


def test_below_the_trigger_nothing_is_bought_and_the_window_ends() -> None:
    """100 bps are the trigger, inclusive; 99 are not."""
    world = listed(World())
    for _ in range(130):
        world.price(10.099, after=10 * SECOND)
    assert world.places() == []
    assert world.story() == ["planned", "expired"]


def test_half_is_bought_while_the_announcement_is_young_and_half_later() -> None:
    """The second half comes five minutes after the announcement if the price is still above."""
    world = entered(World())
    (first,) = world.places("ENTRY")
    assert first.quantity is not None
    assert 980 < first.quantity * Decimal("10.152") <= 1000
    for _ in range(40):
        world.price(10.15, after=10 * SECOND)
    _, second = world.places("ENTRY")
    assert second.at >= world.places("ENTRY")[0].at + 4 * MINUTE
    assert second.purpose == f"{SYMBOL}/1/entry/second"
    assert world.story().count("entered") == 2
    assert world.held() == first.quantity + (second.quantity or 0)


def test_the_second_half_is_left_out_when_the_price_came_back() -> None:
    """A breakout that is none any more is not added to."""
    world = entered(World())
    for _ in range(60):
        world.price(10.05, after=10 * SECOND)
    assert len(world.places("ENTRY")) == 1


def test_a_late_breakout_buys_the_whole_at_once() -> None:
    """After the half-size minutes there is nothing to wait for."""
    world = listed(World())
    for _ in range(40):
        world.price(10.05, after=10 * SECOND)
    world.price(10.15)
    world.pass_time(SECOND)
    (only,) = world.places("ENTRY")
    assert only.purpose.endswith("/whole")
    assert only.quantity is not None and only.quantity * Decimal("10.152") > 1980


def test_the_facts_of_the_order_are_measured_from_the_reference_and_through_the_depth() -> None:
    """Late chase is the ask over the reference; slippage walks 98.5 over levels of 50."""
    world = listed(World())
    world.size = 50.0
    asked = world.asked
    world.refuses = lambda proposal: True
    world.price(10.15)
    seen = dict(asked[-1].facts)
    assert seen["order_late_chase_bps"] == pytest.approx(152, abs=0.5)
    average = (10.152 * 50 + 10.154 * 48.5) / 98.5
    assert seen["order_expected_slippage_bps"] == pytest.approx((average / 10.15 - 1) * 1e4)


def test_a_book_too_thin_to_tell_leaves_the_fact_out() -> None:
    """The entry rule then does not know, and refuses."""
    world = listed(World())
    world.size = 5.0
    world.price(10.15)
    assert [name for name, _ in world.asked[-1].facts] == ["order_late_chase_bps"]


def test_halted_proposes_no_entry_at_all() -> None:
    """Below that level each try is a counted skip; at it there is none."""
    world = listed(World())
    world.impose(Level.HALTED)
    for _ in range(20):
        world.price(10.15, after=5 * SECOND)
    assert world.refusals() == [] and world.places() == []


def test_a_refused_entry_is_tried_again_but_not_with_every_quote() -> None:
    """Each try is a counted skip: hundreds of the same would bury the others."""
    world = listed(World())
    world.refuses = lambda proposal: True
    for _ in range(600):
        world.price(10.15)
    tries = [refusal.at for refusal in world.refusals()]
    assert 5 <= len(tries) <= 20
    assert min(later - earlier for earlier, later in pairwise(tries)) >= 5 * SECOND
    world.refuses = lambda proposal: False
    for _ in range(61):
        world.price(10.15)
    world.pass_time(SECOND)
    assert world.held() > 0


def test_an_entry_that_was_withheld_may_come_later() -> None:
    """It never left: that is proof enough."""
    world = listed(World())
    world.withholds = lambda order: True
    world.price(10.15)
    world.withholds = lambda order: False
    for _ in range(6):
        world.price(10.15)
    world.pass_time(SECOND)
    assert len(world.places("ENTRY")) == 2 and world.held() > 0


def test_an_entry_whose_fate_is_unclear_is_never_followed_by_another() -> None:
    """It counts as exposure, and the plan stays to protect what it may turn out to have bought."""
    world = listed(World())
    world.loses = lambda order: True
    for _ in range(200):
        world.price(10.15, after=10 * SECOND)
    (lost,) = world.places("ENTRY")
    record = world.execution.order(lost.client_id)
    assert record is not None and record.state is OrderState.UNKNOWN
    assert world.execution.exposure("main", VENUE, SYMBOL).open_buys == lost.quantity
    assert "expired" not in world.story()


def test_an_entry_whose_reply_was_lost_is_protected_once_its_fill_arrives() -> None:
    """The exchange worked it; the fill is the first we hear."""
    world = entered(World(faults=FaultPlan((Fault(kind=FaultKind.LOST_REPLY, nth=1, delay=4 * SECOND),))))
    for _ in range(10):
        world.price(10.15)
    assert world.held() == Decimal("98.5")
    assert world.execution.stop_of(VENUE, SYMBOL) is not None
    assert len(world.places("ENTRY")) == 1


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("old", "the announcement was 21m old, the window is 20m"), ("no price", "no price from before"),
        ("stale price", "the last price is 3m old"), ("spot", "no perpetual of that name"),
        ("unknown", "no perpetual of that name"), ("disabled", "EVENT_BREAKOUT_ENABLED is off"),
    ],
)
def test_what_becomes_no_plan_says_why(case: str, why: str) -> None:
    """Nothing is skipped in silence."""
    world = World(flags={"EVENT_BREAKOUT_ENABLED": case != "disabled"})
    if case != "unknown":
        kind = MarketKind.SPOT if case == "spot" else MarketKind.PERPETUAL
        world.define(replace(XYZ, kind=kind))
    if case != "no price":
        world.price(10.0)
    if case == "stale price":
        world.pass_time(3 * MINUTE)
    world.announce(age=21 * MINUTE if case == "old" else SECOND)
    assert world.story() == ["ignored"]
    assert why in world.texts("ignored")[0]


@pytest.mark.parametrize("kind", ["delisting", "other"])
def test_other_announcements_are_none_of_its_business(kind: str) -> None:
    """Only listings break out."""
    world = World()
    world.define()
    world.price(10.0)
    world.announce(kind=kind)
    assert world.story() == []


def test_one_plan_a_symbol_and_one_hearing_of_an_announcement() -> None:
    """Feeds repeat themselves, and venues announce the same thing twice."""
    world = listed(World())
    world.announce(name="a1")
    assert world.story() == ["planned"]
    world.announce(name="a2")
    assert world.story() == ["planned", "ignored"]


def test_several_listings_run_side_by_side_and_again_later() -> None:
    """Each has its own purposes; after its end a symbol may be planned anew."""
    other = replace(XYZ, symbol="ABCUSDT", base="ABC")
    world = World()
    world.define()
    world.define(other)
    world.price(10.0)
    world.price(20.0, symbol="ABCUSDT")
    world.announce("XYZUSDT")
    world.announce("ABCUSDT", name="b1")
    world.price(10.15)
    world.price(20.4, symbol="ABCUSDT")
    world.pass_time(SECOND)
    assert world.held() > 0 and world.held("ABCUSDT") > 0
    assert {order.purpose for order in world.places("ENTRY")} == {"XYZUSDT/1/entry/first", "ABCUSDT/2/entry/first"}
    world.pass_time(46 * MINUTE)
    assert world.held() == world.held("ABCUSDT") == 0
    world.price(10.0)
    world.announce(name="a2")
    assert world.texts("ignored") == ["listing not traded: XYZ was planned for an announcement already"]
    for _ in range(24):
        world.pass_time(HOUR)
    world.price(10.0)
    world.announce(name="a3")
    assert world.story()[-1] == "planned"
