"""The take-profit ladder: a few resting orders above each entry, each for a share of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.orders import Intent
from engine.model.time import SECOND
from engine.strategies.event_breakout.plan import Leg, Moment, Plan
from engine.strategies.trade import Wish, selling

RETRY = 5 * SECOND
MOST_FAILURES = 3
"""A rung that fails this often is left out: it is a wish, not a protection."""


def harvest(plan: Plan, now: Moment) -> list[Wish]:
    """Keep every rung of every ended entry in the book, and tell of those that were sold."""
    wishes: list[Wish] = []
    for leg in plan.legs:
        if leg.ended:
            left = leg.filled
            for rung, pct in enumerate(now.settings.rung_pcts, start=1):
                quantity = _share(leg, now, left)
                left -= quantity
                wishes += _rung(plan, now, f"{plan.base}/tp{rung}/{leg.name}", quantity, leg.average * (1 + pct / 100))
    return wishes


def tell(plan: Plan, now: Moment) -> list[Wish]:
    """Return a line for every rung that was sold since the last look."""
    story: list[Wish] = []
    for leg in plan.legs:
        for rung, pct in enumerate(now.settings.rung_pcts, start=1):
            purpose = f"{plan.base}/tp{rung}/{leg.name}"
            record = now.latest(purpose)
            if record is None or record.live or record.filled <= 0 or purpose in plan.told:
                continue
            plan.told.append(purpose)
            sold = f"sold {decimal_text(record.filled)} at {float(record.average_price):.8g}"
            text = f"rung {rung} (+{float(pct):g} %): {sold}"
            story.append(plan.story(now.at, "took_profit", text))
    return story


def _share(leg: Leg, now: Moment, left: Decimal) -> Decimal:
    if now.instrument is None:
        return Decimal(0)
    quantity = now.instrument.floor_quantity(min(leg.filled * now.settings.rung_share_pct / 100, left))
    return quantity if quantity >= now.instrument.min_quantity else Decimal(0)


def _rung(plan: Plan, now: Moment, purpose: str, quantity: Decimal, price: Decimal) -> list[Wish]:
    if quantity <= 0 or now.instrument is None or not plan.may("tp", now.at):
        return []
    record = now.latest(purpose)
    if record is not None and (record.live or record.filled > 0 or record.cancel_asked):
        return []
    if record is not None:
        if plan.failures.get(purpose, 0) >= MOST_FAILURES:
            return []
        plan.failed(purpose)
        plan.retry["tp"] = now.at + RETRY
    order = selling(plan, now, purpose, intent=Intent.TAKE_PROFIT, quantity=quantity)
    return [replace(order, limit_price=now.instrument.price_up(price))]
