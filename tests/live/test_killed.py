"""The engine killed with SIGKILL at each boundary of an entry's, a stop's and an exit's life, and started again.

No order twice, none left behind, the position the venue's, a stop within its grace.
"""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from engine.adapters.clock_system import SystemClock
from engine.adapters.venue_server_gateway_faults import WireFault, WireRule
from engine.model.time import SECOND
from tests.live.killed import BOUNDARIES
from tests.live.town import Town, check_books, rising, town

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
ON_WIRE = "on_wire"
"""The venue has taken the order and its reply is on its way."""
CASES = [
    *((boundary, "ENTRY") for boundary in (*BOUNDARIES, ON_WIRE)),
    *((boundary, "STOP") for boundary in ("after_commit", "before_told", ON_WIRE)),
    *((boundary, "FLATTEN") for boundary in ("after_commit", ON_WIRE, "after_fill")),
]
"""Every boundary there is, for all kinds of orders, is gone through in virtual time: `tests/simulation`."""
GRACE_S = 15.0
"""For a machine that starts an interpreter and ccxt beside other tests; the engine's own grace is 3 s."""


@pytest.mark.parametrize(("boundary", "intent"), CASES)
def test_killed_and_started_again(boundary: str, intent: str, tmp_path: Path) -> None:
    async def story() -> None:
        requests = [_slow(intent)] if boundary == ON_WIRE else []
        async with town(tmp_path, price=rising, requests=requests, flags={"KILL_AT": f"{boundary}:{intent}"}) as place:
            first = await place.start("tests.live.killed")
            if intent == "FLATTEN":
                assert await place.until(lambda: place.position() > 0 and bool(place.stops()), 60)
                await place.engine("flatten", "--wait", "0")
            if boundary == ON_WIRE:
                assert await place.until(lambda: _taken(place, intent), 60)
                first.send_signal(signal.SIGKILL)
            said = await _dead(first)
            again, since = await place.start(), SystemClock().now()
            try:
                await _recovered(place, said, since)
            finally:
                code, after, took = await place.stop(again)
            assert code == 0 and took < 10, after
            check_books(place)

    asyncio.run(story())


async def _dead(process: Process) -> str:
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == -signal.SIGKILL, out.decode()
    return out.decode()


async def _recovered(place: Town, said: str, since: int) -> None:
    """Wait until the new engine knows its account; then close everything and look at what is left."""
    assert await place.until(lambda: _agrees(place, since), 120), (said, place.status())
    if place.position() != 0:
        assert await place.until(lambda: len(place.stops()) >= 1, GRACE_S), "a position without a stop"
    code, told = await place.engine("flatten", "--wait", "40")
    assert code == 0, told
    assert place.position() == 0 and not place.exchange.open_orders(), told


def _agrees(place: Town, since: int) -> bool:
    """Whether the engine that was started at `since` (ns) counts what the venue holds, and doubts nothing."""
    status = place.status()
    counted = sum((float(row["quantity"]) for row in status.get("positions", ())), 0.0)
    held = [one["instance"] for one in status.get("restrains", ())]
    return (
        status.get("at", 0) > since and counted == float(place.position())
        and not any("unreconciled" in one for one in held) and not status["orders"]["unknown"]
    )


def _slow(intent: str) -> WireRule:
    """Return the fault by which the reply to the first order of `intent` takes so long that a kill comes before it."""
    path = ALGO if intent == "STOP" else ORDER
    nth = 2 if intent == "FLATTEN" else 1
    return WireRule(kind=WireFault.DELAY, method="POST", path=path, client_prefix="rb-", nth=nth, hold=4 * SECOND)


def _taken(place: Town, intent: str) -> bool:
    path = ALGO if intent == "STOP" else ORDER
    ours = [one for one in place.server.log.sent("POST", path) if any("rb-" in value for _, value in one.params)]
    return len(ours) >= (2 if intent == "FLATTEN" else 1)
