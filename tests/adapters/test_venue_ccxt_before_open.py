"""Until a venue is proven nothing is asked of it and nothing is sent: with a wrong clock or mode its answers lie."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_ccxt import CcxtVenue
from engine.adapters.venue_ccxt_keys import Keys
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.model.answers import AccountReported, ProbeAnswered, QueryFailed
from engine.model.events import CancelRejected, OrderAccepted, OrderRejected
from engine.model.reports import Query, Rejection
from engine.ports.venue import VenueRefused
from tests.adapters.ccxt_kit import (
    API_KEY,
    SECRET,
    Answer,
    RecordingVenue,
    ask,
    cancel,
    client,
    error,
    order,
    recording,
)

ACCOUNT, MODE = "/fapi/v3/account", "/fapi/v1/positionSide/dual"
OPENING = {"/fapi/v1/time", "/fapi/v1/exchangeInfo", ACCOUNT, MODE}


async def begin(adapter: CcxtVenue) -> asyncio.Task[object]:
    """Start to open, and come back while the first question of it is on the wire."""
    opening: asyncio.Task[object] = asyncio.create_task(adapter.open())
    await asyncio.sleep(0.05)
    assert not opening.done()
    return opening


def test_what_is_wanted_meanwhile_waits_until_the_venue_is_proven() -> None:
    async def test() -> None:
        async with recording() as venue, client(venue, opened=False, timeout_ms=2_000) as (adapter, told):
            adapter.ask(ask(Query.ACCOUNT), 1)
            venue.script("GET", ACCOUNT, Answer(hang_s=0.3, body={"assets": []}))
            opening = await begin(adapter)
            adapter.place(order(), 1)
            adapter.ask(ask(Query.PROBE), 1)
            await asyncio.sleep(0.1)
            assert {one.path for one in venue.asked} <= OPENING and not told
            await opening
            await told.first(3)
            proven = next(n for n, one in enumerate(venue.asked) if one.path == MODE)
            assert all(n > proven for n, one in enumerate(venue.asked) if one.path not in OPENING)
            assert {type(one) for one in told} == {AccountReported, OrderAccepted, ProbeAnswered}

    asyncio.run(test())


@pytest.mark.parametrize("refusal", [
    error(-2015, "Invalid API-key, IP, or permissions for action.", 401), Answer(text="<html>no</html>", status=503),
])
def test_a_venue_that_was_refused_answers_nothing_and_gets_nothing(refusal: Answer) -> None:
    """A probe that could not be made is no proof that stops are impossible, and pages nobody."""
    async def test() -> None:
        async with recording() as venue, client(venue, opened=False) as (adapter, told):
            venue.script("GET", ACCOUNT, refusal)
            with pytest.raises(VenueRefused):
                await adapter.open()
            for query in (Query.PROBE, Query.ACCOUNT, Query.ORDER, Query.TRADES, Query.INCOME):
                adapter.ask(ask(query, client_id="rb-e-1"), 1)
            adapter.place(order(), 1)
            adapter.cancel(cancel(), 1)
            await told.first(7)
            assert {one.path for one in venue.asked} <= OPENING
            failed = [one for one in told if isinstance(one, QueryFailed)]
            assert len(failed) == 5 and all("not open" in one.reason for one in failed)
            (rejected,) = (one for one in told if isinstance(one, OrderRejected))
            assert rejected.kind is Rejection.NOT_SENT
            assert sum(isinstance(one, CancelRejected) for one in told) == 1
            await adapter.open()
            adapter.ask(ask(Query.ACCOUNT), 1)
            await told.until(lambda: isinstance(told[-1], AccountReported))

    asyncio.run(test())


def test_a_run_that_ends_while_a_venue_opens_leaves_no_connection_and_no_question_behind() -> None:
    async def test(venue: RecordingVenue) -> None:
        async with client(venue, opened=False, timeout_ms=5_000) as (adapter, told):
            venue.script("GET", ACCOUNT, Answer(hang_s=0.5))
            adapter.ask(ask(Query.ACCOUNT), 1)
            opening = await begin(adapter)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            (failed,) = await told.first(1)
            assert isinstance(failed, QueryFailed)

    async def whole() -> None:
        async with recording() as venue:
            await test(venue)
            gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(whole())


def test_what_waits_for_a_venue_that_nobody_opens_is_answered_when_the_run_ends() -> None:
    async def test() -> None:
        told: list[object] = []
        adapter = CcxtVenue(CcxtTerms(endpoint="http://127.0.0.1:9"), Keys(API_KEY, SECRET), SystemClock(),
                            told.append, lambda order: "")
        adapter.ask(ask(Query.ACCOUNT), 1)
        await adapter.close(1.0)
        assert [type(one) for one in told] == [QueryFailed]

    asyncio.run(test())
