"""Laws over any news, market and switching: one position an event, none while off, all of it protected and told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.effects import PlaceOrder, PlanMade
from engine.model.orders import Intent
from engine.model.time import MINUTE, MS, SECOND
from tests.strategies.world import VENUE, XYZ, World

COINS = ("XYZ", "ABC")
SYMBOLS = tuple(f"{coin}USDT" for coin in COINS)
NEWS = st.tuples(
    st.just("news"), st.sampled_from(["listing", "listing", "futures_launch", "delisting", "other"]),
    st.sampled_from([SYMBOLS[:1], SYMBOLS[1:], SYMBOLS]), st.integers(0, 5),
)
PRICE = st.tuples(
    st.just("price"), st.sampled_from([120, 150, 40, 5, 0, -15, -150]), st.sampled_from(SYMBOLS),
    st.sampled_from([SECOND, 15 * MS, 20 * SECOND, 2 * MINUTE]),
)
SWITCH = st.tuples(
    st.just("switch"), st.sampled_from(["EVENT_BREAKOUT_ENABLED", "EVENT_BREAKOUT_DRY_RUN"]), st.booleans(), st.just(0)
)
BEGIN = st.sampled_from([
    [("news", "listing", SYMBOLS, 0)],
    [("news", "listing", SYMBOLS[:1], 0), ("news", "futures_launch", SYMBOLS[1:], 1)],
])
"""Without news nothing happens, so every walk begins with some."""
WALK = st.lists(st.one_of(PRICE, PRICE, PRICE, PRICE, PRICE, PRICE, NEWS, SWITCH), min_size=5, max_size=40)
MOVES = st.tuples(BEGIN, WALK).map(lambda both: [*both[0], *both[1]])


def begun() -> tuple[World, dict[str, float]]:
    world = World()
    mids = dict.fromkeys(SYMBOLS, 10.0)
    for coin, symbol in zip(COINS, SYMBOLS, strict=True):
        world.define(replace(XYZ, symbol=symbol, base=coin))
        world.price(10.0, symbol=symbol)
    return world, mids


def do(world: World, mids: dict[str, float], move: tuple[object, ...]) -> None:
    match move:
        case ("news", str(kind), tuple(symbols), int(number)):
            world.announce(*symbols, kind=kind, name=f"{kind}-{number}")
        case ("price", int(bps), str(symbol), int(after)):
            mids[symbol] = max(mids[symbol] * (1 + bps / 10_000), 5.0)
            world.price(round(mids[symbol], 3), after=after, symbol=symbol)
        case ("switch", str(flag), bool(value), _):
            world.flags = {**world.flags, flag: value}
            world.tell_flags()


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_one_position_an_event_and_none_while_switched_off(moves: list[tuple[object, ...]]) -> None:
    world, mids = begun()
    article: dict[str, str] = {}
    for move in moves:
        before = len(world.effects)
        do(world, mids, move)
        off = not world.flags["EVENT_BREAKOUT_ENABLED"] or bool(world.flags["EVENT_BREAKOUT_DRY_RUN"])
        entries = [one for one in world.effects[before:] if isinstance(one, PlaceOrder) and one.intent is Intent.ENTRY]
        assert not (off and entries)
        for plan in world.breakout.dump()["plans"]:
            article[f"{plan['symbol']}/{plan['number']}"] = plan["announcement"]

    bought: dict[str, set[str]] = defaultdict(set)
    coins: dict[str, set[str]] = defaultdict(set)
    for order in world.places("ENTRY"):
        record = world.execution.order(order.client_id)
        plan = order.purpose.rsplit("/entry/", 1)[0]
        if record is not None and record.may_have_filled:
            bought[article[plan]].add(plan)
            coins[order.symbol].add(plan)
    assert all(len(plans) == 1 for plans in bought.values()), "one position an article"
    assert all(len(plans) == 1 for plans in coins.values()), "and one a coin within a day"


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_whatever_is_held_is_protected_or_being_sold_whatever_is_switched(moves: list[tuple[object, ...]]) -> None:
    world, mids = begun()
    for move in moves:
        do(world, mids, move)
        world.pass_time(500 * MS)
        for symbol in SYMBOLS:
            selling = [
                one for one in world.execution.live(VENUE, symbol)
                if one.intent is Intent.EXIT or (one.intent is Intent.STOP and one.triggered_at)
            ]
            assert world.held(symbol) <= 0 or world.execution.stop_of(VENUE, symbol) is not None or selling


@settings(max_examples=40, deadline=None)
@given(MOVES)
def test_every_entry_and_every_end_is_told_and_the_counters_add_up(moves: list[tuple[object, ...]]) -> None:
    """A plan is told when it is made and when it is over; plans made = over + running, trades = first fills."""
    world, mids = begun()
    for move in moves:
        do(world, mids, move)
    told: dict[str, int] = defaultdict(int)
    for effect in world.effects:
        if isinstance(effect, PlanMade) and effect.strategy == "event_breakout":
            told[effect.state] += 1
    last: dict[tuple[str, tuple[str, ...]], float] = {}
    for sample in world.derived:
        if sample.name.startswith("event_bo_"):
            key = (sample.name, sample.labels)
            assert float(sample.value) >= last.get(key, 0.0), "a counter never falls"
            last[key] = float(sample.value)
    plans = sum(value for (name, _), value in last.items() if name == "event_bo_plans_total")
    skips = sum(value for (name, _), value in last.items() if name == "event_bo_skips_total")
    running = world.breakout.dump()["plans"]

    assert told["planned"] == plans == told["expired"] + told["closed"] + len(running)
    trades = last.get(("event_bo_trades_total", ()), 0.0)
    assert trades == told["closed"] + sum(1 for plan in running if plan["entered_at"])
    assert skips == last.get(("event_bo_skipped_total", ()), 0.0)
    purposes = {order.purpose for order in world.places("ENTRY")}
    filled = {p for p in purposes if world.execution.progress("event_breakout", p).filled > 0}
    unfinished = sum(not leg["ended"] for plan in running for leg in plan["legs"])
    assert told["entered"] + unfinished >= len(filled), "what was bought was told"
