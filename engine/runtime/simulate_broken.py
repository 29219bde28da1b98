"""Engines that are broken on purpose, one for each law: whoever judges must catch each of them.

Each break is put between the engine and its world, as an argument: nothing in the engine
itself knows of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.events import (
    Command,
    FlattenCommand,
    HaltCommand,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderUncertain,
    VenueEvent,
)
from engine.model.orders import Intent
from engine.model.time import SECOND
from engine.ports.venue import SimulatedVenue
from engine.runtime import simulate_deaf as deaf
from engine.runtime import simulate_laws as law
from engine.runtime.simulate_between import Between

HELD_BACK = 90 * SECOND
"""How long the late wire holds an order back."""
FORGETS_EVERY = 97
"""The forgetful journal loses one market event of so many."""


class SendsAgain(Between):
    """Sends an order that had no clear answer again, under another id."""

    def __init__(self, inner: SimulatedVenue) -> None:
        super().__init__(inner)
        self._sent: dict[str, PlaceOrder] = {}

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send, and remember."""
        self._sent[order.client_id] = order
        self._inner.place(order, at)

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Send again whatever is uncertain now."""
        told = super().pop_due(at)
        for due, event in told:
            order = self._sent.get(event.client_id) if isinstance(event, OrderUncertain) else None
            if order is not None:
                for again in range(3):
                    self._inner.place(replace(order, client_id=f"{order.client_id}r{again}"), due)
        return told


class SendsTwice(Between):
    """Sends every tenth order twice, under one id."""

    _count = 0

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send once or twice."""
        self._inner.place(order, at)
        self._count += 1
        if self._count % 10 == 0:
            self._inner.place(order, at)


class SendsLate(Between):
    """Holds entries back in a queue and asks nobody before they leave."""

    def __init__(self, inner: SimulatedVenue) -> None:
        super().__init__(inner)
        self._queue: list[tuple[int, PlaceOrder]] = []

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send what reduces at once, the rest later."""
        if order.reduce_only or order.close_position:
            self._inner.place(order, at)
        else:
            self._queue.append((at + HELD_BACK, order))

    def next_due(self) -> int | None:
        """Return when something happens next."""
        due = super().next_due()
        return min((at for at in (due, *(at for at, _ in self._queue)) if at is not None), default=None)

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let the orders leave whose time has come."""
        ready = [one for one in self._queue if one[0] <= at]
        self._queue = [one for one in self._queue if one[0] > at]
        for due, order in ready:
            self._inner.place(order, due)
        return super().pop_due(at)


class TakesNoStops(Between):
    """Says that every stop is in place, and sends none."""

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send what is no stop."""
        if order.intent is Intent.STOP:
            said = OrderAccepted(client_id=order.client_id, venue_order_id=f"none-{order.client_id}", venue_at=at)
            self._told.append((at + SECOND, said))
        else:
            self._inner.place(order, at)


class TakesNoCancels(Between):
    """Says that every order is taken back, and asks for none."""

    def __init__(self, inner: SimulatedVenue) -> None:
        super().__init__(inner)
        self._sent: dict[str, PlaceOrder] = {}

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send, and remember."""
        self._sent[order.client_id] = order
        self._inner.place(order, at)

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Say that it is done."""
        sent = self._sent.get(order.client_id)
        if sent is None or sent.quantity is None:
            self._inner.cancel(order, at)
            return
        said = OrderCancelled(client_id=order.client_id, remaining=sent.quantity, reason="requested", venue_at=at)
        self._told.append((at + SECOND, said))


class TellsTwice(Between):
    """Tells every fill a second time, under another trade id."""

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Tell fills twice."""
        told: list[tuple[int, VenueEvent]] = []
        for due, event in super().pop_due(at):
            told.append((due, event))
            if isinstance(event, OrderFilled):
                again = replace(event.fill, trade_id=f"{event.fill.trade_id}-again")
                told.append((due, OrderFilled(fill=again, remaining=event.remaining)))
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One way to be broken, and the law that catches it."""

    name: str
    oracle: str
    what: str
    venue: Callable[[SimulatedVenue], SimulatedVenue] = lambda venue: venue
    command: Callable[[Command], Command] = lambda command: command
    forgets_every: int = 0
    """Loses one market event in so many from its journal; 0 for none."""


def _tame(command: Command) -> Command:
    if isinstance(command, FlattenCommand):
        return HaltCommand(actor=command.actor, reason=command.reason, source="socket")
    return command


SOUND = Break(name="", oracle="", what="nothing is broken")
BREAKS = {
    one.name: one for one in (
        Break(name="resend", oracle=law.EXPOSURE, what=SendsAgain.__doc__ or "", venue=SendsAgain),
        Break(name="late", oracle=law.HALTED, what=SendsLate.__doc__ or "", venue=SendsLate),
        Break(name="no-stops", oracle=law.UNPROTECTED, what=TakesNoStops.__doc__ or "", venue=TakesNoStops),
        Break(name="echo", oracle=law.FILLS, what=TellsTwice.__doc__ or "", venue=TellsTwice),
        Break(name="tame", oracle=law.FLAT, what="Halts where it is to flatten.", command=_tame),
        Break(name="no-cancels", oracle=law.BOOKS, what=TakesNoCancels.__doc__ or "", venue=TakesNoCancels),
        Break(name="twice", oracle=law.IDS, what=SendsTwice.__doc__ or "", venue=SendsTwice),
        Break(name="elsewhere", oracle=law.FORBIDDEN, what="Restricts and denies what nobody trades.",
              command=deaf.elsewhere),
        Break(name="lenient", oracle=law.WAIVED, what="Takes a waiver of what is never waived.", command=deaf.lenient),
        Break(name="longer", oracle=law.LAPSED, what="Keeps overrides for two hours more.", command=deaf.longer),
        Break(name="stuck", oracle=law.OFF, what="Leaves on what is switched off.", command=deaf.stuck),
        Break(name="trims-twice", oracle=law.TRIMMED, what=deaf.TrimsTwice.__doc__ or "", venue=deaf.TrimsTwice),
        Break(name="hedges-twice", oracle=law.HEDGED, what=deaf.HedgesTwice.__doc__ or "", venue=deaf.HedgesTwice),
        Break(name="keeps-hedges", oracle=law.NAKED, what=deaf.KeepsHedges.__doc__ or "", venue=deaf.KeepsHedges),
        Break(name="forgetful", oracle=law.REPLAY, what="Loses a row of its journal now and then.",
              forgets_every=FORGETS_EVERY),
    )
}
