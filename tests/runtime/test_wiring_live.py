"""What the settings say of a venue is what the venue gets: futures as a whole, elsewhere the symbols that are named."""

from __future__ import annotations

import asyncio

from engine.adapters.clock_system import SystemClock
from engine.runtime.settings_live import LiveSettings
from engine.runtime.wiring_live import build_world
from engine.runtime.world import Ears
from tests.adapters.ccxt_kit import API_KEY, SECRET, Answer, recording
from tests.adapters.test_venue_ccxt_common import ACCOUNT, INFO, PAIR


def ears() -> Ears:
    return Ears(
        clock=SystemClock(), tell=lambda event: None, tell_market=lambda event: None, gate=lambda order: "",
        environment={"BINANCE_API_KEY": API_KEY, "BINANCE_API_SECRET": SECRET}, trades=True, listen=True,
    )


def test_a_spot_venue_opens_with_the_symbols_of_the_settings() -> None:
    async def test() -> None:
        async with recording() as server:
            server.always["GET", "/api/v3/time"] = Answer(body={"serverTime": SystemClock().now() // 10**6})
            server.always["GET", INFO] = Answer(body={"symbols": [PAIR], "rateLimits": []})
            server.always["GET", ACCOUNT] = Answer(body={"balances": []})
            live = LiveSettings(venue="binance", exchange="binance", endpoint=server.url, symbols=("BTCUSDT",))
            venue = build_world(live, ears()).venue
            try:
                (defined,) = await venue.open()
            finally:
                await venue.close(0.1)
            assert (defined.instrument.venue, defined.instrument.symbol) == ("binance", "BTCUSDT")

    asyncio.run(test())


def test_a_run_on_futures_knows_all_that_trades_and_not_only_what_it_watches() -> None:
    async def test() -> None:
        async with recording() as server:
            venue = build_world(LiveSettings(endpoint=server.url, symbols=("BTCUSDT",)), ears()).venue
            try:
                defined = await venue.open()
            finally:
                await venue.close(0.1)
            assert [one.instrument.symbol for one in defined] == ["BTCUSDT", "ETHUSDT"]

    asyncio.run(test())
