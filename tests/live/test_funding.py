"""Funding that spikes, over the wire: trimmed and hedged once while every reply is lost, and back when switched off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from engine.adapters.clock_system import SystemClock
from engine.adapters.tape_writer import TapeWriter
from engine.adapters.venue_server_gateway_faults import WireFault, WireFaults, WireRule
from engine.model.effects import TargetOpened
from engine.model.market import Announcement, FundingRate, OraclePrice, Quote
from engine.model.orders import Intent
from engine.model.time import HOUR, MS, SECOND
from engine.runtime.wiring_faults import Faults
from engine.runtime.wiring_server import ServeOptions, server_of
from engine.runtime.wiring_tapes import named_tape
from tests.live.house import house
from tests.live.town import BEGIN, SYMBOL, VENUE, XYZ, Town, rising

SPIKE_S = 10.0
BTC = replace(XYZ, symbol="BTCUSDT", base="BTC", tick=Decimal("0.1"), step=Decimal("0.001"),
              min_quantity=Decimal("0.001"))
FLAGS = {"FUNDING_HEDGE_RATIO": "0.5", "EVENT_BREAKOUT_TRAIL_START_PCT": "50"}


def write_story(path: Path) -> Path:
    """Write a listing that is bought and stays up, and whose next funding is told as 0.75 % from `SPIKE_S` on."""
    with TapeWriter(path, source="a test") as tape:
        tape.define(XYZ)
        tape.define(BTC)
        for step in range(600):
            at = BEGIN + step * 100 * MS
            if step % 10 == 0:
                tape.write(OraclePrice("test", "USDT", "USD", 1.0, str(step), at, at))
                rate = 0.0075 if step / 10 >= SPIKE_S else 0.0001
                tape.write(FundingRate("tape", SYMBOL, rate, 8 * HOUR, at, at, next_at=BEGIN + 4 * HOUR))
            if step == 30:
                tape.write(Announcement(
                    "binance", "listing-1", "listing", "Binance Futures Will Launch XYZ", (SYMBOL,), at, at
                ))
            mid = rising(step / 10)
            bid, ask = round(mid - 0.0002, 4), round(mid + 0.0002, 4)
            tape.write(Quote("tape", SYMBOL, bid, 50_000.0, ask, 50_000.0, at, at))
            tape.write(Quote("tape", "BTCUSDT", 59_999.9, 10.0, 60_000.1, 10.0, at, at))
    return path


@asynccontextmanager
async def funded(where: Path, requests: Sequence[WireRule] = ()) -> AsyncIterator[Town]:
    """A venue that tells that story, and a home whose guard is sure after two seconds instead of a minute."""
    home = house(where / "home")
    rules = home / "rules/guards/funding.yaml"
    text = rules.read_text()
    assert text.count("    for: 60s\n") == 1
    rules.write_text(text.replace("    for: 60s\n", "    for: 2s\n"))
    tape = named_tape(str(write_story(where / "story.tape")))
    faults = Faults(wire=WireFaults(requests=tuple(requests)))
    server = server_of(tape, ServeOptions(seed="7", wait=True), faults, clock=SystemClock())
    await server.start()
    place = Town(server=server, state=where / "state", home=home, flags=FLAGS)
    try:
        yield place
    finally:
        for process in place.started:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        await server.stop()


def btc(place: Town) -> Decimal:
    return Decimal(place.exchange.position(VENUE, "BTCUSDT").quantity)


def test_trim_and_hedge_fill_once_while_every_reply_is_lost_and_a_flag_takes_the_hedge_back(tmp_path: Path) -> None:
    """The position stays under its stop through all of it: its risk is guarded whatever the flag says."""
    lost = WireRule(
        kind=WireFault.LOST_REPLY, method="POST", path="/fapi/v1/order", client_prefix="rb-",
        start=int(SPIKE_S * SECOND),
    )

    async def story() -> None:
        async with funded(tmp_path, [lost]) as place:
            engine = await place.start()
            assert await place.until(lambda: place.position() > 0 and bool(place.stops()), 90)
            bought = place.position()
            hedged = await place.until(lambda: btc(place) < 0 and place.position() < bought, 30)
            both = {SYMBOL, "BTCUSDT"}
            protected = await place.until(lambda: {one.order.symbol for one in place.stops()} == both, 20)
            kept = place.position()
            sent = [order for order in place.orders() if order.intent is Intent.HEDGE]
            code, told = await place.engine("flag", "set", "FUNDING_GUARD_ENABLED", "false", "--reason", "a test")
            back = await place.until(lambda: btc(place) == 0, 20)
            _, said, _ = await place.stop(engine)

            assert hedged and protected, said
            assert code == 0 and back, told + said
            targets = {one.kind: one for one in place.effects() if isinstance(one, TargetOpened)}
            assert set(targets) == {"trim_pct", "hedge_ratio"}, said
            assert len([one for one in place.effects() if isinstance(one, TargetOpened)]) == 2
            assert abs(kept - bought / 2) <= XYZ.step and place.position() == kept
            assert len(sent) == 1 and sent[0].quantity == -targets["hedge_ratio"].quantity
            worth = kept * Decimal("2.06") / 2
            assert abs(worth - sent[0].quantity * 60_000) <= 60, f"{worth} USD to hedge"
            assert any(one.order.symbol == SYMBOL for one in place.stops()), "the position has lost its stop"
            ids = place.placed()
            assert len(ids) == len(set(ids)), "an order was sent twice"
            mine = {one.client_id: one.intent.value for one in place.orders()}
            filled = [mine[fill.client_id] for fill in place.exchange.trades()]
            assert filled.count("HEDGE") == filled.count("FLATTEN") == 1, filled

    asyncio.run(story())
