"""A virtual clock stands still until it is moved, and never goes back; the system's stamps ns of this century."""

from __future__ import annotations

from engine.adapters.clock_system import SystemClock
from engine.adapters.clock_virtual import VirtualClock
from engine.model.time import DAY
from engine.ports.clock import Clock


def test_a_virtual_clock_moves_forward_only() -> None:
    clock = VirtualClock(10)
    clock.advance_to(30)
    clock.advance_to(20)
    assert (clock.now(), clock.monotonic()) == (30, 30)


def test_the_system_clock_counts_nanoseconds() -> None:
    clock: Clock = SystemClock()
    assert 50 * 365 * DAY < clock.now() < 200 * 365 * DAY
    assert clock.monotonic() <= clock.monotonic()
