"""What ends a plan before its time, and the last line of its story."""

from __future__ import annotations

from engine.strategies.event_breakout.plan import Moment, Plan
from engine.strategies.leaving import closed_text, nothing_left
from engine.strategies.trade import Wish


def over(plan: Plan, now: Moment) -> bool:
    """Whether nothing of the plan is left: flat, and no order that could still change that."""
    ended = plan.entered_at or plan.leaving or now.at >= plan.announced_at + now.settings.window
    return bool(ended) and nothing_left(plan, now)


def last_line(plan: Plan, now: Moment) -> Wish:
    """Return the last line of the story."""
    if plan.entered_at:
        return plan.story(now.at, "closed", closed_text(plan, now, _by(plan, now)))
    return plan.story(now.at, "expired", f"no entry: {plan.leaving or 'the window passed'}")


def _by(plan: Plan, now: Moment) -> str:
    stopped = now.latest(f"{plan.base}/stop/{plan.stops}") if plan.stops else None
    trailed = now.latest(f"{plan.base}/trail/{plan.raises}") if plan.raises else None
    if trailed is not None and trailed.filled > 0:
        return "trailing stop"
    if stopped is not None and stopped.filled > 0:
        return "stop loss"
    return plan.leaving or "sold from outside the plan"
