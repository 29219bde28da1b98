"""The entries: half of the notional while the announcement is young, the rest later.

An order whose fate is unclear is never followed by another: only an entry that is proven
to have bought nothing may be tried again.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.orders import ENTRY_INTENTS, Intent, OrderKind, OrderState, Proposal, Side
from engine.model.restraints import Level
from engine.model.sizing import quantity_for
from engine.model.time import SECOND
from engine.strategies.depth import expected_slippage_bps
from engine.strategies.event_breakout.plan import STRATEGY, Leg, Moment, Plan
from engine.strategies.trade import LONGEST_RETRY, Wish, can_cancel, cancelling, mid_of

OLDEST_QUOTE = 5 * SECOND
"""An entry on an older price would chase what may be gone."""
_SIZES = {"first": "the first half", "second": "the second half", "whole": "the whole size"}
MOST_REJECTIONS = 3
"""The venue may reject an entry this often before the plan believes it."""


def above_trigger(plan: Plan, mid: float, trigger_bps: float) -> bool:
    """Whether the price has broken out, inclusive."""
    reference = float(plan.reference)
    return mid >= reference * (1.0 + trigger_bps / 10_000.0) * (1.0 - 1e-12)


def next_leg(plan: Plan, now: Moment) -> str:
    """Return which entry would be next at this instant: first, second, whole, or none of them (empty)."""
    if plan.leaving or now.at >= plan.announced_at + now.settings.window:
        return ""
    early = now.at < plan.announced_at + now.settings.half_size
    if not plan.legs:
        return "first" if early else "whole"
    only = plan.legs[0]
    if len(plan.legs) == 1 and only.name == "first" and only.ended and not early and now.held > 0:
        return "second"
    return ""


def follow(plan: Plan, now: Moment) -> list[Wish]:
    """Take over what became of the entries since the last look."""
    story: list[Wish] = []
    for leg in tuple(plan.legs):
        if leg.ended:
            continue
        record = now.latest(leg.purpose)
        if record is None:
            plan.legs.remove(leg)
            plan.put_off_entry(now.at)
            continue
        # An entry that follows the market is several orders, one after the other.
        came_to = now.orders.progress(STRATEGY, leg.purpose)
        leg.filled, leg.average = came_to.filled, came_to.average_price
        if leg.filled > 0 and not plan.entered_at:
            plan.entered_at = now.at
            plan.peak = float(leg.average) if now.quote is None else now.quote.bid
        if not came_to.ended:
            continue
        leg.ended = True
        if leg.filled > 0:
            story.append(plan.story(now.at, "entered", _entered_text(plan, leg)))
        else:
            plan.legs.remove(leg)
            plan.put_off_entry(now.at)
            if record.state is OrderState.REJECTED and plan.failed("rejected") >= MOST_REJECTIONS:
                plan.leaving = plan.leaving or f"the venue would not take an entry ({record.reason})"
    return story


def enter(plan: Plan, now: Moment) -> list[Wish]:
    """Return the entry that is due, if the price is above its trigger and nothing speaks against proposing."""
    name = next_leg(plan, now)
    quote, instrument = now.quote, now.instrument
    if not name or quote is None or instrument is None or not now.settings.enabled or not plan.may("entry", now.at):
        return []
    if now.at - quote.received_at > OLDEST_QUOTE:
        return []
    if not above_trigger(plan, (quote.bid + quote.ask) / 2.0, now.settings.trigger_bps):
        return []
    if now.view.level(plan.venue, plan.symbol, Intent.ENTRY.value) is Level.HALTED:
        return []
    if now.somebody_else(plan):
        plan.put_off_entry(now.at)
        return []
    sized = now.view.sized(plan.venue, plan.symbol, now.settings.notional)
    notional = sized.notional if name == "whole" else sized.notional / 2
    quantity = quantity_for(notional, Decimal(str(quote.ask)), instrument)
    if quantity <= 0:
        plan.leaving = f"{decimal_text(notional)} is less than the venue's minimum"
        return []
    if now.settings.dry_run:
        return _rehearsed(plan, now, name, quantity)
    leg = Leg(name=name, purpose=f"{plan.base}/entry/{name}", why=sized.why)
    plan.legs.append(leg)
    return [_proposal(plan, now, leg, quantity)]


def _rehearsed(plan: Plan, now: Moment, name: str, quantity: Decimal) -> list[Wish]:
    """Say once what would have been bought."""
    plan.retry["entry"] = now.at + LONGEST_RETRY
    if plan.entered_at or "rehearsed" in plan.told:
        return []
    plan.told.append("rehearsed")
    assert now.quote is not None
    text = f"dry run: would buy {_SIZES[name]}, {decimal_text(quantity)} at {now.quote.ask:.8g}"
    return [plan.story(now.at, "rehearsed", text)]


def withdraw(plan: Plan, now: Moment) -> list[Wish]:
    """Take back what still buys where entries are switched off, and give the plan up if it holds nothing."""
    if now.settings.enabled and not now.settings.dry_run:
        return []
    why = "EVENT_BREAKOUT_DRY_RUN is on" if now.settings.enabled else "EVENT_BREAKOUT_ENABLED is off"
    buying = [record for record in now.mine(plan) if record.intent in ENTRY_INTENTS]
    if not buying and not plan.entered_at and not now.settings.enabled:
        # With an entry on its way back it is not over: what that may have bought wants its stop, not a sale at once.
        plan.leaving = plan.leaving or why
    return [cancelling(record, why) for record in buying if can_cancel(record)]


def _proposal(plan: Plan, now: Moment, leg: Leg, quantity: Decimal) -> Proposal:
    assert now.quote is not None
    _, asks = now.view.depth(plan.venue, plan.symbol)
    mid = (now.quote.bid + now.quote.ask) / 2.0
    reference = float(plan.reference)
    facts = [("order_late_chase_bps", (now.quote.ask - reference) / reference * 10_000.0)]
    slippage = expected_slippage_bps(asks, float(quantity), mid)
    # Without enough depth to tell, the fact is missing, and the rule that needs it refuses.
    if slippage is not None:
        facts.append(("order_expected_slippage_bps", slippage))
    return Proposal(
        proposer=STRATEGY, purpose=leg.purpose, intent=Intent.ENTRY, venue=plan.venue, symbol=plan.symbol,
        side=Side.BUY, kind=OrderKind.MARKET, quantity=quantity, reference_price=mid_of(now.quote),
        facts=tuple(facts), account=now.view.account,
    )


def refused(plan: Plan, at: int, purpose: str) -> None:
    """Policy refused the entry: forget it and wait longer each time."""
    plan.legs[:] = [leg for leg in plan.legs if leg.purpose != purpose]
    plan.put_off_entry(at)


def _entered_text(plan: Plan, leg: Leg) -> str:
    over = (float(leg.average) / float(plan.reference) - 1.0) * 10_000.0
    sized = f"; {leg.why}" if leg.why else ""
    bought = f"bought {_SIZES[leg.name]}: {decimal_text(leg.filled)} at {float(leg.average):.8g}"
    return f"{bought}, {over:+.0f} bps from the reference{sized}"
