"""USDT off its peg, over the wire: open risk is closed once under lost replies; doubt and a rehearsal close nothing."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from engine.adapters.clock_system import SystemClock
from engine.adapters.tape_writer import TapeWriter
from engine.adapters.venue_server_gateway_faults import WireFault, WireFaults, WireRule
from engine.model.effects import LatchSet, RuleMoved, TargetOpened
from engine.model.market import Announcement, OraclePrice, Quote
from engine.model.orders import Intent
from engine.model.time import MS, SECOND
from engine.runtime.wiring_faults import Faults
from engine.runtime.wiring_server import ServeOptions, server_of
from engine.runtime.wiring_tapes import named_tape
from tests.conftest import ROOT
from tests.live.house import house
from tests.live.town import BEGIN, SYMBOL, XYZ, Town, check_books, rising

SILENT_S, BROKEN_S = 14.0, 20.0
RULE = "guard.depeg.usdt"
LOST = WireRule(
    kind=WireFault.LOST_REPLY, method="POST", path="/fapi/v1/order", client_prefix="rb-", start=int(BROKEN_S * SECOND)
)


def write_story(path: Path) -> Path:
    """Write a listing that is bought and stays up; the peg is told each second, then not at all, then as 0.98."""
    with TapeWriter(path, source="a test") as tape:
        tape.define(XYZ)
        for step in range(600):
            at, second = BEGIN + step * 100 * MS, step / 10
            if step % 5 == 0 and not SILENT_S <= second < BROKEN_S:
                # Never the same twice: a venue tells what changed.
                worth = (0.98 if second >= BROKEN_S else 1.0) + 0.0004 * (step % 2)
                tape.write(OraclePrice("test", "USDT", "USD", worth, str(step), at, at))
            if step == 30:
                tape.write(Announcement(
                    "binance", "listing-1", "listing", "Binance Futures Will Launch XYZ", (SYMBOL,), at, at
                ))
            bid, ask = round(rising(second) - 0.0002, 4), round(rising(second) + 0.0002, 4)
            tape.write(Quote("tape", SYMBOL, bid, 50_000.0, ask, 50_000.0, at, at))
    return path


def hasty(where: Path) -> Path:
    """Return a home in which a window of the peg is a second and silence is doubt after three."""
    home = house(where)
    shutil.copy(ROOT / "rules/guards/depeg.yaml", home / "rules/guards/depeg.yaml")
    rules, signals = home / "rules/guards/depeg.yaml", home / "conf/signals.yaml"
    rules.write_text(rules.read_text().replace("    unknown_grace: 2m\n", "    unknown_grace: 1s\n"))
    text, count = re.subn(
        r"(  - name: peg_usdt_usd\n(?:    .*\n)*?)    period: 60s\n    max_age: 150s\n",
        r"\1    period: 1s\n    max_age: 3s\n", signals.read_text(),
    )
    assert count == 1
    signals.write_text(text)
    # The rules' own tests are written for windows of a minute.
    rules.write_text(re.sub(r"    tests:\n(?:      .*\n)+", "", rules.read_text()))
    return home


@asynccontextmanager
async def broken(where: Path, flags: dict[str, str], requests: Sequence[WireRule]) -> AsyncIterator[Town]:
    """A venue that tells that story."""
    tape = named_tape(str(write_story(where / "story.tape")))
    faults = Faults(wire=WireFaults(requests=tuple(requests)))
    server = server_of(tape, ServeOptions(seed="7", wait=True), faults, clock=SystemClock())
    await server.start()
    place = Town(server=server, state=where / "state", home=hasty(where / "home"), flags=flags)
    try:
        yield place
    finally:
        for process in place.started:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        await server.stop()


def test_a_break_closes_once_or_only_says_so_and_doubt_before_it_closes_nothing(tmp_path: Path) -> None:
    """Both settings live through the same minute, side by side."""
    async def both() -> None:
        await asyncio.gather(*(story(word, tmp_path / word) for word in ("true", "dry_run")))

    asyncio.run(both())


async def story(exit_risk: str, where: Path) -> None:
    """Live through it with DEPEG_EXIT_RISK as `exit_risk`, and check everything."""
    where.mkdir()
    flags = {"DEPEG_EXIT_RISK": exit_risk, "EVENT_BREAKOUT_TRAIL_START_PCT": "50"}
    async with broken(where, flags, [LOST]) as place:
        engine = await place.start()
        bought = await place.until(lambda: place.position() > 0 and bool(place.stops()), 60)
        held = place.position()
        done = bought and await place.until(
            lambda: any(isinstance(one, TargetOpened) for one in place.effects()), 40
        )
        closed = done and await place.until(lambda: place.position() == 0, 40 if exit_risk == "true" else 2)
        await asyncio.sleep(1)
        _, said, _ = await place.stop(engine)

        assert bought and done, said
        effects = place.effects()
        moves = [one for one in effects if isinstance(one, RuleMoved) and one.rule == RULE]
        doubted = [one for one in moves if one.after == "held"][-1]
        (opened,) = (one for one in effects if isinstance(one, TargetOpened))
        (latch,) = (one for one in effects if isinstance(one, LatchSet))
        fired = next(one for one in moves if one.after == "firing")
        assert doubted.at < fired.at <= opened.at, "in doubt nothing is closed and nothing latches"
        assert fired.at <= latch.at
        exits = [one.fill for one in place.fills() if one.fill.intent is Intent.FLATTEN]
        orders = [one for one in place.orders() if one.intent is Intent.FLATTEN]
        if exit_risk == "dry_run":
            assert opened.dry_run and not orders and place.position() == held and not closed
            assert place.stops(), "the position keeps its stop"
        else:
            assert closed and not opened.dry_run, said
            assert sum(fill.quantity for fill in exits) == held
            assert orders and all(one.reduce_only for one in orders)
        check_books(place)
