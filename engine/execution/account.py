"""Orders and positions of one account: each thing that a venue says, taken for what it proves.

Whatever is unclear is a doubt that is looked into, and exposure until it is resolved.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.execution.client_ids import ClientIds
from engine.execution.contained import Contained
from engine.execution.doubts import Doubts, Where
from engine.execution.evidence import CAME_TO_NOTHING, applied, contradicts, protects, sign_of
from engine.execution.fills import booked, enriched
from engine.execution.incidents import Incidents
from engine.execution.ledger import Key, Ledger
from engine.execution.lifecycle import Sign, executed_but_unseen, state_after
from engine.execution.plan import already_served, cancel_of, found_record, order_of, record_of
from engine.execution.positions import Booking, Positions
from engine.execution.slippage import fill_samples, missed_samples
from engine.execution.unowned import Unowned
from engine.model.codec import Data, decimal_text, plain
from engine.model.effects import AskVenue, CancelOrder, Notify, PlaceOrder, PlanMade
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    OrderWithheld,
)
from engine.model.fills import Fill
from engine.model.ledger import OrderRecord
from engine.model.orders import Exposure, OrderKind, OrderState, Proposal, Side
from engine.model.reports import OrderReport
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms, Foreign
from engine.model.time import SECOND
from engine.model.wishes import Wish

Said = OrderAccepted | OrderRejected | OrderCancelled | CancelRejected | OrderTriggered | OrderWithheld | OrderUncertain
SIGNS: dict[type, Sign] = {
    OrderAccepted: Sign.ACCEPTED, OrderRejected: Sign.REJECTED, OrderCancelled: Sign.CANCELLED,
    CancelRejected: Sign.CANCEL_REJECTED, OrderTriggered: Sign.TRIGGERED, OrderWithheld: Sign.WITHHELD,
    OrderUncertain: Sign.UNCERTAIN,
}
_ENDED_WITH_REMAINDER = frozenset({OrderState.CANCELLED, OrderState.EXPIRED})
_UNANSWERED = frozenset({OrderState.INTENDED, OrderState.SENT, OrderState.CANCELLING})
RACE = SECOND
"""What we did or heard within this of a report may be missing from it."""


class Account:
    """What we know of our orders, fills and positions, and which of it is in doubt."""

    def __init__(self, terms: ExecutionTerms) -> None:
        self.terms = terms
        self.ids = ClientIds()
        self.ledger = Ledger()
        self.positions = Positions()
        self.asks = 0
        self.doubts = Doubts(terms, self.number, self.ledger.order)
        self.apart: dict[Key, Decimal] = {}
        """Positions at a venue that are not ours and not counted, in signed base."""
        self._contained, self._unowned = Contained(), Unowned()
        self.known_from: dict[str, int] = {}
        """Since when a venue is watched (ns): fills of strangers from before are in the first position it reports."""
        self.incidents = Incidents(self.ledger)
        self.touched: dict[Key, int] = {}
        """When we last did or heard something of a symbol (ns)."""
        self.news: list[str] = []
        """Client ids that the last event moved."""
        self.wishes: list[Wish] = []
        """What the last event led to; taken in the same step."""
        self.ended: list[Derived] = []
        """What the last event says of entries that are over; taken in the same step."""

    def number(self, ask: AskVenue) -> AskVenue:
        """Return `ask` with the next number, where it has none."""
        if ask.ask:
            return ask
        self.asks += 1
        return replace(ask, ask=self.asks)

    def exposure(self, account: str, venue: str, symbol: str) -> Exposure:
        """Return the position and what live orders may still add to either side, UNKNOWN ones included."""
        sums = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        for record in self.ledger.live(venue, symbol):
            if record.account == account:
                sums[record.side] += record.may_fill()
        position = self.positions.of(account, venue, symbol).quantity
        return Exposure(position=position, open_buys=sums[Side.BUY], open_sells=sums[Side.SELL])

    def all_live(self) -> list[OrderRecord]:
        """Return every live order, by venue and symbol, oldest first."""
        return [record for key in self.ledger.live_keys() for record in self.ledger.live(*key)]

    # What we do.

    def place(self, at: int, proposal: Proposal, policy_version: int) -> PlaceOrder | None:
        """Plan the order of an approved `proposal`; None where it would be a second helping."""
        if already_served(proposal, self.ledger.attempts(proposal.proposer, proposal.purpose)):
            return None
        client_id = self.ids.next()
        self.ledger.put(record_of(proposal, at=at, client_id=client_id, number=self.ids.issued))
        self.touched[proposal.venue, proposal.symbol] = at
        self.doubts.await_answer(client_id, at)
        return order_of(proposal, at=at, client_id=client_id, policy_version=policy_version)

    def remember(self, at: int, order: PlaceOrder) -> None:
        """Keep an order that left though its record was lost: it counts as exposure until its fate is proven."""
        if self.ledger.order(order.client_id) is None:
            number = self.ids.skip(order.client_id)
            self.ledger.put(found_record(order, at=at, number=number))
            self.touched[order.venue, order.symbol] = at
            self.doubts.begin(order.client_id, at)

    def cancel(self, at: int, client_id: str, why: str) -> CancelOrder | None:
        """Plan a cancel; None where it is under way, over, or would leave a position without its last stop."""
        record = self.ledger.order(client_id)
        if record is None or record.state.final or record.state is OrderState.CANCELLING:
            return None
        if record.state is OrderState.UNKNOWN and record.cancel_asked:
            return None
        if protects(record) and self._is_last_stop(record):
            return None
        self.touched[record.venue, record.symbol] = at
        self._settle(replace(record, cancel_asked=True), Sign.CANCEL_ASKED, at, news=False)
        return cancel_of(record, at=at, why=why)

    def _is_last_stop(self, record: OrderRecord) -> bool:
        """Whether cancelling `record` would leave an open position without an acknowledged stop."""
        if self.positions.of(record.account, record.venue, record.symbol).quantity == 0:
            return False
        others = self.ledger.live(record.venue, record.symbol)
        return not any(protects(other) for other in others if other.client_id != record.client_id)

    # What is said.

    def on_said(self, event: Said, at: int) -> None:
        """Take what a venue, or perform, said of one of our orders."""
        record = self.ledger.order(event.client_id)
        if record is None:
            return
        sign = SIGNS[type(event)]
        if isinstance(event, OrderCancelled) and event.reason == "expired":
            sign = Sign.EXPIRED
        if isinstance(event, OrderAccepted):
            record = replace(record, venue_order_id=event.venue_order_id)
        if isinstance(event, OrderTriggered):
            record = replace(record, triggered_at=record.triggered_at or event.venue_at)
        if isinstance(event, OrderRejected):
            record = replace(record, code=event.code, rejection=event.kind)
        if not isinstance(event, OrderAccepted | OrderTriggered) and not record.state.final:
            record = replace(record, reason=event.reason)
        if isinstance(event, OrderCancelled) and state_after(record, sign) in _ENDED_WITH_REMAINDER:
            record = replace(record, unseen=executed_but_unseen(record, event.remaining))
        self._settle(record, sign, at)

    def on_fill(self, event: OrderFilled, at: int, account: str) -> list[Derived]:
        """Count an execution, once; return the samples of one that was not known yet."""
        record = self.ledger.order(event.fill.client_id)
        fill = enriched(event.fill, record)
        key = (fill.venue, fill.symbol)
        if record is None and fill.venue_at < self.known_from.get(fill.venue, 0):
            return []
        if record is not None and self._unowned.take(fill):  # it is in the position already
            self._count(record, fill, event.remaining, at)
            return []
        owner = account if record is None else record.account
        aside = record is None and self._is_apart(owner, key)
        booking = self.positions.book(owner, fill, aside=aside)
        if booking is Booking.TOO_OLD:
            text = f"fill {fill.trade_id} on {fill.symbol} is older than every fill remembered: it was not counted"
            self.wishes.append(Notify(at=at, to="alert", rule="engine.fills", text=text))
        if booking in (Booking.KNOWN, Booking.TOO_OLD):
            return []
        self.touched[key] = at
        if aside:
            self._move_apart(key, fill.quantity * fill.side.sign)
        left = self.positions.of(owner, *key).quantity
        self.wishes.append(booked(fill, record, at, left))
        if record is None:
            if booking is Booking.COUNTED and not aside:
                self._unowned.add(fill)
            return []
        if booking is Booking.CONTAINED:
            fill = self._contained.less(fill)
        self._count(record, fill, event.remaining, at)
        self.wishes += self.incidents.undo(fill, self.positions.of(owner, *key))
        return fill_samples(fill, record) if booking is Booking.COUNTED else []

    def _is_apart(self, owner: str, key: Key) -> bool:
        """Whether a stranger's fill moves a position that is not ours, and not one that we hold or work on."""
        if key in self.apart:
            return True
        if self.terms.foreign_positions is Foreign.ADOPT or self.ledger.live(*key):
            return False
        return self.positions.of(owner, *key).quantity == 0

    def _move_apart(self, key: Key, signed: Decimal) -> None:
        self.apart[key] = plain(self.apart.get(key, Decimal(0)) + signed)
        if self.apart[key] == 0:
            del self.apart[key]

    def contain(self, record: OrderRecord, price: Decimal) -> None:
        """Count what `record` executed unseen as filled at `price`: it is in a position that was taken over."""
        self._contained.add(record.client_id, record.unseen)
        self.ledger.put(replace(
            record, filled=plain(record.filled + record.unseen), unseen=Decimal(0),
            cost=plain(record.cost + record.unseen * price),
        ))
        if record.state.final:
            self.doubts.end(record.client_id)

    def _count(self, record: OrderRecord, fill: Fill, remaining: Decimal | None, at: int) -> None:
        filled = record.filled + fill.quantity
        nothing_left = remaining is not None and remaining <= 0
        whole = filled >= record.quantity if record.quantity is not None else nothing_left
        # The venue may clip what reduces; what is left of such an order is nothing, not exposure.
        whole = whole or (record.reduces and nothing_left)
        counted = replace(
            record, filled=plain(filled), cost=plain(record.cost + fill.price * (filled - record.filled)),
            unseen=plain(max(record.unseen - fill.quantity, Decimal(0))),
        )
        self._settle(counted, Sign.FILLED_WHOLE if whole else Sign.FILLED_IN_PART, at)

    def on_report(self, record: OrderRecord, report: OrderReport, at: int) -> None:
        """Take the venue's own account of one order as evidence."""
        late = contradicts(record, report)
        moved = self._settle(applied(record, report), sign_of(report), at)
        if late and not self.incidents.known(moved.client_id):
            self.wishes += self.incidents.add(moved, at)
        if moved.unseen > 0:
            # Its fills are somewhere: they are fetched now, whether a stream would bring them or not.
            self.doubts.begin(moved.client_id, at, fetch=True)

    def uncertain(self, record: OrderRecord, why: str, at: int) -> None:
        """Nothing was heard of `record` for too long."""
        reason = record.reason if record.state.final else why
        self._settle(replace(record, reason=reason), Sign.UNCERTAIN, at)

    def prove_absent(self, record: OrderRecord, at: int) -> None:
        """Both books, the trades and the position have been asked: there is no such order."""
        reason = "absent from both books, the trades and the position"
        moved = self._settle(replace(record, reason=reason), Sign.ABSENT, at)
        text = f"{record.intent.value} {record.client_id} on {record.symbol} is given up: {reason}"
        self.wishes.append(Notify(at=at, to="digest", rule="engine.orders", text=text))
        self.wishes.append(PlanMade(
            at=at, strategy=record.proposer, symbol=record.symbol, state=moved.state.value, text=text
        ))

    def _settle(self, record: OrderRecord, sign: Sign, at: int, *, news: bool = True) -> OrderRecord:
        before, after = record.state, state_after(record, sign)
        if after is not before:
            record = replace(record, state=after, moved_at=at)
            self.touched[record.venue, record.symbol] = at
        self.ledger.put(record)
        self.ended += missed_samples(before, record, at)
        if news:
            self.news.append(record.client_id)
        if before in CAME_TO_NOTHING and after not in CAME_TO_NOTHING:
            self.wishes += self.incidents.add(record, at)
        self._look_after(record, sign, at, changed=after is not before)
        return record

    def _look_after(self, record: OrderRecord, sign: Sign, at: int, *, changed: bool) -> None:
        """Begin to doubt what `sign` leaves unclear, and end the doubt that it ends."""
        name = record.client_id
        if record.state.final:
            if record.unseen > 0:
                self.doubts.begin(name, at)
            else:
                self.doubts.end(name)
        elif record.state is OrderState.UNKNOWN or sign is Sign.CANCEL_REJECTED:
            self.doubts.begin(name, at)
        elif record.state in _UNANSWERED:
            if changed or self.doubts.of(name) is None:
                self.doubts.await_answer(name, at)
        elif record.unseen > 0:
            self.doubts.begin(name, at)
        elif sign is Sign.UNCERTAIN:
            pass
        elif record.kind is OrderKind.MARKET or record.immediate or record.triggered_at or record.cancel_asked:
            # It is to fill or to end by itself, or is about to be taken back again: silence is no answer.
            self.doubts.await_answer(name, at)
        else:
            self.doubts.end(name)

    def quiet(self, key: Key, as_of: int) -> bool:
        """Whether nothing of `key` happened so late that a report of `as_of` (ns) may lack it."""
        return self.touched.get(key, 0) < as_of - RACE

    def count_by_venue(self) -> dict[str, int]:
        """Return how many orders of unknown fate each venue has: those looked for, and those known to be UNKNOWN."""
        counts: dict[str, int] = {}
        for record in self.all_live():
            doubt = self.doubts.of(record.client_id)
            searched = doubt is not None and doubt.where is not Where.WAITING
            if record.state is OrderState.UNKNOWN or searched:
                counts[record.venue] = counts.get(record.venue, 0) + 1
        return counts

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "epoch": self.ids.epoch, "issued": self.ids.issued, "asks": self.asks, "orders": self.ledger.dump(),
            "fills": self.positions.dump(), "doubts": self.doubts.dump(),
            "apart": [[*key, decimal_text(quantity)] for key, quantity in sorted(self.apart.items())],
            "contained": self._contained.dump(), "unowned": self._unowned.dump(),
            "known_from": dict(sorted(self.known_from.items())), "incidents": self.incidents.dump(),
            "touched": [[*key, at] for key, at in sorted(self.touched.items())], "news": list(self.news),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self.ids.epoch, self.ids.issued, self.asks = data["epoch"], data["issued"], data["asks"]
        self.ledger.load(data["orders"])
        self.positions.load(data["fills"])
        self.doubts.load(data["doubts"])
        self.apart = {(venue, symbol): Decimal(quantity) for venue, symbol, quantity in data["apart"]}
        self._contained.load(data["contained"])
        self._unowned.load(data.get("unowned", []))
        self.known_from = dict(data["known_from"])
        self.incidents.load(data["incidents"])
        self.touched = {(venue, symbol): at for venue, symbol, at in data["touched"]}
        self.news = list(data["news"])
