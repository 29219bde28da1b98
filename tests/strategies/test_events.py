"""One position an event, whatever is announced how often; what is switched off, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.effects import CancelOrder
from engine.model.restraints import Level
from engine.model.sizing import Sized
from engine.model.time import HOUR, MINUTE, SECOND
from tests.strategies.world import XYZ, World, entered, listed

ABC = replace(XYZ, symbol="ABCUSDT", base="ABC")


def counts(world: World) -> dict[str, float]:
    """Return the last sample of each counter that is not 0, its labels behind a slash."""
    told = {"/".join((one.name.removeprefix("event_bo_"), *one.labels)): one.value for one in world.derived
            if one.name.startswith("event_bo_")}
    return {name: float(value) for name, value in told.items() if value}


def two(*symbols: str) -> World:
    world = World()
    world.define()
    world.define(ABC)
    world.price(10.0)
    world.price(20.0, symbol="ABCUSDT")
    world.announce(*(symbols or ("XYZUSDT", "ABCUSDT")))
    return world


def test_an_article_that_names_two_coins_is_one_event_and_the_first_to_break_out_is_bought() -> None:
    world = two()
    assert world.story() == ["planned", "planned"]
    world.price(20.4, symbol="ABCUSDT")
    world.pass_time(SECOND)
    world.price(10.4)
    world.price(10.5)

    assert {order.symbol for order in world.places("ENTRY")} == {"ABCUSDT"} and world.held() == 0
    assert world.texts("expired") == ["no entry: ABCUSDT of the same announcement was bought"]
    assert counts(world) == {"plans_total/live": 2, "trades_total": 1, "skips_total/same_event": 1, "skipped_total": 1}


def test_two_that_break_out_at_once_are_still_one_position() -> None:
    """The second is not even proposed while the first is on its way."""
    world = two()
    world.price(10.4, after=0)
    world.price(20.8, after=0, symbol="ABCUSDT")
    world.pass_time(MINUTE)

    assert len({order.symbol for order in world.places("ENTRY")}) == 1


def test_the_other_one_is_bought_if_the_first_bought_nothing() -> None:
    world = two()
    world.loses = lambda order: False
    world.withholds = lambda order: order.symbol == "ABCUSDT"
    world.price(20.4, symbol="ABCUSDT")
    world.price(10.4)
    world.pass_time(SECOND)

    assert world.held() > 0 and world.held("ABCUSDT") == 0


def test_spot_and_then_futures_of_one_coin_are_one_event() -> None:
    world = entered(World())
    world.pass_time(50 * MINUTE)
    assert world.held() == 0
    world.price(11.0)
    world.announce(name="a2", kind="futures_launch")
    world.price(11.5)
    world.pass_time(MINUTE)

    assert len({order.purpose for order in world.places("ENTRY")}) == 1
    assert counts(world)["skips_total/same_event"] == 1
    world.pass_time(24 * HOUR)
    world.price(11.0)
    world.announce(name="a3")
    assert world.story()[-1] == "planned"


@pytest.mark.parametrize(("kind", "planned"), [
    ("listing", True), ("futures_launch", True), ("trading_start", False), ("other", False), ("delisting", False),
    ("noise", False), ("", False),
])
def test_what_is_bought_is_listings_and_launches(kind: str, planned: bool) -> None:
    world = World()
    world.define()
    world.price(10.0)
    world.announce(kind=kind)
    world.price(10.5)
    world.pass_time(SECOND)

    assert (world.story()[:1] == ["planned"]) is planned and bool(world.places("ENTRY")) is planned


def test_a_delisting_of_what_is_held_sells_it() -> None:
    world = entered(World())
    assert world.held() > 0
    world.announce(name="d1", kind="delisting")
    world.pass_time(SECOND)

    assert world.held() == 0 and "its delisting was announced" in world.texts("leaving")[0]


def test_a_delisting_ends_a_plan_that_has_bought_nothing() -> None:
    world = listed(World())
    world.announce(name="d1", kind="delisting")
    world.price(10.5)
    world.pass_time(MINUTE)

    assert world.places("ENTRY") == [] and counts(world)["skips_total/delisted"] == 1


def test_a_dry_run_plans_and_counts_and_proposes_nothing() -> None:
    world = World(flags={"EVENT_BREAKOUT_DRY_RUN": True})
    listed(world)
    world.price(10.5)
    world.price(10.6)
    world.pass_time(30 * MINUTE)

    assert world.asked == [] and world.story() == ["planned", "rehearsed", "expired"]
    assert counts(world)["plans_total/dry"] == 1 and "trades_total" not in counts(world)


def test_without_metrics_it_counts_for_itself_and_tells_when_they_are_wanted() -> None:
    world = World(flags={"EVENT_BREAKOUT_METRICS": False})
    listed(world)
    assert counts(world) == {}
    world.flags = {**world.flags, "EVENT_BREAKOUT_METRICS": True}
    world.tell_flags()

    assert counts(world) == {"plans_total/live": 1}


def test_switched_off_nothing_is_bought_and_what_is_held_stays_guarded() -> None:
    world = entered(World())
    held = world.held()
    world.flags = {**world.flags, "EVENT_BREAKOUT_ENABLED": False}
    world.tell_flags()
    world.pass_time(6 * MINUTE)
    for step in range(20):
        world.price(10.3 + 0.02 * step)
    assert world.held() <= held and len(world.places("ENTRY")) == 1, "no second half"
    assert len(world.stops()) > 1, "the stop went on following the price"
    world.pass_time(45 * MINUTE)
    assert world.held() == 0 and "timed_out" in world.story()


def test_switched_off_an_entry_on_its_way_is_taken_back_and_a_late_fill_gets_its_stop() -> None:
    """Within one event; whatever it still bought is protected like any other, and not sold for being unwanted."""
    world = listed(World())
    world.price(10.2, after=0)
    assert len(world.places("ENTRY")) == 1 and world.held() == 0
    world.flags = {**world.flags, "EVENT_BREAKOUT_ENABLED": False}
    world.tell_flags()
    entry = world.places("ENTRY")[0]
    assert [one.client_id for one in world.effects if isinstance(one, CancelOrder)] == [entry.client_id]
    world.pass_time(SECOND)

    assert world.held() > 0 and len(world.stops()) == 1 and world.places("EXIT") == []


def test_switched_off_a_plan_that_holds_nothing_is_over() -> None:
    world = listed(World())
    world.flags = {**world.flags, "EVENT_BREAKOUT_ENABLED": False}
    world.tell_flags()

    assert world.texts("expired") == ["no entry: EVENT_BREAKOUT_ENABLED is off"]


def test_a_plan_that_waits_out_a_pause_is_one_skip() -> None:
    world = listed(World())
    world.impose(Level.ENTRIES_PAUSED)
    for _ in range(60):
        world.price(10.3, after=5 * SECOND)

    assert len(world.refusals()) > 3 and counts(world)["skips_total/level"] == counts(world)["skipped_total"] == 1


def test_the_size_is_what_the_sizer_says_and_why_is_told() -> None:
    world = World()
    world.sizes = lambda usual: Sized(notional=usual / 4, why="moves four times as much as usual")
    entered(world)

    (order,) = world.places("ENTRY")
    assert order.quantity is not None and order.quantity * Decimal("10.15") <= Decimal(250)
    assert world.texts("entered")[0].endswith("; moves four times as much as usual")


def test_a_symbol_on_which_somebody_else_holds_something_is_left_alone() -> None:
    world = entered(World())
    world.breakout.load({**world.breakout.dump(), "plans": [], "coins": []})
    world.announce(name="b1")
    assert world.texts("ignored") == ["listing not traded: there is a position already"]
