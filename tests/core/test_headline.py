"""The first line: what one symbol is kept from does not read as if nothing could trade, and nothing is hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.report import status
from engine.model.codec import Data
from engine.model.effects import HealthChanged
from engine.model.events import Command, HaltCommand, InstrumentDefined, StopCommand
from engine.model.market import OraclePrice
from engine.model.override_commands import DenyCommand, RestrictCommand
from engine.model.restraints import Level, Restraint, Scope
from engine.model.time import MINUTE, SECOND
from tests.core.small import CALM, T0, VENUE, A, B, Small, instrument
from tests.core.test_quotes import XYZ, World

PAUSED, HALTED = Restraint(level=Level.ENTRIES_PAUSED), Restraint(level=Level.HALTED)
HALVED = Restraint(size_mult=0.5)

ENTRY_ALONE = """
version: 1
rules:
  - id: entry.small
    kind: entry
    summary: No large orders
    runbook: RUNBOOK.md#feed-lost
    expr: order_notional_usd > 1000
"""
"""Rules of which none is in doubt while nobody speaks."""


def restrict(restraint: Restraint, **scope: str) -> RestrictCommand:
    return RestrictCommand(actor="ann", scope=Scope(**scope), restraint=restraint)


def deny(symbol: str) -> DenyCommand:
    return DenyCommand(actor="ann", symbol=symbol)


CASES: list[tuple[str, tuple[Command, ...], str, list[str], str]] = [
    ("nothing", (), "MAY TRADE", [], "normal"),
    ("a symbol is paused", (restrict(PAUSED, symbol=A),), "MAY TRADE", [A], "normal"),
    ("a symbol is halted", (restrict(HALTED, symbol=A),), "MAY TRADE", [A], "normal"),
    ("a symbol is cut back", (restrict(HALVED, symbol=A),), "MAY TRADE", [A], "normal"),
    ("a symbol at one venue", (restrict(PAUSED, symbol=A, venue=VENUE),), "MAY TRADE", [A], "normal"),
    ("a denial", (deny(B),), "MAY TRADE", [B], "normal"),
    ("scalps in a symbol", (restrict(PAUSED, symbol=A, intent="SCALP"), restrict(PAUSED, symbol=B, intent="SCALP")),
     "MAY TRADE", [A, B], "normal"),
    ("two symbols, and no other", (restrict(PAUSED, symbol=A), deny(B)), "RESTRICTED", [], "normal"),
    ("all smaller, each by itself", (restrict(HALVED, symbol=A), restrict(HALVED, symbol=B)), "MAY TRADE", [A, B],
     "normal"),
    ("a symbol and everything", (restrict(HALTED, symbol=A), restrict(PAUSED)), "RESTRICTED", [], "entries_paused"),
    ("everything smaller", (restrict(HALVED),), "RESTRICTED", [], "normal"),
    ("a venue", (restrict(PAUSED, venue=VENUE),), "RESTRICTED", [], "entries_paused"),
    ("an intent", (restrict(HALTED, intent="ENTRY"),), "RESTRICTED", [], "normal"),
    ("everything halted", (deny(A), HaltCommand(actor="ann", reason="", source="socket")), "HALTED", [], "halted"),
]


@pytest.mark.parametrize(
    ("commands", "line", "but", "level"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_the_line_says_what_holds_for_the_run_and_names_the_exceptions(
    commands: tuple[Command, ...], line: str, but: list[str], level: str
) -> None:
    core = Small()
    core.spread(CALM, at=SECOND)
    for command in commands:
        core.said(command)
    shown = status(core.state)
    assert (shown["line"], shown["but"], shown["level"]) == (line, but, level)
    assert len(shown["restrains"]) == len(commands), "each is listed, whatever the line says"
    for symbol in but:
        assert symbol in shown["why"]
    assert status(core.resumed().state) == shown


def test_a_symbol_alone_costs_the_run_no_normal_time_and_is_counted_beside_it() -> None:
    core = Small(ENTRY_ALONE)
    core.spread(CALM, at=10 * MINUTE)
    core.said(restrict(PAUSED, symbol=A))
    core.spread(CALM, at=30 * MINUTE)
    core.said(restrict(PAUSED))
    core = core.resumed()
    core.tell(StopCommand(actor="engine", reason="over"), 35 * MINUTE)
    tally = core.state.tally
    assert tally.in_part == 20 * MINUTE
    assert tally.in_level == {"normal": 30 * MINUTE, "entries_paused": 5 * MINUTE}


def test_a_symbol_that_is_halted_alone_is_no_halted_health() -> None:
    core = Small()
    core.spread(CALM, at=SECOND)
    alone = core.tell(restrict(HALTED, symbol=A))
    assert not [one for one in alone if isinstance(one, HealthChanged)]
    told = core.tell(restrict(HALTED))
    assert [one.state for one in told if isinstance(one, HealthChanged)] == [2]


def told_of(assets: tuple[str, ...], quotes: tuple[str, ...] = ("USDT",), minutes: int = 4) -> World:
    """Return a core that trades in `quotes` and in which a source tells of `assets` alone."""
    world = World.__new__(World)
    base = World()
    world.state, world.at, world.seq = base.state, base.at, base.seq
    for key in [key for key, one in world.state.look.instruments.items() if one.quote not in quotes]:
        del world.state.look.instruments[key]
    speak(world, assets, minutes)
    return world


def speak(world: World, assets: tuple[str, ...], minutes: int) -> None:
    for _ in range(minutes):
        world.minute_of_quotes()
        for asset in assets:
            world.take(OraclePrice("oracle", asset, "USD", 1.0, str(world.seq), world.at, world.at))


def quoting(data: Data) -> list[str]:
    return [one["rule"] for one in data["not_guarding"] if one["why"].startswith("unwatched")]


def test_coins_that_nobody_tells_of_and_nobody_trades_in_are_denied_and_restrict_nothing() -> None:
    shown = status(told_of(("USDT",)).state)
    assert shown["line"] == "MAY TRADE" and shown["deny_quotes"] == ["FDUSD", "USDC"]
    assert "no source tells of FDUSD, USDC, in which nothing here is quoted" in shown["why"]
    assert quoting(shown) == ["guard.depeg.fdusd", "guard.depeg.usdc"]
    assert {one["rule"] for one in shown["restrains"]} == {"guard.depeg.fdusd", "guard.depeg.usdc"}


def test_a_coin_that_something_is_quoted_in_is_never_passed_over() -> None:
    world = told_of(("USDT",))
    world.take(InstrumentDefined(
        instrument=replace(XYZ, symbol="XYZUSDC", quote="USDC"), venue_at=world.at
    ))
    shown = status(world.state)
    assert shown["line"] == "RESTRICTED" and shown["why"] == "guard.depeg.usdc (held)"
    assert quoting(shown) == ["guard.depeg.fdusd"]


def test_a_coin_that_was_told_once_is_never_passed_over() -> None:
    """Whoever told of it has fallen silent: that is a thing to be looked at."""
    world = told_of(("USDT", "USDC", "FDUSD"))
    assert status(world.state)["line"] == "MAY TRADE"
    speak(world, ("USDT", "FDUSD"), 8)
    shown = status(world.state)
    assert (shown["line"], shown["why"]) == ("RESTRICTED", "guard.depeg.usdc (held)") and quoting(shown) == []


def test_the_coin_that_everything_is_quoted_in_restrains_in_doubt() -> None:
    assert status(told_of(("USDC", "FDUSD")).state)["line"] == "HALTED"


def test_an_unknown_symbol_that_is_denied_leaves_the_others() -> None:
    core = Small()
    core.spread(CALM, at=SECOND)
    for number in range(9):
        core.said(deny(f"C{number}USDT"))
    core.tell(InstrumentDefined(instrument=instrument("CUSDT"), venue_at=T0))
    assert status(core.state)["line"] == "MAY TRADE" and len(status(core.state)["but"]) == 9
