"""The policy asked once more, at the wire: whether an order that was approved may still leave.

Between decision and deed the policy may have become stricter, and an order may have waited
in a queue for its turn. What reduces exposure always passes.
"""

from __future__ import annotations

from decimal import Decimal

from engine.core.state import State
from engine.model.effects import PlaceOrder
from engine.model.orders import ENTRY_INTENTS, Intent
from engine.model.restraints import Level, Restraint


class PolicyGate:
    """Judges orders against the policy of `state` as it is now."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._closed = ""

    def close(self, why: str) -> None:
        """Let nothing that adds exposure leave any more."""
        self._closed = why

    def __call__(self, order: PlaceOrder) -> str:
        """Return why `order` may not leave any more; empty while it may."""
        if order.intent not in ENTRY_INTENTS and order.intent is not Intent.HEDGE:
            return ""
        if self._closed:
            return self._closed
        policy = self._state.policy
        if policy.version == order.policy_version:
            return ""
        return self._forbidden(order, policy.restraint((order.account, order.venue, order.symbol, order.intent.value)))

    def _forbidden(self, order: PlaceOrder, restraint: Restraint) -> str:
        allowed = Level.ENTRIES_PAUSED if order.intent is Intent.HEDGE else Level.NORMAL
        instrument = self._state.look.instrument(order.venue, order.symbol)
        if restraint.level > allowed:
            return f"level became {restraint.level.word} before it was sent"
        if order.intent.value in restraint.mute:
            return "its intent was muted before it was sent"
        if order.symbol in restraint.deny:
            return "its symbol was denied before it was sent"
        if instrument is not None and instrument.quote in restraint.deny_quotes:
            return "its quote currency was denied before it was sent"
        if restraint.max_notional_usd is not None and _notional(order) > restraint.max_notional_usd:
            return f"the cap became {restraint.max_notional_usd} before it was sent"
        return ""


def _notional(order: PlaceOrder) -> Decimal:
    return (order.quantity or Decimal(0)) * (order.limit_price or order.reference_price)
