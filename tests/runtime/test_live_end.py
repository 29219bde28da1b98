"""A run that ends waits a moment for what is on its way: an entry that fills then is not left without its stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from engine.adapters.clock_virtual import VirtualClock
from engine.model.effects import AskVenue, CancelOrder, PlaceOrder
from engine.model.time import SECOND
from engine.runtime.live_end import settled, taken_back, unsettled
from tests.execution.kit import ENTRY, STOP, T0, Desk


class Coming:
    """A loop to which these things come, one a look."""

    def __init__(self, clock: VirtualClock, *things: Callable[[], object]) -> None:
        self.clock, self.things = clock, list(things)

    def take_next(self) -> bool:
        self.clock.advance_to(self.clock.now() + SECOND // 10)
        if not self.things:
            return False
        self.things.pop(0)()
        return True


def test_an_entry_under_way_and_a_position_without_a_stop_are_unsettled_and_a_guarded_one_is_not() -> None:
    desk = Desk()
    assert not unsettled(desk.execution)
    entry = desk.place(ENTRY)
    assert unsettled(desk.execution)
    desk.fill(entry, "10", left="0")
    assert unsettled(desk.execution) and desk.position("paper", "XYZUSDT").quantity == Decimal(10)
    stop = desk.place(STOP)
    # Sent is not there: only what the venue took guards.
    assert unsettled(desk.execution)
    desk.accept(stop)
    assert not unsettled(desk.execution)


def test_the_end_goes_on_until_the_stop_is_there_and_no_longer() -> None:
    desk, clock = Desk(), VirtualClock(T0)
    entry = desk.place(ENTRY)

    def stopped() -> None:
        desk.accept(desk.place(STOP))

    loop = Coming(clock, lambda: desk.fill(entry, "10", left="0"), stopped, lambda: None)
    asyncio.run(settled(loop, desk.execution, clock.now))
    assert not unsettled(desk.execution) and len(loop.things) == 1


def test_what_does_not_settle_holds_the_end_no_longer_than_its_patience() -> None:
    desk, clock = Desk(), VirtualClock(T0)
    desk.place(ENTRY)
    asyncio.run(settled(Coming(clock), desk.execution, clock.now, SECOND))
    assert clock.now() == T0 + SECOND and unsettled(desk.execution)


class Heard:
    """A venue that only remembers what it was asked back."""

    def __init__(self) -> None:
        self.back: list[str] = []

    def place(self, order: PlaceOrder, at: int) -> None:
        raise AssertionError("nothing is placed by an engine that broke")

    def cancel(self, order: CancelOrder, at: int) -> None:
        self.back.append(order.client_id)

    def ask(self, ask: AskVenue, at: int) -> None:
        raise AssertionError("nothing is asked by an engine that broke")


def test_an_engine_that_breaks_asks_back_what_may_open_something_and_leaves_what_guards() -> None:
    desk, venue = Desk(), Heard()
    entry = desk.place(ENTRY)
    desk.fill(entry, "4", left="6")
    desk.accept(desk.place(STOP))
    taken_back(desk.execution, venue, desk.at)
    assert venue.back == [entry.client_id]
    desk.fill(entry, "6", left="0")
    taken_back(desk.execution, venue, desk.at)
    assert venue.back == [entry.client_id]
