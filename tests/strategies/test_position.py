"""What becomes of a position: protected at once, harvested on the way, out at the end, whatever fails."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import Fault, FaultKind, FaultPlan
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.orders import Intent, OrderKind, Proposal, Side
from engine.model.restraints import Level
from engine.model.time import MINUTE, MS, SECOND
from tests.strategies.world import STEADY, SYMBOL, VENUE, World, entered, listed


def test_the_position_is_protected_at_once_and_to_the_end() -> None:
    """The stop leaves in the very step of the first fill and covers whatever is held."""
    world = entered(World())
    stop = world.stops()[0]
    fill_at = next(sample.event_at for sample in world.derived if sample.name == "fill_ms")
    assert stop.at - fill_at == 10 * MS, "the way of the answer, and nothing beside it"
    assert stop.close_position and stop.quantity is None
    assert stop.trigger_price == Decimal("9.847")
    assert world.execution.stop_of(VENUE, SYMBOL) == f"{stop.client_id} @ 9.847"


def test_the_ladder_takes_a_quarter_at_each_rung() -> None:
    """3, 5 and 8 % above the average price; a quarter is left for the trailing stop."""
    world = entered(World())
    rungs = world.places("TAKE_PROFIT")
    assert [rung.limit_price for rung in rungs] == [Decimal("10.457"), Decimal("10.66"), Decimal("10.965")]
    assert {rung.quantity for rung in rungs} == {Decimal("24.6")}
    assert all(rung.reduce_only for rung in rungs)
    for mid in (10.3, 10.5, 10.7):
        world.price(mid, after=5 * SECOND)
        world.price(mid, after=5 * SECOND)
    assert world.story().count("took_profit") == 2
    assert world.held() == Decimal("98.5") - 2 * Decimal("24.6")


def test_the_stop_loss_ends_a_breakout_that_fails() -> None:
    """Sold at the stop, everything else gone with it, and the story says what it cost."""
    world = entered(World())
    for mid in (10.1, 10.0, 9.9, 9.8, 9.8, 9.8):
        world.price(mid, after=5 * SECOND)
    assert world.held() == 0
    assert world.story()[-1] == "closed"
    assert "stop loss" in world.texts("closed")[0] and "-3" in world.texts("closed")[0]
    assert world.execution.count_orders() == {"open": 0, "unknown": 0}


def test_the_trailing_stop_rises_with_the_price_and_sells_when_it_turns() -> None:
    """Every new trigger is higher than all before, and there is never an instant without a stop."""
    world = entered(World())
    for mid in (10.2, 10.35, 10.4, 10.45, 10.6, 10.7, 10.6, 10.5, 10.4, 10.3):
        for _ in range(2):
            world.price(mid, after=8 * SECOND)
            assert world.held() == 0 or world.execution.stop_of(VENUE, SYMBOL) is not None
    triggers = [order.trigger_price for order in world.stops() if order.trigger_price is not None]
    assert triggers == sorted(triggers) and len(triggers) > 3
    assert world.story()[-1] == "closed" and "trailing stop" in world.texts("closed")[0]
    assert world.held() == 0


def test_small_moves_do_not_churn_the_stop() -> None:
    """An order for every tick would cost a limit of the venue and tell nobody anything."""
    world = entered(World())
    mid = 10.4
    world.price(mid, after=10 * SECOND)
    world.pass_time(SECOND)
    before = len(world.stops())
    for _ in range(20):
        mid += 0.002
        world.price(mid)
    assert len(world.stops()) == before


def test_the_time_stop_sells_at_market_and_cancels_the_stop_last() -> None:
    """45 minutes after the first fill, whatever it earned."""
    world = entered(World())
    for _ in range(280):
        world.price(10.12, after=10 * SECOND)
    assert "timed_out" in world.story() and world.story()[-1] == "closed"
    assert world.held() == 0
    (way_out,) = world.places("EXIT")
    assert way_out.kind is OrderKind.MARKET and way_out.reduce_only
    stops = {order.client_id for order in world.stops()}
    cancelled = [effect for effect in world.effects if isinstance(effect, CancelOrder) and effect.client_id in stops]
    assert all(effect.at > way_out.at for effect in cancelled)


def test_the_time_stop_needs_no_quote() -> None:
    """Market data may be gone; the exit is not waiting for it."""
    world = entered(World())
    world.pass_time(46 * MINUTE)
    assert world.held() == 0
    assert world.story()[-1] == "closed"


@pytest.mark.parametrize("level", [Level.ENTRIES_PAUSED, Level.REDUCE_ONLY, Level.HALTED])
def test_exits_are_managed_at_every_level(level: Level) -> None:
    """A halt that leaves a position without its stop would be the opposite of safe."""
    world = entered(World())
    world.impose(level)
    world.price(10.4, after=10 * SECOND)
    world.price(10.6, after=10 * SECOND)
    world.pass_time(SECOND)
    assert len(world.stops()) >= 3, "the stop goes on rising"
    world.pass_time(46 * MINUTE)
    assert world.held() == 0


def test_a_rejected_stop_is_placed_again() -> None:
    """The second try is at once."""
    world = entered(World(faults=FaultPlan((Fault(kind=FaultKind.REJECT, nth=2, reason="busy"),))))
    world.pass_time(SECOND)
    assert len(world.stops()) == 2
    assert world.execution.stop_of(VENUE, SYMBOL) == f"{world.stops()[1].client_id} @ 9.847"


def test_a_position_that_cannot_be_protected_is_sold() -> None:
    """Three more tries, then out: unprotected is worse than flat."""
    faults = tuple(Fault(kind=FaultKind.REJECT, client_id=f"rb-t1-{n}", reason="busy") for n in (2, 6, 7, 8))
    world = entered(World(faults=FaultPlan(faults)))
    world.pass_time(10 * SECOND)
    assert len(world.stops()) == 4
    assert world.held() == 0
    assert "no stop to be had" in world.texts("leaving")[0]


def test_a_stop_that_would_trigger_at_once_means_out_now() -> None:
    """The price is through it already: there is nothing to wait for."""
    world = listed(World())
    world.price(10.15)
    world.pass_time(25 * MS)
    world.price(9.5, after=10 * MS)
    world.pass_time(2 * SECOND)
    assert world.held() == 0
    assert "through the stop" in world.texts("leaving")[0]
    assert len(world.stops()) == 1


def test_a_refusal_because_there_is_a_stop_is_no_reason_to_sell() -> None:
    """The first one's answer was lost and nobody sees it for half a minute; it protects all the same."""
    faults = FaultPlan((Fault(kind=FaultKind.INVISIBLE, nth=2, delay=30 * SECOND),))
    world = World(faults=faults)
    world.exchange = SimulatedExchange(replace(STEADY, one_close_per_side=True), faults)
    entered(world)
    world.pass_time(2 * MINUTE)
    assert "leaving" not in world.story() and world.held() > 0
    assert len(world.stops()) == 2
    world.price(9.7, after=10 * SECOND)
    world.pass_time(SECOND)
    assert world.held() == 0


