"""What holds at the gateway whatever is asked, whatever the market does and whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.venue_server_gateway import Reply
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.model.codec import canonical
from engine.model.time import HOUR, MINUTE, MS, SECOND
from tests.adapters.gateway_kit import SYMBOL, Customer

RULES = tuple(
    WireRule(kind=kind, method=method, probability=0.04, hold=700 * MS, worked=worked)
    for kind, method, worked in (
        (WireFault.LOST_REPLY, "POST", True), (WireFault.LOST_REQUEST, "", True), (WireFault.INVISIBLE, "POST", True),
        (WireFault.CODE, "POST", True), (WireFault.CODE, "DELETE", False), (WireFault.TRUNCATED, "", True),
        (WireFault.HTTP, "POST", False),
    )
)
STREAMS = (
    StreamRule(kind=StreamFault.DUPLICATE, probability=0.05), StreamRule(kind=StreamFault.LATE, probability=0.05),
    StreamRule(kind=StreamFault.REORDERED, probability=0.05),
)
FAR = {
    "SELL": {"type": "STOP_MARKET", "triggerPrice": "70"}, "BUY": {"type": "STOP_MARKET", "triggerPrice": "130"},
}
Deed = tuple[str, Any]


def story(seed: int, length: int) -> list[Deed]:
    """Return deeds of a market that wanders and of a customer who does a bit of everything."""
    draw, tick, deeds = Random(seed), 1000, list[Deed]()
    for number in range(length):
        kind = draw.random()
        if kind < 0.3:
            tick += draw.choice((-12, -3, -1, 0, 1, 3, 12))
            deeds.append(("quote", (tick / 10, (tick + draw.choice((1, 2))) / 10, draw.randrange(5, 300) / 100)))
        elif kind < 0.45:
            price = (tick + draw.choice((-2, 0, 2))) / 10
            deeds.append(("trade", (price, draw.randrange(1, 300) / 100, draw.random() < 0.5)))
        elif kind < 0.55:
            deeds.append(("let", draw.choice((5 * MS, SECOND, 20 * SECOND, MINUTE, HOUR))))
        else:
            deeds.append(("ask", wish(draw, number, tick)))
    return deeds


def wish(draw: Random, number: int, tick: int) -> tuple[str, str, dict[str, Any]]:
    recent = f"rb-1-{max(0, number - draw.randrange(12))}"
    client_id = recent if draw.random() < 0.5 else f"rb-1-{number}"
    side, quantity = draw.choice(("BUY", "SELL")), f"{draw.randrange(10, 200) / 100}"
    price = f"{(tick + draw.randrange(-20, 20)) / 10}"
    order = {"symbol": SYMBOL, "side": side, "quantity": quantity, "newClientOrderId": client_id}
    algo = {
        "symbol": SYMBOL, "side": side, "algoType": "CONDITIONAL", "triggerPrice": price, "clientAlgoId": client_id,
        "type": draw.choice(("STOP_MARKET", "TAKE_PROFIT_MARKET")),
        "workingType": draw.choice(("MARK_PRICE", "CONTRACT_PRICE")),
    }
    one = {"symbol": SYMBOL, "origClientOrderId": recent}
    return draw.choice((
        ("POST", "/fapi/v1/order", {**order, "type": "MARKET"}),
        ("POST", "/fapi/v1/order", {**order, "type": "MARKET", "reduceOnly": "true"}),
        ("POST", "/fapi/v1/order", {**order, "type": "LIMIT", "price": price,
                                    "timeInForce": draw.choice(("GTC", "GTX", "IOC"))}),
        ("POST", "/fapi/v1/algoOrder", {**algo, "closePosition": "true"}),
        ("POST", "/fapi/v1/algoOrder", {**algo, **FAR[side], "closePosition": "true"}),
        ("POST", "/fapi/v1/algoOrder", {**algo, "quantity": quantity, "reduceOnly": "true"}),
        ("GET", "/fapi/v1/order", one), ("DELETE", "/fapi/v1/order", one),
        ("DELETE", "/fapi/v1/algoOrder", {"clientAlgoId": recent}),
        ("GET", "/fapi/v1/openAlgoOrders", {"symbol": SYMBOL}), ("GET", "/fapi/v3/account", {}),
        ("GET", "/fapi/v1/userTrades", {"symbol": SYMBOL}), ("DELETE", "/fapi/v1/allOpenOrders", {"symbol": SYMBOL}),
        ("DELETE", "/fapi/v1/algoOpenOrders", {"symbol": SYMBOL}),
    ))


def play(customer: Customer, deeds: list[Deed], told: list[Reply]) -> None:
    for kind, what in deeds:
        customer.let(3 * MS)
        if kind == "quote":
            customer.quote(*what)
        elif kind == "trade":
            price, size, buys = what
            customer.trade(price, size, buys=buys)
        elif kind == "let":
            customer.let(what)
        else:
            method, path, params = what
            told.append(customer.reply(method, path, **params))


def fresh(*, faults: bool) -> Customer:
    customer = Customer(*(RULES if faults else ()), streams=STREAMS if faults else (), seed="3")
    customer.listen()
    return customer


def every(customer: Customer, path: str, **params: Any) -> Any:
    """Ask past whatever goes wrong."""
    while True:
        reply = customer.reply("GET", path, **params)
        if reply.status == 200 and not reply.lost and not reply.cut:
            return reply.body
        customer.let(SECOND)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), faults=st.booleans())
def test_the_books_agree(seed: int, faults: bool) -> None:
    """Position = trades = orders' executed; wallet = start + income; no second close order of a side."""
    customer, told = fresh(faults=faults), list[Reply]()
    deeds = story(seed, 150)
    for start in range(0, len(deeds), 10):
        play(customer, deeds[start:start + 10], told)
        stops = every(customer, "/fapi/v1/openAlgoOrders")
        closing = Counter((row["side"], row["orderType"]) for row in stops if row["closePosition"])
        assert max(closing.values(), default=0) <= 1
    customer.let(2 * SECOND)

    trades = every(customer, "/fapi/v1/userTrades", symbol=SYMBOL, startTime=1, limit=1000)
    signed = [Decimal(row["qty"]) * (1 if row["side"] == "BUY" else -1) for row in trades]
    (held,) = every(customer, "/fapi/v2/positionRisk", symbol=SYMBOL)
    assert Decimal(held["positionAmt"]) == sum(signed)
    assert len({row["id"] for row in trades}) == len(trades)

    per_order: dict[int, Decimal] = {}
    for row in trades:
        per_order[row["orderId"]] = per_order.get(row["orderId"], Decimal(0)) + Decimal(row["qty"])
    orders = every(customer, "/fapi/v1/allOrders", symbol=SYMBOL)
    assert {row["orderId"]: Decimal(row["executedQty"]) for row in orders if Decimal(row["executedQty"])} == per_order
    for row in orders:
        assert Decimal(row["executedQty"]) <= Decimal(row["origQty"])
        assert (row["status"] == "FILLED") is (row["executedQty"] == row["origQty"])

    wallet = Decimal(every(customer, "/fapi/v3/account")["totalWalletBalance"])
    rows = every(customer, "/fapi/v1/income", startTime=1, limit=1000)
    assert abs(wallet - 10_000 - sum(Decimal(row["income"]) for row in rows)) < Decimal("1e-6")
    assert len({row["tranId"] for row in rows}) == len(rows)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_stream_tells_what_was_done(seed: int) -> None:
    """Without faults: every trade once, in order, and the last word on an order is where it is."""
    customer, told = fresh(faults=False), list[Reply]()
    play(customer, [deed for deed in story(seed, 150) if deed != ("let", HOUR)], told)
    customer.let(SECOND)
    updates = [payload["o"] for payload in customer.heard("ORDER_TRADE_UPDATE")]
    trades = every(customer, "/fapi/v1/userTrades", symbol=SYMBOL, startTime=1, limit=1000)

    assert [one["t"] for one in updates if one["x"] == "TRADE"] == [row["id"] for row in trades]
    last = {one["i"]: one["X"] for one in updates}
    orders = every(customer, "/fapi/v1/allOrders", symbol=SYMBOL)
    assert last == {row["orderId"]: row["status"] for row in orders}
    algos = {one["o"]["aid"]: one["o"]["X"] for one in customer.heard("ALGO_UPDATE")}
    rows = every(customer, "/fapi/v1/allAlgoOrders", symbol=SYMBOL)
    assert algos == {row["algoId"]: row["algoStatus"] for row in rows}
    stamps = [payload["E"] for payload in customer.heard()]
    assert stamps == sorted(stamps)


