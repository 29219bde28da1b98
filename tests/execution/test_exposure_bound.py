"""Whatever is lost, late, hidden or cut off: what could really be executed is never more than what we count."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.model.answers import QueryFailed
from engine.model.effects import FillBooked, Notify, PlaceOrder, PositionAdopted
from engine.model.events import Input, OrderFilled
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import Query
from engine.model.time import MINUTE, MS, SECOND
from tests.execution.floor import Floor
from tests.execution.kit import ENTRY, EXIT

LIMIT = replace(ENTRY, kind=OrderKind.LIMIT, limit_price=Decimal(2))

_STEP = st.one_of(
    st.tuples(st.just("place"), st.sampled_from(["buy", "sell", "market", "exit"]), st.integers(3, 9)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 9)),
    st.tuples(st.just("repeat"), st.just(0), st.just(0)),
    st.tuples(st.just("line"), st.sampled_from(["heard", "lost", "dropped"]), st.just(0)),
    st.tuples(st.just("deaf"), st.booleans(), st.just(0)),
    st.tuples(st.just("stream"), st.booleans(), st.just(0)),
    st.tuples(st.just("hide"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([10 * MS, 300 * MS, 2 * SECOND, 9 * SECOND, 40 * SECOND]), st.just(0)),
    st.tuples(st.just("crash"), st.just(0), st.just(0)),
    st.tuples(st.just("forget"), st.just(0), st.just(0)),
)


class World(Floor):
    """A floor that plays a script of troubles."""

    def __init__(self) -> None:
        super().__init__()
        self.placed = 0

    def do(self, what: str, which: object, size: int) -> None:
        sent = [one for one in self.made(PlaceOrder) if one.client_id in self.venue.orders]
        if what == "place":
            self.placed += 1
            proposal = {"exit": EXIT, "market": ENTRY}.get(str(which), LIMIT)
            side = Side.SELL if which in ("sell", "exit") else Side.BUY
            wish = replace(proposal, purpose=f"p{self.placed}", side=side, quantity=Decimal(size))
            (self.order if which in ("market", "exit") else self.resting)(wish)
        elif what in ("cancel", "fill") and isinstance(which, int) and which < len(sent):
            if what == "fill":
                self.fill(sent[which], str(size))
            else:
                self.perform(self.cancel(sent[which]))
        elif what == "repeat":
            self.arrive(OrderFilled(fill=fill, remaining=None) for fill in self.venue.trades[-3:])
        elif what == "line":
            self.reply = str(which)
        elif what == "deaf":
            self.deaf = bool(which)
        elif what == "stream":
            self.stream_is(bool(which))
        elif what == "hide" and isinstance(which, int):
            self.venue.hide_for = which * SECOND
        elif what == "wait" and isinstance(which, int):
            self.run(which)
        elif what == "crash":
            self.crash()
        elif what == "forget":
            self._inbox.clear()

    def check(self) -> None:
        """The bound itself, on both sides."""
        open_orders = [held for held in self.venue.orders.values() if not held.state.final]
        adds = {side: Decimal(0) for side in Side}
        for held in open_orders:
            if not held.order.reduce_only:
                adds[held.order.side] += held.left
        there, counted = self.venue.held.get("XYZUSDT", Decimal(0)), self.exposure()
        assert there + adds[Side.BUY] <= counted.position + counted.open_buys
        assert there - adds[Side.SELL] >= counted.position - counted.open_sells


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_STEP, max_size=24))
def test_nothing_can_be_executed_that_is_not_counted_and_in_the_end_all_agrees(
    script: list[tuple[str, object, int]]
) -> None:
    """At every step the bound; after the trouble, order by order and fill by fill, the venue's own books."""
    world = World()
    for step in script:
        world.do(*step)
        world.check()
    world.reply, world.deaf, world.venue.hide_for = "heard", False, 0
    world.stream_is(True)
    for _ in range(6):
        world.run(MINUTE)
        world.check()
    assert world.held() == world.venue.held.get("XYZUSDT", Decimal(0))
    assert world.made(PositionAdopted) == []
    booked = [told.fill.trade_id for told in world.made(FillBooked)]
    assert sorted(booked) == sorted(fill.trade_id for fill in world.venue.trades)
    live = {record.client_id for record in world.execution.live("paper", "XYZUSDT")}
    assert live == {name for name, held in world.venue.orders.items() if not held.state.final}
    assert world.execution.count_orders()["unknown"] == 0
    assert world.execution.holds() == ()
    assert len({order.client_id for order in world.made(PlaceOrder)}) == len(world.made(PlaceOrder))
    assert [note for note in world.made(Notify) if note.to == "page"] == []


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, max_size=14), st.integers(0, 14))
def test_a_cut_changes_nothing_that_follows(script: list[tuple[str, object, int]], cut: int) -> None:
    """Dump and load at any point: the same effects and the same state, doubts and questions included."""
    worlds = World(), World()
    for number, step in enumerate(script):
        for world in worlds:
            world.do(*step)
        if number == cut:
            worlds[1].cut()
    for world in worlds:
        world.run(MINUTE)
    assert worlds[0].out == worlds[1].out
    assert worlds[0].execution.dump() == worlds[1].execution.dump()


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, max_size=14), st.sampled_from(list(Query)), st.integers(0, 40))
def test_a_failed_question_changes_no_order_and_no_position(
    script: list[tuple[str, object, int]], query: Query, ask: int
) -> None:
    """Whichever it was: a failed query is never flat, never absent, never an end."""
    world = World()
    for step in script:
        world.do(*step)
    before, held = world.execution.dump()["account"], {one.instance for one in world.execution.holds()}
    world.execution.on_event(Input(1, world.at, QueryFailed(
        ask=ask, query=query, venue="paper", reason="503", venue_at=world.at, symbol="XYZUSDT"
    )), world)
    after = world.execution.dump()["account"]
    assert (after["orders"], after["fills"], after["apart"]) == (before["orders"], before["fills"], before["apart"])
    assert {one.instance for one in world.execution.holds()} == held


def test_an_order_of_every_state_but_a_proven_end_is_counted() -> None:
    """The states one by one."""
    world = World()
    order = world.resting(LIMIT)
    seen = {}
    for state in OrderState:
        record = replace(world.record(order), state=state)
        seen[state] = record.may_fill()
    counted = {state for state, quantity in seen.items() if quantity == 10}
    assert counted == {
        OrderState.INTENDED, OrderState.SENT, OrderState.OPEN, OrderState.PARTLY_FILLED, OrderState.CANCELLING,
        OrderState.UNKNOWN,
    }
