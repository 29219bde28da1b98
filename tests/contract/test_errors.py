"""What ccxt raises for what the venue says: by code on the production address and on an overridden one, on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp
import ccxt
import pytest
from aiohttp import web
from ccxt.async_support.binanceusdm import binanceusdm

from tests.contract.recording import ORDER, SYMBOL, Contract, answering

PRODUCTION = "https://fapi.binance.com/fapi/v1/order"
JSON = "application/json"
MARKET_BUY = (SYMBOL, "market", "buy", 0.01, None, {"clientOrderId": "rb-e1-1"})

CODES: list[tuple[int, str, str, str]] = [
    (-1000, "An unknown error occurred while processing the request.", "OperationFailed", "OperationFailed"),
    (-1001, "Internal error; unable to process your request. Please try again.", "OperationFailed", "OperationFailed"),
    (-1003, "Too many requests; IP banned until 1700000000000.", "RateLimitExceeded", "RateLimitExceeded"),
    (-1006, "An unexpected response was received from the message bus. Execution status unknown.",
     "OperationFailed", "OperationFailed"),
    (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
     "RequestTimeout", "RequestTimeout"),
    (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes.",
     "OperationFailed", "ExchangeError"),
    (-1013, "Filter failure: LOT_SIZE", "InvalidOrder", "InvalidOrder"),
    (-1015, "Too many new orders; current limit is 300 orders per 10 SECOND.",
     "RateLimitExceeded", "RateLimitExceeded"),
    (-1021, "Timestamp for this request is outside of the recvWindow.", "InvalidNonce", "InvalidNonce"),
    (-1022, "Signature for this request is not valid.", "AuthenticationError", "AuthenticationError"),
    (-1111, "Precision is over the maximum defined for this asset.", "BadRequest", "BadRequest"),
    (-1121, "Invalid symbol.", "BadSymbol", "BadSymbol"),
    (-1125, "This listenKey does not exist.", "AuthenticationError", "AuthenticationError"),
    (-2010, "Account has insufficient balance for requested action.", "InsufficientFunds", "InsufficientFunds"),
    (-2010, "Order would immediately match and take.", "OrderImmediatelyFillable", "OrderImmediatelyFillable"),
    (-2011, "Unknown order sent.", "OrderNotFound", "OrderNotFound"),
    (-2013, "Order does not exist.", "OrderNotFound", "OrderNotFound"),
    (-2014, "API-key format invalid.", "AuthenticationError", "AuthenticationError"),
    (-2015, "Invalid API-key, IP, or permissions for action.", "AuthenticationError", "AuthenticationError"),
    (-2018, "Balance is insufficient.", "InsufficientFunds", "ExchangeError"),
    (-2019, "Margin is insufficient.", "InsufficientFunds", "ExchangeError"),
    (-2021, "Order would immediately trigger.", "OrderImmediatelyFillable", "ExchangeError"),
    (-2022, "ReduceOnly Order is rejected.", "InvalidOrder", "ExchangeError"),
    (-2027, "Exceeded the maximum allowable position at current leverage.", "OperationRejected", "ExchangeError"),
    (-4003, "Quantity less than or equal to zero.", "BadRequest", "BadRequest"),
    (-4014, "Price not increased by tick size.", "BadRequest", "BadRequest"),
    (-4015, "Client order id is not valid.", "BadRequest", "BadRequest"),
    (-4028, "Leverage 75 is not valid", "BadRequest", "BadRequest"),
    (-4045, "Reach max stop order limit.", "OperationRejected", "OperationRejected"),
    (-4046, "No need to change margin type.", "MarginModeAlreadySet", "MarginModeAlreadySet"),
    (-4059, "No need to change position side.", "OperationRejected", "OperationRejected"),
    (-4116, "ClientOrderId is duplicated.", "InvalidOrder", "ExchangeError"),
    (-4118, "ReduceOnly Order Failed. Please check your existing position and open orders.",
     "OperationRejected", "ExchangeError"),
    (-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
     "InvalidOrder", "ExchangeError"),
    (-4130, "An open stop or take profit order with GTE and closePosition in the direction is existing.",
     "ExchangeError", "ExchangeError"),
    (-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
     "OperationRejected", "ExchangeError"),
    (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).",
     "InvalidOrder", "ExchangeError"),
    (-4188, "Timestamp for this request is outside of the ME recvWindow.", "ExchangeError", "ExchangeError"),
    (-5021, "Due to the order could not be filled immediately, the FOK order has been rejected.",
     "OrderNotFillable", "InvalidOrder"),
    (-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.",
     "OrderNotFillable", "InvalidOrder"),
    (-5028, "Timestamp for this request is outside of the ME recvWindow.", "BadRequest", "InvalidOrder"),
]
"""code, text, class on the production address, class on an address that was overridden."""
SWALLOWED = frozenset({
    "Account has insufficient balance for requested action.", "Order would immediately match and take.",
    "Order would trigger immediately.", "Stop price would trigger immediately.", "Rest API trading is not enabled.",
    "This account may not place or cancel orders.", "You don't have permission.", "Market is closed.",
    "Too many requests. Please try again later.", "API key does not exist", "System abnormality",
    "System is under maintenance.", "This symbol is not permitted for self account.",
})
"""Texts that ccxt matches before it looks at the code: the exception then carries the text alone."""


def named(code: int, text: str) -> str:
    return f"{code} {text[:24]}"


@pytest.fixture(scope="module")
def production() -> Any:
    return binanceusdm()


@pytest.mark.parametrize(("code", "text", "kind", "_bare"), CODES, ids=[named(*row[:2]) for row in CODES])
def test_the_class_of_each_code_on_the_production_address(
    production: Any, code: int, text: str, kind: str, _bare: str
) -> None:
    body = json.dumps({"code": code, "msg": text})

    with pytest.raises(ccxt.BaseError) as raised:
        production.handle_errors(400, "Bad Request", PRODUCTION, "POST", {}, body, json.loads(body), {}, "")

    assert type(raised.value).__name__ == kind
    # The class is not enough, and the code is read from the text; where that is swallowed the body must be kept.
    assert (f'"code": {code}' in str(raised.value)) is (text not in SWALLOWED)


@pytest.mark.parametrize(("code", "text", "_kind", "bare"), CODES, ids=[named(*row[:2]) for row in CODES])
def test_on_an_overridden_address_half_the_tables_are_missing(
    contract: Contract, code: int, text: str, _kind: str, bare: str
) -> None:
    """ccxt picks its tables by the beginning of the URL, so on any other host margin and stop refusals are bare."""
    error, sent = contract.fails(answering(400, {"code": code, "msg": text}), "create_order", *MARKET_BUY)

    assert type(error).__name__ == bare
    assert (str(code) in str(error)) is (text not in SWALLOWED)
    assert len(sent) == 1, "an order is sent once"


@pytest.mark.parametrize("text", sorted(SWALLOWED))
def test_some_texts_hide_the_code_that_came_with_them(contract: Contract, text: str) -> None:
    """Whoever judges by code must look at the reply itself; ccxt keeps the last one, of whichever call it was."""
    error, _ = contract.fails(answering(400, {"code": -2010, "msg": text}), "create_order", *MARKET_BUY)

    assert isinstance(error, ccxt.BaseError) and "-2010" not in str(error)
    assert json.loads(contract.client.last_http_response)["code"] == -2010


def test_the_tables_are_chosen_by_the_address(production: Any) -> None:
    """The pitfall by itself, and what undoes it: answer `get_exceptions_by_url` with the linear table."""
    assert production.get_exceptions_by_url("http://127.0.0.1:1/fapi/v1/order", "exact") == {}
    assert production.get_exceptions_by_url(PRODUCTION, "exact") is production.exceptions["linear"]["exact"]
    assert production.exceptions["linear"]["exact"]["-2019"] is ccxt.InsufficientFunds


STATUSES: list[tuple[int, Any, str, str]] = [
    (429, {"code": -1003, "msg": "Too many requests."}, JSON, "DDoSProtection"),
    (418, {"code": -1003, "msg": "Way too much request weight used; IP banned until 1700000000000."}, JSON,
     "DDoSProtection"),
    (403, "<html>403 Forbidden</html>", "text/html", "ExchangeNotAvailable"),
    (500, "<html>500</html>", "text/html", "ExchangeNotAvailable"),
    (502, "<html>502 Bad Gateway</html>", "text/html", "ExchangeNotAvailable"),
    (503, "<html>503</html>", "text/html", "ExchangeNotAvailable"),
    (503, {"code": 0, "msg": "Unknown error, please check your request or try again later."}, JSON,
     "ExchangeNotAvailable"),
    (504, "<html>504 Gateway Time-out</html>", "text/html", "RequestTimeout"),
    (503, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, JSON, "RequestTimeout"),
]
STATUS_NAMES = [f"{row[0]} {row[3]} {row[2]}" for row in STATUSES]


@pytest.mark.parametrize(("status", "body", "kind", "raised"), STATUSES, ids=STATUS_NAMES)
def test_the_class_of_each_http_status(contract: Contract, status: int, body: Any, kind: str, raised: str) -> None:
    error, sent = contract.fails(answering(status, body, kind), "create_order", *MARKET_BUY)

    assert type(error).__name__ == raised
    assert error.__cause__ is None, "the server did answer"
    assert len(sent) == 1


def test_the_wait_of_a_ban_is_only_in_the_headers(contract: Contract) -> None:
    async def banned(request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": -1003, "msg": "banned"}, status=418, headers={"Retry-After": "120"})

    error, _ = contract.fails(banned, "create_order", *MARKET_BUY)

    assert contract.client.last_response_headers["Retry-After"] == "120"
    assert not hasattr(error, "retry_after") and "120" not in str(error)


def test_an_html_page_with_status_200_is_no_order(contract: Contract) -> None:
    """A captive portal or a maintenance page."""
    order, _ = contract.fails(answering(200, "<html>maintenance</html>", "text/html"), "create_order", *MARKET_BUY)

    assert order["id"] is None and order["info"] == "<html>maintenance</html>"


def test_a_truncated_200_is_an_order_without_an_id(contract: Contract) -> None:
    half = json.dumps(ORDER)[:60]

    order, sent = contract.fails(answering(200, half), "create_order", *MARKET_BUY)

    assert order["id"] is None and order["clientOrderId"] is None
    assert len(sent) == 1


def test_a_reply_that_does_not_come_is_a_timeout_with_its_cause(contract: Contract) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.6)
        return web.json_response(ORDER)

    contract.client.timeout = 400
    try:
        error, sent = contract.fails(silent, "create_order", *MARKET_BUY)
    finally:
        contract.client.timeout = 10_000

    assert type(error).__name__ == "RequestTimeout"
    assert isinstance(error.__cause__, TimeoutError)
    assert len(sent) == 1, "nothing is sent again"


async def cut_off(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def test_a_connection_lost_before_the_reply_may_hide_a_live_order(contract: Contract) -> None:
    error, sent = contract.fails(cut_off, "create_order", *MARKET_BUY)

    assert type(error).__name__ == "ExchangeNotAvailable"
    assert isinstance(error.__cause__, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    assert not isinstance(error.__cause__, aiohttp.ClientConnectorError)
    assert len(sent) == 1, "an order is never sent again"


@pytest.mark.parametrize(("method", "args"), [
    ("cancel_order", (None, SYMBOL, {"clientOrderId": "rb-e1-1"})),
    ("fetch_order", (None, SYMBOL, {"clientOrderId": "rb-e1-1"})),
])
def test_a_lost_cancel_or_query_is_sent_again_by_aiohttp_itself(
    contract: Contract, method: str, args: tuple[Any, ...]
) -> None:
    """Below ccxt, and once: on a connection that was used before, GET and DELETE count as safe to repeat."""
    contract.call("fetch_open_orders", SYMBOL)

    error, sent = contract.fails(cut_off, method, *args)

    assert type(error).__name__ == "ExchangeNotAvailable"
    assert len(sent) == 2 and len({one.query for one in sent}) == 1


def test_a_refused_connection_proves_that_nothing_was_sent(contract: Contract) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def refused() -> BaseException | None:
        client = binanceusdm({"apiKey": "k", "secret": "s", "enableRateLimit": False})
        client.markets, client.markets_by_id = contract.client.markets, contract.client.markets_by_id
        client.urls["api"]["fapiPrivate"] = f"http://127.0.0.1:{port}/fapi/v1"
        try:
            await client.create_order(*MARKET_BUY)
        except ccxt.ExchangeNotAvailable as error:
            cause: BaseException | None = error.__cause__
            return cause
        finally:
            await client.close()
        return None

    assert isinstance(contract.run(refused()), aiohttp.ClientConnectorError)


def test_nothing_is_retried_unless_somebody_turns_it_on(contract: Contract) -> None:
    """With retries a POST goes out again after a timeout, under the same id: the engine asserts the 0."""
    assert contract.client.options.get("maxRetriesOnFailure", 0) == 0
    late = answering(503, {"code": -1007, "msg": "Timeout waiting for response from backend server."})

    _, once = contract.fails(late, "create_order", *MARKET_BUY)
    contract.client.options["maxRetriesOnFailure"] = 2
    try:
        _, thrice = contract.fails(late, "create_order", *MARKET_BUY)
    finally:
        contract.client.options["maxRetriesOnFailure"] = 0

    assert len(once) == 1
    assert len(thrice) == 3 and len({one.said["newClientOrderId"] for one in thrice}) == 1


def test_a_refused_key_looks_like_a_ban_once_a_call_had_succeeded(production: Any) -> None:
    body = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    production.options["hasAlreadyAuthenticatedSuccessfully"] = True
    try:
        with pytest.raises(ccxt.DDoSProtection):
            production.handle_errors(401, "Unauthorized", PRODUCTION, "POST", {}, json.dumps(body), body, {}, "")
    finally:
        del production.options["hasAlreadyAuthenticatedSuccessfully"]


def test_whose_child_each_class_is() -> None:
    """The order of except clauses decides: these are subclasses of what they do not mean."""
    assert issubclass(ccxt.InvalidNonce, ccxt.NetworkError), "a clock that is off is no lost connection"
    assert issubclass(ccxt.OrderNotFound, ccxt.InvalidOrder), "absent is not refused"
    assert issubclass(ccxt.OrderNotFillable, ccxt.InvalidOrder)
    assert issubclass(ccxt.RateLimitExceeded, ccxt.NetworkError) and issubclass(ccxt.DDoSProtection, ccxt.NetworkError)
    assert issubclass(ccxt.NetworkError, ccxt.OperationFailed)
    assert not issubclass(ccxt.ExchangeError, ccxt.OperationFailed)
