"""What the private stream says, in which fields, and what can happen to it and to requests."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.venue_server_gateway import Reply, Request
from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.model.time import HOUR, MINUTE, MS, SECOND
from tests.adapters.gateway_kit import KEY, NOON, SYMBOL, TERMS, Customer, holding
from tests.shared_data import SHARED, needs_shared

FIXTURES = SHARED / "data" / "api_fixtures"
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
INVENTED = {"gtd", "pm"}
"""Fields of newer payloads than the oldest fixtures show."""
UNREAD = {"activatePrice", "priceRate", "isAutoAddMargin", "maxNotionalValue", "leverage", "marginType", "lastUpdateId"}


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def shape(data: Any) -> Any:
    """Return the fields of `data` and of the first row of each list in it, with the JSON type of each value."""
    if isinstance(data, dict):
        return {name: shape(value) for name, value in data.items()}
    if isinstance(data, list):
        return [shape(item) for item in data[:1]]
    return type(data).__name__


def stopped() -> Customer:
    customer = holding()
    customer.place_stop(clientAlgoId="s")
    customer.quote(94.0, 94.2)
    customer.let(SECOND)
    return customer


@needs_shared
@pytest.mark.parametrize(("name", "event", "place"), [
    ("order_update_trade.json", "ORDER_TRADE_UPDATE", 1), ("order_update_new.json", "ORDER_TRADE_UPDATE", 0),
    ("account_update.json", "ACCOUNT_UPDATE", 0),
])
def test_an_update_has_the_recorded_fields(name: str, event: str, place: int) -> None:
    recorded, told = fixture(f"nautilus/futures/user_data_json/{name}"), list(stopped().heard(event))[place]
    wanted, mine = shape(recorded), shape(told)
    if "o" in mine:
        mine["o"] = {field: kind for field, kind in mine["o"].items() if field not in INVENTED}
    assert mine == wanted


@needs_shared
@pytest.mark.parametrize("word", ["triggering", "triggered", "finished"])
def test_a_conditional_update_has_the_recorded_fields(word: str) -> None:
    recorded = fixture(f"nautilus/py_ws_messages/ws_futures_algo_update_{word}.json")["data"]
    told = next(one for one in stopped().heard("ALGO_UPDATE") if one["o"]["X"] == word.upper())
    assert shape(told) == shape(recorded)
    assert list(told["o"]) == list(recorded["o"])


@needs_shared
@pytest.mark.parametrize(("operation", "path", "params"), [
    ("Trading/GetUserTrades", "/fapi/v1/userTrades", {"symbol": SYMBOL}),
    ("Trading/GetPositions", "/fapi/v3/positionRisk", {}),
    ("Account/GetPositionInformation", "/fapi/v2/positionRisk", {"symbol": SYMBOL}),
    ("Account/GetAccountInfoV3", "/fapi/v3/account", {}), ("Account/GetBalances", "/fapi/v3/balance", {}),
    ("Account/GetAccountInfo", "/fapi/v2/account", {}), ("Account/GetIncomeHistory", "/fapi/v1/income", {}),
    ("Account/GetBrackets", "/fapi/v1/leverageBracket", {}), ("Trading/GetOrder", ORDER, {"origClientOrderId": "m"}),
    ("Trading/GetOpenOrders", "/fapi/v1/openOrders", {}), ("Trading/GetConditionalOrder", ALGO, {"clientAlgoId": "s"}),
    ("Trading/GetOpenConditionalOrders", "/fapi/v1/openAlgoOrders", {}),
    ("ExchangeData/GetMarkPrice", "/fapi/v1/premiumIndex", {"symbol": SYMBOL}),
    ("ExchangeData/GetOrderBook", "/fapi/v1/depth", {"symbol": SYMBOL}),
    ("ExchangeData/GetBookPrice", "/fapi/v1/ticker/bookTicker", {"symbol": SYMBOL}),
    ("ExchangeData/GetTicker", "/fapi/v1/ticker/24hr", {"symbol": SYMBOL}),
    ("ExchangeData/GetPrice", "/fapi/v2/ticker/price", {"symbol": SYMBOL}),
    ("ExchangeData/GetServerTime", "/fapi/v1/time", {}),
])
def test_an_answer_has_every_documented_field_that_is_read(operation: str, path: str, params: dict[str, str]) -> None:
    """Fields of order types that are not taken, and ids of our own making, are left out by name."""
    recorded = fixture("binance_net_usdm_rest.json")[f"UsdFutures/{operation}"]["response"]
    customer = holding()
    customer.place_stop(clientAlgoId="s")
    customer.place(price="99", newClientOrderId="m")
    asked = {"symbol": SYMBOL, **params} if path == ORDER else params
    told = customer.ask("GET", path, **asked)
    row, wanted = (told[0], recorded[0]) if isinstance(recorded, list) else (told, recorded)
    assert set(wanted) - UNREAD <= set(row)
    texts = {name for name in set(wanted) & set(row) if isinstance(row[name], str)}
    assert {name for name in texts if not isinstance(wanted[name], str)} == set()


def test_a_message_spells_the_fill() -> None:
    customer = Customer()
    customer.listen()
    customer.place(quantity="0.5", newClientOrderId="rb-1-1")
    fill = list(customer.heard("ORDER_TRADE_UPDATE"))[1]["o"]
    expected = {
        "s": SYMBOL, "c": "rb-1-1", "S": "BUY", "o": "MARKET", "x": "TRADE", "X": "FILLED", "q": "0.5", "l": "0.5",
        "z": "0.5", "L": "100.1", "ap": "100.1", "n": "0.02502500", "N": "USDT", "m": False, "R": False,
    }
    assert {name: fill[name] for name in expected} == expected
    held = next(customer.heard("ACCOUNT_UPDATE"))["a"]
    assert (held["m"], held["P"][0]["pa"], held["P"][0]["ep"]) == ("ORDER", "0.5", "100.1")
    assert held["B"][0]["wb"] == "9999.97497500"


def test_funding_is_income_and_said() -> None:
    customer = holding()
    customer.funding(0.0001, 8 * HOUR)
    customer.let(9 * HOUR)
    customer.listen()
    rows = customer.ask("GET", "/fapi/v1/income", incomeType="FUNDING_FEE")
    assert [(row["income"], row["symbol"]) for row in rows] == [("-0.01000000", SYMBOL)]
    assert customer.ask("GET", "/fapi/v1/premiumIndex", symbol=SYMBOL)["lastFundingRate"] == "0.00010000"
    assert customer.gateway.mark(SYMBOL) == ("100.00000000", "0.00010000")
    assert customer.gateway.mark("NOPEUSDT") is None


def key_request(customer: Customer, method: str) -> Reply:
    return customer.gateway.handle(Request(method=method, path="/fapi/v1/listenKey", api_key=KEY), customer.now)


def test_a_listen_key_lives_an_hour_from_its_last_renewal() -> None:
    customer = Customer()
    key = customer.listen()
    customer.let(40 * MINUTE)
    assert key_request(customer, "PUT").body == {"listenKey": key}
    assert customer.listen() == key
    customer.let(60 * MINUTE - 1)
    assert customer.gateway.knows_key(key, customer.now)
    customer.let(1)
    assert not customer.gateway.knows_key(key, customer.now)
    assert [(payload["e"], payload["listenKey"]) for payload in customer.heard()] == [("listenKeyExpired", key)]
    assert key_request(customer, "PUT").body["code"] == -1125
    assert customer.listen() != key
    key_request(customer, "DELETE")
    assert key_request(customer, "PUT").body["code"] == -1125


def test_trades_are_paged_by_id_and_time() -> None:
    customer = Customer()
    for _ in range(5):
        customer.let(SECOND)
        customer.place(quantity="0.1")
    def ids(**params: Any) -> list[int]:
        rows = customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL, **params)
        return [row["id"] - rows[0]["id"] for row in rows] if rows else []
    rows = customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL)
    assert len(rows) == 5
    assert [row["id"] for row in customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL, fromId=rows[3]["id"])] == [
        rows[3]["id"], rows[4]["id"]]
    assert len(ids(startTime=rows[2]["time"])) == 3
    assert len(ids(startTime=rows[1]["time"], endTime=rows[2]["time"])) == 2
    assert customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL, limit=2)[-1] == rows[-1]
    assert customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL, startTime=1, limit=2)[0] == rows[0]
    assert len(ids(orderId=rows[0]["orderId"])) == 1


# What goes wrong.


def test_a_lost_reply_is_an_order_that_lives() -> None:
    customer = Customer(WireRule(kind=WireFault.LOST_REPLY, method="POST", path=ORDER, nth=1))
    reply = customer.reply("POST", ORDER, **customer.order(newClientOrderId="a"))
    assert reply.lost
    assert customer.ask("GET", ORDER, symbol=SYMBOL, origClientOrderId="a")["status"] == "FILLED"
    assert not customer.reply("POST", ORDER, **customer.order()).lost


def test_a_lost_request_never_was() -> None:
    customer = Customer(WireRule(kind=WireFault.LOST_REQUEST, client_prefix="rb-"))
    assert customer.reply("POST", ORDER, **customer.order(newClientOrderId="rb-1-1")).lost
    assert customer.held() == 0
    customer.place(newClientOrderId="x")


@pytest.mark.parametrize("lost", [True, False])
def test_an_invisible_order_is_worked_and_unknown_for_a_while(lost: bool) -> None:
    customer = Customer(WireRule(kind=WireFault.INVISIBLE, path=ORDER, method="POST", hold=5 * SECOND, lost=lost))
    customer.listen()
    assert customer.reply("POST", ORDER, **customer.order(price="99", newClientOrderId="a")).lost is lost
    customer.quote(98.8, 98.9)
    customer.let(SECOND)
    assert customer.held() == 1
    assert customer.code("GET", ORDER, symbol=SYMBOL, origClientOrderId="a") == -2013
    assert customer.code("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="a") == -2011
    assert customer.ask("GET", "/fapi/v1/openOrders") == []
    assert customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL) == []
    assert customer.ask("GET", "/fapi/v1/income") == []
    assert customer.words() == []

    customer.let(5 * SECOND)
    assert customer.ask("GET", ORDER, symbol=SYMBOL, origClientOrderId="a")["status"] == "FILLED"
    assert customer.words() == ["ORDER_TRADE_UPDATE:NEW:NEW", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE:TRADE:FILLED"]


@pytest.mark.parametrize(("rule", "status", "code", "held"), [
    (WireRule(kind=WireFault.CODE, path=ORDER), 408, -1007, 1),
    (WireRule(kind=WireFault.CODE, path=ORDER, worked=False), 408, -1007, 0),
    (WireRule(kind=WireFault.CODE, path=ORDER, code=-1008), 503, -1008, 1),
    (WireRule(kind=WireFault.CODE, path=ORDER, code=-1000, status=400), 400, -1000, 1),
    (WireRule(kind=WireFault.REJECT, path=ORDER, code=-2010), 400, -2010, 0),
    (WireRule(kind=WireFault.HTTP, path=ORDER, status=502), 502, None, 1),
    (WireRule(kind=WireFault.HTTP, path=ORDER, worked=False), 503, None, 0),
    (WireRule(kind=WireFault.RATE, path=ORDER, hold=7 * SECOND), 429, -1003, 0),
    (WireRule(kind=WireFault.CLOCK_SKEW, path=ORDER, hold=300 * SECOND), 400, -1021, 0),
    (WireRule(kind=WireFault.CLOCK_SKEW, path=ORDER, hold=-300 * SECOND), 400, -1021, 0),
])
def test_an_answer_tells_less_than_was_done(rule: WireRule, status: int, code: int | None, held: int) -> None:
    customer = Customer(rule)
    reply = customer.reply("POST", ORDER, **customer.order())
    assert reply.status == status
    if code is None:
        assert reply.body.startswith("<html>") and dict(reply.headers)["Content-Type"] == "text/html"
    else:
        assert reply.body["code"] == code
    if rule.kind is WireFault.RATE:
        assert dict(reply.headers)["Retry-After"] == "7"
    assert customer.held() == held


def test_a_skewed_clock_is_told() -> None:
    customer = Customer(WireRule(kind=WireFault.CLOCK_SKEW, hold=300 * SECOND))
    assert customer.ask("GET", "/fapi/v1/time") == {"serverTime": NOON // MS + 300_000}


def test_a_ban_is_for_everything_and_ends() -> None:
    customer = Customer(WireRule(kind=WireFault.BAN, path=ORDER, nth=1, hold=30 * SECOND))
    reply = customer.reply("POST", ORDER, **customer.order())
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (418, "30")
    assert customer.reply("GET", "/fapi/v1/time").status == 418
    customer.let(30 * SECOND)
    assert customer.held() == 0


def test_a_truncated_reply_is_half_a_json_and_a_late_one_is_whole() -> None:
    customer = Customer(
        WireRule(kind=WireFault.TRUNCATED, path=ORDER, nth=1), WireRule(kind=WireFault.DELAY, path=ORDER, hold=SECOND))
    reply = customer.reply("POST", ORDER, **customer.order())
    text = json.dumps(reply.body, separators=(",", ":"))
    assert 0 < reply.cut < len(text)
    with pytest.raises(json.JSONDecodeError):
        json.loads(text[:reply.cut])
    late = customer.reply("POST", ORDER, **customer.order())
    assert (late.delay, late.status, customer.held()) == (SECOND, 200, Decimal(2))


def test_a_rule_meets_its_window_and_its_share() -> None:
    customer = Customer(
        WireRule(kind=WireFault.REJECT, path=ORDER, start=NOON + SECOND, end=NOON + 2 * SECOND, code=-1000),
        WireRule(kind=WireFault.REJECT, path="/fapi/v1/time", probability=0.3, code=-1000),
        WireRule(kind=WireFault.REJECT, path="/fapi/v1/ping", nth=2, count=2, code=-1000), seed="5",
    )
    for expected in (200, 400, 200):
        assert customer.reply("POST", ORDER, **customer.order(quantity="0.1")).status == expected
        customer.let(SECOND)
    assert [customer.reply("GET", "/fapi/v1/ping").status for _ in range(5)] == [200, 400, 400, 200, 200]
    drawn = [customer.reply("GET", "/fapi/v1/time").status for _ in range(200)]
    assert 30 < drawn.count(400) < 90


@pytest.mark.parametrize("make", [
    lambda: WireRule(kind=WireFault.CODE, probability=2), lambda: WireRule(kind=WireFault.CODE, nth=-1),
    lambda: WireRule(kind=WireFault.DELAY, hold=-1), lambda: StreamRule(kind=StreamFault.LATE, probability=-1),
    lambda: StreamRule(kind=StreamFault.LATE, hold=-1), lambda: StreamRule(kind=StreamFault.SILENT),
])
def test_a_rule_that_means_nothing_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"probability|nth|hold|silence"):
        make()


TRADE = "ORDER_TRADE_UPDATE"


@pytest.mark.parametrize(("rule", "words"), [
    (StreamRule(kind=StreamFault.DUPLICATE, event="ACCOUNT_UPDATE"), ["NEW", "ACCOUNT", "FILLED", "ACCOUNT"]),
    (StreamRule(kind=StreamFault.LATE, event=TRADE, nth=1), ["ACCOUNT", "FILLED", "NEW"]),
    (StreamRule(kind=StreamFault.REORDERED, event=TRADE, nth=1), ["ACCOUNT", "NEW", "FILLED"]),
    (StreamRule(kind=StreamFault.SILENT, end=NOON + SECOND), []),
    (StreamRule(kind=StreamFault.LATE, symbol="OTHER"), ["NEW", "ACCOUNT", "FILLED"]),
])
def test_messages_come_twice_late_in_another_order_or_never(rule: StreamRule, words: list[str]) -> None:
    customer = Customer(streams=(rule,))
    customer.listen()
    customer.place()
    customer.let(100 * MS)
    assert [word.replace("_UPDATE", "").rsplit(":", maxsplit=1)[-1] for word in customer.words()] == words
    customer.let(2 * SECOND)
    customer.place()
    assert len(customer.words()) > len(words)


@pytest.mark.parametrize("told", [True, False])
def test_a_dead_key_says_nothing_more(told: bool) -> None:
    customer = Customer(streams=(StreamRule(kind=StreamFault.DEAD_LISTEN_KEY, start=NOON + SECOND, told=told),))
    key = customer.listen()
    customer.let(SECOND)
    customer.place()
    assert customer.words() == (["listenKeyExpired"] if told else [])
    assert key_request(customer, "PUT").body["code"] == -1125
    assert customer.listen() != key
    customer.place()
    assert customer.words()[-1] == "ORDER_TRADE_UPDATE:TRADE:FILLED"


def test_a_cut_connection_is_a_message_without_a_payload() -> None:
    customer = Customer(streams=(StreamRule(kind=StreamFault.DROP_CONNECTION, start=NOON + SECOND),))
    key = customer.listen()
    customer.let(SECOND)
    assert [(message.due, message.key, message.payload) for message in customer.said] == [(NOON + SECOND, key, None)]


def test_only_what_is_offered_can_be_seen() -> None:
    customer = Customer(terms=replace(TERMS, symbols=("ETHUSDT",)))
    assert customer.ask("GET", "/fapi/v1/exchangeInfo")["symbols"] == []
    assert customer.code("POST", ORDER, **customer.order()) == -1121
