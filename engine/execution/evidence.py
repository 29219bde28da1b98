"""What a venue's report of one order proves about our record of it.

A report says how things stood when the question arrived there. What is final stays
final; what is open may be over by now; what is executed is executed, whether or not its
fills have reached us.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.execution.lifecycle import Sign
from engine.model.codec import plain
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderKind, OrderState
from engine.model.reports import OrderReport

_SIGNS = {
    OrderState.OPEN: Sign.ACCEPTED, OrderState.PARTLY_FILLED: Sign.ACCEPTED, OrderState.FILLED: Sign.FILLED_WHOLE,
    OrderState.CANCELLED: Sign.CANCELLED, OrderState.REJECTED: Sign.REJECTED, OrderState.EXPIRED: Sign.EXPIRED,
}
CAME_TO_NOTHING = frozenset({OrderState.REJECTED, OrderState.WITHHELD, OrderState.ABANDONED})
"""The ends after which an order can only appear against what was proven: an incident."""
PREFIX = "rb-"
"""How the client ids of every run of this engine begin."""


def sign_of(report: OrderReport) -> Sign:
    """Return what `report` says of the state. A state that a report cannot have is no more than uncertain."""
    if report.conditional and report.child_id and not report.state.final:
        return Sign.TRIGGERED
    return _SIGNS.get(report.state, Sign.UNCERTAIN)


def executed(report: OrderReport) -> Decimal:
    """Return what was executed, in base: all of an order that is filled, whatever the sum beside it says."""
    if report.state is OrderState.FILLED and report.quantity is not None:
        return max(report.executed, report.quantity)
    return report.executed


def applied(record: OrderRecord, report: OrderReport) -> OrderRecord:
    """Return `record` with what `report` adds to it, its state excepted."""
    beyond = max(executed(report) - record.filled, Decimal(0))
    # The venue's last word on an order that is over is exact; a look in between may be older than what we know.
    unseen = beyond if report.state.final else max(beyond, record.unseen)
    triggered_at = record.triggered_at
    if report.conditional and report.child_id:
        triggered_at = triggered_at or report.updated_at
    return replace(
        record, unseen=plain(unseen), triggered_at=triggered_at,
        venue_order_id=record.venue_order_id or report.venue_order_id,
        reason=report.reason if report.state.final and report.reason else record.reason,
    )


def protects(record: OrderRecord) -> bool:
    """Whether `record` is a stop that the venue is known to hold."""
    return record.intent is Intent.STOP and record.working


def contradicts(record: OrderRecord, report: OrderReport) -> bool:
    """Whether an order that was proven to be nothing is, or was, something."""
    return record.state in CAME_TO_NOTHING and (not report.state.final or executed(report) > record.filled)


def stranger_record(report: OrderReport, *, account: str, at: int, number: int) -> OrderRecord:
    """Return a record of an order that was found at the venue and that we know nothing else of."""
    name = report.client_id or f"foreign-{report.venue_order_id}"
    return OrderRecord(
        client_id=name, number=number, proposer="foreign", purpose=f"found/{name}", account=account,
        venue=report.venue, symbol=report.symbol, side=report.side, kind=report.kind, intent=_intent(report),
        quantity=None if report.quantity is None else plain(report.quantity),
        limit_price=None if report.limit_price is None else plain(report.limit_price),
        trigger_price=None if report.trigger_price is None else plain(report.trigger_price),
        reduce_only=report.reduce_only, close_position=report.close_position, replaces=None, sent_at=at,
        moved_at=at, state=report.state, unseen=plain(report.executed), venue_order_id=report.venue_order_id,
        foreign=True,
    )


def _intent(report: OrderReport) -> Intent:
    if not (report.reduce_only or report.close_position):
        return Intent.ENTRY
    if report.kind is OrderKind.STOP_MARKET:
        return Intent.STOP
    return Intent.TAKE_PROFIT if report.kind is OrderKind.TAKE_PROFIT_MARKET else Intent.EXIT
