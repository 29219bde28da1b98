"""Effects become deeds: orders to the venue, notices to people. Nothing is decided here but one thing.

Between decision and deed the policy may have become stricter. Then an order that adds
risk is withheld, and says so as an event: nothing vanishes silently.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.core.state import State
from engine.model.effects import AskVenue, CancelOrder, Effect, Notify, PlaceOrder
from engine.model.events import OrderWithheld
from engine.model.orders import ENTRY_INTENTS, Intent
from engine.model.restraints import Level
from engine.ports.notifier import Notifier
from engine.ports.venue import Venue


class Performer:
    """Sends what the core decided. `tell` takes the events that sending itself produces."""

    def __init__(self, state: State, venue: Venue, notifier: Notifier, tell: Callable[[OrderWithheld], None]) -> None:
        self._state = state
        self._venue = venue
        self._notifier = notifier
        self._tell = tell

    def perform(self, effect: Effect, at: int) -> None:
        """Do `effect`, if it is a deed. `at` is the instant of sending (ns)."""
        kind = type(effect)
        if kind is PlaceOrder:
            assert isinstance(effect, PlaceOrder)
            why = self._forbidden_now(effect)
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
        elif kind is Notify:
            assert isinstance(effect, Notify)
            self._notifier.notify(effect)

    def _forbidden_now(self, order: PlaceOrder) -> str:
        policy = self._state.policy
        if policy.version == order.policy_version:
            return ""
        if order.intent not in ENTRY_INTENTS and order.intent is not Intent.HEDGE:
            return ""
        restraint = policy.restraint((order.account, order.venue, order.symbol, order.intent.value))
        allowed = Level.ENTRIES_PAUSED if order.intent is Intent.HEDGE else Level.NORMAL
        if restraint.level > allowed:
            return f"level became {restraint.level.word} before it was sent"
        if order.intent.value in restraint.mute:
            return "its intent was muted before it was sent"
        return ""
