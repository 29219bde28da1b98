"""The way out: time stop, market exit, and the end of a plan once nothing of it is left.

In this order, so that half-way the account holds less risk and never more: entries and
take-profits are taken back, the position is sold reduce-only, and only when it is flat do
the stops go.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderState, Side
from engine.model.time import SECOND, format_duration
from engine.strategies.event_breakout.plan import STRATEGY, Moment, Plan, Wish, can_cancel, cancelling, selling

FIRST_RETRY, LONGEST_RETRY = 1 * SECOND, 30 * SECOND
PATIENCE = 1 * SECOND
"""How long the venue gets to end the orders of a position that is closed."""


def time_stop(plan: Plan, now: Moment) -> list[Wish]:
    """Begin to leave when the position is older than it may be."""
    if plan.leaving or not plan.entered_at or now.at < plan.entered_at + now.settings.time_stop:
        return []
    plan.leaving = "time stop"
    text = f"held for {format_duration(now.at - plan.entered_at)}: selling at market"
    return [plan.story(now.at, "timed_out", text)]


def leave(plan: Plan, now: Moment) -> list[Wish]:
    """Return what is next on the way out; nothing while it waits for answers."""
    if "leaving" not in plan.told:
        plan.told.append("leaving")
        told = _tell_leaving(plan, now)
    else:
        told = []
    if now.sellable() <= 0:
        return [*told, *_sweep(plan, now)]
    keep = (Intent.STOP, Intent.EXIT)
    cancels = [
        cancelling(record, plan.leaving) for record in now.mine(plan)
        if can_cancel(record) and record.intent not in keep
    ]
    return [*told, *cancels, *_sell(plan, now)]


def _sweep(plan: Plan, now: Moment) -> list[Wish]:
    """Take back what is left of a flat plan: what could still buy at once, the rest when the venue has not."""
    left = [record for record in now.mine(plan) if can_cancel(record)]
    if left and "flat" not in plan.told:
        # Venues end what only an open position needs by themselves; asking too would race them.
        plan.told.append("flat")
        plan.retry["sweep"] = now.at + PATIENCE
    due = plan.may("sweep", now.at)
    why = plan.leaving or "the position is closed"
    return [cancelling(record, why) for record in left if due or not record.reduces]


def _tell_leaving(plan: Plan, now: Moment) -> list[Wish]:
    if not plan.leaving or plan.leaving == "time stop" or now.held <= 0:
        return []
    return [plan.story(now.at, "leaving", f"{plan.leaving}: selling at market")]


def _sell(plan: Plan, now: Moment) -> list[Wish]:
    record = now.latest(_purpose(plan)) if plan.exits else None
    if record is not None and record.live:
        return []
    sold = now.orders.progress(STRATEGY, _purpose(plan)).filled
    if record is not None and sold <= 0 and f"{record.purpose} failed" not in plan.told:
        plan.told.append(f"{record.purpose} failed")
        put_off(plan, now.at)
    if not plan.may("exit", now.at):
        return []
    assert now.instrument is not None
    # What other exits (a rule's target) are selling already must not be sold twice.
    under_way = sum(
        (other.may_fill() for other in now.orders.live(plan.venue, plan.symbol) if other.side is Side.SELL), Decimal(0)
    )
    quantity = now.instrument.floor_quantity(min(now.sellable() - under_way, now.instrument.max_quantity))
    if quantity < now.instrument.min_quantity:
        plan.retry["exit"] = now.at + FIRST_RETRY
        return []
    plan.exits += 1
    return [selling(plan, now, _purpose(plan), intent=Intent.EXIT, quantity=quantity)]


def put_off(plan: Plan, at: int) -> None:
    """Do not try to sell again for a moment; longer each time, but never for long."""
    plan.retry["exit"] = at + min(FIRST_RETRY * 2 ** min(plan.failed("exit") - 1, 5), LONGEST_RETRY)


def over(plan: Plan, now: Moment) -> bool:
    """Whether nothing of the plan is left: flat, and no order that could still change that."""
    if now.sellable() > 0:
        return False
    ended = plan.entered_at or plan.leaving or now.at >= plan.announced_at + now.settings.window
    return bool(ended) and not any(_matters(record) for record in now.mine(plan))


def _matters(record: OrderRecord) -> bool:
    # An exit that got lost cannot open anything; it is no reason to keep a flat plan.
    return not (record.reduces and record.state is OrderState.UNKNOWN)


def closing_line(plan: Plan, now: Moment) -> Wish:
    """Return the last line of the story."""
    if not plan.entered_at:
        if plan.leaving:
            return plan.story(now.at, "expired", f"no entry: {plan.leaving}")
        return plan.story(now.at, "expired", "no entry: the window passed")
    position = now.view.position(plan.venue, plan.symbol)
    profit = (position.realized - plan.realized_before) - (position.fees - plan.fees_before)
    held_for = format_duration(now.at - plan.entered_at)
    rest = f", {decimal_text(now.held)} left as dust" if now.held > 0 else ""
    return plan.story(now.at, "closed", f"{_by(plan, now)} after {held_for}: {float(profit):+.2f} after fees{rest}")


def _by(plan: Plan, now: Moment) -> str:
    stopped = now.latest(f"{plan.base}/stop/{plan.stops}") if plan.stops else None
    trailed = now.latest(f"{plan.base}/trail/{plan.raises}") if plan.raises else None
    if trailed is not None and trailed.filled > 0:
        return "trailing stop"
    if stopped is not None and stopped.filled > 0:
        return "stop loss"
    return plan.leaving or "sold from outside the plan"


def _purpose(plan: Plan) -> str:
    return f"{plan.base}/exit/{plan.exits}"
