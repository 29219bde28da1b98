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
from engine.strategies.trade import Glance, Trade, Wish, can_cancel, cancelling, selling

FIRST_RETRY, LONGEST_RETRY = 1 * SECOND, 30 * SECOND
PATIENCE = 1 * SECOND
"""How long the venue gets to end the orders of a position that is closed."""


def time_stop(trade: Trade, now: Glance, longest: int) -> list[Wish]:
    """Begin to leave when the position is older than `longest` (ns)."""
    if trade.leaving or not trade.entered_at or now.at < trade.entered_at + longest:
        return []
    trade.leaving = "time stop"
    text = f"held for {format_duration(now.at - trade.entered_at)}: selling at market"
    return [trade.story(now.at, "timed_out", text)]


def leave(trade: Trade, now: Glance) -> list[Wish]:
    """Return what is next on the way out; nothing while it waits for answers."""
    if "leaving" not in trade.told:
        trade.told.append("leaving")
        told = _tell_leaving(trade, now)
    else:
        told = []
    if now.sellable() <= 0:
        return [*told, *_sweep(trade, now)]
    keep = (Intent.STOP, Intent.EXIT)
    cancels = [
        cancelling(record, trade.leaving) for record in now.mine(trade)
        if can_cancel(record) and record.intent not in keep
    ]
    return [*told, *cancels, *_sell(trade, now)]


def _sweep(trade: Trade, now: Glance) -> list[Wish]:
    """Take back what is left of a flat trade: what could still buy at once, the rest when the venue has not."""
    left = [record for record in now.mine(trade) if can_cancel(record)]
    if left and "flat" not in trade.told:
        # Venues end what only an open position needs by themselves; asking too would race them.
        trade.told.append("flat")
        trade.retry["sweep"] = now.at + PATIENCE
    due = trade.may("sweep", now.at)
    why = trade.leaving or "the position is closed"
    return [cancelling(record, why) for record in left if due or not record.reduces]


def _tell_leaving(trade: Trade, now: Glance) -> list[Wish]:
    if not trade.leaving or trade.leaving == "time stop" or now.held <= 0:
        return []
    return [trade.story(now.at, "leaving", f"{trade.leaving}: selling at market")]


def _sell(trade: Trade, now: Glance) -> list[Wish]:
    record = now.orders.latest(trade.strategy, _purpose(trade)) if trade.exits else None
    if record is not None and record.live:
        return []
    sold = now.orders.progress(trade.strategy, _purpose(trade)).filled
    if record is not None and sold <= 0 and f"{record.purpose} failed" not in trade.told:
        trade.told.append(f"{record.purpose} failed")
        put_off(trade, now.at)
    if not trade.may("exit", now.at):
        return []
    assert now.instrument is not None
    # What other exits (a rule's target) are selling already must not be sold twice.
    others = now.orders.live(trade.venue, trade.symbol)
    under_way = sum((other.may_fill() for other in others if other.side is Side.SELL), Decimal(0))
    quantity = now.instrument.floor_quantity(min(now.sellable() - under_way, now.instrument.max_quantity))
    if quantity < now.instrument.min_quantity:
        trade.retry["exit"] = now.at + FIRST_RETRY
        return []
    trade.exits += 1
    return [selling(trade, now, _purpose(trade), intent=Intent.EXIT, quantity=quantity)]


def put_off(trade: Trade, at: int) -> None:
    """Do not try to sell again for a moment; longer each time, but never for long."""
    trade.retry["exit"] = at + min(FIRST_RETRY * 2 ** min(trade.failed("exit") - 1, 5), LONGEST_RETRY)


def nothing_left(trade: Trade, now: Glance) -> bool:
    """Whether the trade is flat and has no order that could still change that."""
    return now.sellable() <= 0 and not any(_matters(record) for record in now.mine(trade))


def _matters(record: OrderRecord) -> bool:
    # An exit that got lost cannot open anything; it is no reason to keep a flat trade.
    return not (record.reduces and record.state is OrderState.UNKNOWN)


def closed_text(trade: Trade, now: Glance, how: str) -> str:
    """Return the last line of the story of a trade that held something and ended by `how`."""
    position = now.view.position(trade.venue, trade.symbol)
    profit = (position.realized - trade.realized_before) - (position.fees - trade.fees_before)
    held_for = format_duration(now.at - trade.entered_at)
    rest = f", {decimal_text(now.held)} left as dust" if now.held > 0 else ""
    return f"{how} after {held_for}: {float(profit):+.2f} after fees{rest}"


def _purpose(trade: Trade) -> str:
    return f"{trade.base}/exit/{trade.exits}"
