"""Whether a venue takes stops, asked before anything is begun there; take-profits that were lost; what people see."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.codec import canonical
from engine.model.instruments import MarketKind
from engine.model.orders import Intent, OrderKind, OrderState
from engine.model.reports import Query
from engine.model.restraints import Level
from engine.model.time import DAY, MINUTE, SECOND
from tests.risk.stops_kit import SYMBOL, VENUE, XYZ, World, protected

PROBE = f"engine.stop_probe[{VENUE}]"


def test_nothing_is_begun_before_the_venue_has_shown_that_it_takes_a_stop() -> None:
    world = World()
    held = world.holds()[PROBE]
    assert (held.restraint.level, held.scope.venue, held.because) == (Level.ENTRIES_PAUSED, VENUE, "held")
    world.passes(600)
    assert world.asked(Query.PROBE) == [], "first the account, then the probe"
    world.reported()
    (ask,) = world.asked(Query.PROBE)
    assert (ask.venue, ask.symbol) == (VENUE, SYMBOL)
    assert PROBE in world.holds()
    world.probed(able=True, what="placed, found, taken back")
    assert PROBE not in world.holds() and world.told("page") == []


def test_it_is_asked_again_every_day() -> None:
    world = World()
    world.reported()
    world.probed(able=True)
    world.passes(DAY // SECOND - 1)
    assert len(world.asked(Query.PROBE)) == 1
    world.passes(2)
    assert len(world.asked(Query.PROBE)) == 2 and not world.holds()


def test_a_venue_that_takes_no_stop_is_told_once_and_asked_every_ten_minutes() -> None:
    """P1: one morning every stop was refused, and nobody had tried."""
    world = World()
    world.reported()
    world.probed(able=False, what="-4120: wrong endpoint")
    for count in range(2, 6):
        world.passes(10 * MINUTE // SECOND)
        assert len(world.asked(Query.PROBE)) == count
        world.probed(able=False, what="-4120: wrong endpoint")
    assert len(world.told("page")) == 1 and "-4120" in world.told("page")[0]
    held = world.holds()[PROBE]
    assert held.because == "firing" and "-4120" in held.ends and "10 minutes" in held.ends
    world.probed(able=True)
    assert not world.holds() and len(world.told("alert")) == 1


def test_a_failed_probe_proves_nothing_either_way() -> None:
    world = World()
    world.reported()
    world.failed(Query.PROBE)
    assert PROBE in world.holds() and world.told("page") == []
    world.passes(11)
    assert len(world.asked(Query.PROBE)) == 2, "at a start the price was a moment away"
    world.probed(able=True)
    world.passes(DAY // SECOND + 1)
    world.failed(Query.PROBE)
    assert not world.holds()
    world.passes(30)
    assert len(world.asked(Query.PROBE)) == 3, "nothing waits for it: a minute is soon enough"


def test_an_answer_of_not_able_is_never_taken_for_able_whatever_it_says() -> None:
    world = World()
    world.reported()
    world.probed(able=False, what="the answer proves nothing")
    assert PROBE in world.holds()


def test_a_probe_that_is_never_answered_is_asked_again() -> None:
    world = World()
    world.reported()
    world.passes(10 * MINUTE // SECOND)
    assert 4 <= len(world.asked(Query.PROBE)) <= 6


def test_it_tries_where_nothing_is_held() -> None:
    world = World()
    world.validator.on_instrument(replace(XYZ, symbol="SPOTUSDT", kind=MarketKind.SPOT))
    world.validator.on_instrument(replace(XYZ, symbol="ABCUSDT"))
    world.fills("10")
    world.reported()
    assert world.asked(Query.PROBE)[0].symbol == "ABCUSDT"


def test_a_new_process_wants_to_be_shown_anew() -> None:
    world = protected()
    assert not world.holds()
    world.validator.begin(world.at, (VENUE,))
    assert PROBE in world.holds()
    world.reported("stop")
    world.probed(able=True)
    assert not world.holds() and world.told("page") == [] and world.told("alert") == []


@pytest.mark.parametrize("live", [True, False])
def test_without_the_probe_and_on_a_tape_nothing_is_held(live: bool) -> None:
    world = World(live=live)
    world.set(PROBE_ENABLED=not live)
    world.passes(1)
    assert not world.holds()
    world.reported()
    world.passes(3600)
    assert world.asked(Query.PROBE) == []


def takes(**options: object) -> World:
    world = protected(live=False)
    world.set(VALIDATOR_REPAIR_TP=True, **options)  # type: ignore[arg-type]
    take(world, "tp", "4")
    return world


def take(world: World, name: str, quantity: str, price: str = "110") -> None:
    world.order_of(name, intent=Intent.TAKE_PROFIT, kind=OrderKind.LIMIT, quantity=Decimal(quantity), reduce_only=True,
                   close_position=False, limit_price=Decimal(price), trigger_price=None)
    world.accept(name)


def test_a_take_profit_that_is_lost_unfilled_is_placed_again_for_what_is_left() -> None:
    world = takes()
    world.records["tp"] = replace(world.records["tp"], filled=Decimal(1))
    world.cancelled("tp")
    world.passes(9.9)
    assert world.placed() == []
    world.passes(0.2)
    (order,) = world.placed()
    assert (order.intent, order.kind, order.quantity) == (Intent.TAKE_PROFIT, OrderKind.LIMIT, Decimal(3))
    assert (order.limit_price, order.reduce_only) == (Decimal(110), True)
    world.accept(world.last())
    world.passes(600)
    assert len(world.placed()) == 1


def test_no_more_is_offered_than_is_held() -> None:
    world = takes()
    take(world, "other", "8", "120")
    world.cancelled("tp")
    world.passes(11)
    assert world.placed()[0].quantity == Decimal(2)


@pytest.mark.parametrize("how", ["off", "asked", "filled", "replaced", "same_price", "flat", "leaving"])
def test_a_take_profit_that_nobody_misses_is_not_placed_again(how: str) -> None:
    world = takes()
    if how == "off":
        world.set(VALIDATOR_REPAIR_TP=False)
    if how == "asked":
        world.records["tp"] = replace(world.records["tp"], cancel_asked=True)
    if how == "replaced":
        take(world, "tp2", "4", "111")
        world.records["tp2"] = replace(world.records["tp2"], purpose="tp")
    if how == "same_price":
        take(world, "tp2", "4")
    world.cancelled("tp")
    if how == "filled":
        world.records["tp"] = replace(world.records["tp"], state=OrderState.FILLED)
    if how == "flat":
        world.fills("-10")
    if how == "leaving":
        world.passes(5)
        world.order_of("exit", kind=OrderKind.MARKET, intent=Intent.EXIT, quantity=Decimal(10), close_position=False,
                       reduce_only=True, trigger_price=None)
    world.passes(60)
    assert world.placed() == []


def test_a_take_profit_that_is_lost_over_and_over_is_given_up_and_closes_nothing() -> None:
    world = takes(VALIDATOR_BUDGET=3)
    world.cancelled("tp")
    for _ in range(6):
        world.passes(11)
        if world.placed() and world.records[world.last()].state is OrderState.SENT:
            world.accept(world.last())
            world.cancelled(world.last())
    assert len(world.placed()) == 3 and world.closings() == []


def test_what_people_see_of_a_position() -> None:
    world = protected()
    since = world.row()["since"]
    world.passes(15)
    world.reported("stop")
    row = world.row()
    assert (row["symbol"], row["side"], row["stop"], row["trigger"]) == (SYMBOL, "long", "stop", "97")
    assert (row["since"], row["proven_at"], row["unprotected_since"]) == (since, world.at, None)
    world.cancelled("stop")
    row = world.row()
    assert (row["stop"], row["trigger"], row["unprotected_since"]) == (None, "97", world.at)
    world.fills("-10")
    assert world.validator.report(world)["positions"] == []
    canonical(world.validator.report(world))


def test_samples_are_fresh_while_flat_while_open_and_while_bare() -> None:
    """A signal that goes stale holds its rule: none may come later than half of what it is believed for."""
    world = World(live=False)
    world.passes(100)
    longest = ("unprotected_longest_s", ("main",))
    assert world.samples == {longest: 0.0, ("stops_missing", ("main",)): 0.0}
    gaps = []
    world.fills("10")
    for _ in range(20):
        before = world.samples[longest]
        world.passes(1)
        gaps.append(float(world.samples[longest]) - float(before))
        if world.placed() and world.records[world.last()].state is OrderState.SENT:
            world.accept(world.last())
    assert max(gaps) <= 2.0 and world.samples[longest] == 0.0
    world.cancelled(world.last())
    world.passes(10.5)
    assert world.samples["stops_missing", ("main",)] == 1.0
