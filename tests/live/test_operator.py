"""What a person does to an engine on a real venue: every verb, over the real wire, in a few stories."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from engine.model.effects import Notify, PlanMade
from engine.model.orders import Intent, Side
from engine.ports.journal import JournalError
from engine.runtime.wiring_server import KEY, SECRET
from tests.conftest import ROOT
from tests.live.town import SYMBOL, VENUE, Town, check_books, json_of, rising, town

CALM = {"STOP_VALIDATOR_INTERVAL_SEC": "10", "STOP_VALIDATOR_GRACE_SEC": "5"}
"""Two runs within a minute share one address's weight: the account is not asked every two seconds."""


def flat(second: float) -> float:
    """Return the price of a listing that nobody buys."""
    return 2.0


def late(second: float) -> float:
    """Return the price of a listing that rises when a person had the time to halt, and stays up."""
    return 2.0 + 0.06 * min(max((second - 18) / 5, 0.0), 1.0)


def test_halt_resume_stop_start_and_flatten(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path, price=late, flags=CALM) as place:
            engine = await place.start()
            await _halted_before_its_entry(place)
            await _resumed_and_bought(place)
            await _shown(place)
            await _stopped_with_its_stop_on(place, engine)
            engine = await place.start()
            await _goes_on(place)
            await _flattened(place)
            code, said, took = await place.stop(engine)
            assert code == 0 and took < 10, said
            check_books(place)
            assert "Traceback" not in said and SECRET not in said and KEY not in said

    asyncio.run(story())


async def _halted_before_its_entry(place: Town) -> None:
    """Halt between the announcement and the breakout: the price goes through the entry and nothing leaves."""
    assert await place.until(lambda: any(isinstance(one, PlanMade) for one in _effects(place)), 90), "no plan was made"
    code, said = await place.engine("halt", "--reason", "a drill")
    assert code == 0 and "HALTED: operator:socket" in said and "resume" in said, said
    before = len(place.placed())
    up = await place.until(lambda: _bid(place) >= 2.055, 60)
    assert up, "the price never rose"
    await asyncio.sleep(1)
    assert place.position() == 0 and not _ours(place)[before:], "an entry left after the halt"
    code, said = await place.engine("status")
    assert code == 0 and said.startswith("HALTED"), said
    assert f"limited-live on {VENUE}" in said and "account agrees" in said, said
    assert "engine resume" in said, said


async def _resumed_and_bought(place: Town) -> None:
    code, said = await place.engine("resume")
    assert code == 0 and said.startswith("done: operator halt cleared"), said
    assert await place.until(lambda: place.position() > 0 and bool(place.stops()), 60), said
    # The halt came before the entry, so there is exactly one.
    assert sum(order.intent is Intent.ENTRY for order in place.orders()) == 1


async def _shown(place: Town) -> None:
    """Every page tells the same position, its stop and its orders, as text and as data."""
    held = str(place.position().normalize())
    # The status is a second old, and on a slow machine the stop's acknowledgement is not in it yet.
    assert await place.until(lambda: any(row["stop"] for row in place.status()["positions"]), 20)
    code, said = await place.engine("positions")
    assert code == 0 and SYMBOL in said and f" {held} " in said and "stop rb-" in said, said
    code, said = await place.engine("positions", "--format", "json")
    row = json_of(said)["positions"][0]
    assert code == 0 and Decimal(row["quantity"]) == place.position() and row["stop"].startswith("rb-")
    code, said = await place.engine("orders")
    assert code == 0 and "STOP" in said and "UNKNOWN" not in said, said
    code, said = await place.engine("orders", "--format", "json")
    listed = {row["client_id"] for row in json_of(said)["orders"]}
    assert code == 0 and {one.order.client_id for one in place.stops()} & listed, said
    asked = place.server.log.counts["GET /fapi/v3/account"]
    code, said = await place.engine("reconcile")
    assert code == 0 and f"asked {VENUE}" in said, said
    assert await place.until(lambda: place.server.log.counts["GET /fapi/v3/account"] > asked, 20)


