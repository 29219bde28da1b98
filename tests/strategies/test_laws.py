"""What holds for every market and every fault: protected, never twice, only upward, and blind to a cut."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exchange.faults import Fault, FaultKind, FaultPlan
from engine.model.effects import PlaceOrder
from engine.model.orders import Intent
from engine.model.time import MINUTE, MS, SECOND
from tests.strategies.world import SYMBOL, VENUE, World, listed

MOVES = st.lists(
    st.tuples(
        st.sampled_from([-150, -40, -15, 0, 5, 15, 40, 120]),
        st.sampled_from([15 * MS, SECOND, 7 * SECOND, 45 * SECOND, 6 * MINUTE]),
        st.sampled_from(["quote", "quote", "quote", "quote", "withhold", "refuse", "thin"]),
    ),
    min_size=5, max_size=40,
)
FAULTS = st.lists(
    st.builds(
        Fault, kind=st.sampled_from(list(FaultKind)), nth=st.integers(min_value=1, max_value=14),
        delay=st.sampled_from([0, 300 * MS, 3 * SECOND]), reason=st.just("fault"),
    ),
    max_size=3, unique_by=lambda fault: fault.nth,
)


def play(moves: list[tuple[int, int, str]], faults: list[Fault], *, cut: int = -1) -> World:
    """Return the world after `moves` (bps, ns, what else), cut once before the move `cut`."""
    world = listed(World(faults=FaultPlan(tuple(faults))))
    mid = 10.09
    for number, (bps, after, what) in enumerate(moves):
        if number == cut:
            world.cut()
        world.withholds = _entries if what == "withhold" else _none
        world.refuses = _all if what == "refuse" else _none
        world.size = 20.0 if what == "thin" else 1000.0
        mid = max(mid * (1 + bps / 10_000), 5.0)
        world.price(round(mid, 3), after=after)
    world.pass_time(5 * SECOND)
    return world


@settings(max_examples=60, deadline=None)
@given(MOVES, FAULTS)
def test_the_laws_of_a_plan(moves: list[tuple[int, int, str]], faults: list[Fault]) -> None:
    """One walk, all laws: a client id once, a leg once, reduce-only beside entries, stops that only rise."""
    world = play(moves, faults)
    orders = world.places()
    assert max(Counter(order.client_id for order in orders).values(), default=1) == 1
    for order in orders:
        assert order.intent is Intent.ENTRY or order.reduce_only or order.close_position
    _legs_fill_once(world)
    for plan in {order.purpose.split("/")[1] for order in orders}:
        stops = [order for order in world.stops() if order.purpose.split("/")[1] == plan]
        _only_rise(world, stops)
    bought = sum((_filled(world, order) for order in world.places("ENTRY")), Decimal(0))
    assert bought * 10 <= Decimal(2000) * Decimal("1.0001")


def _entries(order: PlaceOrder) -> bool:
    return order.intent is Intent.ENTRY


def _all(_: object) -> bool:
    return True


def _none(_: object) -> bool:
    return False


def _legs_fill_once(world: World) -> None:
    """Of all orders for one purpose at most one may have bought something."""
    may_have = Counter(
        order.purpose for order in world.places("ENTRY")
        if (record := world.execution.order(order.client_id)) is not None and record.may_have_filled
    )
    assert all(count == 1 for count in may_have.values())


def _only_rise(world: World, stops: list[PlaceOrder]) -> None:
    """No stop is asked for below one that the venue had acknowledged before."""
    best = Decimal(0)
    for order in stops:
        assert order.trigger_price is not None
        assert order.trigger_price >= best
        record = world.execution.order(order.client_id)
        if record is not None and record.working:
            best = max(best, order.trigger_price)


def _filled(world: World, order: PlaceOrder) -> Decimal:
    record = world.execution.order(order.client_id)
    return Decimal(0) if record is None else record.filled


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_without_faults_whatever_is_held_is_protected_or_being_sold(moves: list[tuple[int, int, str]]) -> None:
    """Checked after every move, half a second after what happened in it."""
    world = listed(World())
    mid = 10.09
    for bps, after, _ in moves:
        mid = max(mid * (1 + bps / 10_000), 5.0)
        world.price(round(mid, 3), after=after)
        world.pass_time(500 * MS)
        selling = [
            record for record in world.execution.live(VENUE, SYMBOL)
            if record.intent is Intent.EXIT or (record.intent is Intent.STOP and record.triggered_at)
        ]
        assert world.held() <= 0 or world.execution.stop_of(VENUE, SYMBOL) is not None or selling


@settings(max_examples=60, deadline=None)
@given(MOVES, FAULTS, st.integers(min_value=0, max_value=40))
def test_a_cut_changes_nothing_that_follows(moves: list[tuple[int, int, str]], faults: list[Fault], cut: int) -> None:
    """Dump and load at any point: the same effects, byte for byte, and the same state at the end."""
    uncut, resumed = play(moves, faults), play(moves, faults, cut=cut)
    assert resumed.record() == uncut.record()
    assert resumed.derived == uncut.derived
    assert resumed.dump() == uncut.dump()


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_every_plan_ends_flat_with_nothing_left_behind(moves: list[tuple[int, int, str]]) -> None:
    """After the time stop at the latest, when nothing was lost on the way."""
    world = play(moves, [])
    world.pass_time(90 * MINUTE)
    assert world.held() == 0
    assert world.execution.count_orders() == {"open": 0, "unknown": 0}
    assert world.story()[-1] in ("closed", "expired")
    assert world.breakout.next_due() is None
