"""The stop on the whole position: placed with the first fill, never taken back while anything is held.

It closes whatever is open, so it needs no quantity and stays right while an entry goes on filling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderState
from engine.model.reports import Rejection
from engine.model.time import SECOND
from engine.strategies.trade import Glance, Trade, Wish, selling

DOUBT = 5 * SECOND
"""A stop whose fate is unclear for this long does not count as one."""
RETRY = 1 * SECOND
MOST_FAILURES = 3
"""After so many stops in a row that came to nothing, the position is sold: unprotected is worse."""
Price = Callable[[], Decimal]
"""Where the stop belongs now, on the tick."""


def keep_whole(trade: Trade, now: Glance, price: Price) -> list[Wish]:
    """Keep a stop on the whole position; may set `trade.leaving` when none can be had."""
    record = whole(trade, now)
    if record is None:
        return _place(trade, now, price) if trade.may("stop", now.at) else []
    if record.working:
        return _acknowledged(trade, now, record)
    if record.state is OrderState.UNKNOWN:
        return _doubted(trade, now, record, price)
    if not record.state.final:
        return []
    if record.filled > 0:
        trade.leaving = trade.leaving or "the stop left a remainder"
        return []
    return _lost(trade, now, record, price)


def whole(trade: Trade, now: Glance) -> OrderRecord | None:
    """Return the last stop on the whole position, or None before the first."""
    return now.orders.latest(trade.strategy, f"{trade.base}/stop/{trade.stops}") if trade.stops else None


def _place(trade: Trade, now: Glance, price: Price) -> list[Wish]:
    trade.stops += 1
    order = selling(trade, now, f"{trade.base}/stop/{trade.stops}", intent=Intent.STOP, quantity=None)
    return [replace(order, trigger_price=price())]


def _acknowledged(trade: Trade, now: Glance, record: OrderRecord) -> list[Wish]:
    trade.failures.pop("stop", None)
    remember(trade, record)
    if "protected" in trade.told:
        return []
    trade.told.append("protected")
    text = f"stop on the whole position at {price_text(record)}"
    if now.average > 0 and record.trigger_price is not None:
        below = float((now.average - record.trigger_price) / now.average * 100)
        text += f", {below:.3g} % below {float(now.average):.8g}"
    return [trade.story(now.at, "protected", text)]


def _doubted(trade: Trade, now: Glance, record: OrderRecord, price: Price) -> list[Wish]:
    due = record.moved_at + DOUBT
    if now.at < due:
        trade.retry["stop"] = due
        return []
    # A second stop on the whole position cannot add risk, so here doubt may be answered by acting.
    return _place(trade, now, price)


def _lost(trade: Trade, now: Glance, record: OrderRecord, price: Price) -> list[Wish]:
    """The stop was rejected, cancelled or withheld while something is held."""
    if record.state is OrderState.REJECTED and breached(record, now):
        trade.leaving = trade.leaving or f"the price is through the stop at {price_text(record)}"
        return []
    if record.rejection is Rejection.CLOSE_EXISTS:
        # One stands already: of ours, with its answer lost, or the validator's, which also sees to it that it stays.
        remember(trade, record)
        return []
    if not trade.may("stop", now.at):
        return []
    failures = trade.failed("stop")
    if failures > MOST_FAILURES:
        trade.leaving = trade.leaving or f"no stop to be had ({record.reason})"
        return []
    trade.retry["stop"] = now.at + RETRY * failures
    return _place(trade, now, price)


def breached(record: OrderRecord, now: Glance) -> bool:
    """Whether the venue would not take the stop because it would trigger at once."""
    if "trigger" in f"{record.code} {record.reason}".lower():
        return True
    bid = None if now.quote is None else Decimal(str(now.quote.bid))
    return bid is not None and record.trigger_price is not None and bid <= record.trigger_price


def remember(trade: Trade, record: OrderRecord) -> None:
    """Note the trigger that a stop was taken with: the next may not be lower."""
    if record.trigger_price is not None:
        trade.best_stop = max(trade.best_stop, record.trigger_price)


def price_text(record: OrderRecord) -> str:
    """Return the trigger price of `record` for people."""
    return "?" if record.trigger_price is None else decimal_text(record.trigger_price)