async def _stopped_with_its_stop_on(place: Town, engine: Process) -> None:
    held, stops = place.position(), len(place.stops())
    code, said, took = await place.stop(engine)
    assert code == 0 and took < 10, said
    assert place.position() == held and len(place.stops()) >= 1 and stops >= 1, said
    assert "Stops stay at the venue" in said and "Started again on the same --state" in said, said
    code, said = await place.engine("positions")
    assert code == 0 and "No engine is running" in said and "stop rb-" in said, said
    code, said = await place.engine("flatten")
    assert code == 2 and "no engine is running" in said and "fix:" in said, said


async def _goes_on(place: Town) -> None:
    """The next engine holds what the last one held, and buys nothing for what was announced before."""
    held, entries = place.position(), _entries(place)
    asked = place.server.log.counts["POST /fapi/v1/listenKey"]
    assert await place.until(lambda: place.server.log.counts["POST /fapi/v1/listenKey"] > asked, 60)
    assert await place.until(lambda: _calm(place), 60), place.status()
    assert place.position() == held and _entries(place) == entries, "bought again after a start"
    assert [Decimal(row["quantity"]) for row in place.status()["positions"]] == [held]


async def _flattened(place: Town) -> None:
    """Halt, close, verify, stops last; and once more, which changes nothing."""
    before = len(place.orders())
    code, said = await place.engine("flatten", "--wait", "60")
    assert code == 0 and said.rstrip().endswith("flat: no position and no order is left"), said
    assert place.position() == 0 and not place.exchange.open_orders(), "something is left at the venue"
    sent = [order for order in place.orders()[before:] if order.intent is not Intent.STOP]
    assert sent and all(order.intent is Intent.FLATTEN and order.reduce_only for order in sent), sent
    after = len(place.orders())
    code, said = await place.engine("flatten", "--wait", "60")
    assert code == 0 and "HALTED" in said, said
    assert len(place.orders()) == after, "a second flatten sent orders"


def test_what_somebody_else_does_at_the_venue(tmp_path: Path) -> None:
    """A position that is not ours is adopted, gets its stop and is priced; an order that is not ours is left alone."""
    async def story() -> None:
        # Nobody announces the coin: it is watched because it is held.
        async with town(tmp_path, price=flat, flags=CALM, announced=False) as place:
            engine = await place.start()
            ready = await place.until(lambda: _calm(place), 90)
            assert ready, _status(place)
            await _sent(place, {"type": "LIMIT", "side": "BUY", "price": "1.5", "quantity": "10", "timeInForce": "GTC",
                                "newClientOrderId": "by-hand-1"})
            await _sent(place, {"type": "MARKET", "side": "BUY", "quantity": "30", "newClientOrderId": "by-hand-2"})
            await place.engine("reconcile")
            guarded = await place.until(lambda: bool(place.stops()) and bool(place.status()["positions"]), 40)
            told = await place.until(lambda: any("by-hand-1" in text for text in _told(place)), 20)
            priced = await place.until(lambda: place.status()["positions"][0]["mark"] is not None, 20)
            code, said, _ = await place.stop(engine)
            assert guarded, said
            assert told and priced and code == 0, said
            stop = place.stops()[0].order
            assert stop.side is Side.SELL and stop.client_id.startswith("rb-"), stop
            assert place.status()["positions"][0]["quantity"] == "30"
            left = {one.order.client_id for one in place.exchange.open_orders()}
            assert "by-hand-1" in left, "an order that is not ours was taken back"
            assert sum(order.intent is Intent.ENTRY for order in place.orders()) == 0

    asyncio.run(story())


