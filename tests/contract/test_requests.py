"""Which request each call of ccxt becomes: method, path and parameters, as measured on the wire."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from tests.contract.recording import KEY, ORDER, SECRET, SYMBOL, Contract, answering

SIGNED = {"timestamp", "recvWindow", "signature"}
OURS = {"clientOrderId": "rb-e1-1"}

CALLS: list[tuple[str, str, tuple[Any, ...], list[tuple[str, dict[str, str]]]]] = [
    ("market order", "create_order", (SYMBOL, "market", "buy", 0.01, None, OURS), [("POST /fapi/v1/order", {
        "symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
        "type": "MARKET", "quantity": "0.01",
    })]),
    ("reduce-only market order", "create_order", (SYMBOL, "market", "sell", 0.01, None, {**OURS, "reduceOnly": True}), [
        ("POST /fapi/v1/order", {
            "symbol": "BTCUSDT", "side": "SELL", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
            "type": "MARKET", "quantity": "0.01", "reduceOnly": "true",
        }),
    ]),
    ("limit order", "create_order", (SYMBOL, "limit", "buy", 0.01, 60000.0, OURS), [("POST /fapi/v1/order", {
        "symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
        "type": "LIMIT", "quantity": "0.01", "price": "60000", "timeInForce": "GTC",
    })]),
    ("post-only", "create_order", (SYMBOL, "limit", "buy", 0.01, 60000.0, {**OURS, "postOnly": True}), [
        ("POST /fapi/v1/order", {
            "symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
            "type": "LIMIT", "quantity": "0.01", "price": "60000", "timeInForce": "GTX",
        }),
    ]),
    ("GTX by name", "create_order", (SYMBOL, "limit", "buy", 0.01, 60000.0, {**OURS, "timeInForce": "GTX"}), [
        ("POST /fapi/v1/order", {
            "symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
            "type": "LIMIT", "quantity": "0.01", "price": "60000", "timeInForce": "GTX",
        }),
    ]),
    ("IOC", "create_order", (SYMBOL, "limit", "buy", 0.01, 60000.0, {**OURS, "timeInForce": "IOC"}), [
        ("POST /fapi/v1/order", {
            "symbol": "BTCUSDT", "side": "BUY", "newClientOrderId": "rb-e1-1", "newOrderRespType": "RESULT",
            "type": "LIMIT", "quantity": "0.01", "price": "60000", "timeInForce": "IOC",
        }),
    ]),
    ("stop that closes the position", "create_order", (SYMBOL, "STOP_MARKET", "sell", None, None, {
        "clientOrderId": "rb-e1-2", "stopPrice": 55000, "closePosition": True, "workingType": "MARK_PRICE",
    }), [("POST /fapi/v1/algoOrder", {
        "symbol": "BTCUSDT", "side": "SELL", "clientAlgoId": "rb-e1-2", "algoType": "CONDITIONAL",
        "newOrderRespType": "RESULT", "type": "STOP_MARKET", "triggerPrice": "55000", "closePosition": "true",
        "workingType": "MARK_PRICE",
    })]),
    ("take profit that closes the position", "create_order", (SYMBOL, "TAKE_PROFIT_MARKET", "sell", None, None, {
        "clientOrderId": "rb-e1-2", "stopPrice": 75000, "closePosition": True, "workingType": "MARK_PRICE",
    }), [("POST /fapi/v1/algoOrder", {
        "symbol": "BTCUSDT", "side": "SELL", "clientAlgoId": "rb-e1-2", "algoType": "CONDITIONAL",
        "newOrderRespType": "RESULT", "type": "TAKE_PROFIT_MARKET", "triggerPrice": "75000", "closePosition": "true",
        "workingType": "MARK_PRICE",
    })]),
    ("stop of a quantity", "create_order", (SYMBOL, "market", "sell", 0.01, None, {
        "clientOrderId": "rb-e1-2", "stopLossPrice": 55000, "reduceOnly": True,
    }), [("POST /fapi/v1/algoOrder", {
        "symbol": "BTCUSDT", "side": "SELL", "clientAlgoId": "rb-e1-2", "algoType": "CONDITIONAL",
        "newOrderRespType": "RESULT", "type": "STOP_MARKET", "quantity": "0.01", "triggerPrice": "55000",
        "reduceOnly": "true",
    })]),
    ("open orders: the regular book only", "fetch_open_orders", (SYMBOL,), [
        ("GET /fapi/v1/openOrders", {"symbol": "BTCUSDT"}),
    ]),
    ("open orders of the conditional book", "fetch_open_orders", (SYMBOL, None, None, {"trigger": True}), [
        ("GET /fapi/v1/openAlgoOrders", {"symbol": "BTCUSDT"}),
    ]),
    ("one order by our id", "fetch_order", (None, SYMBOL, {"clientOrderId": "rb-e1-1"}), [
        ("GET /fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": "rb-e1-1"}),
    ]),
    ("one order by its id", "fetch_order", ("22542179", SYMBOL), [
        ("GET /fapi/v1/order", {"symbol": "BTCUSDT", "orderId": "22542179"}),
    ]),
    ("one conditional order by our id", "fetch_order", (None, SYMBOL, {"clientAlgoId": "rb-e1-2", "trigger": True}), [
        ("GET /fapi/v1/algoOrder", {"symbol": "BTCUSDT", "clientAlgoId": "rb-e1-2"}),
    ]),
    ("cancel by our id", "cancel_order", (None, SYMBOL, {"clientOrderId": "rb-e1-1"}), [
        ("DELETE /fapi/v1/order", {"symbol": "BTCUSDT", "origClientOrderId": "rb-e1-1"}),
    ]),
    ("cancel a conditional order", "cancel_order", (None, SYMBOL, {"clientOrderId": "rb-e1-2", "trigger": True}), [
        ("DELETE /fapi/v1/algoOrder", {"symbol": "BTCUSDT", "clientAlgoId": "rb-e1-2"}),
    ]),
    ("cancel all: the regular book only", "cancel_all_orders", (SYMBOL,), [
        ("DELETE /fapi/v1/allOpenOrders", {"symbol": "BTCUSDT"}),
    ]),
    ("cancel all of the conditional book", "cancel_all_orders", (SYMBOL, {"trigger": True}), [
        ("DELETE /fapi/v1/algoOpenOrders", {"symbol": "BTCUSDT"}),
    ]),
    ("balance", "fetch_balance", (), [("GET /fapi/v3/account", {})]),
    ("trades of ours", "fetch_my_trades", (SYMBOL, 1_700_000_000_000, 500), [
        ("GET /fapi/v1/userTrades", {
            "symbol": "BTCUSDT", "startTime": "1700000000000", "endTime": "1700604800000", "limit": "500",
        }),
    ]),
    ("leverage", "set_leverage", (5, SYMBOL), [("POST /fapi/v1/leverage", {"symbol": "BTCUSDT", "leverage": "5"})]),
    ("margin mode", "set_margin_mode", ("cross", SYMBOL), [
        ("POST /fapi/v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}),
    ]),
    ("funding", "fetch_funding_history", (SYMBOL,), [
        ("GET /fapi/v1/income", {"incomeType": "FUNDING_FEE", "symbol": "BTCUSDT"}),
    ]),
    ("a listen key", "fapiPrivatePostListenKey", (), [("POST /fapi/v1/listenKey", {})]),
    ("a listen key kept alive", "fapiPrivatePutListenKey", (), [("PUT /fapi/v1/listenKey", {})]),
]


@pytest.mark.parametrize(("method", "args", "requests"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_a_call_becomes_exactly_these_requests(
    contract: Contract, method: str, args: tuple[Any, ...], requests: list[tuple[str, dict[str, str]]]
) -> None:
    _, sent = contract.call(method, *args)

    assert [(one.line, one.said) for one in sent] == requests


def test_markets_are_one_request(contract: Contract) -> None:
    assert [one.line for one in contract.loaded] == ["GET /fapi/v1/exchangeInfo"]


def test_positions_ask_for_the_brackets_once(contract: Contract) -> None:
    _, first = contract.call("fetch_positions")
    _, second = contract.call("fetch_positions")

    assert [one.line for one in first] == ["GET /fapi/v1/leverageBracket", "GET /fapi/v3/positionRisk"]
    assert [one.line for one in second] == ["GET /fapi/v3/positionRisk"]


def test_the_clock_is_asked_by_one_public_request(contract: Contract) -> None:
    offset, sent = contract.call("load_time_difference")
    contract.client.options["timeDifference"] = 0

    assert [(one.line, one.names) for one in sent] == [("GET /fapi/v1/time", [])]
    assert offset > 1_000_000_000_000, "the server said 1 ms: what ccxt returns is own clock less the server's"


@pytest.mark.parametrize(("method", "args", "place"), [
    ("create_order", (SYMBOL, "market", "buy", 0.01, None, OURS), "body"),
    ("cancel_order", (None, SYMBOL, OURS), "query"), ("fetch_order", (None, SYMBOL, OURS), "query"),
])
def test_what_is_signed_is_the_exact_text(contract: Contract, method: str, args: tuple[Any, ...], place: str) -> None:
    _, (sent,) = contract.call(method, *args)
    text = getattr(sent, place)
    signed, _, signature = text.rpartition("&signature=")

    assert {sent.query, sent.body} == {text, ""}
    assert sent.names[0] == "timestamp" and sent.names[-1] == "signature" and set(sent.names) >= SIGNED
    assert signature == hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
    assert sent.headers["X-MBX-APIKEY"] == KEY
    assert dict(sent.pairs)["recvWindow"] == "10000"
    assert SECRET not in sent.query + sent.body + repr(sent.headers)


def test_without_an_id_of_ours_ccxt_makes_one_up(contract: Contract) -> None:
    """So a lost reply could not be looked up: the engine always sends its own."""
    _, (sent,) = contract.call("create_order", SYMBOL, "market", "buy", 0.01)

    assert sent.said["newClientOrderId"].startswith("x-")


def test_a_conditional_order_asked_for_by_the_other_name_of_the_id(contract: Contract) -> None:
    """`clientOrderId` with `trigger` is turned into clientAlgoId: both words reach the conditional book."""
    _, (sent,) = contract.call("fetch_order", None, SYMBOL, {"clientOrderId": "rb-e1-2", "trigger": True})

    assert (sent.line, sent.said) == ("GET /fapi/v1/algoOrder", {"symbol": "BTCUSDT", "clientAlgoId": "rb-e1-2"})


def test_reduce_only_is_not_taken_off_an_order_that_closes(contract: Contract) -> None:
    """Binance refuses the pair: whoever sends closePosition must not send reduceOnly."""
    _, (sent,) = contract.call("create_order", SYMBOL, "STOP_MARKET", "sell", None, None, {
        "clientOrderId": "rb-e1-2", "stopPrice": 55000, "closePosition": True, "reduceOnly": True,
    })

    assert (sent.said["closePosition"], sent.said["reduceOnly"]) == ("true", "true")
    assert "quantity" not in sent.said


def test_prices_are_rounded_to_the_nearest_and_amounts_cut(contract: Contract) -> None:
    """A buy may leave at a worse price than asked: the engine rounds to the safe side itself."""
    _, (sent,) = contract.call("create_order", SYMBOL, "limit", "buy", 0.0129, 59000.07, OURS)

    assert (sent.said["price"], sent.said["quantity"]) == ("59000.1", "0.012")


def test_less_than_one_step_never_leaves(contract: Contract) -> None:
    error, sent = contract.fails(answering(200, ORDER), "create_order", SYMBOL, "market", "buy", 0.0004, None, OURS)

    assert (type(error).__name__, sent) == ("InvalidOrder", [])


def test_the_shape_of_what_comes_back(contract: Contract) -> None:
    """What the adapter reads of a unified order: ids as text, the whole reply in `info`."""
    order, _ = contract.call("create_order", SYMBOL, "limit", "buy", 0.01, 60000.0, OURS)
    stop, _ = contract.call("fetch_order", None, SYMBOL, {"clientAlgoId": "rb-e1-2", "trigger": True})
    gone, _ = contract.call("cancel_order", None, SYMBOL, {"clientOrderId": "rb-e1-2", "trigger": True})

    assert (order["id"], order["clientOrderId"], order["status"]) == ("22542179", "rb-e1-1", "open")
    assert order["info"]["orderId"] == 22542179, "what the venue said is in `info`, as it said it"
    assert (stop["id"], stop["clientOrderId"], stop["triggerPrice"]) == ("2146760", "rb-e1-2", 55000.0)
    assert (gone["id"], gone["status"]) == ("2146760", None), "the reply to a cancel says nothing of the order"


def test_an_asset_that_was_never_updated_is_no_balance(contract: Contract) -> None:
    """ccxt passes over assets whose updateTime is 0, so an untouched account looks empty: read `info`."""
    def account(stamp: int) -> dict[str, Any]:
        held = {"asset": "USDT", "marginBalance": "5", "availableBalance": "5", "initialMargin": "0"}
        return {"assets": [{**held, "updateTime": stamp}], "positions": []}

    untouched, _ = contract.fails(answering(200, account(0)), "fetch_balance")
    touched, _ = contract.fails(answering(200, account(1)), "fetch_balance")

    assert (untouched["total"], touched["total"]) == ({}, {"USDT": 5.0})
