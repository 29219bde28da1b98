"""Whether an announcement becomes a plan, and if not, why: in words, never in silence."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.codec import decimal_text, plain
from engine.model.effects import PlanMade
from engine.model.market import Announcement
from engine.model.time import MINUTE, format_duration, format_instant
from engine.model.view import StrategyView
from engine.strategies.event_breakout.plan import STRATEGY, Plan
from engine.strategies.event_breakout.settings import settings_of
from engine.strategies.trade import mid_of

TRADED = frozenset({"listing", "futures_launch"})
"""Kinds of announcements that are bought; delistings end what is held, and nothing else is read."""
OLDEST_REFERENCE = 2 * MINUTE
"""A price older than this is no measure of what the announcement did."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why there is no plan: the reason as it is counted, and a line for people."""

    reason: str
    line: PlanMade


def plan_for(at: int, event: Announcement, symbol: str, venue: str | None, view: StrategyView) -> Plan | Skipped:
    """Return the plan for a listing of `symbol` (without its number), or why there is none."""
    settings = settings_of(view.flags)
    age = at - event.venue_at
    quote = view.quote(venue, symbol) if venue is not None else None
    instrument = None if venue is None else view.instrument(venue, symbol)
    if not settings.enabled:
        return skipped(at, symbol, "disabled", "EVENT_BREAKOUT_ENABLED is off")
    if venue is None or instrument is None:
        return skipped(at, symbol, "no_instrument", "no perpetual of that name can be traded here")
    if age >= settings.window:
        window = format_duration(settings.window)
        old = f"the announcement was {format_duration(age)} old, the window is {window}"
        return skipped(at, symbol, "too_old", old)
    if quote is None:
        return skipped(at, symbol, "no_price", "no price from before the announcement to measure from")
    if at - quote.received_at > OLDEST_REFERENCE:
        return skipped(at, symbol, "no_price", f"the last price is {format_duration(at - quote.received_at)} old")
    position = view.position(venue, symbol)
    if position.quantity != 0:
        return skipped(at, symbol, "held", "there is a position already")
    return Plan(
        strategy=STRATEGY, number=0, venue=venue, symbol=symbol, announcement=f"{event.source}/{event.announcement_id}",
        coin=instrument.base, announced_at=min(event.venue_at, at), reference=plain(mid_of(quote)),
        realized_before=position.realized, fees_before=position.fees, checked_at=at,
    )


def planned(at: int, plan: Plan, view: StrategyView, instead_of: str) -> PlanMade:
    """Return the first line of the plan's story; `instead_of` is the symbol that was announced, if it is another."""
    settings = settings_of(view.flags)
    trigger = float(plan.reference) * (1.0 + settings.trigger_bps / 10_000.0)
    until = format_instant(plan.announced_at + settings.window)
    text = (
        f"listing announced: reference {decimal_text(plan.reference)}, buys above {trigger:.8g} "
        f"(+{settings.trigger_bps:g} bps) until {until}"
    )
    if instead_of:
        text += f"; in place of {instead_of}, whose quote is denied"
    if settings.dry_run:
        text += "; EVENT_BREAKOUT_DRY_RUN is on: nothing is bought"
    return plan.story(at, "planned", text)


def skipped(at: int, symbol: str, reason: str, why: str) -> Skipped:
    """Return that a listing is not traded, and why."""
    line = PlanMade(at=at, strategy=STRATEGY, symbol=symbol, state="ignored", text=f"listing not traded: {why}")
    return Skipped(reason, line)
