"""Which order protects a position, which one only stands beside it, and which one must go.

A stop counts when the venue is known to hold it, it is on the side that closes, it covers
all that is held, and nothing proves that it is gone. Triggered, it is on its way to being
a fill, and whoever waits for that fill watches the clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderKind, OrderState
from engine.model.reports import OrderReport
from engine.model.time import MINUTE
from engine.risk.stops_watch import PROPOSER, Moment, Watch

WORD = 5 * MINUTE
"""So long the venue's word that there is a stop stands for one that no list and no lookup shows."""
_OPEN = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED})


def is_stop(record: OrderRecord) -> bool:
    """Whether `record` is a stop that can only make a position smaller."""
    return record.kind is OrderKind.STOP_MARKET and record.reduces


def stands(record: OrderRecord, watch: Watch) -> bool:
    """Whether `record` is a stop that the venue is known to hold, and nothing proves that it no longer does."""
    doubt = watch.doubts.get(record.client_id)
    return is_stop(record) and record.working and (doubt is None or not doubt.gone)


def covers(record: OrderRecord, watch: Watch, held: Decimal) -> bool:
    """Whether `record`, if it stands, closes all of a position of `held` (base) on the watch's side."""
    if record.side is not watch.side:
        return False
    return record.close_position or (record.quantity is not None and record.quantity - record.filled >= held)


def covering(watch: Watch, now: Moment) -> list[OrderRecord]:
    """Return the stops that protect the whole position, the one that protects best last."""
    found = [one for one in now.records if stands(one, watch) and covers(one, watch, now.held)]
    return sorted(found, key=lambda one: (_nearness(one, watch), one.number))


def tightest(records: Iterable[OrderRecord], watch: Watch) -> Decimal | None:
    """Return the trigger that the price meets first, of those on the right side."""
    of_side = [one for one in records if one.side is watch.side and one.trigger_price is not None]
    return max(of_side, key=lambda one: _nearness(one, watch)).trigger_price if of_side else None


def _nearness(record: OrderRecord, watch: Watch) -> Decimal:
    return (record.trigger_price or Decimal(0)) * watch.sign


def report_covers(report: OrderReport, watch: Watch, held: Decimal) -> bool:
    """Whether an order that the venue lists is an open stop that protects a position of `held`."""
    if not (report.conditional and report.kind is OrderKind.STOP_MARKET and report.state in _OPEN):
        return False
    if report.side is not watch.side or not (report.reduce_only or report.close_position):
        return False
    return report.close_position or (report.remaining is not None and report.remaining >= held)


def vouched(watch: Watch, at: int) -> bool:
    """Whether the venue's word, or its last report, stands for a stop that our own orders do not show."""
    return bool(watch.reported) or (watch.word_at > 0 and at < watch.word_at + 2 * WORD)


def surplus(watch: Watch, now: Moment) -> list[OrderRecord]:
    """Return the stops that must not be: on a flat symbol all; else what is not the one, nor a strategy's own.

    Of several on the whole position the strategy's newest stays: it is the one that is moved.
    What is being placed, taken back or in doubt is left alone until its fate is known.
    """
    stops = [one for one in now.records if stands(one, watch) and not one.cancel_asked]
    if not watch.sign:
        # An entry that may still fill would stand without them.
        return [] if any(not one.reduces for one in now.records) else stops
    whole = [one for one in stops if covers(one, watch, now.held)]
    keeper = max(whole, key=_rank, default=None)
    if keeper is None:
        # Nothing is taken away while nothing else protects; not even what is on the wrong side.
        return []
    return [
        one for one in stops
        if one is not keeper and (one.side is not watch.side or one.close_position or not _follows(one))
    ]


def _rank(record: OrderRecord) -> tuple[bool, bool, int]:
    return record.close_position, _follows(record), record.number


def _follows(record: OrderRecord) -> bool:
    """Whether `record` belongs to a strategy, which moves it."""
    return record.proposer != PROPOSER and not record.foreign


def leaving(now: Moment) -> bool:
    """Whether orders that close all that is held were sent, not longer ago than the grace."""
    under_way = sum(
        (one.may_fill() for one in now.records
         if one.reduces and (one.kind is OrderKind.MARKET or one.immediate)
         and one.intent in (Intent.EXIT, Intent.FLATTEN)
         and now.at < one.sent_at + now.settings.grace),
        Decimal(0),
    )
    return under_way >= now.held
