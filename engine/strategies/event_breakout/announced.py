"""Whether an announcement becomes a plan, and if not, why: in words, never in silence."""

from __future__ import annotations

from engine.model.codec import decimal_text, plain
from engine.model.effects import PlanMade
from engine.model.market import Announcement
from engine.model.time import MINUTE, format_duration, format_instant
from engine.model.view import StrategyView
from engine.strategies.event_breakout.plan import STRATEGY, Plan, mid_of
from engine.strategies.event_breakout.settings import settings_of

OLDEST_REFERENCE = 2 * MINUTE
"""A price older than this is no measure of what the announcement did."""


def plan_for(at: int, event: Announcement, symbol: str, venue: str | None, view: StrategyView) -> Plan | PlanMade:
    """Return the plan for a listing of `symbol` (without its number), or why there is none."""
    settings = settings_of(view.flags)
    age = at - event.venue_at
    quote = view.quote(venue, symbol) if venue is not None else None
    if not settings.enabled:
        return _ignored(at, symbol, "EVENT_BREAKOUT_ENABLED is off")
    if venue is None:
        return _ignored(at, symbol, "no perpetual of that name can be traded here")
    if age >= settings.window:
        window = format_duration(settings.window)
        return _ignored(at, symbol, f"the announcement was {format_duration(age)} old, the window is {window}")
    if quote is None:
        return _ignored(at, symbol, "no price from before the announcement to measure from")
    if at - quote.received_at > OLDEST_REFERENCE:
        return _ignored(at, symbol, f"the last price is {format_duration(at - quote.received_at)} old")
    if view.position(venue, symbol).quantity != 0:
        return _ignored(at, symbol, "there is a position already")
    position = view.position(venue, symbol)
    return Plan(
        number=0, venue=venue, symbol=symbol, announcement=event.announcement_id,
        announced_at=min(event.venue_at, at), reference=plain(mid_of(quote)), realized_before=position.realized,
        fees_before=position.fees, checked_at=at,
    )


def planned(at: int, plan: Plan, view: StrategyView) -> PlanMade:
    """Return the first line of the plan's story."""
    settings = settings_of(view.flags)
    trigger = float(plan.reference) * (1.0 + settings.trigger_bps / 10_000.0)
    until = format_instant(plan.announced_at + settings.window)
    text = (
        f"listing announced: reference {decimal_text(plan.reference)}, buys above {trigger:.8g} "
        f"(+{settings.trigger_bps:g} bps) until {until}"
    )
    return plan.story(at, "planned", text)


def _ignored(at: int, symbol: str, why: str) -> PlanMade:
    return PlanMade(at=at, strategy=STRATEGY, symbol=symbol, state="ignored", text=f"listing not traded: {why}")
