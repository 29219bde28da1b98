"""From what a venue says to what we believe of a stop.

A list proves presence and never absence: one that lacks a stop is the reason to ask for it
by its id. Only several of both in a row, at least one of them such a lookup, and no sign of
life between them, make it gone. A failed query is no evidence. What is seen again after it
was believed gone counts again; the one that was placed in its stead is then one too many.
"""

from __future__ import annotations

from engine.model.answers import AccountReported, OrderAbsent, OrderFound, QueryFailed
from engine.model.events import OrderAccepted, OrderCancelled, OrderFilled, OrderRejected, OrderTriggered
from engine.model.ledger import OrderRecord
from engine.model.orders import OrderState
from engine.model.reports import Query
from engine.model.time import SECOND
from engine.risk.stops_cover import is_stop, report_covers
from engine.risk.stops_watch import PROPOSER, Doubt, Moment, Watch

BETWEEN_LOOKUPS = 2 * SECOND
"""Two lookups sooner than this are one piece of evidence: what a venue forgot for an instant is still forgotten."""
NO_ANSWER = 10 * SECOND
"""A lookup that was not answered is asked again after this."""
_OPEN = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED})


def client_id_of(event: object) -> str:
    """Return the client id of the order that `event` is about, or an empty string."""
    if isinstance(event, OrderFilled):
        return event.fill.client_id
    if isinstance(event, QueryFailed):
        return event.client_id if event.query is Query.ORDER else ""
    return str(getattr(event, "client_id", ""))


def weigh(watch: Watch, record: OrderRecord, event: object, at: int) -> None:
    """Take what was said of one order of the watch's symbol; the ledger has taken it already."""
    if not is_stop(record):
        return
    if isinstance(event, OrderRejected) and record.purpose == watch.purpose and record.proposer == PROPOSER:
        watch.refused_as = event.kind.value
    if isinstance(event, OrderTriggered):
        watch.triggered.setdefault(record.client_id, at)
    if isinstance(event, OrderCancelled | OrderFilled) and record.close_position and record.state.final:
        # It may have been the one that the venue meant.
        watch.word_at = 0
    if isinstance(event, OrderAccepted | OrderTriggered | OrderFilled):
        prove(watch, record.client_id, at)
    elif isinstance(event, OrderFound):
        _found(watch, record, event, at)
    elif isinstance(event, OrderAbsent) and event.conditional:
        _absent(watch, record, at)
    elif isinstance(event, QueryFailed) and record.client_id in watch.doubts:
        watch.doubts[record.client_id].ask_at = at + BETWEEN_LOOKUPS


def prove(watch: Watch, client_id: str, at: int) -> None:
    """Note that the venue showed the stop `client_id` at `at`: whatever spoke against it is void."""
    watch.doubts.pop(client_id, None)
    if client_id == watch.stop:
        watch.proven_at = max(watch.proven_at, at)


def _found(watch: Watch, record: OrderRecord, event: OrderFound, at: int) -> None:
    if event.report.state in _OPEN:
        prove(watch, record.client_id, at)
        return
    if record.working and not watch.triggered.get(record.client_id):
        # It ended, and the stream did not say so.
        doubt = watch.doubts.setdefault(record.client_id, Doubt(since=at))
        doubt.gone = True


def _absent(watch: Watch, record: OrderRecord, at: int) -> None:
    doubt = watch.doubts.get(record.client_id)
    if doubt is None or doubt.gone or at < doubt.counted_at + BETWEEN_LOOKUPS:
        return
    doubt.counted_at = at
    doubt.lookups += 1
    doubt.ask_at = at + BETWEEN_LOOKUPS


def convict(watch: Watch, confirmations: int) -> None:
    """Believe of the stops with enough evidence against them that they are gone."""
    for doubt in watch.doubts.values():
        doubt.gone = doubt.gone or (doubt.lookups > 0 and doubt.lists + doubt.lookups >= confirmations)


def compare(watch: Watch, event: AccountReported, now: Moment) -> None:
    """Hold the stops of an open position to what the venue lists, or note that nothing is held there."""
    reports = [one for one in event.orders if one.symbol == watch.symbol]
    held = any(one.symbol == watch.symbol and one.quantity != 0 for one in event.positions)
    if not watch.sign:
        watch.flat_at = 0 if held else max(watch.flat_at, event.as_of)
        return
    by_name = {one.client_id: one for one in reports if one.client_id}
    by_number = {one.venue_order_id: one for one in reports if one.venue_order_id}
    for record in now.records:
        if not (is_stop(record) and record.working) or record.client_id in watch.triggered:
            continue
        if record.moved_at >= event.as_of:
            # It came while the question was on its way.
            continue
        listed = by_name.get(record.client_id) or by_number.get(record.venue_order_id)
        if listed is not None and listed.state in _OPEN:
            prove(watch, record.client_id, event.as_of)
        else:
            _unlisted(watch, record, now.at)
    ours = {record.venue_order_id for record in now.records} | {record.client_id for record in now.records}
    strangers = [
        one for one in reports
        if now.orders.order(one.client_id) is None and one.venue_order_id not in ours
        and f"foreign-{one.venue_order_id}" not in ours and report_covers(one, watch, now.held)
    ]
    best = max(strangers, key=lambda one: (one.trigger_price or 0) * watch.sign, default=None)
    watch.reported = "" if best is None else best.client_id or best.venue_order_id
    watch.reported_trigger = None if best is None else best.trigger_price


def _unlisted(watch: Watch, record: OrderRecord, at: int) -> None:
    doubt = watch.doubts.setdefault(record.client_id, Doubt(since=at, ask_at=at))
    doubt.lists += 1
    if not doubt.gone:
        doubt.ask_at = max(doubt.ask_at, doubt.counted_at + BETWEEN_LOOKUPS) if doubt.counted_at else at


def lookups_due(watch: Watch, at: int) -> list[str]:
    """Return the stops that are to be looked up now, and note that they were."""
    due = [name for name, doubt in watch.doubts.items() if not doubt.gone and doubt.ask_at <= at]
    for name in due:
        watch.doubts[name].ask_at = at + NO_ANSWER
    return due


def forget_ended(watch: Watch, now: Moment) -> None:
    """Drop what was noted of stops that are over: filled, or doubted and since known to have ended."""
    for name in tuple(watch.doubts):
        record = now.orders.order(name)
        if record is None or record.state.final:
            del watch.doubts[name]
    for name in tuple(watch.triggered):
        record = now.orders.order(name)
        if not watch.sign or record is None or record.state is OrderState.FILLED:
            del watch.triggered[name]
    for name in tuple(watch.swept):
        record = now.orders.order(name)
        if record is None or not record.live:
            del watch.swept[name]
