"""The real client and the real venue's words in virtual time keep the promise of `SimulatedVenue`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import TypeVar

import pytest

from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.adapters.venue_server_gateway import WireFaults
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.adapters.venue_virtual import VirtualVenue
from engine.adapters.venue_virtual_wire import PATHS
from engine.exchange.settings import ExchangeSettings
from engine.model.answers import (
    AccountReported,
    AccountStream,
    IncomeReported,
    OrderAbsent,
    OrderFound,
    ProbeAnswered,
    QueryFailed,
    TradesReported,
)
from engine.model.codec import canonical, encode
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    VenueEvent,
)
from engine.model.market import Quote
from engine.model.orders import OrderState, Side
from engine.model.reports import Query, Rejection
from engine.model.time import MINUTE, MS, SECOND
from engine.ports.venue import SimulatedVenue
from tests.exchange.kit import NOON, SYMBOL, XYZ, order, stop

NAME = "binanceusdm"
INSTRUMENT = replace(XYZ, venue=NAME)
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
EventOf = TypeVar("EventOf")


class World:
    """A venue that a driver keeps time for, and what it told."""

    def __init__(self, *requests: WireRule, streams: tuple[StreamRule, ...] = (), seed: str = "1") -> None:
        settings = ExchangeSettings(seed=seed)
        self.inner = VirtualVenue(settings, WireFaults(requests=requests, streams=streams, seed=seed))
        self.venue: SimulatedVenue = self.inner
        self.venue.define(INSTRUMENT)
        self.now = NOON
        self.told: list[tuple[int, VenueEvent]] = []
        self._asked = 0
        self.quote(99.9, 100.1)
        self.let(SECOND)

    def quote(self, bid: float, ask: float, size: float = 50.0) -> None:
        """Show a touch."""
        self.venue.on_market(Quote(NAME, SYMBOL, bid, size, ask, size, self.now, self.now), self.now)

    def let(self, pass_ns: int) -> None:
        """Let time pass."""
        end = self.now + pass_ns
        while (due := self.venue.next_due()) is not None and due <= end:
            self.told += self.venue.pop_due(due)
        self.now = end

    def send(self, placed: PlaceOrder) -> None:
        """Send an order and wait a second."""
        self.venue.place(replace(placed, venue=NAME), self.now)
        self.let(SECOND)

    def cancel(self, client_id: str, *, conditional: bool = False) -> None:
        """Ask for an order back and wait a second."""
        self.venue.cancel(CancelOrder(
            at=self.now, client_id=client_id, venue=NAME, symbol=SYMBOL, conditional=conditional, why=""), self.now)
        self.let(SECOND)

    def ask(self, query: Query, client_id: str = "", *, conditional: bool = False) -> VenueEvent:
        """Ask, wait two seconds and return the last thing told."""
        self._asked += 1
        self.venue.ask(AskVenue(
            at=self.now, ask=self._asked, query=query, venue=NAME, symbol=SYMBOL, client_id=client_id,
            conditional=conditional,
        ), self.now)
        self.let(2 * SECOND)
        return self.told[-1][1]

    def events(self, kind: type[EventOf]) -> list[EventOf]:
        """Return what was told of one kind."""
        return [event for _, event in self.told if isinstance(event, kind)]

    def held(self) -> Decimal:
        """Return the position."""
        return sum((position.quantity for position in self.venue.positions()), Decimal(0))


def test_the_stream_begins_and_an_order_is_told_by_reply_and_stream() -> None:
    world = World()
    assert [event.alive for event in world.events(AccountStream)] == [True]
    world.send(order("rb-1-1"))

    (fill,) = world.events(OrderFilled)
    assert (fill.fill.client_id, fill.fill.price, fill.remaining) == ("rb-1-1", Decimal("100.1"), Decimal(0))
    assert {event.client_id for event in world.events(OrderAccepted)} == {"rb-1-1"}
    assert all(at > NOON + SECOND for at, event in world.told if isinstance(event, OrderAccepted))
    assert world.held() == 1


def test_a_stop_goes_through_its_life_and_its_fill_is_its_own() -> None:
    world = World()
    world.send(order("rb-1-1"))
    world.send(stop("rb-1-2", Side.SELL, "95"))
    assert [(item.client_id, item.conditional) for item in world.venue.open_orders()] == [("rb-1-2", True)]
    world.quote(94.0, 94.2)
    world.let(SECOND)

    assert [event.client_id for event in world.events(OrderTriggered)] == ["rb-1-2"]
    assert [event.fill.client_id for event in world.events(OrderFilled)] == ["rb-1-1", "rb-1-2"]
    found = world.ask(Query.ORDER, "rb-1-2", conditional=True)
    assert isinstance(found, OrderFound)
    assert (found.report.state, found.report.executed) == (OrderState.FILLED, Decimal(1))
    assert world.held() == 0


def test_refusals_and_cancels_have_their_words() -> None:
    world = World()
    world.send(order("rb-1-1", limit_price="100.1", post_only=True))
    world.send(stop("rb-1-2", Side.SELL, "101", "1"))
    world.send(order("rb-1-3", Side.SELL, reduce_only=True))
    assert [(event.kind, event.code) for event in world.events(OrderRejected)] == [
        (Rejection.WOULD_TAKE, "-5022"), (Rejection.WOULD_TRIGGER, "-2021"), (Rejection.NOT_REDUCING, "-2022")]
    world.cancel("rb-1-1")
    assert [event.client_id for event in world.events(CancelRejected)] == ["rb-1-1"]
    world.send(order("rb-1-4", limit_price="99"))
    world.cancel("rb-1-4")
    assert {(event.client_id, event.reason) for event in world.events(OrderCancelled)} == {("rb-1-4", "requested")}


def test_every_question_has_its_answer() -> None:
    world = World()
    world.send(order("rb-1-1"))
    world.send(stop("rb-1-2", Side.SELL, "95"))
    account = world.ask(Query.ACCOUNT)
    assert isinstance(account, AccountReported)
    assert [(held.symbol, held.quantity) for held in account.positions] == [(SYMBOL, Decimal(1))]
    assert [item.client_id for item in account.orders] == ["rb-1-2"]
    trades, income = world.ask(Query.TRADES), world.ask(Query.INCOME)
    assert isinstance(trades, TradesReported) and trades.count == 1
    assert isinstance(income, IncomeReported) and len(income.entries) == 1
    assert len({event.fill.trade_id for event in world.events(OrderFilled)}) == 1
    assert isinstance(world.ask(Query.ORDER, "rb-1-9"), OrderAbsent)
    world.ask(Query.PROBE)
    assert [event.able for event in world.events(ProbeAnswered)] == [True]


@pytest.mark.parametrize(("rule", "held"), [
    (WireRule(kind=WireFault.LOST_REPLY, path=ORDER, method="POST", nth=1), 1),
    (WireRule(kind=WireFault.LOST_REQUEST, path=ORDER, method="POST", nth=1), 0),
    (WireRule(kind=WireFault.CODE, path=ORDER, method="POST", nth=1), 1),
    (WireRule(kind=WireFault.HTTP, path=ORDER, method="POST", nth=1, status=502), 1),
    (WireRule(kind=WireFault.TRUNCATED, path=ORDER, method="POST", nth=1), 1),
    (WireRule(kind=WireFault.DELAY, path=ORDER, method="POST", nth=1, hold=60 * SECOND), 1),
    (WireRule(kind=WireFault.INVISIBLE, path=ORDER, method="POST", nth=1, hold=3 * SECOND, lost=True), 1),
])
def test_what_was_not_answered_is_uncertain_and_can_be_looked_up(rule: WireRule, held: int) -> None:
    world = World(rule)
    world.send(order("rb-1-1"))
    world.let(10 * SECOND)
    assert [event.client_id for event in world.events(OrderUncertain)] == ["rb-1-1"]
    assert world.held() == held
    found = world.ask(Query.ORDER, "rb-1-1")
    assert isinstance(found, OrderFound if held else OrderAbsent)


def test_a_ban_freezes_everything_until_its_end() -> None:
    world = World(WireRule(kind=WireFault.BAN, path=ORDER, method="POST", nth=1, hold=2 * MINUTE))
    world.send(order("rb-1-1"))
    world.send(order("rb-1-2"))
    world.let(30 * SECOND)
    assert [event.kind for event in world.events(OrderRejected)] == [Rejection.LIMITED, Rejection.LIMITED]
    assert isinstance(world.ask(Query.ACCOUNT), QueryFailed)
    world.let(2 * MINUTE)
    world.send(order("rb-1-3"))
    assert world.held() == 1


def test_a_clock_that_is_off_is_measured_and_the_order_sent_once_more() -> None:
    world = World(WireRule(kind=WireFault.CLOCK_SKEW, hold=5 * MINUTE))
    world.send(order("rb-1-1"))
    assert world.held() == 1
    assert world.events(OrderUncertain) == []


@pytest.mark.parametrize("kind", [StreamFault.DEAD_LISTEN_KEY, StreamFault.DROP_CONNECTION, StreamFault.SILENT])
def test_a_stream_that_does_not_tell_is_found_out_and_begun_anew(kind: StreamFault) -> None:
    begin = NOON + 2 * SECOND
    world = World(streams=(StreamRule(kind=kind, start=begin, end=begin + 20 * SECOND),))
    world.let(2 * SECOND)
    world.send(order("rb-1-1"))
    world.let(MINUTE)
    alive = [event.alive for event in world.events(AccountStream)]
    assert alive[:3] == [True, False, True]
    assert alive[-1]
    world.send(order("rb-1-2"))
    assert world.events(OrderFilled)[-1].fill.client_id == "rb-1-2"


def test_a_client_that_died_knows_nothing_and_its_order_arrives_all_the_same() -> None:
    world = World()
    world.venue.place(replace(order("rb-1-1"), venue=NAME), world.now)
    world.told += world.venue.pop_due(world.now)
    world.inner.restart(world.now + MS)
    world.let(SECOND)
    assert world.held() == 1
    assert world.events(OrderUncertain) == []
    trades = world.ask(Query.TRADES)
    assert isinstance(trades, TradesReported) and trades.count == 1
    assert world.events(OrderFilled)[-1].fill.client_id == "rb-1-1"


def test_a_checkpoint_keeps_the_venue_and_what_was_on_its_way_there() -> None:
    world, other = World(), World()
    world.send(order("rb-1-1"))
    world.venue.place(replace(order("rb-1-2"), venue=NAME), world.now)
    world.told += world.venue.pop_due(world.now)
    saved = canonical(world.venue.dump())
    other.venue.load(json.loads(saved))
    other.now = world.now
    other.let(SECOND)
    assert other.held() == 2
    assert isinstance(other.ask(Query.ORDER, "rb-1-2"), OrderFound)


def story(seed: int) -> bytes:
    """Return everything told in ten minutes of a wandering market with orders and trouble, as bytes."""
    rules = tuple(WireRule(kind=kind, method="POST", probability=0.1, hold=SECOND) for kind in (
        WireFault.LOST_REPLY, WireFault.CODE, WireFault.INVISIBLE, WireFault.TRUNCATED))
    streams = (StreamRule(kind=StreamFault.DUPLICATE, probability=0.1), StreamRule(
        kind=StreamFault.LATE, probability=0.1))
    world, draw, tick = World(*rules, streams=streams, seed=str(seed)), Random(seed), 1000
    for number in range(120):
        tick += draw.choice((-2, -1, 0, 1, 2))
        world.quote(tick / 10, (tick + 1) / 10, float(draw.randrange(1, 50)))
        if number % 3 == 0:
            side = draw.choice((Side.BUY, Side.SELL))
            world.send(order(f"rb-1-{number}", side, limit_price=draw.choice((None, str(Decimal(tick) / 10)))))
        world.let(5 * SECOND)
        if number % 10 == 0:
            world.ask(Query.ACCOUNT)
    fills = {event.fill.trade_id: event.fill for event in world.events(OrderFilled)}
    world.ask(Query.TRADES)
    fills |= {event.fill.trade_id: event.fill for event in world.events(OrderFilled)}
    assert sum(fill.quantity * fill.side.sign for fill in fills.values()) == world.held()
    ends = Counter(event.client_id for event in world.events(OrderRejected))
    ends.update(event.client_id for event in world.events(OrderUncertain))
    assert max(ends.values()) == 1
    return b"".join(str(at).encode() + encode(event) for at, event in world.told)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    assert story(seed) == story(seed)
    assert story(seed) != story(seed + 1)


def test_every_request_of_the_client_is_known_here() -> None:
    assert {"fapiPrivatePostOrder", "fapiPrivatePostAlgoOrder", "fapiPrivateGetAllAlgoOrders",
            "fapiPrivateV3GetPositionRisk", "fapiPublicGetPremiumIndex", "fapiPrivatePutListenKey",
            "fapiPrivateGetPositionSideDual"} <= set(PATHS)
    assert CcxtTerms().venue == NAME
