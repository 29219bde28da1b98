"""The account's stream: what it says becomes events under our ids, and silence is found out by content."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.venue_binance_user import stream
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_told import Told as ToldByStream
from engine.model.answers import AccountStream
from engine.model.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    VenueEvent,
)
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import OrderReport
from tests.adapters.ccxt_kit import Answer, RecordingVenue, client, error, order, recording, stop

D = Decimal
VENUE = "binanceusdm"
KEY = "/fapi/v1/listenKey"
SECOND = 10**9


def update(client_id: str, execution: str, status: str, order_id: int = 500, **more: object) -> dict[str, Any]:
    inner: dict[str, object] = {
        "s": "BTCUSDT", "c": client_id, "S": "SELL", "o": "MARKET", "q": "0.01", "p": "0", "ap": "0", "sp": "0",
        "x": execution, "X": status, "i": order_id, "l": "0", "z": "0", "L": "0", "T": 1568879465651, "t": 0,
        "m": False, "R": False, "cp": False}
    return {"e": "ORDER_TRADE_UPDATE", "E": 1568879465652, "T": 1568879465651, "o": inner | more}


def executed(client_id: str, number: int, order_id: int = 500, total: str = "0.01") -> dict[str, Any]:
    return update(client_id, "TRADE", "FILLED" if total == "0.01" else "PARTIALLY_FILLED", order_id, l="0.004",
                  z=total, L="59000", t=number, n="0.09", N="USDT")


def algo(status: str, **more: object) -> dict[str, Any]:
    inner: dict[str, object] = {
        "caid": "rb-e-2", "aid": 77, "o": "STOP_MARKET", "s": "BTCUSDT", "S": "SELL", "q": "0.01", "X": status,
        "ai": "", "tp": "59000", "p": "0", "cp": False, "R": True}
    return {"e": "ALGO_UPDATE", "E": 1765431097037, "T": 1765431097031, "o": inner | more}


def hear(hearing: Hearing, *messages: dict[str, Any], at: int = 0) -> list[VenueEvent]:
    return [event for message in messages for part in stream(message, venue=VENUE) for event in hearing.heard(part, at)]


def with_stop(**more: Any) -> Hearing:
    hearing = Hearing(VENUE)
    fields: dict[str, Any] = {"close_position": False, "quantity": D("0.01")}
    hearing.sent(stop(**(fields | more)))
    return hearing


def test_the_life_of_a_stop_is_told_under_its_own_id() -> None:
    events = hear(
        with_stop(), algo("NEW"), algo("TRIGGERING"), algo("TRIGGERED", ai="900"), update("auto", "NEW", "NEW", 900),
        executed("auto", 1, 900, "0.004"), executed("auto", 2, 900), algo("FINISHED", ai="900", aq="0.01"),
    )

    assert [type(one) for one in events] == [OrderAccepted, OrderTriggered, OrderFilled, OrderFilled]
    assert {one.fill.client_id for one in events if isinstance(one, OrderFilled)} == {"rb-e-2"}
    assert [one.remaining for one in events if isinstance(one, OrderFilled)] == [D("0.006"), D(0)]


def test_a_fill_that_comes_before_its_stop_said_it_triggered_waits_for_it() -> None:
    hearing = with_stop()

    assert hear(hearing, algo("NEW"), executed("auto", 1, 900, "0.004"))[1:] == []
    events = hear(hearing, algo("TRIGGERED", ai="900"))

    assert [type(one) for one in events] == [OrderTriggered, OrderFilled]
    assert isinstance(events[1], OrderFilled) and events[1].fill.client_id == "rb-e-2"


def test_what_waits_in_vain_is_told_under_the_id_it_came_with() -> None:
    hearing = with_stop()
    hear(hearing, executed("web_1", 1, 900), at=SECOND)

    assert hearing.late(SECOND) == ()
    (event,) = hearing.late(4 * SECOND)
    assert isinstance(event, OrderFilled) and event.fill.client_id == "web_1"
    assert hearing.late(9 * SECOND) == ()


@pytest.mark.parametrize(
    ("last", "wanted"),
    [(algo("FINISHED", ai="900", aq="0"), OrderCancelled), (algo("FINISHED", ai="900", aq="0.004"), OrderCancelled),
     (algo("CANCELED"), OrderCancelled), (algo("EXPIRED"), OrderCancelled),
     (algo("REJECTED", rm="Reduce Only reject"), OrderRejected)],
)
def test_the_end_of_a_stop_without_all_its_fills_is_told(last: dict[str, Any], wanted: type[VenueEvent]) -> None:
    (event,) = hear(with_stop(), last)

    assert isinstance(event, wanted)
    if isinstance(event, OrderCancelled):
        assert event.remaining == D("0.01") - D(str(last["o"].get("aq", "0")))


def test_who_took_an_order_back_is_told_as_far_as_it_is_known() -> None:
    hearing = with_stop()
    hearing.cancelling("rb-e-2")
    (asked,) = hear(hearing, algo("CANCELED"))
    (other,) = hear(with_stop(), algo("CANCELED"))

    assert isinstance(asked, OrderCancelled) and asked.reason == "requested"
    assert isinstance(other, OrderCancelled) and other.reason == "position_closed"


def test_the_rest_of_an_ioc_is_called_so() -> None:
    hearing = Hearing(VENUE)
    hearing.sent(order(kind=OrderKind.LIMIT, limit_price=D(1), immediate=True))

    events = hear(hearing, update("rb-e-1", "NEW", "NEW"), update("rb-e-1", "EXPIRED", "EXPIRED", z="0.004"))

    assert [type(one) for one in events] == [OrderAccepted, OrderCancelled]
    assert isinstance(events[1], OrderCancelled)
    assert (events[1].reason, events[1].remaining) == ("ioc", D("0.006"))


MESSAGES = [
    algo("NEW"), algo("TRIGGERING"), algo("TRIGGERED", ai="900"), update("auto", "NEW", "NEW", 900),
    executed("auto", 1, 900, "0.004"), executed("auto", 2, 900), algo("FINISHED", ai="900", aq="0.01"),
]


@given(st.permutations(MESSAGES + MESSAGES[4:6]))
def test_in_any_order_no_fill_of_a_stop_is_lost_or_given_away(messages: list[dict[str, Any]]) -> None:
    hearing = with_stop()

    events = hear(hearing, *messages) + list(hearing.late(10 * SECOND))

    fills = [one.fill for one in events if isinstance(one, OrderFilled)]
    assert {fill.trade_id for fill in fills} == {"1", "2"}
    assert {fill.client_id for fill in fills} == {"rb-e-2"}


def report(state: OrderState, executed_base: str = "0", client_id: str = "rb-e-1") -> OrderReport:
    return OrderReport(
        client_id=client_id, venue_order_id="5", venue=VENUE, symbol="BTCUSDT", side=Side.BUY, kind=OrderKind.LIMIT,
        state=state, quantity=D("0.01"), executed=D(executed_base))


def told_of(client_id: str = "rb-e-1") -> ToldByStream:
    told = ToldByStream(100 * SECOND, 5 * SECOND)
    told.begin(0)
    told.sent(client_id)
    return told


def test_a_stream_that_does_not_tell_what_a_reply_did_is_dead() -> None:
    told = told_of()
    told.answered("rb-e-1", report(OrderState.OPEN), SECOND)

    assert told.dead(6 * SECOND) == ""
    assert "rb-e-1" in told.dead(7 * SECOND)


def test_a_stream_that_tells_as_much_and_no_less_lives() -> None:
    told = told_of()
    told.answered("rb-e-1", report(OrderState.FILLED, "0.01"), SECOND)
    told.streamed("rb-e-1", report(OrderState.PARTLY_FILLED, "0.004"))
    assert told.dead(7 * SECOND)

    told.streamed("rb-e-1", report(OrderState.FILLED, "0.01"))
    assert told.dead(7 * SECOND) == ""


def test_a_stream_owes_nothing_of_orders_before_it() -> None:
    told = told_of()
    told.answered("rb-old-1", report(OrderState.OPEN, client_id="rb-old-1"), SECOND)

    assert told.dead(50 * SECOND) == ""


def test_long_silence_is_a_reason_for_a_new_stream_only_while_something_is_open_and_never_a_proof() -> None:
    told = told_of()

    assert told.silent(90 * SECOND, something_open=True) == ""
    assert told.silent(500 * SECOND, something_open=False) == ""
    assert told.silent(590 * SECOND, something_open=True) == ""
    assert "nothing" in told.silent(601 * SECOND, something_open=True)
    assert told.dead(601 * SECOND) == ""


def test_an_order_that_a_whole_account_does_not_list_is_not_waited_for() -> None:
    """One that was never there would have the stream taken for dead again and again."""
    hearing = with_stop()
    before = hearing.live()
    hearing.sent(order("rb-e-9"))

    hearing.not_open(before, frozenset())

    assert hearing.live() == {"rb-e-9"}
    hearing.ended("rb-e-9")
    assert not hearing.something_open()


def run(test: Callable[[RecordingVenue], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with recording() as venue:
            await test(venue)

    asyncio.run(whole())


def listening(test: Callable[[RecordingVenue, Any, Any], Coroutine[Any, Any, None]], **more: Any) -> None:
    async def whole(venue: RecordingVenue) -> None:
        async with client(venue, listen=True, **more) as (adapter, told):
            task = asyncio.create_task(adapter.run())
            await told.until(lambda: any(isinstance(one, AccountStream) and one.alive for one in told))
            await told.until(lambda: bool(venue.sockets))
            await test(venue, adapter, told)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert isinstance(told[-1], AccountStream) and not told[-1].alive

    run(whole)


def lives(told: list[VenueEvent]) -> list[bool]:
    return [one.alive for one in told if isinstance(one, AccountStream)]


def test_a_fill_comes_through_the_socket() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        adapter.place(order(), 1)
        await told.until(lambda: len(told) >= 2)
        await venue.say(executed("rb-e-1", 1, venue.number))
        await told.until(lambda: any(isinstance(one, OrderFilled) for one in told))
        assert venue.sent("WS", "/private/ws")[0].params == {"listenKey": "key1"}

    listening(test)


BREAKS = {
    "closed": None, "expired": {"e": "listenKeyExpired", "E": 1568879465652}, "broken": "{", "html": "<html>",
    "nothing": {"E": 1}, "no order": {"e": "ORDER_TRADE_UPDATE", "E": 1, "o": {"x": "TRADE"}},
}


@pytest.mark.parametrize("name", BREAKS)
def test_whatever_breaks_the_stream_is_told_and_a_new_key_is_taken(name: str) -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        what = BREAKS[name]
        if what is None:
            await venue.sockets[0].close(code=1008)
        elif isinstance(what, str):
            await venue.sockets[0].send_str(what)
        else:
            await venue.say(what)
        await told.until(lambda: lives(told) == [True, False, True])
        await told.until(lambda: len(venue.sent("WS", "/private/ws")) == 2)
        assert venue.sent("WS", "/private/ws")[1].params == {"listenKey": "key2"}

    listening(test)


def test_a_kind_of_message_that_nobody_knows_has_the_account_asked_once_and_breaks_nothing() -> None:
    """Venues begin to send new ones without asking: called broken, no stream would stand until the next release."""
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        for _ in range(3):
            await venue.say({"e": "SOMETHING_NEW", "E": 1})
        await venue.say(executed("rb-e-1", 1))
        await told.until(lambda: any(isinstance(one, OrderFilled) for one in told))
        assert lives(told) == [True, True] and venue.keys == 1
        assert "SOMETHING_NEW" in [one.reason for one in told if isinstance(one, AccountStream)][1]

    listening(test)


def test_a_stream_that_pongs_and_tells_nothing_is_found_out_by_a_reply() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        adapter.place(order(), 1)
        await told.until(lambda: lives(told) == [True, False, True])
        (why,) = [one.reason for one in told if isinstance(one, AccountStream) and not one.alive]
        assert "rb-e-1" in why

    listening(test, told_within_s=0.05)


async def nothing_more_to_tell(venue: RecordingVenue, adapter: Any, told: Any) -> None:
    """An order that rests, of which the stream has told all there is."""
    adapter.place(order(kind=OrderKind.LIMIT, limit_price=D(50000)), 1)
    await told.until(lambda: len(told) >= 2)
    await venue.say(update("rb-e-1", "NEW", "NEW", venue.number))


def test_a_stream_that_is_silent_for_long_while_an_order_lives_is_changed_and_not_called_broken() -> None:
    """A position that nobody touches has nothing to tell: called broken, it would hold entries every five minutes."""
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        await nothing_more_to_tell(venue, adapter, told)
        await told.until(lambda: lives(told) == [True, True])
        assert venue.keys == 2 and venue.sockets[0].closed

    listening(test, silence_s=0.3)


def test_a_silent_stream_that_cannot_be_changed_is_given_up() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        venue.script("POST", KEY, Answer(body={}))
        await nothing_more_to_tell(venue, adapter, told)
        await told.until(lambda: lives(told) == [True, False, True])
        (why,) = [one.reason for one in told if isinstance(one, AccountStream) and not one.alive]
        assert "nothing" in why

    listening(test, silence_s=0.3)


def test_without_a_key_there_is_no_stream_and_no_word_of_one() -> None:
    async def whole(venue: RecordingVenue) -> None:
        async with client(venue, listen=True) as (adapter, told):
            venue.script("POST", KEY, Answer(body={}), Answer(status=500, text="<html>"))
            task = asyncio.create_task(adapter.run())
            await told.until(lambda: lives(told) == [True])
            assert len(venue.sent("POST", KEY)) == 3
            task.cancel()
            await asyncio.wait([task])

    run(whole)


def test_a_key_is_kept_and_changed_in_time_and_the_old_socket_goes_last() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        await told.until(lambda: lives(told) == [True, True])
        assert len(venue.sent("PUT", KEY)) >= 1
        assert [one.params["listenKey"] for one in venue.sent("WS", "/private/ws")[:2]] == ["key1", "key2"]
        assert venue.sockets[0].closed and not venue.sockets[1].closed
        await venue.sockets[1].send_str(json.dumps(executed("rb-e-1", 1)))
        await told.until(lambda: any(isinstance(one, OrderFilled) for one in told))

    listening(test, keep_key_every_s=0.2, rotate_key_after_s=0.9)


def test_a_key_that_the_venue_does_not_know_any_more_is_replaced() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        venue.script("PUT", KEY, error(-1125))
        await told.until(lambda: lives(told)[:3] == [True, False, True])

    listening(test, keep_key_every_s=0.1)


@pytest.mark.parametrize("answer", [Answer(drop=True), Answer(status=502, text="<html>")])
def test_a_key_that_cannot_be_kept_is_changed_while_the_old_socket_still_tells(answer: Answer) -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        # The library below asks once more where a kept connection broke under a PUT.
        venue.script("PUT", KEY, answer, answer)
        await told.until(lambda: lives(told)[:2] == [True, True])

    listening(test, keep_key_every_s=0.1)


def test_in_a_ban_the_socket_that_stands_goes_on_telling_though_its_key_cannot_be_kept() -> None:
    """It is all that is heard of fills until the venue listens again."""
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        banned = Answer(status=429, body={"code": -1003, "msg": "Too many requests"}, headers=(("Retry-After", "60"),))
        venue.always["PUT", KEY] = venue.always["POST", KEY] = banned
        await venue.until_asked("PUT", KEY)
        await asyncio.sleep(0.7)
        await venue.say(executed("rb-e-1", 1))
        await told.until(lambda: any(isinstance(one, OrderFilled) for one in told))
        assert lives(told) == [True]

    listening(test, keep_key_every_s=0.1, rotate_key_after_s=0.6, query_patience_s=0.1)


def test_what_is_told_while_a_key_is_waited_for_is_heard_at_once() -> None:
    async def test(venue: RecordingVenue, adapter: Any, told: Any) -> None:
        venue.always["PUT", KEY] = Answer(hang_s=1.0)
        await venue.until_asked("PUT", KEY)
        await venue.say(executed("rb-e-1", 1))
        await told.until(lambda: any(isinstance(one, OrderFilled) for one in told), 0.5)
        assert lives(told) == [True]

    listening(test, keep_key_every_s=0.1, timeout_ms=2_000)


def test_the_end_of_a_run_is_not_mistaken_for_a_broken_stream() -> None:
    """A cancellation that arrives while a key is asked for must end the run and not begin another attempt."""
    async def whole(venue: RecordingVenue) -> None:
        async with client(venue, listen=True) as (adapter, _told):
            venue.always["POST", KEY] = Answer(hang_s=0.3)
            task = asyncio.create_task(adapter.run())
            await asyncio.sleep(0.1)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=1.0)
            assert task in done and task.cancelled()

    run(whole)