def test_a_dry_run_on_the_live_market_sends_nothing(tmp_path: Path) -> None:
    """No keys, the real market, paper money: it trades there, and the venue hears of no order."""
    keyless = {**CALM, "BINANCE_API_KEY": "", "BINANCE_API_SECRET": ""}

    async def story() -> None:
        async with town(tmp_path, price=rising, flags=keyless) as place:
            engine = await place.start("engine", "--mode", "dry-run")
            bought = await place.until(lambda: bool(_status(place).get("positions")), 90)
            code, page = await place.engine("status")
            _, said, took = await place.stop(engine)
            assert bought and took < 10, said
            assert code == 0 and f"dry-run on {VENUE}" in page and "paper" in page, page
            assert not [one for one in place.server.log.requests if one.method != "GET"]
            assert not [one for one in place.server.log.requests if one.param("signature") or one.param("timestamp")]
            assert place.position() == 0 and "Traceback" not in said

    asyncio.run(story())


def test_the_checklist_holds_flags_disk_and_venue(tmp_path: Path) -> None:
    profile = dict(
        line.split("=", 1) for line in (ROOT / "conf/profiles/limited-live.env").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )

    async def story() -> None:
        async with town(tmp_path, flags=profile) as place, _listening(place):
            code, said = await place.engine("preflight", "--format", "json")
            lines = {one["name"]: one for one in json_of(said)["checks"]}
            assert code == 0, said
            for name in ("configuration", "disk", "flags", "mode", "clock offset", "key may trade", "stop probe"):
                assert lines[name]["verdict"] == "ok", lines[name]
            assert {one["verdict"] for one in lines.values()} <= {"ok", "warn"}
            place.flags = {**profile, "DEPEG_GUARD_ENABLED": "false"}
            code, said = await place.engine("preflight")
            assert code == 1 and "fail  flag DEPEG_GUARD_ENABLED" in said and "fix: set it as" in said, said
            assert "not ready: 1 of" in said and SECRET not in said, said
            assert not place.exchange.open_orders(), "the probe was left behind"

    asyncio.run(story())


async def _sent(place: Town, order: dict[str, str]) -> None:
    """Place an order as another program with the same key would."""
    query = "&".join(f"{name}={value}" for name, value in {
        "symbol": SYMBOL, **order, "timestamp": str(time.time_ns() // 1_000_000), "recvWindow": "5000",
    }.items())
    signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{place.server.url}/fapi/v1/order?{query}&signature={signature}"
    async with ClientSession() as session, session.post(url, headers={"X-MBX-APIKEY": KEY}) as reply:
        answer = json.loads(await reply.text())
        assert reply.status == 200, answer


@asynccontextmanager
async def _listening(place: Town) -> AsyncIterator[None]:
    """Begin the market, as whoever first listens does, and wait until there is a price."""
    address = f"ws{place.server.url.removeprefix('http')}/ws/{SYMBOL.lower()}@bookTicker"
    async with ClientSession() as session, session.ws_connect(address):
        assert await place.until(lambda: _bid(place) > 0, 20)
        yield


def _effects(place: Town) -> list[Any]:
    try:
        return list(place.effects())
    except JournalError:
        # It is being made.
        return []


def _status(place: Town) -> dict[str, Any]:
    try:
        return place.status()
    except JournalError:
        return {}


def _calm(place: Town) -> bool:
    """Whether an engine runs, and nothing keeps it from trading but the caps of its mode."""
    status = _status(place)
    return bool(status.get("running")) and status["line"] == "MAY TRADE"


def _told(place: Town) -> list[str]:
    return [one.text for one in place.effects() if isinstance(one, Notify)]


def _ours(place: Town) -> list[str]:
    return [one for one in place.placed() if one.startswith("rb-")]


def _entries(place: Town) -> int:
    return sum(order.intent is Intent.ENTRY for order in place.orders())


def _bid(place: Town) -> float:
    mark = place.exchange.mark(VENUE, SYMBOL)
    return float(mark or 0)
