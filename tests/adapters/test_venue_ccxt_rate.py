"""The rate ledger never lets more go than the venue allows, and stops always find room."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.venue_binance_codes import Cause, Outcome, Trouble, judged
from engine.adapters.venue_ccxt_errors import short, trouble_in, trouble_of
from engine.adapters.venue_ccxt_lanes import Lanes, TurnMissed
from engine.adapters.venue_ccxt_rate import Cost, RateLedger, RateLimits, SendLane, pause_of
from engine.adapters.venue_ccxt_wire import WireTrouble

SECOND = 10**9
MINUTE = 60 * SECOND
STEPS = st.lists(
    st.tuples(st.integers(0, 20 * SECOND), st.sampled_from(SendLane), st.integers(0, 60), st.integers(0, 1)),
    max_size=80,
)


@given(STEPS, st.integers(1, 3000))
def test_no_minute_takes_more_than_our_share(steps: list[tuple[int, SendLane, int, int]], limit: int) -> None:
    ledger = RateLedger(RateLimits(weight_minute=limit, orders_ten_seconds=5, orders_minute=12, share=0.8))
    spent: list[tuple[int, int, int]] = []
    at = 0
    for wait, lane, weight, orders in steps:
        at += wait
        cost = Cost(weight=min(weight, int(limit * 0.8)), orders=orders)
        if ledger.wait(cost, lane, at) == 0:
            ledger.spend(cost, at)
            spent.append((at, cost.weight, cost.orders))
        for span, column, most in ((MINUTE, 1, limit * 0.8), (10 * SECOND, 2, 4), (MINUTE, 2, 9.6)):
            # One request that alone is above a lane's part may still go where nothing else is there.
            assert sum(row[column] for row in spent if at - row[0] < span) <= most


@given(STEPS)
def test_what_must_wait_may_go_when_it_was_told(steps: list[tuple[int, SendLane, int, int]]) -> None:
    ledger = RateLedger(RateLimits(weight_minute=100, orders_ten_seconds=5, orders_minute=12, share=0.8))
    at = 0
    for pause, lane, weight, orders in steps:
        at += pause
        cost = Cost(weight=weight, orders=orders)
        wait = ledger.wait(cost, lane, at)
        assert wait >= 0
        if wait == 0:
            ledger.spend(cost, at)
        else:
            at += wait
            assert ledger.wait(cost, lane, at) < wait or ledger.wait(cost, lane, at) == 0


def test_a_flood_of_questions_leaves_room_for_stops() -> None:
    ledger = RateLedger(RateLimits(weight_minute=1000, share=0.8))
    while ledger.wait(Cost(weight=40), SendLane.QUERY, 0) == 0:
        ledger.spend(Cost(weight=40), 0)

    assert ledger.wait(Cost(weight=40), SendLane.DATA, 0) > 0
    assert ledger.wait(Cost(weight=1, orders=1), SendLane.ENTRY, 0) == 0
    assert ledger.wait(Cost(weight=1, orders=1), SendLane.SAFETY, 0) == 0


def test_what_the_venue_counts_beyond_us_holds_for_its_minute() -> None:
    ledger = RateLedger(RateLimits(weight_minute=1000, share=1.0))
    ledger.heard({"X-MBX-USED-WEIGHT-1M": "999"}, 0)

    assert ledger.used_weight(0) == 999
    assert ledger.wait(Cost(weight=5), SendLane.SAFETY, 0) == MINUTE
    assert ledger.wait(Cost(weight=5), SendLane.SAFETY, MINUTE) == 0


@pytest.mark.parametrize("value", ["", "-5", "1e9", "nine", "9" * 30, "\uff11\uff12"])
def test_a_header_that_is_no_number_changes_nothing(value: str) -> None:
    ledger = RateLedger(RateLimits())
    ledger.heard({"x-mbx-used-weight-1m": value, "x-mbx-order-count-10s": value}, 0)

    assert ledger.used_weight(0) == 0


def test_a_freeze_is_never_shortened_and_spares_nobody() -> None:
    ledger = RateLedger(RateLimits())
    ledger.freeze(10 * SECOND)
    ledger.freeze(5 * SECOND)

    assert {ledger.wait(Cost(), lane, 4 * SECOND) for lane in SendLane} == {6 * SECOND}
    assert ledger.wait(Cost(), SendLane.SAFETY, 10 * SECOND) == 0


def test_the_longest_pause_that_is_asked_for_is_kept() -> None:
    now = 1_790_000_000_000 * 10**6
    until = "banned until 1790000090000."

    assert pause_of(418, {"Retry-After": "30"}, until, now) == 90 * SECOND
    assert pause_of(429, {"retry-after": "30"}, "", now) == 30 * SECOND
    assert pause_of(418, {}, "", now) == 120 * SECOND
    assert pause_of(429, {"Retry-After": "soon"}, "banned until 1", now) == 60 * SECOND


class StandingClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        return self.at

    def monotonic(self) -> int:
        return self.at


def test_who_protects_goes_before_who_came_first() -> None:
    async def test() -> list[str]:
        clock = StandingClock()
        lanes = Lanes(RateLedger(RateLimits()), clock)
        lanes.freeze(SECOND)
        gone: list[str] = []

        async def wait(name: str, lane: SendLane) -> None:
            await lanes.turn(lane, Cost(), 5 * SECOND)
            gone.append(name)

        tasks = [asyncio.create_task(wait(name, lane)) for name, lane in (
            ("data", SendLane.DATA), ("query", SendLane.QUERY), ("entry", SendLane.ENTRY), ("stop", SendLane.SAFETY))]
        await asyncio.sleep(0)
        clock.at = SECOND
        lanes.freeze(0)
        await asyncio.gather(*tasks)
        return gone

    assert asyncio.run(test()) == ["stop", "entry", "query", "data"]


def test_what_cannot_go_in_time_is_told_at_once() -> None:
    async def test() -> None:
        lanes = Lanes(RateLedger(RateLimits()), StandingClock())
        lanes.freeze(60 * SECOND)
        with pytest.raises(TurnMissed, match="60.0 s"):
            await lanes.turn(SendLane.SAFETY, Cost(), 10 * SECOND)

    asyncio.run(test())


class RequestTimeout(Exception):
    """Named as ccxt's."""


