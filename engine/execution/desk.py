"""How to do it: approved wishes become orders, and what becomes of them becomes what we know.

Nothing here chooses what to trade. Every order is planned once; every fill counts once;
an order whose fate is unclear counts as exposure and is never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import cast

from engine.execution.client_ids import ClientIds
from engine.execution.converge import PROPOSER, Targets
from engine.execution.ledger import Ledger
from engine.execution.lifecycle import Sign, executed_but_unseen, state_after
from engine.execution.plan import already_served, cancel_of, found_record, order_of, record_of
from engine.execution.positions import Positions
from engine.execution.slippage import fill_samples
from engine.model.codec import Data, decimal_text, plain
from engine.model.effects import AskVenue, CancelOrder, Notify, PlaceOrder, PlanMade, TargetOpened
from engine.model.events import (
    CancelRejected,
    Input,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    OrderUncertain,
    OrderWithheld,
)
from engine.model.fills import Position
from engine.model.flags import FlagValue
from engine.model.ledger import OrderRecord
from engine.model.orders import ENTRY_INTENTS, Cancellation, Closing, Exposure, Intent, OrderState, Proposal, Side
from engine.model.restraints import InForce, Level
from engine.model.samples import Derived
from engine.model.terms import ExecutionTerms
from engine.model.view import View
from engine.model.wishes import Wish
from engine.policy.review import Approved
from engine.ruleset.latches import Episode

Told = OrderAccepted | OrderRejected | OrderCancelled | CancelRejected | OrderTriggered | OrderWithheld | OrderUncertain
_SIGNS: dict[type, Sign] = {
    OrderAccepted: Sign.ACCEPTED, OrderRejected: Sign.REJECTED, OrderCancelled: Sign.CANCELLED,
    CancelRejected: Sign.CANCEL_REJECTED, OrderTriggered: Sign.TRIGGERED, OrderWithheld: Sign.WITHHELD,
    OrderUncertain: Sign.UNCERTAIN,
}
_ENDED_WITH_REMAINDER = frozenset({OrderState.CANCELLED, OrderState.EXPIRED})
_TOOK_HOLD = frozenset({OrderState.OPEN, OrderState.PARTLY_FILLED, OrderState.FILLED})
_CAME_TO_NOTHING = frozenset({OrderState.REJECTED, OrderState.WITHHELD})
_CANCELLED_BY_LEVEL = ENTRY_INTENTS | {Intent.HEDGE}


DEFAULTS = ExecutionTerms()


class Execution:
    """Orders, positions and targets of one account; an `OrdersView` for strategies."""

    def __init__(self, terms: ExecutionTerms = DEFAULTS) -> None:
        self._terms = terms
        self._ids = ClientIds()
        self._ledger = Ledger()
        self._positions = Positions()
        self._targets = Targets()
        self._asks = 0
        self._news: list[str] = []
        """Client ids that the last event moved, for `after_event`."""

    def begin(self, epoch: str, at: int, venues: Sequence[str]) -> None:
        """A run begins, or goes on in a new process, whose client ids carry `epoch`; `venues` take real orders.

        ValueError if the epoch is no legal part of an id.
        """
        self._ids.begin(epoch)

    def remember(self, at: int, order: PlaceOrder) -> None:
        """Keep an order that left though its record was lost: it counts as exposure until its fate is proven."""
        if self._ledger.order(order.client_id) is None:
            number = self._ids.skip(order.client_id)
            self._ledger.put(found_record(order, at=at, number=number))

    def holds(self) -> tuple[InForce, ...]:
        """Return what is restrained because an account is not known to be as we count it."""
        return ()

    def number(self, ask: AskVenue) -> AskVenue:
        """Return `ask` with the next number, where it has none."""
        if ask.ask:
            return ask
        self._asks += 1
        return replace(ask, ask=self._asks)

    def reconcile_now(self, at: int) -> list[Wish]:
        """Return the questions that tell how every venue's account stands."""
        return []

    def flatten(self, at: int, view: View, why: str) -> list[Wish]:
        """Begin to close every position; the stops go when all is known to be flat."""
        return []

    def close(self, at: int, wish: Closing) -> list[TargetOpened]:
        """Open the target that `wish` asks for, once for its name."""
        return self._targets.close(at, wish)

    # What there is.

    def order(self, client_id: str) -> OrderRecord | None:
        """Return the record of one order, or None if it is not ours or long gone."""
        return self._ledger.order(client_id)

    def latest(self, proposer: str, purpose: str) -> OrderRecord | None:
        """Return the last order planned for `purpose`, or None."""
        return self._ledger.latest(proposer, purpose)

    def attempts(self, proposer: str, purpose: str) -> tuple[OrderRecord, ...]:
        """Return every order planned for `purpose` that is still remembered, oldest first."""
        return self._ledger.attempts(proposer, purpose)

    def live(self, venue: str, symbol: str) -> tuple[OrderRecord, ...]:
        """Return the orders to which something may still happen, oldest first."""
        return self._ledger.live(venue, symbol)

    def position(self, account: str, venue: str, symbol: str) -> Position:
        """Return the net position, flat if there never was one."""
        return self._positions.of(account, venue, symbol)

    def positions(self) -> tuple[Position, ...]:
        """Return every position there ever was, sorted by (account, venue, symbol)."""
        return self._positions.all()

    def exposure(self, account: str, venue: str, symbol: str) -> Exposure:
        """Return the position and what live orders may still add to either side, UNKNOWN ones included."""
        sums = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        for record in self._ledger.live(venue, symbol):
            if record.account == account:
                sums[record.side] += record.may_fill()
        position = self._positions.of(account, venue, symbol).quantity
        return Exposure(position=position, open_buys=sums[Side.BUY], open_sells=sums[Side.SELL])

    def count_orders(self) -> dict[str, int]:
        """Return how many orders are live, and how many of those are unknown."""
        live = [record for key in self._ledger.live_keys() for record in self._ledger.live(*key)]
        return {"open": len(live), "unknown": sum(record.state is OrderState.UNKNOWN for record in live)}

    def stop_of(self, venue: str, symbol: str) -> str | None:
        """Return the stop that protects the symbol as `client_id @ trigger`, or None where none is acknowledged."""
        stops = [record for record in self._ledger.live(venue, symbol) if _protects(record)]
        if not stops:
            return None
        last = stops[-1]
        return f"{last.client_id} @ {decimal_text(last.trigger_price or Decimal(0))}"

    # What happened.

    def on_event(self, item: Input, view: View) -> list[Derived]:
        """Take what a venue said of an order; return the samples of a fill that was not known yet."""
        if isinstance(item.event, OrderFilled):
            return self._on_fill(item.event, item.at, view.account)
        if type(item.event) not in _SIGNS:
            return []
        event = cast(Told, item.event)
        record = self._ledger.order(event.client_id)
        if record is not None:
            self._move(record, event, item.at)
        return []

    def _on_fill(self, event: OrderFilled, at: int, account: str) -> list[Derived]:
        fill = event.fill
        record = self._ledger.order(fill.client_id)
        if not self._positions.book(account if record is None else record.account, fill) or record is None:
            return []
        filled = record.filled + fill.quantity
        nothing_left = event.remaining is not None and event.remaining <= 0
        whole = filled >= record.quantity if record.quantity is not None else nothing_left
        # The venue may clip what reduces; what is left of such an order is nothing, not exposure.
        whole = whole or (record.reduces and nothing_left)
        counted = replace(
            record, filled=plain(filled), cost=plain(record.cost + fill.price * fill.quantity),
            unseen=plain(max(record.unseen - fill.quantity, Decimal(0))),
        )
        self._settle(counted, Sign.FILLED_WHOLE if whole else Sign.FILLED_IN_PART, at)
        return fill_samples(fill, record)

    def _move(self, record: OrderRecord, event: Told, at: int) -> None:
        sign = _SIGNS[type(event)]
        if isinstance(event, OrderCancelled) and event.reason == "expired":
            sign = Sign.EXPIRED
        if isinstance(event, OrderTriggered):
            record = replace(record, triggered_at=record.triggered_at or event.venue_at)
        if isinstance(event, OrderRejected):
            record = replace(record, code=event.code)
        if not isinstance(event, OrderAccepted | OrderTriggered) and not record.state.final:
            record = replace(record, reason=event.reason)
        moved = self._settle(record, sign, at)
        if isinstance(event, OrderCancelled) and moved.state in _ENDED_WITH_REMAINDER:
            self._ledger.put(replace(moved, unseen=executed_but_unseen(moved, event.remaining)))

    def _settle(self, record: OrderRecord, sign: Sign, at: int) -> OrderRecord:
        after = state_after(record, sign)
        if after is not record.state:
            record = replace(record, state=after, moved_at=at)
        self._ledger.put(record)
        self._news.append(record.client_id)
        return record

    def after_event(self, at: int, view: View) -> list[Wish]:
        """Return what the last event makes necessary: old orders that were replaced, late ones that must go."""
        wishes: list[Wish] = []
        for client_id in self._news:
            record = self._ledger.order(client_id)
            if record is not None:
                wishes += self._consequences(at, record)
        self._news.clear()
        return wishes

    def _consequences(self, at: int, record: OrderRecord) -> list[Cancellation | PlanMade]:
        if record.working and record.cancel_asked:
            return [_cancellation(record, "it was to be cancelled and appeared late")]
        old = self._ledger.order(record.replaces) if record.replaces else None
        if old is None or old.state.final or old.state is OrderState.CANCELLING:
            return []
        if record.state in _TOOK_HOLD:
            return [_cancellation(old, f"replaced by {record.client_id}")]
        if record.state in _CAME_TO_NOTHING:
            text = f"{record.client_id} was {record.state.value} ({record.reason}): {old.client_id} stays"
            return [PlanMade(at=at, strategy=record.proposer, symbol=record.symbol, state="kept", text=text)]
        return []

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> None:
        """Policy refused `proposal`: an order toward a target is tried again later."""
        if proposal.proposer == PROPOSER:
            self._targets.on_refused(at, proposal)

    # What is to be done.

    def plan(
        self, at: int, approved: Sequence[Approved], cancellations: Sequence[Cancellation], policy_version: int
    ) -> list[PlaceOrder | CancelOrder]:
        """Return the effects of what was approved; what is already under way gives none.

        Each effect is exposure from here on, whether or not it reaches the venue.
        """
        cancels = [self._cancel(at, wish.client_id, wish.why) for wish in cancellations]
        places = [self._place(at, item.proposal, max(item.policy_version, policy_version)) for item in approved]
        # Cancels first: the margin they free may be what the new order needs, and
        # if we stop half-way the account holds less risk, never more.
        return [effect for effect in (*cancels, *places) if effect is not None]

    def _place(self, at: int, proposal: Proposal, policy_version: int) -> PlaceOrder | None:
        if already_served(proposal, self._ledger.attempts(proposal.proposer, proposal.purpose)):
            return None
        client_id = self._ids.next()
        self._ledger.put(record_of(proposal, at=at, client_id=client_id, number=self._ids.issued))
        return order_of(proposal, at=at, client_id=client_id, policy_version=policy_version)

    def _cancel(self, at: int, client_id: str, why: str) -> CancelOrder | None:
        record = self._ledger.order(client_id)
        if record is None or record.state.final or record.state is OrderState.CANCELLING:
            return None
        if record.state is OrderState.UNKNOWN and record.cancel_asked:
            return None
        if _protects(record) and self._is_last_stop(record):
            return None
        asked = replace(record, cancel_asked=True)
        after = state_after(asked, Sign.CANCEL_ASKED)
        self._ledger.put(replace(asked, state=after, moved_at=at if after is not record.state else record.moved_at))
        return cancel_of(record, at=at, why=why)

    def _is_last_stop(self, record: OrderRecord) -> bool:
        """Whether cancelling `record` would leave an open position without an acknowledged stop."""
        if self._positions.of(record.account, record.venue, record.symbol).quantity == 0:
            return False
        others = self._ledger.live(record.venue, record.symbol)
        return not any(_protects(other) for other in others if other.client_id != record.client_id)

    def on_policy(self, at: int, view: View) -> list[CancelOrder]:
        """Return the cancels of working orders that add risk where the level no longer lets them work."""
        cancels: list[CancelOrder | None] = []
        for venue, symbol in self._ledger.live_keys():
            for record in self._ledger.live(venue, symbol):
                if record.reduces or record.intent not in _CANCELLED_BY_LEVEL:
                    continue
                level = view.level(venue, symbol, record.intent.value)
                if level >= Level.REDUCE_ONLY:
                    cancels.append(self._cancel(at, record.client_id, f"level is {level.word}"))
        return [effect for effect in cancels if effect is not None]

    # Targets.

    def open_targets(
        self, at: int, episode: Episode, flags: Mapping[str, FlagValue]
    ) -> list[TargetOpened | Notify]:
        """Open the targets of an episode's action, computed now and never again."""
        adding = [
            record for key in self._ledger.live_keys() for record in self._ledger.live(*key) if not record.reduces
        ]
        return self._targets.open(at, episode, flags, positions=self._positions.all(), adding=adding)

    def has_targets(self) -> bool:
        """Whether any target is not reached yet."""
        return self._targets.any()

    def converge(self, at: int, view: View) -> list[Proposal | Cancellation | PlanMade]:
        """Return the reduce-only orders that bring positions to their tightest targets."""
        return self._targets.converge(at, view, self)

    def next_due(self) -> int | None:
        """Return when an order toward a target is to be tried again (ns), or None."""
        return self._targets.next_due()

    def due(self, at: int, view: View) -> list[Wish]:
        """Return what is due at `at`; what leads toward a target is for `converge`."""
        self._targets.on_timer(at)
        return []

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "epoch": self._ids.epoch, "issued": self._ids.issued, "orders": self._ledger.dump(),
            "asks": self._asks, "fills": self._positions.dump(), "targets": self._targets.dump(), "news": list(self._news),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._ids.epoch, self._ids.issued = data["epoch"], data["issued"]
        self._asks = data["asks"]
        self._ledger.load(data["orders"])
        self._positions.load(data["fills"])
        self._targets.load(data["targets"])
        self._news = list(data["news"])


def _protects(record: OrderRecord) -> bool:
    return record.intent is Intent.STOP and record.working


def _cancellation(record: OrderRecord, why: str) -> Cancellation:
    return Cancellation(
        proposer=record.proposer, client_id=record.client_id, venue=record.venue, symbol=record.symbol, why=why
    )
