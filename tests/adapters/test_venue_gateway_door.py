"""Who is let in: keys, signatures, clocks, weights and bans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.adapters.venue_server_gateway import Gateway, Request, opened
from engine.adapters.venue_server_gateway_routes import ROUTES, Access
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.settings import ExchangeSettings
from engine.model.time import HOUR, MINUTE, MS, SECOND
from tests.adapters.gateway_kit import KEY, NOON, SECRET, SYMBOL, TERMS, Customer, holding

BALANCE = "/fapi/v3/balance"


def test_the_documented_example_of_a_signature_is_accepted() -> None:
    """The venue's own example: this secret and this text give this signature."""
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    text = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559"
    )
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    gateway = opened(ExchangeSettings(), replace(TERMS, secret=secret))
    params = tuple((name, value) for name, _, value in (part.partition("=") for part in text.split("&")))
    at = 1499827319559 * MS
    request = Request(
        method="POST", path="/fapi/v1/order", params=params, signed_text=text, signature=signature, api_key=KEY)

    assert gateway.handle(request, at).body["code"] == -1121
    wrong = replace(request, signed_text=text.replace("BUY", "SELL"))
    assert gateway.handle(wrong, at).body["code"] == -1022


@pytest.mark.parametrize(("change", "code", "status"), [
    ({"api_key": ""}, -2014, 401), ({"api_key": "schlüssel"}, -2014, 401), ({"api_key": "another"}, -2015, 401),
    ({"signature": "00"}, -1022, 400), ({"signature": ""}, -1102, 400), ({"signature": "ü" * 64}, -1022, 400),
])
def test_a_stranger_is_refused(change: dict[str, str], code: int, status: int) -> None:
    customer = Customer()
    reply = customer.gateway.handle(replace(customer.request("GET", BALANCE), **change), NOON)  # type: ignore[arg-type]
    assert (reply.status, reply.body["code"]) == (status, code)


@pytest.mark.parametrize(("params", "code"), [
    ({"timestamp": ""}, -1102), ({"timestamp": "now"}, -1102), ({"timestamp": "-1"}, -1102),
    ({"recvWindow": 60_001}, -1131), ({"recvWindow": "x"}, -1102),
    ({"timestamp": NOON // MS - 5_001}, -1021), ({"timestamp": NOON // MS + 1_000}, -1021),
    ({"timestamp": NOON // MS - 5_000}, 0), ({"timestamp": NOON // MS + 999}, 0),
    ({"timestamp": NOON // MS - 5_001, "recvWindow": 10_000}, 0),
])
def test_a_request_is_for_its_moment(params: dict[str, Any], code: int) -> None:
    reply = Customer().reply("GET", BALANCE, **params)
    assert (reply.status == 200) if code == 0 else (reply.body["code"] == code)


def test_a_key_that_may_not_trade_can_still_be_asked_about() -> None:
    customer = Customer(terms=replace(TERMS, may_trade=False, may_withdraw=True, ip_bound=False))
    assert customer.code("POST", "/fapi/v1/order", **customer.order()) == -2015
    told = customer.ask("GET", "/sapi/v1/account/apiRestrictions")
    assert (told["enableFutures"], told["enableWithdrawals"], told["ipRestrict"]) == (False, True, False)


@pytest.mark.parametrize("route", sorted(ROUTES), ids=lambda route: " ".join(route))
def test_every_path_asks_for_what_it_must(route: tuple[str, str]) -> None:
    method, path = route
    reply = Customer().gateway.handle(Request(method=method, path=path), NOON)
    if ROUTES[route].access is Access.PUBLIC:
        assert reply.status == 200 or reply.body["code"] == -1102
    else:
        assert reply.body["code"] == -2014


@pytest.mark.parametrize("route", sorted(ROUTES), ids=lambda route: " ".join(route))
@pytest.mark.parametrize("value", ["", "x", "-1", "NaN", "1e999", "\u0663", "9" * 50])
def test_nonsense_is_refused_and_never_breaks_it(route: tuple[str, str], value: str) -> None:
    customer = holding()
    names = ("symbol", "side", "type", "quantity", "price", "timeInForce", "orderId", "origClientOrderId", "algoId",
             "limit", "startTime", "fromId", "leverage", "triggerPrice", "marginType", "listenKey", "algoType")
    for name in names:
        sane = {**customer.order(price="99"), "algoType": "CONDITIONAL", "triggerPrice": "90", name: value}
        reply = customer.reply(*route, **sane)
        assert reply.status == 200 or reply.body["code"] < 0


def test_a_path_nobody_knows() -> None:
    reply = Customer().reply("GET", "/fapi/v1/nothing")
    assert (reply.status, reply.body["code"]) == (404, -5000)


def test_weights_are_counted_and_told_and_fall_with_the_minute() -> None:
    customer = Customer()
    customer.ask("GET", "/fapi/v1/openOrders")
    headers = dict(customer.reply("GET", "/fapi/v1/openOrders", symbol=SYMBOL).headers)
    assert headers["X-MBX-USED-WEIGHT-1M"] == "41"
    assert "X-MBX-ORDER-COUNT-10S" not in headers
    headers = dict(customer.reply("POST", "/fapi/v1/order", **customer.order(price="99")).headers)
    assert headers == {"X-MBX-USED-WEIGHT-1M": "41", "X-MBX-ORDER-COUNT-10S": "1", "X-MBX-ORDER-COUNT-1M": "1"}
    customer.let(MINUTE)
    assert dict(customer.reply("GET", "/fapi/v1/time").headers)["X-MBX-USED-WEIGHT-1M"] == "1"


def test_who_goes_on_after_429_is_banned_and_longer_each_time() -> None:
    customer = Customer(terms=replace(TERMS, weight_limit=10, patience=3))
    for lasting in (2 * MINUTE, 10 * MINUTE, HOUR):
        customer.let(MINUTE - customer.now % MINUTE)
        seen = [customer.reply("GET", "/fapi/v1/time") for _ in range(14)]
        assert [reply.status for reply in seen] == [200] * 10 + [429] * 3 + [418]
        assert dict(seen[10].headers)["Retry-After"] == "60"
        assert dict(seen[-1].headers)["Retry-After"] == str(lasting // SECOND)
        assert str((customer.now + lasting) // MS) in seen[-1].body["msg"]
        customer.let(lasting - SECOND)
        again = customer.reply("GET", "/fapi/v1/time")
        assert (again.status, dict(again.headers)["Retry-After"]) == (418, "1")
        customer.let(SECOND)
        assert customer.reply("GET", "/fapi/v1/time").status == 200


def test_too_many_orders_in_ten_seconds() -> None:
    customer = Customer(terms=replace(TERMS, order_limit_10s=2))
    customer.let(10 * SECOND - customer.now % (10 * SECOND))
    for price in ("99", "98"):
        customer.place(price=price)
    reply = customer.reply("POST", "/fapi/v1/order", **customer.order(price="97"))
    assert (reply.status, reply.body["code"], dict(reply.headers)["Retry-After"]) == (429, -1015, "10")
    customer.ask("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
    customer.let(10 * SECOND)
    customer.place(price="97")


def test_nobody_is_told_the_secret() -> None:
    customer = Customer()
    told = repr([customer.reply(*route).body for route in sorted(ROUTES)]) + repr(customer.gateway.dump())
    assert SECRET not in told
    assert KEY not in told


def test_an_exchange_that_travels_is_refused() -> None:
    with pytest.raises(ValueError, match="wire_settings"):
        Gateway(SimulatedExchange(ExchangeSettings()), TERMS)
