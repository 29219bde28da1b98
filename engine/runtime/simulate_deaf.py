"""Engines that do not do what their operator, or the action of a rule, says: one for each law about those.

As in simulate_broken, each break stands between the engine and its world.
"""

from __future__ import annotations

from dataclasses import replace

from engine.model.effects import PlaceOrder
from engine.model.events import Command, OrderRejected, SetFlagCommand, VenueEvent
from engine.model.orders import Intent
from engine.model.override_commands import DenyCommand, RestrictCommand, WaiveCommand
from engine.model.restraints import Scope
from engine.model.time import HOUR, SECOND
from engine.runtime.simulate_between import Between
from engine.runtime.simulate_told import FEATURES, never_waived

NOBODYS = "NOBODYUSDT"


class TrimsTwice(Between):
    """Sends what a rule's action sells a second time, under another id."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send, and again where a target is to be reached."""
        self._inner.place(order, at)
        if "/target/" in order.purpose:
            self._inner.place(replace(order, client_id=f"{order.client_id}t"), at)


class HedgesTwice(Between):
    """Opens every hedge twice, under another id."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send, and again where a hedge is opened."""
        self._inner.place(order, at)
        if order.intent is Intent.HEDGE:
            self._inner.place(replace(order, client_id=f"{order.client_id}h"), at)


class KeepsHedges(Between):
    """Takes no hedge back, whatever is left of what it stands against."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send what closes no hedge."""
        if "/back/" in order.purpose or (order.intent is Intent.STOP and "/hedge/" in order.purpose):
            refused: VenueEvent = OrderRejected(
                client_id=order.client_id, code="-1", reason="kept", venue_at=at,
            )
            self._told.append((at + SECOND, refused))
        else:
            self._inner.place(order, at)


def elsewhere(command: Command) -> Command:
    """Return a restriction or a denial that is about a symbol nobody trades."""
    if isinstance(command, DenyCommand):
        return replace(command, symbol=NOBODYS)
    return replace(command, scope=Scope(symbol=NOBODYS)) if isinstance(command, RestrictCommand) else command


def longer(command: Command) -> Command:
    """Return an override that has a time of its own with two hours more."""
    if isinstance(command, RestrictCommand | DenyCommand | SetFlagCommand) and command.ttl:
        return replace(command, ttl=command.ttl + 2 * HOUR)
    return command


def lenient(command: Command) -> Command:
    """Return the waiver of another rule where the one asked for is never waived."""
    if isinstance(command, WaiveCommand) and never_waived(command.rule):
        return replace(command, rule="guard.feed.stale")
    return command


def stuck(command: Command) -> Command:
    """Return a switch that stays on where it is to go off."""
    if isinstance(command, SetFlagCommand) and command.name in FEATURES and command.value == FEATURES[command.name][0]:
        return replace(command, value=command.name != "EVENT_BREAKOUT_DRY_RUN")
    return command
