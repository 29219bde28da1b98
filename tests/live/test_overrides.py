"""What an operator laid over the rules of an engine on a real market outlives the engine that heard it."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

from engine.model.orders import Intent
from engine.model.time import MINUTE
from engine.ports.journal import JournalError
from tests.live.town import SYMBOL, Town, json_of, rising, town

DRY = ("engine", "--mode", "dry-run")


def test_denied_by_hand_a_listing_is_let_go_also_by_the_engine_that_comes_after(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path, price=rising, flags={"BINANCE_API_KEY": "", "BINANCE_API_SECRET": ""}) as place:
            engine = await place.start(*DRY)
            assert await place.until(lambda: _running(place), 60)
            for words, wanted in (
                (("deny", SYMBOL, "--reason", "not this one"), f"no entries in {SYMBOL}"),
                (("waive", "entry.spread", "--for", "2h", "--reason", "thin books"), "WAIVED: entry.spread"),
            ):
                code, said = await place.engine(*words)
                assert code == 0 and wanted in said, said
            engine.send_signal(signal.SIGKILL)
            await engine.wait()
            code, said = await place.engine("restrict", "--level", "reduce_only", "--ttl", "5m")
            assert code == 0 and "obeyed when this run goes on" in said, said
            await asyncio.sleep(1)
            began = time.time_ns()
            engine = await place.start(*DRY)
            there = await place.until(lambda: _running(place) and bool(_status(place)["restrictions"]), 60)
            assert there, _status(place)
            code, said = await place.engine("overrides", "--format", "json")
            listed = json_of(said)
            assert code == 0 and [one["symbol"] for one in listed["denials"]] == [SYMBOL]
            assert [one["name"] for one in listed["waivers"]] == ["entry.spread"]
            (restricted,) = listed["restrictions"]
            assert restricted["until"] >= began + 5 * MINUTE, "its time began while nobody ran"
            code, said, _ = await place.stop(engine)
            assert code == 0 and "Traceback" not in said, said
            assert not [order for order in place.orders() if order.intent is Intent.ENTRY], "a denied symbol was bought"

    asyncio.run(story())


def _running(place: Town) -> bool:
    return bool(_status(place).get("running"))


def _status(place: Town) -> dict[str, Any]:
    try:
        return place.status()
    except JournalError:
        # It is being made.
        return {}
