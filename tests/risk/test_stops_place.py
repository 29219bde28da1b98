"""A stop that is not there: when it is called missing, what is placed, and when the position is closed instead."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from engine.model.instruments import MarketKind
from engine.model.orders import Intent, OrderKind, OrderState, Side
from engine.model.reports import Query, Rejection
from engine.model.restraints import Level
from engine.model.time import SECOND
from engine.risk.stops_watch import DEFAULTS
from tests.risk.stops_kit import SYMBOL, VENUE, XYZ, World, protected

MISSING = f"engine.stops[{VENUE},{SYMBOL}]"


def opened(signed: str = "10", **options: bool) -> World:
    """Return a world in which a position was opened and nobody placed a stop."""
    world = World(**options)  # type: ignore[arg-type]
    if world.live:
        world.reported()
        world.probed(able=True)
    world.fills(signed)
    return world


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(("signed", "side", "trigger"), [("10", Side.SELL, "97"), ("-10", Side.BUY, "103")])
def test_a_position_without_a_stop_gets_one_after_the_grace(live: bool, signed: str, side: Side, trigger: str) -> None:
    world = opened(signed, live=live)

    world.passes(9.9)
    assert world.placed() == [] and world.told("page") == [] and not world.holds()
    world.passes(0.1)

    (stop,) = world.placed()
    assert (stop.intent, stop.kind, stop.side) == (Intent.STOP, OrderKind.STOP_MARKET, side)
    assert (stop.close_position, stop.quantity, stop.trigger_price) == (True, None, Decimal(trigger))
    assert stop.purpose == "XYZUSDT/validator/1" and stop.proposer == "stops"
    assert len(world.told("page")) == 1 and "no proven stop" in world.told("page")[0]
    world.passes(0.5)
    world.accept(world.last())
    assert world.unprotected() == 0.0 and not world.holds()
    assert world.samples["stop_validator_missing_total", (VENUE, SYMBOL)] == 1.0
    assert world.samples["stop_validator_repaired_total", (VENUE, SYMBOL)] == 1.0
    assert len(world.told("alert")) == 1 and "placed again" in world.told("alert")[0]


@pytest.mark.parametrize("cutting", [True, False])
def test_each_call_of_a_missing_stop_is_one_event_of_the_account(cutting: bool) -> None:
    """What kill.stops_missing counts: neither the time it stays missing nor a cut in between makes more of them."""
    world = opened(live=False)
    world.cutting = cutting
    for calls in (1, 2, 3):
        world.passes(10.5)
        assert world.events["stop_called_missing"] == calls
        world.accept(world.last())
        world.passes(30)
        assert world.events["stop_called_missing"] == calls
        world.cancelled(world.last())


@pytest.mark.parametrize(("entry", "signed", "trigger"), [("100.33", "10", "97.4"), ("100.33", "-10", "103.3")])
def test_a_trigger_is_rounded_to_where_it_protects_sooner(entry: str, signed: str, trigger: str) -> None:
    """97.3201 and 103.3399 on a tick of a tenth."""
    world = World(live=False)
    world.fills(signed, entry)
    world.passes(10)
    assert world.placed()[0].trigger_price == Decimal(trigger)


def test_the_last_known_trigger_is_where_the_next_stop_goes() -> None:
    world = protected(live=False)
    world.order_of("higher", quantity=Decimal(10), reduce_only=True, close_position=False, trigger_price=Decimal(99))
    world.accept("higher")
    world.cancelled("stop")
    world.cancelled("higher")
    world.passes(10)
    assert world.placed()[0].trigger_price == Decimal(99)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("end", ["cancelled", "reject"])
def test_a_stop_that_is_told_to_be_gone_is_missed_at_once_and_replaced_after_the_grace(end: str, live: bool) -> None:
    world = protected(live=live)
    assert world.unprotected() == 0.0
    world.passes(60)
    getattr(world, end)("stop")
    world.passes(3)
    assert world.unprotected() == pytest.approx(3.0, abs=1.0)
    assert not world.placed()
    world.passes(7)
    assert len(world.placed()) == 1


def test_the_strategy_that_places_its_stop_within_the_grace_is_left_alone() -> None:
    world = protected(live=False)
    world.cancelled("stop")
    world.passes(9)
    world.order_of("again")
    world.accept("again")
    world.passes(3600)
    assert world.placed() == [] and world.told("page") == [] and world.swept() == []


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN, OrderState.INTENDED])
def test_a_stop_of_unclear_fate_is_waited_for_no_longer_than_the_grace(state: OrderState) -> None:
    """A second stop on the whole position cannot add risk; a position without one can."""
    world = opened(live=False)
    world.order_of("slow", state=state)
    world.passes(9.9)
    assert not world.placed()
    world.passes(0.2)
    assert len(world.placed()) == 1


def test_the_late_stop_of_the_strategy_and_the_repair_do_not_both_stay() -> None:
    """The strategy's stays, because it is the one that is moved; the repair's is asked back once both stand."""
    world = opened(live=False)
    world.order_of("slow", state=OrderState.UNKNOWN)
    world.passes(10)
    world.accept(world.last())
    repair = world.last()
    world.accept("slow")
    assert world.swept() == []
    world.passes(2)
    assert world.swept() == [repair]


def test_without_repair_it_tells_and_pauses_the_venue() -> None:
    world = opened(live=False)
    world.set(VALIDATOR_REPAIR=False)
    world.passes(3600)
    assert world.placed() == [] and world.closings() == []
    assert len(world.told("page")) == 1 and "STOP_VALIDATOR_REPAIR" in world.told("page")[0]
    held = world.holds()[MISSING]
    assert (held.restraint.level, held.scope.venue, held.scope.symbol) == (Level.ENTRIES_PAUSED, VENUE, "")
    assert held.clear_with == "engine flag set STOP_VALIDATOR_REPAIR true"


def test_with_repair_entries_pause_on_the_symbol_until_the_stop_is_there() -> None:
    world = opened(live=False)
    world.passes(10)
    world.passes(1)
    held = world.holds()[MISSING]
    assert (held.scope.symbol, held.since) == (SYMBOL, world.at - 11 * 10**9)
    world.accept(world.last())
    assert MISSING not in world.holds()


def test_switched_off_it_does_nothing_at_all() -> None:
    world = World(live=True)
    world.set(VALIDATOR_ENABLED=False)
    world.reported()
    world.fills("10")
    world.passes(3600)
    assert world.wishes == [] and world.holds() == {} and world.samples == {}
    world.set(VALIDATOR_ENABLED=True)
    world.passes(60)
    assert len(world.placed()) >= 1


@pytest.mark.parametrize("kind", [Rejection.WOULD_TRIGGER, Rejection.CAPABILITY, Rejection.TOO_MANY])
def test_a_stop_that_cannot_be_had_closes_the_position(kind: Rejection) -> None:
    world = opened()
    world.passes(10)
    world.reject(world.last(), kind)
    (closing,) = world.closings()
    assert (closing.name, closing.quantity) == ("stops/XYZUSDT/1", Decimal(0))
    assert "closed at market" in world.told("page")[-1]
    world.passes(3600)
    assert len(world.closings()) == 1 and len(world.placed()) == 1


def test_a_price_that_is_through_the_trigger_closes_the_position_without_trying() -> None:
    world = protected()
    world.cancelled("stop")
    world.shows(96.9)
    world.passes(10)
    assert world.placed() == [] and "through where" in world.closings()[0].why


def test_three_refusals_in_a_row_close_the_position() -> None:
    world = opened()
    world.passes(10)
    for _ in range(3):
        assert world.closings() == []
        world.reject(world.last())
        world.passes(5)
    assert len(world.placed()) == 3 and len(world.closings()) == 1


@pytest.mark.parametrize("kind", [Rejection.LIMITED, Rejection.CLOCK, Rejection.NOT_SENT])
def test_a_refusal_that_says_nothing_of_stops_is_tried_again_until_the_budget_is_spent(kind: Rejection) -> None:
    world = opened()
    world.set(VALIDATOR_BUDGET=4)
    world.passes(10)
    for count in range(4):
        assert len(world.placed()) == count + 1 and world.closings() == []
        world.reject(world.last(), kind)
        for _ in range(60):
            if len(world.placed()) == count + 1 and not world.closings():
                world.passes(1)
    assert len(world.placed()) == 4 and len(world.closings()) == 1


def test_a_venue_that_never_answers_gets_as_many_stops_as_the_budget_allows() -> None:
    world = opened()
    world.passes(120)
    assert len(world.placed()) == 5 and len(world.closings()) == 1


def test_a_stop_that_vanishes_over_and_over_spends_the_budget_and_ends_in_the_exit() -> None:
    """175 cycles in 14 minutes is what others did."""
    world = protected(live=False)
    world.cancelled("stop")
    for _ in range(5):
        world.passes(11)
        world.accept(world.last())
        world.cancelled(world.last())
    assert world.closings() == []
    world.passes(11)
    assert len(world.placed()) == 5 and len(world.closings()) == 1
    assert MISSING in world.holds()


def test_a_spent_budget_holds_the_symbol_until_half_of_it_has_come_back() -> None:
    world = protected(live=False)
    world.cancelled("stop")
    for _ in range(5):
        world.passes(11)
        world.accept(world.last())
        world.passes(290)
        world.cancelled(world.last())
    world.passes(20)
    assert len(world.closings()) == 1
    world.held.clear()
    world.passes(30)
    assert "no more than 2" in world.holds()[MISSING].ends
    third = next(one for one in world.records.values() if one.purpose == "XYZUSDT/validator/3")
    world.passes((third.sent_at - world.at) / SECOND + 3600 - 1)
    assert MISSING in world.holds()
    world.passes(60)
    assert MISSING not in world.holds()


def test_a_repair_that_policy_refuses_is_tried_again_and_costs_nothing() -> None:
    world = opened(live=False)
    world.refuses = True
    world.passes(30)
    assert 10 <= len(world.placed()) <= 25 and world.closings() == []
    world.refuses = False
    world.passes(2)
    world.accept(world.last())
    assert world.row()["repairs_within_hour"] == 1


def test_without_metadata_it_waits_and_says_so() -> None:
    world = opened(live=False)
    del world.instruments[VENUE, SYMBOL]
    world.passes(60)
    assert world.placed() == [] and len(world.told("page")) == 1
    world.instruments[VENUE, SYMBOL] = XYZ
    world.passes(2)
    assert len(world.placed()) == 1


def test_what_is_too_little_to_be_sold_or_held_on_spot_needs_no_stop() -> None:
    world = World(live=False)
    world.fills("0.5")
    world.passes(60)
    assert world.wishes == []
    world.instruments[VENUE, SYMBOL] = replace(XYZ, kind=MarketKind.SPOT)
    world.fills("10")
    world.passes(60)
    assert world.wishes == []


def test_a_position_that_is_being_sold_is_not_stopped_meanwhile() -> None:
    """An exit on its way is waited for, but not for ever."""
    world = protected(live=False)
    world.cancelled("stop")
    world.passes(9)
    world.order_of("exit", kind=OrderKind.MARKET, intent=Intent.EXIT, quantity=Decimal(10), close_position=False,
                   reduce_only=True, trigger_price=None)
    world.passes(9)
    assert world.placed() == []
    world.passes(2)
    assert len(world.placed()) == 1


def test_an_exit_for_a_part_does_not_keep_the_rest_waiting() -> None:
    world = protected(live=False)
    world.cancelled("stop")
    world.order_of("exit", kind=OrderKind.MARKET, intent=Intent.EXIT, quantity=Decimal(9), close_position=False,
                   reduce_only=True, trigger_price=None)
    world.passes(10)
    assert len(world.placed()) == 1


def test_a_triggered_stop_that_does_not_fill_is_followed_by_the_exit() -> None:
    world = protected()
    world.trigger("stop")
    world.passes(4.9)
    assert world.closings() == [] and world.unprotected() == 0.0
    world.passes(0.1)
    (closing,) = world.closings()
    assert "triggered 5 s ago" in closing.why and len(world.told("page")) == 1
    world.passes(600)
    assert len(world.closings()) == 1


def test_an_exit_that_is_too_slow_for_a_triggered_stop_is_followed_by_the_validators_own() -> None:
    world = protected()
    world.trigger("stop")
    world.passes(1)
    world.order_of("exit", kind=OrderKind.MARKET, intent=Intent.EXIT, quantity=Decimal(10), close_position=False,
                   reduce_only=True, trigger_price=None)
    world.passes(9.9)
    assert world.closings() == []
    world.passes(1.1)
    assert len(world.closings()) == 1


def test_a_triggered_stop_that_fills_in_time_is_the_end_of_it() -> None:
    world = protected()
    world.trigger("stop")
    world.passes(1)
    world.records["stop"] = replace(world.records["stop"], state=OrderState.FILLED, filled=Decimal(10))
    world.fills("-10", "96.9", "stop")
    world.passes(60)
    assert world.closings() == [] and world.told("page") == [] and world.unprotected() == 0.0


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED])
def test_a_triggered_stop_that_ends_unfilled_is_followed_by_the_exit(state: OrderState) -> None:
    world = protected()
    world.trigger("stop")
    world.records["stop"] = replace(world.records["stop"], state=state)
    world.passes(5)
    assert len(world.closings()) == 1


def test_a_new_position_starts_anew_and_the_next_closing_has_another_name() -> None:
    world = opened(live=False)
    for number in (1, 2):
        world.passes(10)
        world.reject(world.last(), Rejection.WOULD_TRIGGER)
        assert world.closings()[-1].name == f"stops/XYZUSDT/{number}"
        world.fills("-10")
        world.passes(1)
        world.fills("10")


def test_a_position_that_turns_round_needs_a_stop_on_the_other_side() -> None:
    world = protected(live=False)
    world.fills("-20")
    assert world.unprotected() == 0.0
    world.passes(10)
    (stop,) = world.placed()
    assert (stop.side, stop.trigger_price) == (Side.BUY, Decimal(103))
    assert world.swept() == []
    world.accept(world.last())
    world.passes(2)
    assert world.swept() == ["stop"]


def test_what_was_refused_for_the_last_position_does_not_count_for_the_next() -> None:
    world = opened(live=False)
    world.passes(10)
    world.reject(world.last())
    world.passes(2)
    world.reject(world.last())
    world.fills("-10")
    world.passes(1)
    world.fills("10")
    world.passes(10)
    world.reject(world.last())
    world.passes(2)
    assert world.closings() == [] and len(world.placed()) == 4


def test_a_stop_that_triggered_on_the_last_position_closes_no_other() -> None:
    world = protected(live=False)
    world.trigger("stop")
    world.fills("-20")
    world.passes(6)
    assert world.closings() == []


def test_the_budget_and_the_grace_survive_a_dump_at_every_step() -> None:
    plain, cut = opened(), opened()
    cut.cutting = True
    for world in (plain, cut):
        world.passes(12)
        world.reject(world.last())
        world.passes(20)
        world.accept(world.last())
        world.trigger(world.last())
        world.passes(20)
    assert cut.wishes == plain.wishes and cut.samples == plain.samples
    assert cut.validator.dump() == plain.validator.dump()


def test_a_new_process_gives_its_grace_anew_and_asks_first() -> None:
    """What was sent before the crash may stand at the venue; to know takes a report."""
    world = opened()
    world.passes(9)
    world.validator.begin(world.at, (VENUE,))
    world.passes(9.9)
    assert not world.placed()
    world.passes(0.2)
    assert len(world.placed()) == 1


def test_the_defaults_are_those_of_the_shipped_flags() -> None:
    shipped = yaml.safe_load((Path(__file__).parents[2] / "conf" / "flags.yaml").read_text(encoding="utf-8"))
    by_name = {one["name"]: one["default"] for one in shipped["flags"]}
    assert {name: by_name[name] for name in DEFAULTS} == DEFAULTS


def test_a_live_position_is_asked_for_on_its_interval_and_no_more() -> None:
    world = protected()
    before = len(world.asked(Query.ACCOUNT))
    for _ in range(4):
        world.passes(15)
        world.reported("stop")
    assert 3 <= len(world.asked(Query.ACCOUNT)) - before <= 5
    assert all(one.ask == 0 for one in world.asked(Query.ACCOUNT))
    shared = len(world.asked(Query.ACCOUNT))
    for _ in range(20):
        world.passes(10)
        world.reported("stop")
    assert len(world.asked(Query.ACCOUNT)) == shared, "somebody else's report within the interval is as good"


def test_on_a_tape_nothing_is_asked() -> None:
    world = protected(live=False)
    world.cancelled("stop")
    world.passes(3600)
    world.held.clear()
    world.passes(3600)
    assert not [one for query in Query for one in world.asked(query)]
