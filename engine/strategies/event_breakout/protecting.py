"""The stops. One on the whole position from the first fill to the end, and one that follows.

The first closes whatever is open and is never taken back while something is. The second
has a quantity and rises with the price: the new one is acknowledged before the old one is
cancelled, so there is no instant without. (Venues allow one close-all stop a side, so the
one that moves must be of the other sort.)
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderState
from engine.model.time import SECOND
from engine.strategies.event_breakout.plan import Moment, Plan
from engine.strategies.stopping import DOUBT, breached, keep_whole, price_text, remember, whole
from engine.strategies.trade import Wish, selling

BETWEEN_RAISES = 5 * SECOND


def stop_price(plan: Plan, now: Moment) -> Decimal:
    """Return where the stop belongs now, on the tick: never below where it was."""
    assert now.instrument is not None
    wanted = now.average * (1 - now.settings.stop_pct / 100)
    if _trails(plan, now):
        wanted = max(wanted, Decimal(str(plan.peak)) * (1 - now.settings.trail_pct / 100))
    return max(now.instrument.price_down(wanted), plan.best_stop)


def _trails(plan: Plan, now: Moment) -> bool:
    """Whether the profit was once high enough for the stop to follow the price."""
    return Decimal(str(plan.peak)) >= now.average * (1 + now.settings.trail_start_pct / 100)


def protect(plan: Plan, now: Moment) -> list[Wish]:
    """Keep the stops where they belong. May set `plan.leaving` when a stop cannot be had."""
    if now.instrument is None:
        return []
    return [*keep_whole(plan, now, lambda: stop_price(plan, now)), *_following(plan, now)]


def _following(plan: Plan, now: Moment) -> list[Wish]:
    record = now.latest(_raise_purpose(plan, plan.raises)) if plan.raises else None
    story = _follow_raise(plan, now, record)
    if plan.leaving or not plan.best_stop or not plan.may("raise", now.at):
        return story
    if record is not None and _still_out(plan, now, record):
        return story
    holder, wanted = _holder(plan, now), stop_price(plan, now)
    higher = wanted >= plan.best_stop * (1 + now.settings.trail_step_pct / 100)
    if higher or _uncovered(plan, now, holder):
        return [*story, *_raise(plan, now, wanted, holder)]
    return story


def _still_out(plan: Plan, now: Moment, record: OrderRecord) -> bool:
    """Whether the last raise is on its way: another one waits for its answer, but not for ever."""
    if not record.live or record.working:
        return False
    if record.state is OrderState.UNKNOWN:
        plan.retry["raise"] = record.moved_at + DOUBT
        return now.at < record.moved_at + DOUBT
    return True


def _uncovered(plan: Plan, now: Moment, holder: OrderRecord | None) -> bool:
    """Whether the stop that follows is too small for what is held, or was lost."""
    if holder is not None:
        return holder.quantity is not None and holder.quantity < now.sellable()
    first = whole(plan, now)
    return first is not None and first.trigger_price is not None and plan.best_stop > first.trigger_price


def _raise(plan: Plan, now: Moment, wanted: Decimal, holder: OrderRecord | None) -> list[Wish]:
    if now.quote is not None and Decimal(str(now.quote.bid)) <= wanted:
        plan.leaving = f"the price fell to {decimal_text(wanted)} before the stop was there"
        return []
    assert now.instrument is not None
    plan.raises += 1
    plan.retry["raise"] = now.at + BETWEEN_RAISES
    quantity = min(now.sellable(), now.instrument.max_quantity)
    purpose = _raise_purpose(plan, plan.raises)
    order = selling(plan, now, purpose, intent=Intent.STOP, quantity=quantity)
    return [replace(order, trigger_price=wanted, replaces=None if holder is None else holder.client_id)]


def _follow_raise(plan: Plan, now: Moment, record: OrderRecord | None) -> list[Wish]:
    """Take over what became of the last raise."""
    if record is None:
        return []
    if record.state is OrderState.REJECTED and breached(record, now):
        plan.leaving = plan.leaving or f"the price is through the stop at {price_text(record)}"
    if record.filled > 0 and record.state.final:
        plan.leaving = plan.leaving or "the stop left a remainder"
    if not record.working or record.purpose in plan.told:
        return []
    plan.told.append(record.purpose)
    before = plan.best_stop
    remember(plan, record)
    if plan.best_stop == before:
        return []
    paid = f"{float(now.average):.8g} was paid on average"
    why = f"the highest bid was {plan.peak:.8g}" if _trails(plan, now) else paid
    return [plan.story(now.at, "trailed", f"stop raised to {price_text(record)}: {why}")]


def _holder(plan: Plan, now: Moment) -> OrderRecord | None:
    """Return the acknowledged stop that follows the price, or None."""
    following = [
        record for record in now.mine(plan)
        if record.intent is Intent.STOP and record.quantity is not None and record.working
    ]
    return following[-1] if following else None


def _raise_purpose(plan: Plan, number: int) -> str:
    return f"{plan.base}/trail/{number}"