class ExchangeNotAvailable(Exception):
    """Named as ccxt's."""


class ClientConnectorError(Exception):
    """Named as aiohttp's."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RequestTimeout("binanceusdm POST https://x/order?signature=abc"), Outcome.UNKNOWN),
        (caused(ExchangeNotAvailable("x"), ClientConnectorError("refused")), Outcome.REFUSED),
        (caused(ExchangeNotAvailable("x"), ConnectionResetError("reset")), Outcome.UNKNOWN),
        (RequestTimeout('binanceusdm {"code":-1007,"msg":"Timeout waiting"}'), Outcome.UNKNOWN),
        (ValueError('binanceusdm 400 {"code":-2019,"msg":"Margin is insufficient."}'), Outcome.REFUSED),
        (ValueError('binanceusdm {"code":-7777,"msg":"new"}'), Outcome.UNKNOWN),
        (ValueError("anything at all"), Outcome.UNKNOWN),
        (WireTrouble(Trouble(code=-2021, status=400)), Outcome.REFUSED),
        (asyncio.CancelledError(), Outcome.UNKNOWN),
    ],
)
def test_what_ccxt_raises_is_judged_by_code_and_cause(error: BaseException, outcome: Outcome) -> None:
    assert judged(trouble_of(error), "place").outcome is outcome


@given(st.text(max_size=200))
def test_any_exception_is_a_trouble_and_shows_no_query(text: str) -> None:
    trouble = trouble_of(ValueError(text + " https://host/path?signature=abcdef"))

    assert "abcdef" not in trouble.text
    assert judged(trouble, "place").text


@given(st.integers(200, 599), st.text(max_size=50), st.none() | st.dictionaries(st.text(max_size=4), st.integers()))
def test_a_reply_without_trouble_is_a_whole_2xx(status: int, body: str, response: dict[str, int] | None) -> None:
    if trouble_in(status, body, response) is None:
        assert status < 400 and response is not None and response.get("code", 0) >= 0


def test_a_long_text_is_cut_and_on_one_line() -> None:
    assert len(short("word \n" * 500)) <= 301
    assert "\n" not in short("a\nb")


def test_half_a_body_is_no_answer() -> None:
    trouble = trouble_in(200, '{"orderId": 1', None)

    assert trouble is not None and trouble.cause is Cause.BAD_BODY
