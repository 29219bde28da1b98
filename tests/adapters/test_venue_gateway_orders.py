"""Orders at the gateway: what each code is said for, what the two books know, and how a stop goes through its life."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.adapters.venue_server_gateway_sheets import FIRST_ALGO, FIRST_ORDER
from engine.model.time import SECOND
from tests.adapters.gateway_kit import SYMBOL, TERMS, Customer, holding

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"

REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("no symbol", {"symbol": ""}, -1102),
    ("unknown symbol", {"symbol": "NOPEUSDT"}, -1121),
    ("side", {"side": "HOLD"}, -1117),
    ("type", {"type": "ICEBERG"}, -1116),
    ("a stop on the old endpoint", {"type": "STOP_MARKET", "stopPrice": "90"}, -4120),
    ("a trailing stop on the old endpoint", {"type": "TRAILING_STOP_MARKET"}, -4120),
    ("a limit without a price", {"type": "LIMIT", "timeInForce": "GTC"}, -1102),
    ("a limit without a life", {"type": "LIMIT", "price": "99"}, -1102),
    ("fill or kill", {"type": "LIMIT", "price": "99", "timeInForce": "FOK"}, -1115),
    ("a price at market", {"price": "99", "type": "MARKET"}, -1106),
    ("no quantity", {"quantity": ""}, -1102),
    ("a quantity that is none", {"quantity": "NaN"}, -1102),
    ("an endless quantity", {"quantity": "Infinity"}, -1102),
    ("quantity zero", {"quantity": "0"}, -4003),
    ("a quantity below zero", {"quantity": "-1"}, -4003),
    ("finer than the step", {"quantity": "1.0001"}, -1111),
    ("too little", {"quantity": "0.001"}, -4004),
    ("too much", {"quantity": "100.001"}, -4005),
    ("a price below zero", {"price": "-1", "timeInForce": "GTC"}, -4001),
    ("finer than the tick", {"price": "99.01", "timeInForce": "GTC"}, -1111),
    ("too high", {"price": "110", "timeInForce": "GTC"}, -4016),
    ("too low to sell at", {"side": "SELL", "price": "90", "timeInForce": "GTC"}, -4024),
    ("notional", {"quantity": "0.04", "price": "99", "timeInForce": "GTC"}, -4164),
    ("would take", {"price": "100.1", "timeInForce": "GTX"}, -5022),
    ("reduces nothing", {"side": "SELL", "reduceOnly": "true"}, -2022),
    ("neither true nor false", {"reduceOnly": "yes"}, -1102),
    ("a leg of hedge mode", {"positionSide": "LONG"}, -4061),
    ("closePosition at market", {"closePosition": "true"}, -4136),
    ("an id too long", {"newClientOrderId": "x" * 37}, -4015),
    ("an id with a space", {"newClientOrderId": "a b"}, -4015),
]


@pytest.mark.parametrize(("params", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_refused_order_has_its_code_and_leaves_no_trace(params: dict[str, Any], code: int) -> None:
    customer = Customer()
    customer.listen()
    kind = {"type": "LIMIT"} if "price" in params else {}
    asked = {**customer.order(newClientOrderId="rb-1-1"), **kind, **params}

    assert customer.code("POST", ORDER, **asked) == code
    assert customer.words() == []
    assert customer.ask("GET", "/fapi/v1/openOrders") == []
    assert customer.code("GET", ORDER, symbol=SYMBOL, origClientOrderId="rb-1-1") == -2013
    customer.place(newClientOrderId="rb-1-1")


def test_margin_is_that_of_the_symbols_leverage() -> None:
    customer = Customer()
    customer.ask("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=1)
    assert customer.code("POST", ORDER, **customer.order(quantity="100", price="100.1")) == -2019
    customer.ask("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=5)
    assert customer.place(quantity="100")["status"] in ("FILLED", "EXPIRED")
    assert customer.code("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=126) == -4028
    assert customer.code("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="CROSSED") == -4046
    assert customer.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4059


STOPS: list[tuple[str, dict[str, Any], int]] = [
    ("no conditional order", {"algoType": "VP"}, -1102),
    ("a limit stop", {"type": "STOP"}, -1116),
    ("would trigger", {"triggerPrice": "101"}, -2021),
    ("no trigger", {"triggerPrice": ""}, -1102),
    ("finer than the tick", {"triggerPrice": "95.05"}, -1111),
    ("closes and has a quantity", {"quantity": "1"}, -4137),
    ("closes and reduces", {"reduceOnly": "true"}, -1106),
    ("on what price", {"workingType": "INDEX"}, -1102),
    ("closes the wrong way", {"side": "BUY", "triggerPrice": "105"}, -2022),
]


@pytest.mark.parametrize(("params", "code"), [row[1:] for row in STOPS], ids=[row[0] for row in STOPS])
def test_a_refused_stop_has_its_code(params: dict[str, Any], code: int) -> None:
    customer = holding()
    assert customer.code("POST", ALGO, **{**customer.stop(clientAlgoId="s"), **params}) == code
    assert customer.ask("GET", "/fapi/v1/openAlgoOrders") == []
    customer.place_stop(clientAlgoId="s")


def test_a_close_order_needs_a_position_and_is_alone_on_its_side() -> None:
    flat = Customer()
    assert flat.code("POST", ALGO, **flat.stop()) == -4509

    customer = holding()
    customer.place_stop(clientAlgoId="s")
    assert customer.code("POST", ALGO, **customer.stop("94", clientAlgoId="t")) == -4130
    customer.place_stop("110", type="TAKE_PROFIT_MARKET")
    customer.ask("DELETE", ALGO, clientAlgoId="s")
    customer.place_stop("94")


def test_a_client_id_is_unique_among_living_orders_of_a_book_only() -> None:
    customer = holding()
    first = customer.place(price="99", newClientOrderId="a")
    assert customer.code("POST", ORDER, **customer.order(price="98", newClientOrderId="a")) == -4116
    customer.place_stop(clientAlgoId="a")
    customer.ask("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="a")
    second = customer.place(price="98", newClientOrderId="a")

    assert second["orderId"] > first["orderId"]
    assert customer.ask("GET", ORDER, symbol=SYMBOL, origClientOrderId="a")["orderId"] == second["orderId"]
    assert customer.ask("GET", ORDER, symbol=SYMBOL, orderId=first["orderId"])["status"] == "CANCELED"
    # A filled market order frees its id at once: sending it again fills again.
    for _ in range(2):
        assert customer.place(newClientOrderId="twice")["status"] == "FILLED"


def test_the_books_do_not_know_each_others_orders() -> None:
    customer = holding()
    rest, stop = customer.place("SELL", price="104", newClientOrderId="a"), customer.place_stop(clientAlgoId="s")

    assert [row["clientOrderId"] for row in customer.ask("GET", "/fapi/v1/openOrders", symbol=SYMBOL)] == ["a"]
    assert [row["clientAlgoId"] for row in customer.ask("GET", "/fapi/v1/openAlgoOrders")] == ["s"]
    assert customer.code("GET", ORDER, symbol=SYMBOL, origClientOrderId="s") == -2013
    assert customer.code("GET", ALGO, clientAlgoId="a") == -2013
    assert customer.code("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="s") == -2011
    assert customer.code("DELETE", ALGO, clientAlgoId="a") == -2011
    assert customer.code("GET", ORDER, symbol=SYMBOL, orderId=stop["algoId"]) == -2013
    assert customer.code("GET", ORDER, symbol=SYMBOL) == -1102

    customer.ask("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
    assert customer.ask("GET", ORDER, symbol=SYMBOL, orderId=rest["orderId"])["status"] == "CANCELED"
    assert len(customer.ask("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)) == 1
    customer.ask("DELETE", "/fapi/v1/algoOpenOrders", symbol=SYMBOL)
    assert customer.ask("GET", "/fapi/v1/openAlgoOrders") == []
    assert [row["algoStatus"] for row in customer.ask("GET", "/fapi/v1/allAlgoOrders", symbol=SYMBOL)] == ["CANCELED"]
    assert customer.code("DELETE", ORDER, symbol=SYMBOL, orderId=rest["orderId"]) == -2011


def test_a_stop_goes_through_its_life_and_its_child_has_its_own_number() -> None:
    customer = holding()
    customer.place_stop(clientAlgoId="s")
    customer.quote(94.0, 94.2)
    customer.let(0)
    assert customer.ask("GET", ALGO, clientAlgoId="s")["algoStatus"] == "TRIGGERING"
    assert customer.ask("GET", "/fapi/v1/openAlgoOrders") == []
    assert customer.code("DELETE", ALGO, clientAlgoId="s") == -2011

    customer.let(SECOND)
    assert customer.words() == [
        "ALGO_UPDATE:NEW", "ALGO_UPDATE:TRIGGERING", "ALGO_UPDATE:TRIGGERED", "ORDER_TRADE_UPDATE:NEW:NEW",
        "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE:TRADE:FILLED", "ALGO_UPDATE:FINISHED",
    ]
    told = customer.ask("GET", ALGO, clientAlgoId="s")
    child = customer.ask("GET", ORDER, symbol=SYMBOL, orderId=told["actualOrderId"])
    assert (told["algoStatus"], told["actualQty"], told["actualPrice"]) == ("FINISHED", "1", "94.00000")
    assert (child["status"], child["type"], child["origType"], child["clientOrderId"]) == (
        "FILLED", "MARKET", "STOP_MARKET", "s")
    assert FIRST_ORDER < child["orderId"] < FIRST_ALGO < told["algoId"]
    trade = customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL)[-1]
    assert trade["orderId"] == child["orderId"] and "clientOrderId" not in trade
    assert customer.held() == 0


def test_a_child_may_have_a_client_id_of_its_own() -> None:
    customer = holding(terms=replace(TERMS, child_keeps_id=False))
    customer.place_stop(clientAlgoId="s")
    customer.quote(94.0, 94.2)
    customer.let(SECOND)

    names = {payload["o"]["c"] for payload in customer.heard("ORDER_TRADE_UPDATE")}
    assert len(names) == 1 and "s" not in names


def test_finished_is_not_filled() -> None:
    """What no bid is there for expires; the position is still open."""
    customer = holding()
    customer.place_stop(clientAlgoId="s", quantity="1", reduceOnly="true")
    customer.quote(94.0, 94.2, size=0.4)
    customer.let(SECOND)
    told = customer.ask("GET", ALGO, clientAlgoId="s")
    assert told["algoStatus"] == "FINISHED"
    assert Decimal(told["actualQty"]) + customer.held() == 1


@pytest.mark.parametrize(("params", "status"), [
    ({}, "EXPIRED"), ({"quantity": "1", "reduceOnly": "true"}, "NEW"),
])
def test_a_close_order_ends_with_its_position_and_a_stop_of_a_quantity_does_not(
    params: dict[str, str], status: str,
) -> None:
    customer = holding()
    customer.place_stop(clientAlgoId="s", **params)
    customer.place("SELL", reduceOnly="true")
    assert customer.ask("GET", ALGO, clientAlgoId="s")["algoStatus"] == status

    customer.quote(94.0, 94.2)
    customer.let(SECOND)
    told = customer.ask("GET", ALGO, clientAlgoId="s")
    assert told["algoStatus"] == ("EXPIRED" if status == "EXPIRED" else "REJECTED")
    assert customer.held() == 0
    assert told["actualOrderId"] == ""


@pytest.mark.parametrize(("working", "triggers"), [("MARK_PRICE", False), ("CONTRACT_PRICE", True)])
def test_one_print_moves_the_contract_price_and_not_the_mark(working: str, triggers: bool) -> None:
    customer = holding()
    customer.place_stop(clientAlgoId="s", workingType=working)
    customer.trade(94.0, 0.1, buys=False)
    customer.let(SECOND)
    assert (customer.held() == 0) is triggers


def test_reduce_only_is_cut_to_the_position() -> None:
    customer = holding()
    told = customer.place("SELL", "3", reduceOnly="true")
    assert (told["status"], told["executedQty"]) == ("EXPIRED", "1")
    assert customer.held() == 0


def test_ioc_takes_what_is_there_up_to_its_price() -> None:
    customer = Customer()
    customer.listen()
    customer.quote(99.9, 100.1, size=0.4)
    told = customer.place(quantity="1", price="100.1", timeInForce="IOC")
    assert (told["status"], told["executedQty"], told["timeInForce"]) == ("EXPIRED", "0.4", "IOC")
    assert customer.words()[-2:] == ["ORDER_TRADE_UPDATE:TRADE:PARTIALLY_FILLED", "ORDER_TRADE_UPDATE:EXPIRED:EXPIRED"]


def test_a_maker_is_filled_in_parts_and_pays_the_makers_fee() -> None:
    customer = Customer()
    customer.listen()
    customer.quote(99.9, 100.1, size=1.0)
    customer.place(price="99.9", quantity="2", timeInForce="GTX", newClientOrderId="m")
    customer.trade(99.9, 2.0, buys=False)
    customer.let(SECOND)
    told = customer.ask("GET", ORDER, symbol=SYMBOL, origClientOrderId="m")
    assert (told["status"], told["executedQty"]) == ("PARTIALLY_FILLED", "1")
    trade = customer.ask("GET", "/fapi/v1/userTrades", symbol=SYMBOL)[0]
    assert trade["maker"] and Decimal(trade["commission"]) == Decimal("99.9") * Decimal("0.0002")
    gone = customer.ask("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="m")
    assert (gone["status"], gone["executedQty"]) == ("CANCELED", "1")


def test_no_more_orders_than_are_allowed() -> None:
    customer = Customer(terms=replace(TERMS, max_orders=2))
    for price in ("99", "98"):
        customer.place(price=price)
    assert customer.code("POST", ORDER, **customer.order(price="97")) == -2025


def test_two_hundred_conditional_orders_and_no_more() -> None:
    customer = holding()
    for number in range(200):
        customer.place_stop(f"{95 - number / 100:.1f}", quantity="0.1", reduceOnly="true", clientAlgoId=f"s{number}")
    assert customer.code("POST", ALGO, **customer.stop("94", quantity="0.1", reduceOnly="true")) == -4045
