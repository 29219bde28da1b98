"""The flags of the strategy, read once for each look: an operator may change any of them at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from engine.model.flags import FlagValue
from engine.model.time import MINUTE

RUNGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the flags say. Durations in ns, `*_pct` in percent, notional in quote currency."""

    enabled: bool
    dry_run: bool
    """Plans are made and counted, and nothing is bought."""
    window: int
    """How long after the announcement an entry may come."""
    half_size: int
    """How long after the announcement only half of the notional is bought."""
    time_stop: int
    trigger_bps: float
    notional: Decimal
    stop_pct: Decimal
    trail_pct: Decimal
    trail_start_pct: Decimal
    """Profit from which on the stop follows the price."""
    trail_step_pct: Decimal
    """The least rise of the stop that is worth an order."""
    rung_pcts: tuple[Decimal, ...]
    """Profit at each rung of the take-profit ladder."""
    rung_share_pct: Decimal
    """How much of an entry each rung sells."""


def settings_of(flags: Mapping[str, FlagValue]) -> Settings:
    """Return the settings that `flags` give; KeyError names a flag that is missing."""
    return Settings(
        enabled=bool(flags["EVENT_BREAKOUT_ENABLED"]), dry_run=bool(flags["EVENT_BREAKOUT_DRY_RUN"]),
        window=_minutes(flags["EVENT_BREAKOUT_WINDOW_MINUTES"]),
        half_size=_minutes(flags["EVENT_BREAKOUT_HALF_SIZE_MINUTES"]),
        time_stop=_minutes(flags["EVENT_BREAKOUT_TIME_STOP_MINUTES"]),
        trigger_bps=float(flags["EVENT_BREAKOUT_TRIGGER_BPS"]),
        notional=_decimal(flags["EVENT_BREAKOUT_SIZE_USD"]),
        stop_pct=_decimal(flags["EVENT_BREAKOUT_SL_PCT"]),
        trail_pct=_decimal(flags["EVENT_BREAKOUT_TRAIL_PCT"]),
        trail_start_pct=_decimal(flags["EVENT_BREAKOUT_TRAIL_START_PCT"]),
        trail_step_pct=_decimal(flags["EVENT_BREAKOUT_TRAIL_STEP_PCT"]),
        rung_pcts=tuple(_decimal(flags[f"EVENT_BREAKOUT_TP{rung}_PCT"]) for rung in range(1, RUNGS + 1)),
        rung_share_pct=_decimal(flags["EVENT_BREAKOUT_TP_RUNG_PCT"]),
    )


def _minutes(value: FlagValue) -> int:
    return round(float(value) * MINUTE)


def _decimal(value: FlagValue) -> Decimal:
    return Decimal(str(value))
