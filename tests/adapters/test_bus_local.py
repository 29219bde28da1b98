"""The bus never waits for a listener, tells each topic to its own, and counts what a slow one lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters.bus_local import LocalBus
from engine.ports.bus import TRADE_FILL, Bus


def test_each_listener_of_a_topic_gets_each_message_in_order() -> None:
    bus = LocalBus()
    port: Bus = bus
    first, second, other = bus.subscribe(TRADE_FILL), bus.subscribe(TRADE_FILL), bus.subscribe("elsewhere")
    for number in range(3):
        port.publish(TRADE_FILL, {"n": number})
    assert first.take() == second.take() == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert first.take() == other.take() == []


def test_nobody_hears_what_was_said_before_or_after() -> None:
    bus = LocalBus()
    bus.publish(TRADE_FILL, "before")
    late = bus.subscribe(TRADE_FILL)
    bus.unsubscribe(late)
    bus.unsubscribe(late)
    bus.publish(TRADE_FILL, "after")
    assert late.take() == []


@given(longest=st.integers(1, 20), many=st.integers(0, 60))
def test_a_full_queue_loses_the_oldest_and_counts_them(longest: int, many: int) -> None:
    bus = LocalBus()
    slow = bus.subscribe(TRADE_FILL, longest)
    for number in range(many):
        bus.publish(TRADE_FILL, number)
    assert len(slow) == min(longest, many) and slow.dropped == max(0, many - longest)
    assert slow.take() == list(range(many))[-longest:]


def test_a_queue_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="write 1 or more"):
        LocalBus().subscribe(TRADE_FILL, 0)


def test_a_listener_may_wait_for_the_next_message() -> None:
    """Before it comes, and while several do."""
    async def scene() -> list[object]:
        bus = LocalBus()
        ear = bus.subscribe(TRADE_FILL)
        waiting = asyncio.create_task(ear.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish(TRADE_FILL, 1)
        bus.publish(TRADE_FILL, 2)
        heard = [await waiting, await ear.next()]
        ear.take()
        again = asyncio.create_task(ear.next())
        await asyncio.sleep(0)
        bus.publish(TRADE_FILL, 3)
        return [*heard, await again]

    assert asyncio.run(asyncio.wait_for(scene(), 5)) == [1, 2, 3]
