"""The take-profit orders of an open position: remembered, and placed again where they were lost.

A wish, not a protection: where it cannot be had again it is given up without a word more
than the story's.
"""

from __future__ import annotations

from decimal import Decimal

from engine.model.codec import decimal_text
from engine.model.effects import PlanMade
from engine.model.instruments import Instrument
from engine.model.ledger import OrderRecord
from engine.model.orders import Intent, OrderKind, OrderState, Proposal
from engine.model.time import HOUR
from engine.model.wishes import Wish
from engine.risk.stops_cover import leaving
from engine.risk.stops_watch import PROPOSER, Moment, TakeProfit, Watch

_KINDS = frozenset({OrderKind.LIMIT, OrderKind.TAKE_PROFIT_MARKET})


def remember(watch: Watch, now: Moment) -> None:
    """Note the take-profit orders that the venue holds; one that was placed again takes its predecessor's place."""
    if not (watch.sign and now.settings.repair_tp):
        watch.takes.clear()
        return
    known = {one.client_id for one in watch.takes}
    for record in now.records:
        if _takes(record) and record.working and record.client_id not in known:
            watch.takes = [one for one in watch.takes if one.purpose != record.purpose]
            watch.takes.append(TakeProfit(client_id=record.client_id, purpose=record.purpose))


def retake(watch: Watch, now: Moment) -> list[Wish]:
    """Return the take-profit orders that are gone unfilled and that nobody placed again within the grace."""
    wishes: list[Wish] = []
    left: list[TakeProfit] = []
    for take in watch.takes:
        record = now.orders.order(take.client_id)
        if record is None or not _lost(record, now):
            if record is not None and not record.state.final:
                take.gone_at = 0
                left.append(take)
            continue
        take.gone_at = take.gone_at or now.at
        if now.at < take.gone_at + now.settings.grace:
            left.append(take)
            continue
        wishes += _again(watch, now, record)
    watch.takes = left
    return wishes


def _takes(record: OrderRecord) -> bool:
    return record.intent is Intent.TAKE_PROFIT and record.reduces and record.kind in _KINDS


def _lost(record: OrderRecord, now: Moment) -> bool:
    """Whether `record` ended unfilled, against our will, and nothing stands in its place."""
    if not record.state.final or record.state is OrderState.FILLED or record.cancel_asked:
        return False
    again = [
        one for one in now.records
        if _takes(one) and (one.purpose == record.purpose or _price(one) == _price(record))
    ]
    return not again


def _price(record: OrderRecord) -> Decimal | None:
    return record.limit_price if record.kind is OrderKind.LIMIT else record.trigger_price


def _again(watch: Watch, now: Moment, record: OrderRecord) -> list[Wish]:
    watch.takes_repaired = [one for one in watch.takes_repaired if now.at - one < HOUR]
    out = watch.closing or leaving(now) or len(watch.takes_repaired) >= now.settings.budget
    quantity = Decimal(0) if now.instrument is None or out else _quantity(now, now.instrument, record)
    if quantity <= 0:
        return []
    watch.numbered += 1
    watch.takes_repaired.append(now.at)
    text = f"take-profit for {decimal_text(quantity)} at {decimal_text(_price(record) or Decimal(0))} placed again"
    story = PlanMade(at=now.at, strategy=PROPOSER, symbol=watch.symbol, state="retaking", text=text)
    return [story, Proposal(
        proposer=PROPOSER, purpose=f"{watch.symbol}/validator-tp/{watch.numbered}", intent=Intent.TAKE_PROFIT,
        venue=watch.venue, symbol=watch.symbol, side=watch.side, kind=record.kind, quantity=quantity,
        reference_price=now.reference(), limit_price=record.limit_price, trigger_price=record.trigger_price,
        reduce_only=True, account=now.view.account,
    )]


def _quantity(now: Moment, instrument: Instrument, record: OrderRecord) -> Decimal:
    """Return what is left to be sold of it: no more than is held and not offered already."""
    if record.quantity is None:
        return Decimal(0)
    offered = sum(
        (one.quantity - one.filled for one in now.records if _takes(one) and one.quantity is not None), Decimal(0)
    )
    quantity = instrument.floor_quantity(min(record.quantity - record.filled - record.unseen, now.held - offered))
    return quantity if quantity >= instrument.min_quantity else Decimal(0)
