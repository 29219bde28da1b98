"""A hedge is opened once an episode, counted by its own fills, and taken back: whatever a line loses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.model.effects import Notify, TargetOpened
from engine.model.orders import Intent, Side
from engine.model.time import MINUTE, SECOND
from engine.model.truth import Truth
from tests.execution.hedge_floor import HedgeFloor, episode
from tests.execution.kit import ENTRY


def hedged(number: int = 1) -> HedgeFloor:
    """A long of 40 with a hedge of half of what a trim of half leaves: short 10 BTC."""
    floor = HedgeFloor()
    floor.buy("40")
    (target,) = floor.spike(episode(number))
    assert isinstance(target, TargetOpened)
    floor.run(5 * SECOND)
    assert floor.btc() == -10
    return floor


def test_a_hedge_is_worth_the_ratio_of_what_the_trim_leaves_and_stands_on_the_other_side() -> None:
    floor = HedgeFloor()
    floor.buy("40")

    (target,) = floor.spike(episode())

    assert isinstance(target, TargetOpened)
    assert (target.kind, target.symbol, target.quantity) == ("hedge_ratio", "BTCUSDT", Decimal(-10))
    assert target.name == "guard.funding.spike/paper,XYZUSDT/1"
    floor.run(SECOND)
    assert floor.btc() == -10


def test_a_short_is_hedged_with_a_long() -> None:
    floor = HedgeFloor()
    floor.buy("40", side=Side.SELL)

    floor.spike(episode(trim=None))
    floor.run(SECOND)

    assert floor.btc() == 20
    (stop,) = floor.stops()
    assert (stop.side, stop.trigger_price) == (Side.SELL, Decimal("1.90"))


def test_a_hedge_gets_a_stop_on_the_whole_position_at_once() -> None:
    """What it hedges may be closed by its own stop while no engine runs."""
    (stop,) = hedged().stops()

    assert stop.close_position and stop.intent is Intent.STOP
    assert (stop.side, stop.trigger_price) == (Side.BUY, Decimal("2.10"))


def test_the_quantity_is_rounded_down_to_the_step() -> None:
    floor = HedgeFloor()
    floor.buy("39.9")

    (target,) = floor.spike(episode())

    assert isinstance(target, TargetOpened) and target.quantity == Decimal("-9.5")


def test_entry_rules_are_told_what_they_ask_of_every_order_that_adds() -> None:
    """A hedge that could not say what it costs would be refused by each rule that wants to know."""
    floor = HedgeFloor()
    floor.buy("40")
    floor.books["BTCUSDT"] = (((1.99, 4.0), (1.98, 100.0)), ((2.01, 1.0),))
    floor.spike(episode())

    told = dict(floor.proposed[-1].facts)

    assert told["order_late_chase_bps"] == 0.0
    assert told["order_expected_slippage_bps"] == pytest.approx((4 * 0.01 + 6 * 0.02) / 10 / 2 * 10_000)


def test_what_the_depth_does_not_show_is_not_told() -> None:
    floor = HedgeFloor()
    floor.buy("40")
    floor.books["BTCUSDT"] = (((1.99, 4.0),), ((2.01, 100.0),))
    floor.spike(episode())

    assert "order_expected_slippage_bps" not in dict(floor.proposed[-1].facts)


@pytest.mark.parametrize(("held", "spoil", "why"), [
    ("9", lambda floor: None, "less than the smallest order"),
    ("40", lambda floor: floor.instruments.pop(("paper", "BTCUSDT")), "BTCUSDT is not known"),
    ("40", lambda floor: floor.quotes.pop(("paper", "BTCUSDT")), "the price of BTCUSDT is not known"),
    ("40", lambda floor: floor.quotes.update({
        ("paper", "XYZUSDT"): replace(floor.quotes["paper", "XYZUSDT"], received_at=floor.at - 11 * SECOND)
    }), "the price of XYZUSDT is not known"),
    ("40", lambda floor: floor.buy("3", "BTCUSDT"), "long BTCUSDT itself, 3"),
])
def test_what_is_not_known_is_told_and_not_traded(held: str, spoil: object, why: str) -> None:
    floor = HedgeFloor()
    floor.buy(held)
    floor.fresh()
    spoil(floor)  # type: ignore[operator]

    (told,) = floor.execution.hedges.open(floor.at, episode(), floor)

    assert isinstance(told, Notify) and told.to == "alert" and why in told.text
    floor._converge()
    floor.run(MINUTE)
    assert floor.hedge_orders() == []


def test_a_hedge_of_the_hedge_market_in_itself_is_no_hedge() -> None:
    floor = HedgeFloor()
    floor.buy("40", "BTCUSDT")

    (told,) = floor.spike(episode(symbol="BTCUSDT"))

    assert isinstance(told, Notify) and "in itself" in told.text and floor.hedge_orders() == []


def test_without_a_ratio_nothing_is_hedged() -> None:
    floor = HedgeFloor()
    floor.buy("40")

    assert floor.spike(episode(ratio=0)) == []


@pytest.mark.parametrize("reply", ["lost", "heard"])
def test_an_order_of_unknown_fate_is_waited_for_and_never_sent_again(reply: str) -> None:
    floor = HedgeFloor()
    floor.buy("40")
    floor.reply = reply
    floor.deaf = reply == "lost"
    floor.spike(episode())
    floor.run(10 * MINUTE)
    floor.reply, floor.deaf = "heard", False
    floor.run(10 * MINUTE)

    assert len(floor.hedge_orders()) == 1
    assert floor.btc() == -10 and floor.held("BTCUSDT") == -10


def test_an_order_that_never_arrived_is_sent_anew_once_that_is_proven() -> None:
    floor = HedgeFloor()
    floor.buy("40")
    floor.reply = "dropped"
    floor.spike(episode())
    floor.run(SECOND)
    floor.reply = "heard"
    floor.run(10 * MINUTE)

    assert len(floor.hedge_orders()) == 2 and len(floor.hedge_fills()) == 1
    assert floor.btc() == -10


@pytest.mark.parametrize("ends", ["episode", "position", "flatten"])
def test_it_is_taken_back_when_what_it_is_for_is_over(ends: str) -> None:
    floor = hedged()

    if ends == "episode":
        floor.end()
    elif ends == "position":
        floor.sell_off()
    else:
        floor.dispatch(floor.execution.flatten(floor.at, floor, "a person says so"))
        floor.level_now = floor.level_now.HALTED
        floor._converge()
    floor.run(MINUTE)

    assert floor.btc() == 0
    assert floor.execution.hedges.usd(floor) == (0.0, 0.0) and not floor.execution.hedges.holds()


def test_a_position_of_the_strategy_is_neither_the_hedge_nor_touched_by_it() -> None:
    """Short 3 BTC before: 10 more are sold, and 10 are bought back."""
    floor = HedgeFloor()
    floor.buy("3", "BTCUSDT", Side.SELL)
    floor.buy("40")

    floor.spike(episode())
    floor.run(SECOND)
    assert floor.btc() == -13
    assert floor.execution.hedges.usd(floor) == (20.0, 20.0)
    floor.end()
    floor.run(MINUTE)

    assert floor.btc() == -3


def test_two_episodes_add_up_and_end_one_by_one() -> None:
    floor = hedged()
    floor.buy("20", "ABCUSDT")
    floor.spike(episode(7, "ABCUSDT", trim=None))
    floor.run(SECOND)
    assert floor.btc() == -20 and floor.execution.hedges.usd(floor) == (40.0, 40.0)
    assert len(floor.stops()) == 1, "a stop on the whole position covers both"

    floor.end()
    floor.run(SECOND)
    assert floor.btc() == -10
    floor.end(7, "ABCUSDT")
    floor.run(SECOND)

    assert floor.btc() == 0 and len(floor.hedge_orders()) == 2


def test_what_its_stop_closed_is_not_opened_again_and_not_taken_back() -> None:
    floor = hedged()
    (stop,) = floor.stops()
    floor.arrive(floor.venue.fill(stop.client_id, Decimal(10), floor.at))
    floor.run(MINUTE)
    assert floor.btc() == 0
    assert floor.execution.hedges.usd(floor) == (0.0, 0.0) and not floor.execution.hedges.holds()

    floor.buy("5", "BTCUSDT", Side.SELL)
    floor.end()
    floor.run(MINUTE)

    assert floor.btc() == -5 and len(floor.hedge_orders()) == 1


def test_what_somebody_closes_of_two_hedges_was_the_newer_one() -> None:
    floor = hedged()
    floor.buy("20", "ABCUSDT")
    floor.spike(episode(7, "ABCUSDT", trim=None))
    floor.run(SECOND)
    floor.dispatch([replace(
        ENTRY, symbol="BTCUSDT", side=Side.BUY, quantity=Decimal(10), purpose="by hand", intent=Intent.EXIT,
        reduce_only=True,
    )])
    floor.run(SECOND)
    assert floor.execution.hedges.usd(floor) == (20.0, 20.0)

    floor.end()
    floor.run(SECOND)

    assert floor.btc() == 0


def test_an_order_that_still_rests_is_cancelled_when_nothing_is_wanted_any_more() -> None:
    floor = HedgeFloor()
    floor.buy("40")
    floor.venue.resting = True
    floor.spike(episode())
    floor.run(SECOND)
    floor.fill(floor.hedge_orders()[0], "4")
    floor.run(SECOND)
    floor.venue.resting = False

    floor.end()
    floor.run(MINUTE)

    assert floor.btc() == 0 and not floor.execution.hedges.holds()
    assert all(record.intent is Intent.STOP for record in floor.execution.all_live())


def test_doubt_begins_nothing_and_ends_nothing() -> None:
    """A firing rule in doubt goes on firing: what stands stands, and what is not sent yet is not sent."""
    floor = HedgeFloor()
    floor.buy("40")
    floor.truth = Truth.UNKNOWN
    floor.spike(episode())
    floor.run(10 * MINUTE)
    assert floor.hedge_orders() == []

    floor.truth, floor.version = Truth.TRUE, 1
    floor._converge()
    floor.run(SECOND)
    floor.truth, floor.version = Truth.UNKNOWN, 2
    floor._converge()
    floor.run(10 * MINUTE)

    assert floor.btc() == -10


def test_a_refusal_of_policy_is_tried_again_later_and_not_at_every_event() -> None:
    floor = HedgeFloor()
    floor.buy("40")
    floor.refuses = "level"
    floor.spike(episode())
    floor.run(2 * MINUTE)
    floor.refuses = ""
    floor.run(5 * MINUTE)

    assert floor.btc() == -10 and len(floor.hedge_orders()) == 1


def test_while_it_is_open_strategies_begin_nothing_in_its_market() -> None:
    floor = hedged()

    (held,) = floor.execution.hedges.holds()

    assert (held.rule, held.scope.symbol, held.restraint.level.word) == ("engine.hedge", "BTCUSDT", "entries_paused")


@pytest.mark.parametrize("after", [0, 20, 60, 200, 3000])
def test_a_crash_at_any_moment_neither_doubles_it_nor_forgets_it(after: int) -> None:
    """`after` ms after the order left: on its way, accepted, filled, protected, long ago."""
    floor = HedgeFloor()
    floor.buy("40")
    floor.spike(episode())
    floor.run(after * 1_000_000)
    floor.crash()
    floor.run(2 * MINUTE)
    assert floor.btc() == -10 and len(floor.hedge_orders()) == 1 and len(floor.stops()) == 1

    floor.end()
    floor.run(20_000_000)
    floor.crash()
    floor.run(2 * MINUTE)

    assert floor.btc() == 0
