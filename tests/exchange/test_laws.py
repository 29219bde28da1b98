"""What holds whatever the market does and whatever is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.exchange.exchange import SimulatedExchange
from engine.exchange.faults import Fault, FaultKind, FaultPlan
from engine.exchange.settings import ExchangeSettings
from engine.model.codec import canonical, encode
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import BalanceReported, OrderFilled, VenueEvent
from engine.model.fills import Liquidity
from engine.model.market import DepthDelta, DepthSnapshot, Quote, Trade
from engine.model.orders import OrderKind, Side
from engine.model.time import MS
from tests.exchange.kit import NOON, XYZ, cancel, delta, order, quote, snapshot, trade

Deed = tuple[int, Quote | Trade | DepthDelta | DepthSnapshot | PlaceOrder | CancelOrder]

FAULTS = FaultPlan((
    Fault(kind=FaultKind.DELAY, nth=3, delay=90 * MS), Fault(kind=FaultKind.LOST_REPLY, nth=5),
    Fault(kind=FaultKind.REJECT, nth=7), Fault(kind=FaultKind.LOST_ORDER, nth=9),
))
SETTINGS = ExchangeSettings(uncertain_after=300 * MS)


def story(seed: int, length: int) -> list[Deed]:
    """Return `length` deeds of a market that wanders, gaps and is quoted, with orders of every kind among them."""
    draw = Random(seed)
    at, tick, last_id, deeds = NOON, 1000, 100, list[Deed]()
    for number in range(length):
        at += draw.randrange(1, 30) * MS
        tick += draw.choice((-3, -1, 0, 0, 0, 1, 3))
        bid, ask = tick / 10, (tick + draw.choice((1, 2, 5))) / 10
        kind = draw.random()
        if kind < 0.35:
            deeds.append((at, quote(bid, draw.randrange(1, 300) / 100, ask, draw.randrange(1, 300) / 100, at)))
        elif kind < 0.55:
            buys = draw.random() < 0.5
            price = (tick + draw.choice((-3, -1, 0, 1, 3))) / 10
            deeds.append((at, trade(price, draw.randrange(1, 400) / 100, buys=buys, at=at)))
        elif kind < 0.6:
            last_id += 10
            bids = tuple(((tick - n) / 10, draw.randrange(1, 300) / 100) for n in range(8))
            asks = tuple(((tick + 1 + n) / 10, draw.randrange(1, 300) / 100) for n in range(8))
            deeds.append((at, snapshot(bids, asks, last_id, at)))
        elif kind < 0.75:
            previous, last_id = last_id + draw.choice((0, 0, 0, 0, 0, 0, 5)), last_id + 10
            levels = (((tick - draw.randrange(8)) / 10, draw.randrange(0, 300) / 100),)
            others = (((tick + 1 + draw.randrange(8)) / 10, draw.randrange(0, 300) / 100),)
            deeds.append((at, delta(levels, others, (previous + 1, last_id, previous), at)))
        elif kind < 0.85:
            deeds.append((at, cancel(f"o{draw.randrange(number + 1)}", conditional=draw.random() < 0.3)))
        else:
            deeds.append((at, any_order(draw, f"o{number}", tick)))
    return deeds


def any_order(draw: Random, client_id: str, tick: int) -> PlaceOrder:
    side = draw.choice((Side.BUY, Side.SELL))
    quantity = f"{draw.randrange(6, 900) / 100}"
    price = str(Decimal(tick + draw.randrange(-8, 9)) / 10)
    kind = draw.choice(("market", "limit", "limit", "stop", "close"))
    reduce_only = draw.random() < 0.3
    if kind == "market":
        return order(client_id, side, quantity, reduce_only=reduce_only)
    if kind == "limit":
        post_only = draw.random() < 0.5
        return order(client_id, side, quantity, limit_price=price, post_only=post_only, reduce_only=reduce_only)
    whole = kind == "close"
    which = draw.choice((OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET))
    return order(
        client_id, side, None if whole else quantity, kind=which, trigger_price=price, close_position=whole,
        reduce_only=reduce_only and not whole,
    )


def fresh() -> SimulatedExchange:
    exchange = SimulatedExchange(SETTINGS, FAULTS)
    exchange.define(XYZ)
    return exchange


def play(exchange: SimulatedExchange, deeds: list[Deed], told: list[tuple[int, VenueEvent]]) -> None:
    for at, deed in deeds:
        while (due := exchange.next_due()) is not None and due <= at:
            told += exchange.pop_due(due)
        if isinstance(deed, PlaceOrder):
            exchange.submit(deed, at)
        elif isinstance(deed, CancelOrder):
            exchange.cancel(deed, at)
        else:
            exchange.on_market(deed, at)


def finish(exchange: SimulatedExchange, told: list[tuple[int, VenueEvent]]) -> None:
    while (due := exchange.next_due()) is not None:
        told += exchange.pop_due(due)


def spelled(told: list[tuple[int, VenueEvent]]) -> list[bytes]:
    return [str(at).encode() + encode(event) for at, event in told]


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_what_is_filled_is_what_is_held_and_paid(seed: int) -> None:
    """Position = sum of fills; balance = start + realised - fees; no order gets more than it asked."""
    exchange, told, deeds = fresh(), list[tuple[int, VenueEvent]](), story(seed, 300)
    play(exchange, deeds, told)
    finish(exchange, told)
    fills = [event.fill for _, event in told if isinstance(event, OrderFilled)]
    asked = {deed.client_id: deed for _, deed in deeds if isinstance(deed, PlaceOrder)}

    position = exchange.position(XYZ.venue, XYZ.symbol)
    assert position.quantity == sum(fill.quantity * fill.side.sign for fill in fills)
    assert position.fees == sum(fill.fee for fill in fills)
    assert abs(exchange.balance("USDT") - (10_000 + position.realized - position.fees)) < Decimal("1e-12")
    reports = [event for _, event in told if isinstance(event, BalanceReported)]
    if reports:
        assert abs(reports[-1].total - exchange.balance("USDT")) <= Decimal("1e-8")
    assert len({fill.trade_id for fill in fills}) == len(fills)

    per_order: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        per_order[fill.client_id] += fill.quantity
        assert fill.quantity > 0
        assert fill.quantity % XYZ.step == fill.price % XYZ.tick == 0
    for client_id, quantity in per_order.items():
        wanted = asked[client_id].quantity
        assert wanted is None or quantity <= wanted


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_no_fill_is_better_than_the_market_allowed(seed: int) -> None:
    """A maker gets its limit; a taker never better than the best price shown by the newest of each stream."""
    exchange, told, deeds = fresh(), list[tuple[int, VenueEvent]](), story(seed, 300)
    play(exchange, deeds, told)
    finish(exchange, told)
    asked = {deed.client_id: deed for _, deed in deeds if isinstance(deed, PlaceOrder)}

    for event in (event for _, event in told if isinstance(event, OrderFilled)):
        fill, wish = event.fill, asked[event.fill.client_id]
        if wish.limit_price is not None:
            assert (fill.price - wish.limit_price) * fill.side.sign <= 0
        if fill.liquidity is Liquidity.MAKER:
            assert fill.price == wish.limit_price == fill.reference_price
            continue
        shown = best_shown(deeds, fill.side, fill.venue_at)
        assert (fill.price - Decimal(str(shown))) * fill.side.sign >= 0
        assert (fill.price - fill.reference_price) * fill.side.sign > 0


def best_shown(deeds: list[Deed], side: Side, at: int) -> float:
    """Return the best opposite price of the last quote and of all depth since the last snapshot, up to `at`."""
    sign, prices, quoted = side.sign, list[float](), list[float]()
    for when, deed in deeds:
        if when >= at:
            break
        if isinstance(deed, Quote):
            quoted = [deed.ask if side is Side.BUY else deed.bid]
        elif isinstance(deed, DepthDelta | DepthSnapshot):
            prices = [] if isinstance(deed, DepthSnapshot) else prices
            prices += [price for price, size in (deed.asks if side is Side.BUY else deed.bids) if size]
    return min((*prices, *quoted), key=lambda price: price * sign)


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 249))
def test_cut_anywhere_and_loaded_it_goes_on_byte_for_byte(seed: int, cut: int) -> None:
    deeds = story(seed, 250)
    whole, first, second = (list[tuple[int, VenueEvent]]() for _ in range(3))
    uncut, before, after = fresh(), fresh(), fresh()
    play(uncut, deeds, whole)
    finish(uncut, whole)
    play(before, deeds[:cut], first)
    saved = canonical(before.dump())
    after.load(json.loads(saved))
    assert canonical(after.dump()) == saved
    play(after, deeds[cut:], second)
    finish(after, second)

    assert spelled([*first, *second]) == spelled(whole)
    assert canonical(after.dump()) == canonical(uncut.dump())


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 249))
def test_looking_at_it_changes_nothing(seed: int, cut: int) -> None:
    """A checkpoint must not be an event."""
    deeds = story(seed, 250)
    watched, alone = fresh(), fresh()
    seen, unseen = list[tuple[int, VenueEvent]](), list[tuple[int, VenueEvent]]()
    play(watched, deeds[:cut], seen)
    watched.dump()
    watched.open_orders()
    play(watched, deeds[cut:], seen)
    play(alone, deeds, unseen)

    assert spelled(seen) == spelled(unseen)


def test_stories_hold_enough_of_everything() -> None:
    """A law proved on stories without maker fills or triggers would say nothing about them."""
    seen: dict[str, int] = defaultdict(int)
    for seed in range(20):
        exchange, told = fresh(), list[tuple[int, VenueEvent]]()
        play(exchange, story(seed, 300), told)
        for _, event in told:
            name = event.fill.liquidity.value if isinstance(event, OrderFilled) else type(event).__name__
            reason = getattr(event, "reason", "")
            seen[f"{name}:{reason}" if reason else name] += 1
    wanted = (
        "maker", "taker", "OrderTriggered", "OrderCancelled:position_closed", "OrderCancelled:requested",
        "OrderRejected:post_only", "OrderRejected:would_trigger", "OrderRejected:reduce_only",
        "OrderRejected:no_position", "CancelRejected:unknown_order",
    )
    assert {word: seen[word] for word in wanted if seen[word] < 5} == {}


@pytest.mark.parametrize("data", [{}, {"version": 99}])
def test_a_state_of_another_version_is_refused(data: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="version"):
        fresh().load(data)


def test_the_order_of_hashes_changes_nothing() -> None:
    """Two interpreters that order sets differently tell the same story."""
    script = (
        "from tests.exchange.test_laws import *\nimport hashlib\ntold=[]\nexchange=fresh()\n"
        "play(exchange, story(7, 600), told)\nfinish(exchange, told)\n"
        "print(hashlib.sha256(b''.join(spelled(told)) + canonical(exchange.dump())).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, cwd=Path(__file__).parents[2],
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
