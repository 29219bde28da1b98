"""Orders over a real wire through real ccxt: what is sent, and that each wish ends in exactly one answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt_rate import RateLimits
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderUncertain,
    OrderWithheld,
    VenueEvent,
)
from engine.model.orders import Intent, OrderKind, Side
from engine.model.reports import Rejection
from tests.adapters.ccxt_kit import (
    Answer,
    RecordingVenue,
    cancel,
    client,
    error,
    order,
    recording,
    stop,
)

D = Decimal
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
TERMINAL = (OrderAccepted, OrderRejected, OrderWithheld, OrderUncertain)


def run(test: Callable[[RecordingVenue], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with recording() as venue:
            await test(venue)

    asyncio.run(whole())


WANTED: list[tuple[str, Any, str, dict[str, str]]] = [
    ("market", order(), ORDER, {"type": "MARKET", "side": "BUY", "quantity": "0.01", "newOrderRespType": "RESULT"}),
    ("limit", order(kind=OrderKind.LIMIT, limit_price=D("59000.17")), ORDER,
     {"type": "LIMIT", "price": "59000.1", "timeInForce": "GTC"}),
    ("limit sell", order(kind=OrderKind.LIMIT, limit_price=D("59000.11"), side=Side.SELL), ORDER,
     {"price": "59000.2", "side": "SELL"}),
    ("post only", order(kind=OrderKind.LIMIT, limit_price=D(59000), post_only=True), ORDER, {"timeInForce": "GTX"}),
    ("ioc", order(kind=OrderKind.LIMIT, limit_price=D(59000), immediate=True), ORDER, {"timeInForce": "IOC"}),
    ("reduce only", order(reduce_only=True, intent=Intent.EXIT, side=Side.SELL), ORDER, {"reduceOnly": "true"}),
    ("stop", stop(trigger_price=D("59000.01")), ALGO,
     {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "closePosition": "true", "triggerPrice": "59000.1",
      "workingType": "MARK_PRICE", "side": "SELL"}),
    ("stop of a short", stop(trigger_price=D("61000.07"), side=Side.BUY), ALGO, {"triggerPrice": "61000"}),
    ("take profit", stop(kind=OrderKind.TAKE_PROFIT_MARKET, trigger_price=D("66000.07"), close_position=False,
                         quantity=D("0.01"), reduce_only=True), ALGO,
     {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "66000", "quantity": "0.01", "reduceOnly": "true"}),
]


@pytest.mark.parametrize(("placed", "path", "params"), [row[1:] for row in WANTED], ids=[row[0] for row in WANTED])
def test_an_order_leaves_as_the_venue_wants_it(placed: Any, path: str, params: dict[str, str]) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter.place(placed, 1)
            (event,) = await told.first(1)
        (sent,) = venue.sent("POST", path)
        assert params.items() <= sent.params.items()
        assert sent.params["clientAlgoId" if path == ALGO else "newClientOrderId"] == placed.client_id
        assert "quantity" not in sent.params or not placed.close_position
        assert not ("closePosition" in sent.params and "reduceOnly" in sent.params)
        assert isinstance(event, OrderAccepted)
        assert event.venue_order_id == str(venue.number)

    run(test)


BAD = [
    order(quantity=D("0.0105")), order(quantity=D("0.0001")), order(quantity=D(5000)), order(quantity=D("NaN")),
    order(quantity=None), order(symbol="DOGEUSDT"), order(client_id="x" * 37), order(client_id="ä"),
    order(kind=OrderKind.LIMIT), order(kind=OrderKind.LIMIT, limit_price=D("NaN")),
    order(kind=OrderKind.LIMIT, limit_price=D("0.01")), order(kind=OrderKind.LIMIT, limit_price=D("-1")),
    order(post_only=True), order(close_position=True), stop(trigger_price=None), stop(trigger_price=D("Infinity")),
    order(kind=OrderKind.LIMIT, limit_price=D(1), post_only=True, immediate=True),
]


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_right_never_leaves(bad: Any) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter.place(bad, 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderRejected)
        assert event.kind is Rejection.NOT_SENT
        assert not venue.sent("POST", ORDER) and not venue.sent("POST", ALGO)

    run(test)


DOUBTFUL = {
    "lost": Answer(drop=True),
    "timeout": Answer(hang_s=0.6),
    "html": Answer(text="<html>502 Bad Gateway</html>", status=502),
    "html 200": Answer(text="<html>please log in</html>"),
    "html 403": Answer(text="<html>blocked</html>", status=403),
    "empty": Answer(text=""),
    "null": Answer(text="null"),
    "list": Answer(body=[]),
    "no id": Answer(body={"status": "NEW", "symbol": "BTCUSDT"}),
    "another order": Answer(body={"orderId": 5, "clientOrderId": "rb-e-9", "symbol": "BTCUSDT", "status": "NEW",
                                  "side": "BUY", "type": "MARKET", "origQty": "0.01", "executedQty": "0"}),
    "status unknown": Answer(body={"orderId": 5, "clientOrderId": "rb-e-1", "symbol": "BTCUSDT", "status": "MOON",
                                   "side": "BUY", "type": "MARKET", "origQty": "0.01", "executedQty": "0"}),
    "-1000": error(-1000), "-1001": error(-1001), "-1006": error(-1006), "-1007": error(-1007, status=408),
    "-1008": error(-1008, status=503), "-1007 at 200": error(-1007, status=200),
    "503 unknown": Answer(status=503, body={"code": 0, "msg": "Unknown error, please check your request"}),
    "504": Answer(status=504, text="<html>gateway timeout</html>"),
    "500 with a refusal": error(-2019, status=500),
    "in use": error(-4116),
    "unlisted at 200": error(-7777, status=200),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_reply_that_proves_nothing_leaves_the_order_uncertain_and_sends_it_once(name: str) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("POST", ORDER, DOUBTFUL[name])
            adapter.place(order(), 1)
            (event,) = await told.first(1)
            await asyncio.sleep(0.02)
            assert len(told) == 1
        assert isinstance(event, OrderUncertain), event
        assert event.reason
        assert len(venue.sent("POST", ORDER)) == 1

    run(test)


@pytest.mark.parametrize("cut", [1, 2, 20, 100, 300])
def test_half_a_reply_is_no_acceptance(cut: int) -> None:
    async def test(venue: RecordingVenue) -> None:
        params = {"symbol": "BTCUSDT", "type": "MARKET", "newClientOrderId": "rb-e-1", "quantity": "0.01",
                  "side": "BUY"}
        async with client(venue) as (adapter, told):
            venue.script("POST", ORDER, Answer(body=venue.regular(params), cut=cut))
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderUncertain), event

    run(test)


REFUSED = [
    (-2019, Rejection.MARGIN), (-2021, Rejection.WOULD_TRIGGER), (-2022, Rejection.NOT_REDUCING),
    (-4120, Rejection.CAPABILITY), (-4130, Rejection.CLOSE_EXISTS), (-4131, Rejection.PRICE_BAND),
    (-4164, Rejection.FILTER), (-5022, Rejection.WOULD_TAKE), (-2015, Rejection.PERMISSION),
    (-1015, Rejection.LIMITED), (-4045, Rejection.TOO_MANY), (-9999, Rejection.OTHER),
]


@pytest.mark.parametrize(("code", "kind"), REFUSED)
def test_a_refusal_by_the_venue_is_final_and_keeps_its_code(code: int, kind: Rejection) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("POST", ORDER, error(code, "LOT_SIZE and such words"))
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderRejected), event
        assert (event.code, event.kind) == (str(code), kind)
        assert len(venue.sent("POST", ORDER)) == 1

    run(test)


def test_a_refused_connection_was_surely_not_sent() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter._wire.exchange.urls["api"]["fapiPrivate"] = "http://127.0.0.1:9/fapi/v1"
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderRejected)
        assert event.kind is Rejection.NOT_SENT

    run(test)


def test_a_refusal_for_the_clock_measures_it_and_sends_the_same_id_once_more() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.clock_ahead_ms = 3_000
            venue.script("POST", ORDER, error(-1021, "Timestamp for this request is outside of the recvWindow."))
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        first, second = venue.sent("POST", ORDER)
        assert isinstance(event, OrderAccepted)
        assert first.params["newClientOrderId"] == second.params["newClientOrderId"]
        assert int(second.params["timestamp"]) - int(first.params["timestamp"]) >= 2_900

    run(test)


@pytest.mark.parametrize("time", [None, Answer(drop=True)], ids=["measured", "not even the time"])
def test_a_second_refusal_for_the_clock_is_a_refusal(time: Answer | None) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.always["POST", ORDER] = error(-1021)
            if time is not None:
                # The client's own library asks once more where a kept connection closed under a GET.
                venue.script("GET", "/fapi/v1/time", time, time)
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderRejected)
        assert event.kind is Rejection.CLOCK
        assert len(venue.sent("POST", ORDER)) <= 2

    run(test)


@pytest.mark.parametrize(
    "ban",
    [Answer(status=429, body={"code": -1003, "msg": "Too many requests"}, headers=(("Retry-After", "70"),)),
     Answer(status=418, text="<html>go away</html>", headers=(("Retry-After", "120"),)),
     error(-1003, "Way too much request weight used; IP banned until {until}."), error(-1003, status=418)],
    ids=["429", "418 html", "until", "bare"],
)
def test_a_ban_silences_everything_until_it_is_over(ban: Answer) -> None:
    async def test(venue: RecordingVenue) -> None:
        until = SystemClock().now() // 10**6 + 60_000
        body = {name: str(value).format(until=until) if name == "msg" else value for name, value in ban.body.items()} \
            if isinstance(ban.body, dict) else ban.body
        async with client(venue) as (adapter, told):
            venue.script("POST", ORDER, Answer(ban.status, body, ban.headers, ban.text))
            adapter.place(order(), 1)
            (event,) = await told.first(1)
            assert isinstance(event, OrderRejected)
            assert event.kind is Rejection.LIMITED
            before = len(venue.asked)
            adapter.place(order("rb-e-3"), 1)
            adapter.cancel(cancel(), 1)
            adapter.place(stop(), 1)
            await told.first(4)
        assert len(venue.asked) == before
        placed = [one for one in told[1:] if isinstance(one, OrderRejected)]
        assert len(placed) == 2 and all(one.kind is Rejection.LIMITED for one in placed)
        assert any(isinstance(one, CancelRejected) for one in told)

    run(test)


def test_at_the_moment_of_sending_the_gate_is_asked_and_may_keep_the_order_back() -> None:
    async def test(venue: RecordingVenue) -> None:
        why: list[str] = []
        async with client(venue, gate=lambda order: why[0] if why else "") as (adapter, told):
            adapter.place(order(), 1)
            why.append("halted")  # after the order was handed over, before it could leave
            (event,) = await told.first(1)
        assert isinstance(event, OrderWithheld)
        assert (event.client_id, event.reason) == ("rb-e-1", "halted")
        assert not venue.sent("POST", ORDER)

    run(test)


def test_the_gate_is_asked_again_before_the_one_repetition() -> None:
    async def test(venue: RecordingVenue) -> None:
        answers = iter(["", "halted"])
        async with client(venue, gate=lambda order: next(answers)) as (adapter, told):
            venue.script("POST", ORDER, error(-1021))
            adapter.place(order(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderWithheld)
        assert len(venue.sent("POST", ORDER)) == 1

    run(test)


def test_an_ioc_that_ended_is_accepted_and_gone_with_what_it_left() -> None:
    async def test(venue: RecordingVenue) -> None:
        ioc = order(kind=OrderKind.LIMIT, limit_price=D(60000), immediate=True)
        params = {"symbol": "BTCUSDT", "type": "LIMIT", "newClientOrderId": "rb-e-1", "quantity": "0.01", "side": "BUY"}
        async with client(venue) as (adapter, told):
            venue.script("POST", ORDER, Answer(body=venue.regular(params, status="EXPIRED", executedQty="0.004")))
            adapter.place(ioc, 1)
            accepted, gone = await told.first(2)
        assert isinstance(accepted, OrderAccepted)
        assert isinstance(gone, OrderCancelled)
        assert (gone.remaining, gone.reason) == (D("0.006"), "ioc")

    run(test)


CANCELS: list[tuple[str, Answer, type[VenueEvent]]] = [
    ("unknown there", error(-2011), CancelRejected),
    ("no such order", error(-2013), CancelRejected),
    ("refused", error(-4117), CancelRejected),
    ("clock", error(-5028), CancelRejected),
    ("lost", Answer(drop=True), OrderUncertain),
    ("timeout", Answer(hang_s=0.6), OrderUncertain),
    ("5xx", error(-2011, status=503), OrderUncertain),
    ("-1007", error(-1007), OrderUncertain),
    ("half", Answer(text='{"orderId": 1'), OrderUncertain),
    ("nothing", Answer(body={}), OrderUncertain),
]


@pytest.mark.parametrize(("answer", "wanted"), [row[1:] for row in CANCELS], ids=[row[0] for row in CANCELS])
@pytest.mark.parametrize("conditional", [False, True])
def test_a_cancel_ends_in_one_answer_and_assumes_nothing(
    answer: Answer, wanted: type[VenueEvent], conditional: bool
) -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            venue.script("DELETE", ALGO if conditional else ORDER, answer, answer)
            adapter.cancel(cancel(conditional=conditional), 1)
            (event,) = await told.first(1)
            await asyncio.sleep(0.02)
            assert len(told) == 1
        assert isinstance(event, wanted), event

    run(test)


def test_a_cancel_says_what_was_left() -> None:
    async def test(venue: RecordingVenue) -> None:
        params = {"symbol": "BTCUSDT", "type": "LIMIT", "newClientOrderId": "rb-e-1", "quantity": "0.01", "side": "BUY"}
        gone = venue.regular(params, status="CANCELED", executedQty="0.002")
        async with client(venue) as (adapter, told):
            venue.script("DELETE", ORDER, Answer(body=gone))
            adapter.cancel(cancel(), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderCancelled)
        assert (event.remaining, event.reason) == (D("0.008"), "requested")

    run(test)


def test_a_stop_of_ours_is_taken_back_in_its_own_book() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            adapter.place(stop(close_position=False, quantity=D("0.01"), reduce_only=True), 1)
            await told.first(1)
            adapter.cancel(cancel("rb-e-2", conditional=True), 1)
            _, event = await told.first(2)
        assert isinstance(event, OrderCancelled)
        assert event.remaining == D("0.01")
        assert not venue.sent("DELETE", ORDER)

    run(test)


def test_a_cancelled_stop_of_which_nothing_is_known_is_looked_up_before_it_is_called_gone() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue) as (adapter, told):
            row = venue.algo({"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "1",
                              "clientAlgoId": "rb-old-1", "quantity": "0.5"}, algoStatus="CANCELED")
            venue.script("GET", ALGO, Answer(body=row))
            adapter.cancel(cancel("rb-old-1", conditional=True), 1)
            (event,) = await told.first(1)
        assert isinstance(event, OrderCancelled)
        assert event.remaining == D("0.5")

    run(test)


def test_the_end_of_a_run_leaves_no_wish_without_an_answer() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue, timeout_ms=5_000) as (adapter, told):
            venue.always["POST", ORDER] = Answer(hang_s=0.8)
            for number in range(5):
                adapter.place(order(f"rb-e-{number}"), 1)
            await told.until(lambda: len(venue.sent("POST", ORDER)) == 5)
            await adapter.close(0.05)
            adapter.place(order("rb-e-9"), 1)
            events = list(told)
        uncertain = [one for one in events if isinstance(one, OrderUncertain)]
        assert {one.client_id for one in uncertain} == {f"rb-e-{number}" for number in range(5)}
        assert isinstance(events[-1], OrderRejected) and events[-1].kind is Rejection.NOT_SENT

    run(test)


CODES = st.none() | st.integers(-9999, 300) | st.sampled_from([-1021, -1003, -1007, -2011, -2013, -4116, 0, 200])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["orderId", "status", "x"]), inner),
    max_leaves=6,
)
REPLIES = st.one_of(
    st.builds(lambda status, code: Answer(status=status, body={"code": code, "msg": "said"}),
              st.sampled_from([200, 400, 401, 403, 404, 500, 502, 503, 504]), CODES),
    st.builds(lambda status, body: Answer(status=status, body=body), st.sampled_from([200, 201, 400, 500]), JSON),
    st.builds(lambda status, text: Answer(status=status, text=text), st.sampled_from([200, 400, 503]),
              st.sampled_from(["", "<html>", "{", "nul", "[]", "123", '"text"', "{}"])),
    st.just(Answer(drop=True)),
    st.builds(lambda cut: Answer(body={"orderId": 1, "clientOrderId": "rb-e-1", "status": "NEW"}, cut=cut),
              st.integers(1, 40)),
)


def test_under_any_reply_each_wish_ends_in_exactly_one_answer() -> None:
    """One client, one wish after the other, each with replies out of a hat."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        venue = runner.run(stack.enter_async_context(recording()))
        adapter, told = runner.run(stack.enter_async_context(client(venue)))

        async def once(reply: Answer, again: Answer, conditional: bool, asks_back: bool) -> None:
            del told[:]
            adapter._wire.lanes.ledger.frozen_until = 0
            adapter._wire.limit(RateLimits(weight_minute=10**9, orders_minute=10**9, orders_ten_seconds=10**9))
            path = ALGO if conditional else ORDER
            method = "DELETE" if asks_back else "POST"
            venue.scripts[method, path][:] = [reply, again]
            before = len(venue.sent(method, path))
            if asks_back:
                adapter.cancel(cancel(conditional=conditional), 1)
            else:
                adapter.place(stop("rb-e-1") if conditional else order(), 1)
            await told.first(1)
            await asyncio.sleep(0)
            wanted = (OrderCancelled, CancelRejected, OrderUncertain) if asks_back else TERMINAL
            assert len([one for one in told if isinstance(one, wanted)]) == len(told) == 1
            assert asks_back or len(venue.sent(method, path)) - before <= 2
            assert asks_back or not isinstance(told[0], OrderRejected) or not reply.drop

        @settings(max_examples=100, deadline=None)
        @given(REPLIES, REPLIES, st.booleans(), st.booleans())
        def any_reply(reply: Answer, again: Answer, conditional: bool, asks_back: bool) -> None:
            runner.run(once(reply, again, conditional, asks_back))

        try:
            any_reply()
        finally:
            runner.run(stack.aclose())
