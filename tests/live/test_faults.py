"""The same breakout under every trouble a venue and a network can make, one at a time, over the real wire.

Whatever happens: no order is sent twice, each fill counts once, the books agree at the end,
nothing is held and nothing is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.adapters.venue_server_gateway_faults import StreamFault, StreamRule, WireFault, WireRule
from engine.model.orders import Intent
from engine.model.time import SECOND
from tests.live.town import Town, check_books, town

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What goes wrong, and whether the entry is bought all the same."""

    requests: Sequence[WireRule] = ()
    streams: Sequence[StreamRule] = ()
    bought: bool | None = True
    """None where it depends on the moment of the next try."""


def entry(kind: WireFault, **more: object) -> WireRule:
    return WireRule(kind=kind, method="POST", path=ORDER, client_prefix="rb-", nth=1, **more)  # type: ignore[arg-type]


def stop(kind: WireFault, **more: object) -> WireRule:
    return WireRule(kind=kind, method="POST", path=ALGO, client_prefix="rb-", nth=1, **more)  # type: ignore[arg-type]


TROUBLES = {
    "the reply to the entry is lost": Trouble(requests=[entry(WireFault.LOST_REPLY)]),
    "the reply to the stop is lost": Trouble(requests=[stop(WireFault.LOST_REPLY)]),
    "the entry never arrives": Trouble(requests=[entry(WireFault.LOST_REQUEST)], bought=False),
    "the entry is taken and for seconds nothing shows it": Trouble(
        requests=[entry(WireFault.INVISIBLE, hold=3 * SECOND, lost=True)]
    ),
    "the entry is done and answered with -1007": Trouble(requests=[entry(WireFault.CODE, code=-1007)]),
    "the entry is done and answered with a page of HTML": Trouble(requests=[entry(WireFault.HTTP, status=502)]),
    "the stop is done and answered with 503": Trouble(requests=[stop(WireFault.HTTP, status=503)]),
    "half of the reply to the entry is missing": Trouble(requests=[entry(WireFault.TRUNCATED)]),
    "the venue's clock is ten seconds ahead for the entry": Trouble(
        requests=[entry(WireFault.CLOCK_SKEW, hold=10 * SECOND)]
    ),
    "the entry is refused for its margin": Trouble(
        requests=[WireRule(kind=WireFault.REJECT, method="POST", path=ORDER, code=-2019)], bought=False
    ),
    "the first stop is refused": Trouble(requests=[stop(WireFault.REJECT, code=-1000)]),
    "the address is banned for two seconds at the entry": Trouble(
        requests=[entry(WireFault.BAN, hold=2 * SECOND)], bought=None
    ),
    "the entry comes too often": Trouble(requests=[entry(WireFault.RATE, hold=SECOND)], bought=None),
    "every message of the account comes twice": Trouble(streams=[StreamRule(kind=StreamFault.DUPLICATE)]),
    "fills come two seconds late": Trouble(
        streams=[StreamRule(kind=StreamFault.LATE, event="ORDER_TRADE_UPDATE", hold=2 * SECOND)]
    ),
    "messages overtake each other": Trouble(streams=[StreamRule(kind=StreamFault.REORDERED, probability=0.5)]),
    "the account's stream is silent and answers pings": Trouble(
        streams=[StreamRule(kind=StreamFault.SILENT, start=5 * SECOND, end=60 * SECOND)]
    ),
    "the listen key dies and nobody says so": Trouble(
        streams=[StreamRule(kind=StreamFault.DEAD_LISTEN_KEY, start=9 * SECOND)]
    ),
    "the account's connection is cut": Trouble(
        streams=[StreamRule(kind=StreamFault.DROP_CONNECTION, start=11 * SECOND)]
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_the_books_agree_whatever_goes_wrong(name: str, tmp_path: Path) -> None:
    trouble = TROUBLES[name]

    async def story() -> None:
        async with town(tmp_path, requests=trouble.requests, streams=trouble.streams) as place:
            engine = await place.start()
            asked = await place.until(lambda: place.server.log.counts[f"POST {ORDER}"] > 0, 60)
            # What is bought is bought soon, but on a slow machine; what is not is waited for in vain.
            bought = await place.until(lambda: bool(place.trades()), 40 if trouble.bought else 8)
            # What was bought late, at the top, does not meet its stop in this story: then the operator ends it.
            ended = await place.until(lambda: place.position() == 0, 12)
            if not ended:
                await place.engine("flatten", "--wait", "40")
                ended = place.position() == 0
            quiet = await place.until(lambda: not place.exchange.open_orders(), 40)
            agreed = await place.until(lambda: _settled(place), 60)
            code, said, took = await place.stop(engine)
            assert asked and ended and quiet and agreed, said
            assert trouble.bought in (None, bool(bought)), said
            assert code == 0 and took < 10, said
            check_books(place)
            assert sum(order.intent is Intent.ENTRY for order in place.orders()) >= 1
            assert "Traceback" not in said and "loopback-secret" not in said

    asyncio.run(story())


def _settled(place: Town) -> bool:
    """Whether the engine knows of no position and of no order any more, and holds the account for known."""
    status = place.status()
    return (
        not status.get("positions") and not status.get("live_orders")
        and not any("unreconciled" in held["instance"] for held in status.get("restrains", ()))
    )
