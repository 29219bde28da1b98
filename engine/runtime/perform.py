"""Effects become deeds: orders and questions to the venue, notices to people, news on the bus.

Nothing is decided here but one thing: whether an order that was approved may still leave.
One that may not says so as an event: nothing vanishes silently.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.model.codec import to_data
from engine.model.effects import AskVenue, CancelOrder, Effect, FillBooked, HealthChanged, Notify, PlaceOrder
from engine.model.events import OrderWithheld
from engine.ports.bus import HEALTH_STATE, TRADE_FILL, Bus
from engine.ports.notifier import Notifier
from engine.ports.venue import Gate, Venue


class Performer:
    """Sends what the core decided and `gate` still allows. `tell` takes the events that sending itself produces."""

    def __init__(
        self, gate: Gate, venue: Venue, notifier: Notifier, tell: Callable[[OrderWithheld], None],
        bus: Bus | None = None,
    ) -> None:
        self._venue = venue
        self._notifier = notifier
        self._tell = tell
        self._bus = bus
        self._gate = gate

    def perform(self, effect: Effect, at: int) -> None:
        """Do `effect`, if it is a deed. `at` is the instant of sending (ns)."""
        kind = type(effect)
        if kind is PlaceOrder:
            assert isinstance(effect, PlaceOrder)
            why = self._gate(effect)
            if why:
                self._tell(OrderWithheld(client_id=effect.client_id, reason=why, venue_at=at))
            else:
                self._venue.place(effect, at)
        elif kind is CancelOrder:
            assert isinstance(effect, CancelOrder)
            self._venue.cancel(effect, at)
        elif kind is AskVenue:
            assert isinstance(effect, AskVenue)
            self._venue.ask(effect, at)
        elif kind is FillBooked:
            if self._bus is not None:
                self._bus.publish(TRADE_FILL, to_data(effect))
        elif kind is HealthChanged:
            if self._bus is not None:
                self._bus.publish(HEALTH_STATE, to_data(effect))
        elif kind is Notify:
            assert isinstance(effect, Notify)
            if effect.told:
                self._notifier.notify(effect)
