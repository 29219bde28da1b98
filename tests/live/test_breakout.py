"""From an announcement to the exit, over real HTTP and WebSockets, through an unmodified ccxt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.model.orders import Intent
from tests.live.town import SYMBOL, check_books, town


@pytest.mark.parametrize("listens", ["true", "false"])
def test_a_breakout_from_its_announcement_to_its_exit(tmp_path: Path, listens: str) -> None:
    """Also with nobody listening to the account's stream: then fills are asked for."""
    async def story() -> None:
        async with town(tmp_path, flags={"EXEC_FILLS_LISTENER_ENABLED": listens}) as place:
            engine = await place.start()
            bought = await place.until(lambda: place.position() > 0, 60)
            if not bought:
                _, said, _ = await place.stop(engine)
                raise AssertionError(said)
            assert await place.until(lambda: len(place.stops()) == 1, 10), "no stop within its time"
            sold = await place.until(lambda: place.position() == 0, 60 if listens == "true" else 15)
            if not sold and listens == "false":
                # A fill that is asked for is known seconds later: the stop did not follow to the top of this story.
                await place.engine("flatten", "--wait", "40")
                sold = place.position() == 0
            quiet = await place.until(lambda: not place.exchange.open_orders(), 60)
            await place.until(lambda: not place.status().get("positions"), 60)
            streams = place.server.log.counts["POST /fapi/v1/listenKey"]
            code, said, took = await place.stop(engine)
            assert sold and quiet, said
            assert code == 0 and took < 10, said
            check_books(place)
            assert bool(streams) is (listens == "true")
            intents = [order.intent for order in place.orders()]
            assert intents.count(Intent.ENTRY) == 1 and Intent.STOP in intents
            assert {order.symbol for order in place.orders()} == {SYMBOL}
            assert "Traceback" not in said and "loopback-secret" not in said

    asyncio.run(story())
