"""One scripted order life in a small world: a listing, an entry, its stop, the exit; to be killed anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from engine.adapters.tape_demo import oracle, polls
from engine.adapters.tape_market_model import Coin, CoinFeed, GeneratedTape, Stage, Timed, instrument, told
from engine.model.events import SetFlagCommand
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, SECOND, parse_instant
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE, TapeEvent, TapeHeader
from engine.runtime.config import Config, load_config
from engine.runtime.simulate import MONEY
from engine.runtime.simulate_broken import SOUND, Break
from engine.runtime.simulate_plan import CountedFaults, Crash, Plan
from engine.runtime.simulate_world import World
from engine.runtime.wiring_simulate import world
from tests.conftest import ROOT

VENUE, SYMBOL = "paper", "NOVAUSDT"
TAPE_BEGINS = parse_instant("2026-03-03T10:00:00Z")
BEGINS = TAPE_BEGINS + 5 * SECOND
LISTED = 2.5
"""Minute of the announcement; the price breaks out within another."""
MINUTES = 7
HOLD = 1
"""For so many minutes a position is held."""
CALM_FROM = TAPE_BEGINS + int(5.5 * MINUTE)
SOLD = ((LISTED + 1.5, 190.0), (MINUTES, 160.0))
"""It goes sideways, until the time stop sells."""
STOPPED = ((LISTED + 1.2, 130.0), (LISTED + 1.6, -330.0), (MINUTES, -300.0))
"""It falls through the stop."""
Path = tuple[tuple[float, float], ...]


def _coin(ending: Path) -> Coin:
    return Coin(
        symbol=SYMBOL, base="NOVA", price=2.4, decimals=4, noise_bps=1.0, spread_bps=4.0, level_usd=1500.0,
        path=((0.0, 0.0), (LISTED, 0.0), (LISTED + 0.4, 150.0), *ending),
        busy=((LISTED - 0.1, LISTED + 1.0),), busy_s=1.0,
    )


@cache
def config() -> Config:
    """Return the configuration that is shipped, for a session with money."""
    found = load_config(ROOT, MONEY)
    assert found.usable, found.findings
    return found


@cache
def _events(ending: Path) -> tuple[Timed, ...]:
    stage = Stage(venue=VENUE, start=TAPE_BEGINS, end=TAPE_BEGINS + MINUTES * MINUTE, seed=7)

    def connected() -> Iterator[tuple[int, TapeEvent]]:
        yield TAPE_BEGINS, FeedState(VENUE, True, "connected", TAPE_BEGINS)

    def listed() -> Iterator[tuple[int, TapeEvent]]:
        at = TAPE_BEGINS + int(LISTED * MINUTE)
        yield at, Announcement(VENUE, "one", "listing", "Nova", (SYMBOL,), at - SECOND, at)

    sources = [connected(), listed(), polls(TAPE_BEGINS, stage.end), oracle(stage, ((0.0, 1.0),), 0.0001)]
    return tuple(told([*sources, CoinFeed(_coin(ending), stage).events()], stage.end))


def order_life(ending: Path = SOLD) -> GeneratedTape:
    """Return the market of an order life with this ending."""
    return GeneratedTape(
        TapeHeader(
            name="order-life", source="generated: one listing", events=-1, first_at=TAPE_BEGINS,
            last_at=TAPE_BEGINS + MINUTES * MINUTE, venues=(VENUE,), symbols=(SYMBOL,),
            instruments=(instrument(_coin(ending), VENUE),), producers=frozenset({MARKET, ORACLE, ANNOUNCEMENTS}),
        ),
        lambda: iter(_events(ending)),
    )


def living(
    *crashes: Crash, ending: Path = SOLD, faults: CountedFaults | None = None, fault: Break = SOUND
) -> World:
    """Return the world of one order life in which the engine dies at `crashes`."""
    flags = (("EVENT_BREAKOUT_TIME_STOP_MINUTES", HOLD), ("EVENT_BREAKOUT_HALF_SIZE_MINUTES", 0))
    plan = Plan(
        seed=1, begins=BEGINS, calm_from=CALM_FROM, faults=faults or CountedFaults(), crashes=crashes,
        actions=tuple(
            (BEGINS + SECOND, SetFlagCommand(actor="test", name=name, value=value, reason="shorter", ttl=0))
            for name, value in flags
        ),
    )
    return world(config(), order_life(ending), plan, fault=fault)
