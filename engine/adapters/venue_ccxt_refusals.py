"""What is told of an order that the venue, or the way to it, did not simply take."""

from __future__ import annotations

from collections.abc import Callable

from engine.adapters.venue_binance_codes import Outcome, Trouble, judged
from engine.adapters.venue_ccxt_hearing import Hearing
from engine.model.effects import PlaceOrder
from engine.model.events import OrderRejected, OrderUncertain, VenueEvent
from engine.model.reports import Rejection


class Refusals:
    """Turns troubles into events. `now` is the wall clock in ns."""

    def __init__(self, hearing: Hearing, now: Callable[[], int]) -> None:
        self._hearing, self._now = hearing, now

    def troubled(self, order: PlaceOrder, trouble: Trouble) -> VenueEvent:
        """Return what `trouble` while placing says of `order`: refused for good, or uncertain.

        Uncertain also where the venue says that the id is in use: an order with it lives there,
        and must be looked at.
        """
        verdict = judged(trouble, "place")
        if verdict.outcome in (Outcome.REFUSED, Outcome.LIMITED, Outcome.CLOCK):
            code = "" if trouble.code is None else str(trouble.code)
            return self.rejected(order, code, verdict.text, verdict.rejection)
        return self.uncertain(order.client_id, verdict.text)

    def rejected(self, order: PlaceOrder, code: str, reason: str, kind: Rejection) -> OrderRejected:
        """Return that `order` never was; the account's stream owes nothing about it."""
        self._hearing.ended(order.client_id)
        return OrderRejected(client_id=order.client_id, code=code, reason=reason, venue_at=self._now(), kind=kind)

    def uncertain(self, client_id: str, reason: str) -> OrderUncertain:
        """Return that nobody knows what became of the order."""
        return OrderUncertain(client_id=client_id, reason=reason, venue_at=self._now())
