"""The loop on the real clock: urgent first, timers at their instants, the outside looked at though nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine.adapters.clock_virtual import VirtualClock
from engine.adapters.notifier_print import JournalledNotifier
from engine.model.effects import CommandAnswered, Effect
from engine.model.events import Event, HaltCommand, Start
from engine.model.market import Quote
from engine.model.time import SECOND
from engine.runtime.gate import PolicyGate
from engine.runtime.live_loop import LiveLoop, LiveParts
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from tests.core.kit import START, demo, fresh

NOON = demo().header.first_at


class Kept:
    """Hears what a loop writes down, in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, int, str]] = []

    def input(self, seq: int, at: int, event: Event) -> None:
        self.lines.append((seq, at, type(event).__name__))

    def effects(self, seq: int, at: int, effects: object) -> None:
        """Keep nothing: the digest chain is another test's."""


def quote(symbol: str = "NOVAUSDT") -> Quote:
    return Quote("paper", symbol, 1.0, 5.0, 1.001, 5.0, NOON, NOON)


def world(breaths: int, observe: Callable[[Effect], float] = lambda effect: 0.0) -> tuple[LiveLoop, Kept, VirtualClock]:
    """Return a loop that looks `breaths` times at the outside and then ends."""
    wired = fresh(demo())
    kept, clock, heard = Kept(), VirtualClock(NOON), asyncio.Event()
    queue = TwoLaneQueue(market_bound=100, heard=heard.set)
    left = [breaths]

    def breathe(at: int) -> bool:
        left[0] -= 1
        return left[0] >= 0

    parts = LiveParts(
        state=wired.state, record=kept, observe=observe, queue=queue, clock=clock, heard=heard, breathe=breathe,
        keep=lambda seq, at, event: kept.lines.append((seq, at, type(event).__name__)),
        performer=Performer(PolicyGate(wired.state), wired.venue, JournalledNotifier(), queue.put_urgent),
        checkpoint=lambda: kept.lines.append((0, 0, "checkpoint")), checkpoint_every=1000, paper=wired.venue,
    )
    loop = LiveLoop(parts)
    loop.take_urgent(NOON, START)
    return loop, kept, clock


def test_a_halt_overtakes_the_market_that_waits() -> None:
    loop, kept, _ = world(breaths=3)
    queue = loop._parts.queue
    for symbol in ("NOVAUSDT", "PINEUSDT", "GAPZUSDT"):
        queue.put_market(quote(symbol))
    queue.put_urgent(HaltCommand(actor="me", reason="", source="socket"))
    asyncio.run(loop.run())
    assert [name for _, _, name in kept.lines[:5]] == ["Start", "HaltCommand", "Quote", "Quote", "Quote"]
    assert [seq for seq, _, _ in kept.lines[:5]] == [1, 2, 3, 4, 5]


def test_an_answer_reaches_who_asked_in_the_same_turn() -> None:
    said: list[str] = []

    def observe(effect: Effect) -> float:
        if isinstance(effect, CommandAnswered):
            said.append(f"{effect.verb} while {type(loop.current).__name__}")
        return 0.0

    loop, _, _ = world(breaths=2, observe=observe)
    loop._parts.queue.put_urgent(HaltCommand(actor="me", reason="", source="socket"))
    asyncio.run(loop.run())
    assert said == ["halt while HaltCommand"]


def test_a_timer_fires_though_nothing_comes_and_at_its_own_instant() -> None:
    loop, _, clock = world(breaths=2)
    state = loop._parts.state
    due = state.wake_at
    assert due is not None and due >= NOON
    clock.advance_to(due + 3 * SECOND)
    asyncio.run(loop.run())
    assert state.wake_at is None or state.wake_at > due
    assert state.at <= due + 3 * SECOND


def test_the_world_is_looked_at_though_nothing_comes() -> None:
    """Ten looks in an empty world: the run ends by itself, which it could not if it waited for an event."""
    loop, kept, _ = world(breaths=4)
    asyncio.run(asyncio.wait_for(loop.run(), 10))
    assert [name for _, _, name in kept.lines] == ["Start"]


def test_a_checkpoint_comes_by_time_and_only_when_no_urgent_event_waits() -> None:
    loop, kept, clock = world(breaths=3)
    clock.advance_to(NOON + 61 * SECOND)
    asyncio.run(loop.run())
    assert [name for _, _, name in kept.lines].count("checkpoint") == 1
    assert isinstance(START, Start)
