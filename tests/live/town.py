"""A venue on loopback, an engine in a process of its own, and a short story that both live through."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.adapters.clock_system import SystemClock
from engine.adapters.journal_sqlite_read import SqliteReader
from engine.adapters.tape_writer import TapeWriter
from engine.adapters.venue_server import VenueServer
from engine.adapters.venue_server_gateway_faults import StreamRule, WireFaults, WireRule
from engine.model.codec import decode
from engine.model.effects import Effect, FillBooked, PlaceOrder
from engine.model.events import Event
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Announcement, OraclePrice, Quote
from engine.model.time import MS, SECOND, parse_instant
from engine.runtime.wiring_faults import Faults
from engine.runtime.wiring_server import KEY, SECRET, ServeOptions, server_of
from engine.runtime.wiring_tapes import named_tape
from tests.conftest import ROOT
from tests.live.house import house

SYMBOL, VENUE = "XYZUSDT", "binanceusdm"
BEGIN = parse_instant("2026-03-02T12:00:00Z")
XYZ = Instrument(
    venue="tape", symbol=SYMBOL, base="XYZ", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.0001"),
    step=Decimal("0.1"), min_quantity=Decimal("0.1"), max_quantity=Decimal(1_000_000), min_notional=Decimal(5),
)
FLAGS = {
    "ENGINE_DRY_RUN": "false", "WARMUP_SEC": "0",
    "EVENT_BREAKOUT_HALF_SIZE_MINUTES": "0", "EVENT_BREAKOUT_TRAIL_START_PCT": "1", "EVENT_BREAKOUT_TRAIL_PCT": "1",
    "STOP_VALIDATOR_GRACE_SEC": "3",
}
Price = Callable[[float], float]


def breakout(second: float) -> float:
    """Return the price: flat, announced at 3 s, up from 7 s, +5 % at 11 s, back to +1 % at 12.5 s, then flat."""
    turns = ((0.0, 2.0), (7.0, 2.0), (11.0, 2.10), (12.5, 2.02), (1e9, 2.02))
    for (begin, low), (end, high) in pairwise(turns):
        if second <= end:
            return low + (high - low) * (second - begin) / (end - begin)
    return turns[-1][1]


def rising(second: float) -> float:
    """Return the price of a listing that stays up: what is bought is held until somebody closes it."""
    return min(breakout(second), 2.06) if second < 11 else 2.06


def write_story(path: Path, price: Price = breakout, *, seconds: int = 60, announced: bool = True) -> Path:
    """Write the story as a tape and return its path."""
    with TapeWriter(path, source="a test") as tape:
        tape.define(XYZ)
        for step in range(seconds * 10):
            at = BEGIN + step * 100 * MS
            if step % 10 == 0:
                tape.write(OraclePrice("test", "USDT", "USD", 1.0, str(step), at, at))
            if step == 30 and announced:
                tape.write(Announcement(
                    "binance", "listing-1", "listing", "Binance Futures Will Launch XYZ", (SYMBOL,), at, at
                ))
            mid = price(step / 10)
            bid, ask = round(mid - 0.0002, 4), round(mid + 0.0002, 4)
            tape.write(Quote("tape", SYMBOL, bid, 50_000.0, ask, 50_000.0, at, at))
    return path


@dataclass(kw_only=True)
class Town:
    """A running venue and what was started against it."""

    server: VenueServer
    state: Path
    home: Path
    flags: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ, **FLAGS, "ENGINE_VENUE_URL": self.server.url, "BINANCE_API_KEY": KEY,
            "BINANCE_API_SECRET": SECRET, "PYTHONPATH": str(ROOT), **self.flags,
        }

    async def start(self, module: str = "engine", *words: str) -> asyncio.subprocess.Process:
        """Start an engine on the state directory, as a user would."""
        arguments = ["run", "--mode", "limited-live", "--venue", VENUE, "--state", str(self.state), *words]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, cwd=self.home, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    async def engine(self, *words: str) -> tuple[int, str]:
        """Run another command of the engine to its end; return its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine", *words, "--state", str(self.state), cwd=self.home, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`; whether it came to that in time."""
        ends = asyncio.get_running_loop().time() + seconds
        while not done():
            if asyncio.get_running_loop().time() > ends:
                return False
            await asyncio.sleep(0.05)
        return True

    async def stop(self, process: asyncio.subprocess.Process) -> tuple[int, str, float]:
        """End an engine as an operator does; return its exit code, what it said, and how long it took (s)."""
        began = asyncio.get_running_loop().time()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
        return process.returncode or 0, out.decode(), asyncio.get_running_loop().time() - began

    # What the venue knows.

    @property
    def exchange(self) -> Any:
        return self.server.gateway.office.exchange

    def position(self) -> Decimal:
        return Decimal(self.exchange.position(VENUE, SYMBOL).quantity)

    def stops(self) -> list[Any]:
        return [one for one in self.exchange.open_orders() if one.conditional]

    def placed(self) -> list[str]:
        """Return the client ids of every order that the venue looked at, in order of arrival.

        One that came with a timestamp from elsewhere was not looked at: it may come again.
        """
        paths = {"/fapi/v1/order": "newClientOrderId", "/fapi/v1/algoOrder": "clientAlgoId"}
        return [
            dict(sent.params)[paths[sent.path]] for sent in self.server.log.requests
            if sent.method == "POST" and sent.path in paths and sent.code != -1021
        ]

    def trades(self) -> set[str]:
        """Return the ids of all our trades that the venue knows."""
        return {fill.trade_id for fill in self.exchange.trades()}

    # What the engine wrote down.

    def effects(self) -> list[Effect]:
        reader = SqliteReader.open(self.state / "journal.sqlite")
        try:
            return [decode(Effect, one.payload) for one in reader.effects_after(0)]
        finally:
            reader.close()

    def inputs(self) -> list[Event]:
        reader = SqliteReader.open(self.state / "journal.sqlite")
        try:
            return [decode(Event, one.payload) for one in reader.inputs_after(0)]
        finally:
            reader.close()

    def status(self) -> dict[str, Any]:
        reader = SqliteReader.open(self.state / "journal.sqlite")
        try:
            found: dict[str, Any] = reader.get_status() or {}
            return found
        finally:
            reader.close()

    def fills(self) -> list[FillBooked]:
        return [one for one in self.effects() if isinstance(one, FillBooked)]

    def orders(self) -> list[PlaceOrder]:
        return [one for one in self.effects() if isinstance(one, PlaceOrder)]


