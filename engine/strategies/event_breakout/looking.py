"""One look at a plan: what it wants now, whether a quote is worth a look, and when the next one is due."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.flags import FlagValue
from engine.model.market import Quote
from engine.model.time import MINUTE
from engine.strategies import leaving
from engine.strategies.event_breakout import entering, harvesting, protecting
from engine.strategies.event_breakout.plan import Moment, Plan
from engine.strategies.event_breakout.settings import Settings
from engine.strategies.trade import Wish


def look_at(plan: Plan, now: Moment, *, alone: bool) -> list[Wish]:
    """Bring one plan up to date; return what it wants now.

    `alone` says that no other plan of the same announcement has an entry: it may have one.
    """
    wishes = [*entering.follow(plan, now), *harvesting.tell(plan, now)]
    if plan.entered_at and now.sellable() <= 0:
        return [*wishes, *leaving.leave(plan, now)]
    wishes += entering.withdraw(plan, now)
    if now.sellable() > 0 and plan.entered_at:
        wishes += leaving.time_stop(plan, now, now.settings.time_stop)
        wishes += protecting.protect(plan, now)
        if not plan.leaving:
            wishes += harvesting.harvest(plan, now)
    if plan.leaving:
        return [*wishes, *leaving.leave(plan, now)]
    return [*wishes, *entering.enter(plan, now)] if alone else wishes


def worth_a_look(plan: Plan, quote: Quote, at: int, flags: Mapping[str, FlagValue]) -> bool:
    """Whether `quote` can change what `plan` wants; notes a new peak. Called at every quote of its symbol."""
    if plan.entered_at and quote.bid > plan.peak:
        plan.peak = quote.bid
        if plan.may("raise", at) and _rises(plan, flags):
            return True
    may_enter = not plan.leaving and (not plan.legs or (len(plan.legs) == 1 and plan.legs[0].name == "first"))
    if not may_enter or not plan.may("entry", at):
        return False
    if plan.legs and at < plan.announced_at + float(flags["EVENT_BREAKOUT_HALF_SIZE_MINUTES"]) * MINUTE:
        return False
    return entering.above_trigger(plan, (quote.bid + quote.ask) / 2.0, float(flags["EVENT_BREAKOUT_TRIGGER_BPS"]))


def _rises(plan: Plan, flags: Mapping[str, FlagValue]) -> bool:
    trail = 1.0 - float(flags["EVENT_BREAKOUT_TRAIL_PCT"]) / 100.0
    step = 1.0 + float(flags["EVENT_BREAKOUT_TRAIL_STEP_PCT"]) / 100.0
    return plan.peak * trail >= float(plan.best_stop) * step * (1.0 - 1e-9)


def next_instant(plan: Plan, settings: Settings) -> int | None:
    """Return the next instant at which `plan` must be looked at, whatever the market does."""
    instants = [*plan.retry.values(), plan.announced_at + settings.window]
    if plan.entered_at:
        instants.append(plan.entered_at + settings.time_stop)
    return min((instant for instant in instants if instant > plan.checked_at), default=None)