def test_a_stop_whose_fate_is_unclear_gets_a_second_one() -> None:
    """A second stop on the whole position cannot add risk, so this doubt may be acted on."""
    world = entered(World(faults=FaultPlan((Fault(kind=FaultKind.LOST_ORDER, nth=2),))))
    world.pass_time(10 * SECOND)
    assert len(world.stops()) == 2
    assert world.execution.stop_of(VENUE, SYMBOL) == f"{world.stops()[1].client_id} @ 9.847"


def test_a_raise_that_fails_keeps_the_old_stop() -> None:
    """And tries again some seconds later."""
    world = entered(World(faults=FaultPlan((Fault(kind=FaultKind.REJECT, nth=7, reason="busy"),))))
    world.price(10.4, after=10 * SECOND)
    world.price(10.5, after=6 * SECOND)
    world.pass_time(SECOND)
    kept = world.execution.stop_of(VENUE, SYMBOL)
    assert kept is not None and "10.19" in kept
    assert "kept" in world.story()
    world.price(10.55, after=6 * SECOND)
    world.pass_time(SECOND)
    raised = world.execution.stop_of(VENUE, SYMBOL)
    assert raised is not None and "10.19" not in raised


def test_a_failed_exit_is_tried_until_it_works() -> None:
    """Later and later, never for good."""
    world = entered(World())
    count = [0]

    def first_three(order: PlaceOrder) -> bool:
        count[0] += order.intent is Intent.EXIT
        return order.intent is Intent.EXIT and count[0] <= 3

    world.withholds = first_three
    world.pass_time(47 * MINUTE)
    assert len(world.places("EXIT")) == 4
    assert world.held() == 0


def test_a_position_closed_from_outside_ends_the_plan() -> None:
    """A rule's exit sold it: nothing is left to protect, and the orders go."""
    world = entered(World())
    world.dispatch([Proposal(
        proposer="execution", purpose="target/1", intent=Intent.FLATTEN, venue=VENUE, symbol=SYMBOL, side=Side.SELL,
        kind=OrderKind.MARKET, quantity=world.held(), reference_price=Decimal(10), reduce_only=True,
    )])
    world.pass_time(3 * SECOND)
    assert world.held() == 0
    assert world.story()[-1] == "closed" and "from outside" in world.texts("closed")[0]
    assert world.execution.count_orders()["open"] == 0
