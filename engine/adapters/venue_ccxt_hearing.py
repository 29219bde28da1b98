"""What the account's stream and the replies say, as events of the core, under our own client ids.

A triggered stop becomes a market order of another id: its fills belong to the stop. Which child is
whose is learnt from either book, and an update of a child that comes before its parent's word
waits a moment for it. Nothing is merged or sorted: what came is told in the order it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.adapters.venue_binance_codes import Trouble, judged
from engine.adapters.venue_binance_payloads import TradePart
from engine.adapters.venue_binance_user import AccountUpdate, AlgoUpdate, OrderUpdate, UserPart
from engine.model.effects import PlaceOrder
from engine.model.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    VenueEvent,
)
from engine.model.fills import Fill, Liquidity
from engine.model.instruments import Instrument
from engine.model.orders import CONDITIONAL_KINDS, Intent, OrderState
from engine.model.reports import OrderReport

_ZERO = Decimal(0)
_BPS = Decimal(10_000)
_HELD = 2_000_000_000
"""How long (ns) an update of an order that nobody knows waits for the word that it is a child."""
_REMEMBERED = 20_000
_GONE = frozenset({OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})


@dataclass(slots=True)
class _Known:
    """What is known of one of our orders."""

    conditional: bool
    quantity: Decimal | None
    symbol: str
    immediate: bool = False


class Hearing:
    """Keeps who is who and turns parts into events. `instruments` is filled by whoever opens the venue."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.instruments: dict[str, Instrument] = {}
        self._cancelling: dict[str, None] = {}
        """Whom we asked back, in the order in which we did."""
        self.positions: dict[str, Decimal] = {}
        self._known: dict[str, _Known] = {}
        self._live: set[str] = set()
        """Our orders of which more may be heard."""
        self._owner: dict[str, str] = {}
        """Venue id of a regular order -> the client id its fills belong to."""
        self._held: list[tuple[int, OrderUpdate]] = []

    def sent(self, order: PlaceOrder) -> None:
        """Note an order of ours before it leaves."""
        self._known[order.client_id] = _Known(
            order.kind in CONDITIONAL_KINDS, order.quantity, order.symbol, immediate=order.immediate
        )
        self._live.add(order.client_id)
        while len(self._known) > _REMEMBERED:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._live.discard(oldest)
        while len(self._owner) > _REMEMBERED:
            self._owner.pop(next(iter(self._owner)))

    def ended(self, client_id: str) -> None:
        """Note that an order of ours is over, or never was."""
        self._live.discard(client_id)

    def cancelling(self, client_id: str) -> None:
        """Note that an order of ours is asked back."""
        self._cancelling[client_id] = None
        while len(self._cancelling) > _REMEMBERED:
            self._cancelling.pop(next(iter(self._cancelling)))

    def keeps(self, client_id: str) -> None:
        """Note that an order was not taken back: what ends it later is not our wish."""
        self._cancelling.pop(client_id, None)

    def saw(self, report: OrderReport) -> None:
        """Learn from a report of either book whose order and whose child it is."""
        if report.conditional:
            if report.child_id:
                self._owner[report.child_id] = report.client_id
            self._known.setdefault(report.client_id, _Known(True, report.quantity, report.symbol))
        else:
            self._owner.setdefault(report.venue_order_id, report.client_id)
            if self._owner[report.venue_order_id] != report.client_id:
                return
            self._known.setdefault(report.client_id, _Known(False, report.quantity, report.symbol))
        if report.state in _GONE or report.state is OrderState.FILLED:
            self._live.discard(report.client_id)
        else:
            self._live.add(report.client_id)

    def live(self) -> frozenset[str]:
        """Return our orders of which more may be heard."""
        return frozenset(self._live)

    def not_open(self, before: frozenset[str], listed: frozenset[str]) -> None:
        """Forget as live what was so `before` a whole account was asked for and is not `listed` in it."""
        self._live -= before - listed

    def owner(self, order_id: str) -> str | None:
        """Return the client id that fills of a venue's order belong to, None if that is not known."""
        return self._owner.get(order_id)

    def quantity(self, client_id: str) -> tuple[bool, Decimal | None]:
        """Return whether an order is known here, and its quantity (None: the whole position)."""
        known = self._known.get(client_id)
        return (known is not None, known.quantity if known else None)

    def something_open(self) -> bool:
        """Return whether the stream has anything to tell of: an order of ours that lives, or a position."""
        return bool(self._live) or any(self.positions.values())

    def heard(self, part: UserPart, at: int) -> tuple[VenueEvent, ...]:
        """Return what one part of the stream means; `at` is our instant (ns)."""
        if isinstance(part, OrderUpdate):
            return self._regular(part, at)
        if isinstance(part, AlgoUpdate):
            return self._algo(part)
        if isinstance(part, AccountUpdate):
            self.positions.update({seen.symbol: seen.quantity for seen in part.positions})
        return ()

    def late(self, at: int) -> tuple[VenueEvent, ...]:
        """Return what waited in vain for a parent: it is told under the id it came with."""
        ripe = [update for due, update in self._held if due <= at]
        self._held = [(due, update) for due, update in self._held if due > at]
        return tuple(event for update in ripe for event in self._told(update, update.report.client_id))

    def _regular(self, update: OrderUpdate, at: int) -> tuple[VenueEvent, ...]:
        report = update.report
        owner = self._owner.get(report.venue_order_id)
        if owner is None and report.client_id in self._known:
            # Also a child that carries its stop's own id.
            owner = self._owner[report.venue_order_id] = report.client_id
        if owner is None and self._may_be_child(report):
            self._held.append((at + _HELD, update))
            return ()
        return self._told(update, report.client_id if owner is None else owner)

    def _may_be_child(self, report: OrderReport) -> bool:
        live = (self._known[client_id] for client_id in self._live)
        return any(known.conditional and known.symbol == report.symbol for known in live)

    def _told(self, update: OrderUpdate, client_id: str) -> tuple[VenueEvent, ...]:
        report, at = update.report, update.venue_at
        known = self._known.get(client_id)
        child = known is not None and known.conditional
        if update.trade is not None:
            if report.state is OrderState.FILLED:
                self.ended(client_id)
            return (self.filled(update.trade, client_id),)
        if report.state is OrderState.OPEN:
            return () if child or update.execution != "NEW" else (
                OrderAccepted(client_id=client_id, venue_order_id=report.venue_order_id, venue_at=at),
            )
        if report.state in (OrderState.CANCELLED, OrderState.EXPIRED):
            return (self._cancelled(client_id, report, at),)
        if report.state is OrderState.REJECTED:
            self.ended(client_id)
            return (_rejected(client_id, report, at),)
        return ()

    def _cancelled(self, client_id: str, report: OrderReport, at: int) -> OrderCancelled:
        reason = self._reason(client_id, report)
        self.ended(client_id)
        return OrderCancelled(client_id=client_id, remaining=report.remaining or _ZERO, reason=reason, venue_at=at)

    def _reason(self, client_id: str, report: OrderReport) -> str:
        known = self._known.get(client_id)
        if client_id in self._cancelling:
            return "requested"
        if report.state is OrderState.EXPIRED:
            return "ioc" if known is not None and known.immediate else "expired"
        return "position_closed" if report.close_position or report.reduce_only else "by the venue or by hand"

    def _algo(self, update: AlgoUpdate) -> tuple[VenueEvent, ...]:
        report, at = update.report, update.venue_at
        client_id = report.client_id
        self.saw(report)
        before: tuple[VenueEvent, ...] = ()
        if update.status == "NEW":
            before = (OrderAccepted(client_id=client_id, venue_order_id=report.venue_order_id, venue_at=at),)
        elif update.status == "TRIGGERED":
            before = (OrderTriggered(client_id=client_id, trigger_price=report.trigger_price or _ZERO, venue_at=at),)
        # The child's word came first: now its parent is known.
        waited = [one for _, one in self._held if one.report.venue_order_id == report.child_id]
        self._held = [held for held in self._held if held[1].report.venue_order_id != report.child_id]
        told = before + tuple(event for one in waited for event in self._told(one, client_id))
        if update.status in ("CANCELED", "EXPIRED") or (
            update.status == "FINISHED" and report.state is OrderState.CANCELLED
        ):
            told += (self._cancelled(client_id, report, at),)
        elif update.status == "REJECTED":
            self.ended(client_id)
            told += (_rejected(client_id, report, at),)
        elif update.status == "FINISHED":
            self.ended(client_id)
        return told

    def filled(self, trade: TradePart, client_id: str) -> OrderFilled:
        """Return the event of one execution of the order `client_id`."""
        fill = Fill(
            client_id=client_id, trade_id=trade.trade_id, venue=self.venue, symbol=trade.symbol, side=trade.side,
            price=trade.price, quantity=trade.quantity, fee=fee_in_quote(trade, self.instruments.get(trade.symbol)),
            liquidity=Liquidity.MAKER if trade.maker else Liquidity.TAKER, reference_price=_ZERO, intent=Intent.ENTRY,
            venue_at=trade.venue_at, sent_at=0,
        )
        return OrderFilled(fill=fill, remaining=trade.remaining)

    def filled_all(self, trades: Iterable[TradePart]) -> tuple[OrderFilled, ...]:
        """Return the events of trades whose orders are all known; KeyError names one that is not."""
        return tuple(self.filled(replace(trade, remaining=None), self._owner[trade.order_id]) for trade in trades)


def fee_in_quote(trade: TradePart, instrument: Instrument | None) -> Decimal:
    """Return what a trade cost in quote currency; a fee in a third asset (BNB) is taken as the full rate."""
    if instrument is None or trade.fee_asset == instrument.quote or not trade.fee:
        return trade.fee
    if trade.fee_asset == instrument.base:
        return trade.fee * trade.price
    rate = instrument.maker_fee_bps if trade.maker else instrument.taker_fee_bps
    return trade.price * trade.quantity * instrument.contract_size * rate / _BPS


def _rejected(client_id: str, report: OrderReport, at: int) -> OrderRejected:
    kind = judged(Trouble(code=-2010, status=400, text=report.reason), "place").rejection
    return OrderRejected(client_id=client_id, code="", reason=report.reason or "rejected", venue_at=at, kind=kind)
