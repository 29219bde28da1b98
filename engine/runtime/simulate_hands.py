"""What an operator does over the rules in one seed: overrides, features switched off, and what actions are to do.

Drawn by name like all trouble. Every override that has no end by itself is mostly taken back
later; where it is not, the rest of the hour goes by under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from engine.model.events import Command, SetFlagCommand, UnsetFlagCommand
from engine.model.flags import FlagValue
from engine.model.override_commands import (
    DenyCommand,
    EndMaintenanceCommand,
    MaintenanceCommand,
    RestrictCommand,
    UndenyCommand,
    UnrestrictCommand,
    UnwaiveCommand,
    WaiveCommand,
)
from engine.model.restraints import Level, Restraint, Scope
from engine.model.time import MINUTE, SECOND

ACTOR = "simulation"
WAIVED = (
    "kill.daily_loss", "kill.health", "kill.stops_missing", "guard.depeg.usdt", "guard.depeg.usdt_quote",
    "guard.funding.spike", "guard.feed.stale", "guard.stops.missing", "guard.orders.unknown", "floor",
    "operator:halt", "mute.quarantine",
)
"""Rules that somebody asks to have waived, some of which nobody may waive and some of which there are not."""
SWITCHES = ("EVENT_BREAKOUT_ENABLED", "EVENT_BREAKOUT_ENABLED", "EVENT_BREAKOUT_DRY_RUN", "SCALP_ENABLED",
            "FUNDING_GUARD_ENABLED", "FUNDING_HEDGE_RATIO")
Act = tuple[int, Command]
"""When (ns), and what is asked for."""


def first_acts(seed: int, at: int) -> list[Act]:
    """Return what is set at the beginning of the hour: what actions do, and whether there are scalps."""
    draw = Random(f"{seed}|settings")
    chosen: list[tuple[str, FlagValue]] = [
        ("FUNDING_TRIM_PCT", draw.choice((0, 10, 25, 50, 50, 100))),
        ("FUNDING_HEDGE_RATIO", draw.choice((0, 0.5, 1, 1))),
        ("DEPEG_EXIT_RISK", draw.choice(("true", "true", "dry_run", "false"))),
        ("DEPEG_SWITCH_QUOTE", draw.random() < 0.4),
        ("SCALP_ENABLED", draw.random() < 0.5),
    ]
    return [(at, _set(name, value)) for name, value in chosen]


def acts(seed: int, symbols: Sequence[str], instants: Sequence[int]) -> list[Act]:
    """Return what is asked for behind each of `instants` (ns), and what takes it back again."""
    draw = Random(f"{seed}|overrides")
    found: list[Act] = []
    for at in instants:
        kind = draw.choice(("maintenance", *("restrict", "deny", "waive", "switch") * 2))
        back = at + draw.randrange(20 * SECOND, 8 * MINUTE)
        # Without a time of its own it holds until it is taken back.
        ttl = 0 if draw.random() < 0.4 else draw.randrange(5 * SECOND, 6 * MINUTE)
        taken_back = draw.random() < 0.8
        found += _KINDS[kind](draw, draw.choice(symbols), (at, back if taken_back else 0), ttl)
    return found


def _restrict(draw: Random, symbol: str, span: tuple[int, int], ttl: int) -> list[Act]:
    what = draw.choice(("level", "level", "size", "cap", "mute", "maker"))
    restraint = Restraint()
    if what == "level":
        restraint = Restraint(level=draw.choice((Level.ENTRIES_PAUSED, Level.REDUCE_ONLY, Level.HALTED)))
    elif what == "size":
        restraint = Restraint(size_mult=draw.choice((0.1, 0.5)))
    elif what == "cap":
        restraint = Restraint(max_notional_usd=Decimal(draw.choice((50, 300))))
    elif what == "mute":
        restraint = Restraint(mute=frozenset(draw.sample(("ENTRY", "SCALP", "HEDGE"), draw.choice((1, 2)))))
    scope = Scope(symbol=draw.choice((symbol, "")))
    asked = RestrictCommand(
        actor=ACTOR, scope=scope, restraint=restraint, maker_off=what == "maker", ttl=ttl, reason="drawn",
    )
    return _pair(asked, UnrestrictCommand(actor=ACTOR, which=draw.choice((scope.symbol, "--all"))), span)


def _deny(draw: Random, symbol: str, span: tuple[int, int], ttl: int) -> list[Act]:
    denied = DenyCommand(actor=ACTOR, symbol=symbol, ttl=ttl, reason="drawn")
    return _pair(denied, UndenyCommand(actor=ACTOR, symbol=symbol), span)


def _maintain(draw: Random, symbol: str, span: tuple[int, int], ttl: int) -> list[Act]:
    lasts = ttl or draw.randrange(MINUTE, 20 * MINUTE)
    return _pair(MaintenanceCommand(actor=ACTOR, lasts=lasts, reason="drawn"), EndMaintenanceCommand(actor=ACTOR), span)


def _waive(draw: Random, symbol: str, span: tuple[int, int], ttl: int) -> list[Act]:
    rule = draw.choice(WAIVED)
    lasts = ttl or draw.randrange(MINUTE, 20 * MINUTE)
    return _pair(
        WaiveCommand(actor=ACTOR, rule=rule, lasts=lasts, reason="drawn"), UnwaiveCommand(actor=ACTOR, rule=rule), span
    )


def _switch(draw: Random, symbol: str, span: tuple[int, int], ttl: int) -> list[Act]:
    name = draw.choice(SWITCHES)
    value: FlagValue = 0 if name == "FUNDING_HEDGE_RATIO" else name == "EVENT_BREAKOUT_DRY_RUN"
    begun = SetFlagCommand(actor=ACTOR, name=name, value=value, reason="drawn", ttl=ttl)
    return _pair(begun, UnsetFlagCommand(actor=ACTOR, name=name), span)


_KINDS = {"restrict": _restrict, "deny": _deny, "maintenance": _maintain, "waive": _waive, "switch": _switch}


def _pair(begun: Command, ended: Command, span: tuple[int, int]) -> list[Act]:
    at, back = span
    return [(at, begun), (back, ended)] if back else [(at, begun)]


def _set(name: str, value: FlagValue) -> SetFlagCommand:
    return SetFlagCommand(actor=ACTOR, name=name, value=value, reason="drawn", ttl=0)
