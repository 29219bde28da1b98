"""Orders on Binance futures: each wish ends in exactly one answer, and doubt is told as doubt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters.venue_binance_codes import Cause, Outcome, Trouble, judged
from engine.adapters.venue_binance_reading import PayloadRefused, Reader
from engine.adapters.venue_ccxt_asks import FAILURES, Asking
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.adapters.venue_ccxt_lanes import TurnMissed
from engine.adapters.venue_ccxt_orders import (
    CANCEL,
    CANCEL_CONDITIONAL,
    NotSendable,
    OrderRequest,
    lane_of,
    order_request,
)
from engine.adapters.venue_ccxt_rate import SendLane
from engine.adapters.venue_ccxt_refusals import Refusals
from engine.adapters.venue_ccxt_terms import seconds
from engine.adapters.venue_ccxt_told import Told
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble, Withheld
from engine.model.answers import OrderFound
from engine.model.codec import Data
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderWithheld,
    VenueEvent,
)
from engine.model.orders import OrderState
from engine.model.reports import OrderReport, Rejection
from engine.ports.venue import Gate

_ENDED = (OrderState.CANCELLED, OrderState.EXPIRED)
_ZERO = Decimal(0)


class FuturesDesk:
    """Places and cancels over one wire. What it learns goes into `hearing` and `told`."""

    def __init__(self, wire: Wire, hearing: Hearing, told: Told, gate: Gate) -> None:
        self._wire, self._hearing, self._told, self._gate = wire, hearing, told, gate
        self._refusals = Refusals(hearing, wire.clock.now)
        self.asking = Asking(wire, hearing, self.saw)

    def saw(self, report: OrderReport) -> None:
        """Learn from an order that a REST answer told of."""
        self._hearing.saw(report)
        self._told.answered(report.client_id, report, self._wire.clock.monotonic())

    async def placed(self, order: PlaceOrder) -> tuple[VenueEvent, ...]:
        """Send an order once and return what became of it: accepted (and ended), rejected, withheld or uncertain."""
        terms = self._wire.terms
        try:
            request = order_request(order, self._hearing.instruments.get(order.symbol), terms.working_type)
        except NotSendable as error:
            return (self._refusals.rejected(order, "", error.what, error.kind),)
        lane = lane_of(order)
        patience = terms.entry_patience_s if lane is SendLane.ENTRY else terms.order_patience_s
        errand = Errand(lane=lane, patience=seconds(patience), gate=self._leaving(order))
        try:
            reply = await self._wire.call(request.endpoint, request.params, errand)
        except Withheld as error:
            return (OrderWithheld(client_id=order.client_id, reason=error.reason, venue_at=self._wire.clock.now()),)
        except TurnMissed as error:
            return (self._refusals.rejected(order, "", str(error), Rejection.LIMITED),)
        except WireTrouble as error:
            return (self._refusals.troubled(order, error.trouble),)
        return self._accepted(order, request, reply)

    def _leaving(self, order: PlaceOrder) -> Callable[[], str]:
        def gate() -> str:
            why = self._gate(order)
            if not why:
                self._hearing.sent(order)
                self._told.sent(order.client_id)
            return why

        return gate

    def _accepted(self, order: PlaceOrder, request: OrderRequest, reply: Data) -> tuple[VenueEvent, ...]:
        """Return what a 200 proves: an order of this client id with an id of the venue's, or nothing."""
        venue = self._wire.terms.venue
        try:
            report = payloads.order_report(reply, venue=venue, conditional=request.conditional)
        except PayloadRefused as error:
            return (self._refusals.uncertain(order.client_id, f"the reply is no order: {error}"),)
        if report.client_id != order.client_id or report.venue_order_id in ("", "0"):
            return (self._refusals.uncertain(order.client_id, "the reply is about another order"),)
        self.saw(report)
        at = self._wire.clock.now()
        told: tuple[VenueEvent, ...] = (
            OrderAccepted(client_id=order.client_id, venue_order_id=report.venue_order_id, venue_at=at),
        )
        if report.state is OrderState.REJECTED:
            return (self._refusals.rejected(order, "", report.reason or "rejected", Rejection.OTHER),)
        if report.state in _ENDED:
            reason = "ioc" if order.immediate else "expired"
            told += (OrderCancelled(
                client_id=order.client_id, remaining=report.remaining or _ZERO, reason=reason, venue_at=at),)
        elif report.executed and not self._wire.terms.listen:
            # Without a stream nobody tells of the fills: they are fetched now, and not once an answer is overdue.
            told += (OrderFound(ask=0, client_id=order.client_id, report=report, venue_at=at),)
        return told

    async def cancelled(self, order: CancelOrder) -> tuple[VenueEvent, ...]:
        """Ask for an order back and return what became of the wish: gone, could not be, or uncertain."""
        self._hearing.cancelling(order.client_id)
        errand = Errand(lane=SendLane.SAFETY, patience=seconds(self._wire.terms.order_patience_s))
        try:
            reply = await self._wire.call(*cancel_request(order), errand)
        except (TurnMissed, Withheld) as error:
            return (self._not_cancelled(order, str(error)),)
        except WireTrouble as error:
            verdict = judged(error.trouble, "cancel")
            if verdict.outcome is Outcome.UNKNOWN and not _not_there(error.trouble):
                return (self._refusals.uncertain(order.client_id, f"the cancel: {verdict.text}"),)
            return (self._not_cancelled(order, verdict.text),)
        try:
            return (await self._gone(order, reply),)
        except (*FAILURES, TurnMissed) as error:
            return (self._refusals.uncertain(order.client_id, f"the cancel's reply is no answer: {error}"),)

    def _not_cancelled(self, order: CancelOrder, reason: str) -> CancelRejected:
        self._hearing.keeps(order.client_id)
        return CancelRejected(client_id=order.client_id, reason=reason, venue_at=self._wire.clock.now())

    async def _gone(self, order: CancelOrder, reply: Data) -> VenueEvent:
        """Return what the reply to a cancel proves; what it leaves open is asked for, or stays uncertain."""
        at = self._wire.clock.now()
        if not order.conditional:
            report = payloads.order_report(reply, venue=self._wire.terms.venue, conditional=False)
            self.saw(report)
            return self._after_cancel(order, report, at)
        answer = Reader(reply, "cancel")
        if answer.text("clientAlgoId", order.client_id) != order.client_id:
            raise PayloadRefused("cancel.clientAlgoId", "is another order's")
        known, quantity = self._hearing.quantity(order.client_id)
        if answer.id("code", "200") == "200" and known:
            # An order that waits in the conditional book has executed nothing.
            self._hearing.ended(order.client_id)
            return OrderCancelled(
                client_id=order.client_id, remaining=quantity or _ZERO, reason="requested", venue_at=at)
        report = await self.asking.report(order.symbol, order.client_id, conditional=True)
        return self._after_cancel(order, report, at)

    def _after_cancel(self, order: CancelOrder, report: OrderReport, at: int) -> VenueEvent:
        if report.client_id != order.client_id:
            return self._refusals.uncertain(order.client_id, "the cancel's reply is about another order")
        if report.state is OrderState.FILLED:
            return self._not_cancelled(order, "it had filled before")
        if report.state not in _ENDED:
            return self._refusals.uncertain(order.client_id, f"after the cancel it is still {report.state.value}")
        self._hearing.ended(order.client_id)
        return OrderCancelled(
            client_id=order.client_id, remaining=report.remaining or _ZERO, reason="requested", venue_at=at)


def _not_there(trouble: Trouble) -> bool:
    """Return whether the venue itself said that the order cannot be cancelled: filled, gone, or never there."""
    whole = trouble.cause is Cause.NONE and (trouble.status is None or trouble.status < 500)
    return whole and trouble.code in (-2011, -2013)


def cancel_request(order: CancelOrder) -> tuple[Endpoint, dict[str, Data]]:
    """Return where the wish to take `order` back goes, by our own client id in its book."""
    if order.conditional:
        return CANCEL_CONDITIONAL, {"clientAlgoId": order.client_id}
    return CANCEL, {"symbol": order.symbol, "origClientOrderId": order.client_id}