def spelled(customer: Customer, told: list[Reply]) -> bytes:
    replies = [[one.status, one.body, list(one.headers), one.lost, one.delay, one.cut] for one in told]
    said = [[message.due, message.key, message.payload] for message in customer.said]
    return json.dumps([replies, said]).encode()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 149))
def test_cut_anywhere_and_loaded_it_goes_on_byte_for_byte(seed: int, cut: int) -> None:
    deeds = story(seed, 150)
    whole, first, second = list[Reply](), list[Reply](), list[Reply]()
    uncut, before, after = fresh(faults=True), fresh(faults=True), fresh(faults=True)
    play(uncut, deeds, whole)
    play(before, deeds[:cut], first)
    saved = canonical(before.gateway.dump())
    after.gateway.load(json.loads(saved))
    assert canonical(after.gateway.dump()) == saved
    after.now, after.said = before.now, before.said
    play(after, deeds[cut:], second)

    assert spelled(after, [*first, *second]) == spelled(uncut, whole)
    assert canonical(after.gateway.dump()) == canonical(uncut.gateway.dump())


def test_stories_hold_enough_of_everything() -> None:
    seen: Counter[str] = Counter()
    for seed in range(80):
        customer, told = fresh(faults=True), list[Reply]()
        play(customer, story(seed, 150), told)
        seen.update(customer.words())
        seen.update(str(reply.body["code"]) for reply in told if reply.status >= 400 and isinstance(reply.body, dict))
        seen.update("lost" for reply in told if reply.lost)
    wanted = (
        "ORDER_TRADE_UPDATE:TRADE:FILLED", "ORDER_TRADE_UPDATE:TRADE:PARTIALLY_FILLED",
        "ORDER_TRADE_UPDATE:EXPIRED:EXPIRED", "ORDER_TRADE_UPDATE:CANCELED:CANCELED", "ALGO_UPDATE:TRIGGERING",
        "ALGO_UPDATE:FINISHED", "ALGO_UPDATE:EXPIRED", "ALGO_UPDATE:CANCELED", "-1007", "-2013", "-2011", "-2021",
        "-2022", "-4130", "-4116", "-4509", "-5022", "lost",
    )
    assert {word: seen[word] for word in wanted if seen[word] < 3} == {}


@pytest.mark.parametrize("data", [{}, {"version": 99}])
def test_a_state_of_another_version_is_refused(data: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="version"):
        Customer().gateway.load(data)
