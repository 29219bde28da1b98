"""Small tapes on which a strategy finds something to do, and the configuration it is played under."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from engine.adapters.tape_demo import FIRM, PEG_NOISE, oracle, polls
from engine.adapters.tape_market_model import Coin, CoinFeed, Stage, told
from engine.adapters.tape_writer import TapeWriter
from engine.model.market import Announcement, FeedState
from engine.model.time import MINUTE, MS, parse_instant
from engine.ports.feed import TapeEvent
from tests.simulation.command import ROOT

VENUE = "paper"
START = parse_instant("2026-03-04T09:00:00Z")


def coin(name: str, path: tuple[tuple[float, float], ...], *, spread_bps: float = 2.0) -> Coin:
    """Return a calm coin that follows `path` (minute, bps)."""
    return Coin(
        symbol=f"{name}USDT", base=name, price=20.0, decimals=4, path=path, noise_bps=0.5, spread_bps=spread_bps,
        level_usd=20_000, level_bps=1.0, calm_s=1.0,
    )


def dips(minutes: float, *, every: float = 4.0, depth_bps: float = 40.0) -> tuple[tuple[float, float], ...]:
    """Return the path of a coin that falls by `depth_bps` within seconds and comes back, every few minutes."""
    knots = [(0.0, 0.0)]
    at = 3.0
    while at < minutes - 2.0:
        knots += [(at, 0.0), (at + 0.3, -depth_bps), (at + 0.8, -depth_bps), (at + 1.5, 0.0)]
        at += every
    return tuple(knots)


def write_tape(path: Path, coins: list[Coin], minutes: float, news: tuple[Announcement, ...] = ()) -> Path:
    """Write a tape of `coins` in a healthy world: a peg that holds, polls that succeed."""
    stage = Stage(venue=VENUE, start=START, end=START + int(minutes * MINUTE), seed=7)
    pegs = [oracle(stage, FIRM, PEG_NOISE, asset) for asset in ("USDT", "USDC", "FDUSD")]
    sources = [_connection(), _told(news), polls(START, stage.end), *pegs]
    with TapeWriter(path, source="generated for a test", seed=7) as tape:
        for at, _, event in told([*sources, *(CoinFeed(one, stage).events() for one in coins)], stage.end):
            tape.write(event, at)
    return path


def _connection() -> Iterator[tuple[int, TapeEvent]]:
    yield START, FeedState(VENUE, True, "connected", START)


def _told(news: tuple[Announcement, ...]) -> Iterator[tuple[int, TapeEvent]]:
    for one in news:
        yield one.received_at, one


def listing(minute: float, *symbols: str, name: str = "a1", kind: str = "listing") -> Announcement:
    """Return an announcement that is read at `minute`, 900 ms after it was published."""
    at = START + int(minute * MINUTE)
    return Announcement(VENUE, name, kind, f"Will List {symbols}", symbols, at - 900 * MS, at)


def configuration(place: Path, strategies: str, routing: str = "") -> Path:
    """Make `place` the shipped configuration with `strategies` (YAML items) in place of the shipped ones."""
    for part in ("rules", "conf", "docs"):
        shutil.copytree(ROOT / part, place / part)
    shutil.copy(ROOT / "RUNBOOK.md", place)
    listed = "".join(f"  {line}\n" for line in strategies.strip().splitlines())
    (place / "conf" / "strategies.yaml").write_text(f"version: 1\nstrategies:\n{listed}", encoding="utf-8")
    if routing:
        settings = place / "conf" / "engine.yaml"
        text = settings.read_text(encoding="utf-8")
        kept = text[:text.index("\nrouting:")]
        settings.write_text(f"{kept}\nrouting:\n  - {routing}\n", encoding="utf-8")
    return place