@asynccontextmanager
async def town(
    where: Path, *, price: Price = breakout, requests: Sequence[WireRule] = (), streams: Sequence[StreamRule] = (),
    flags: dict[str, str] | None = None, home: Path | None = None, announced: bool = True,
) -> AsyncIterator[Town]:
    """A venue that plays the story from when somebody listens, with these faults; `home` is a house of the test's."""
    tape = named_tape(str(write_story(where / "story.tape", price, announced=announced)))
    faults = Faults(wire=WireFaults(requests=tuple(requests), streams=tuple(streams)))
    server = server_of(tape, ServeOptions(seed="7", wait=True), faults, clock=SystemClock())
    await server.start()
    place = Town(server=server, state=where / "state", home=home or house(where / "house"), flags=flags or {})
    try:
        yield place
    finally:
        # An engine that outlives a failed test would go on trading with whoever gets this port next.
        for process in place.started:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        await server.stop()


def check_books(place: Town) -> None:
    """Hold what must be true at every end: books agree, each fill once, each id once, nothing left behind."""
    ids = place.placed()
    assert len(ids) == len(set(ids)), "an order was sent twice"
    booked = [one.fill.trade_id for one in place.fills()]
    assert len(booked) == len(set(booked)), "a fill was counted twice"
    assert len(booked) == len(place.trades()), "a fill was never counted"
    counted = sum((one.fill.quantity * one.fill.side.sign for one in place.fills()), Decimal(0))
    assert counted == place.position(), f"{counted} counted, {place.position()} at the venue"


def json_of(text: str) -> Any:
    """Return the JSON object in what a command said."""
    return json.loads(text[text.index("{"):])


__all__ = ["BEGIN", "SECOND", "SYMBOL", "VENUE", "Town", "breakout", "check_books", "json_of", "rising", "town"]
