"""A tape heard in wall time: when its events are due, in its order, and as old as they were."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from engine.adapters.feed_tape import TapeFeed, TapeFeedSettings
from engine.adapters.tape_demo import demo_tape
from engine.model.events import InstrumentDefined
from engine.model.market import Announcement, FeedState, Heartbeat, OraclePrice, Quote, Trade
from engine.model.time import MS, SECOND
from engine.ports.feed import Damage, Tape, TapeError, TapeEvent, TapeHeader
from tests.adapters.feed_kit import START, Ear, ObedientTime, outside, running, until

FIRST = 1_000 * SECOND


@dataclass
class ListedTape:
    """A tape of a list."""

    story: list[tuple[int, TapeEvent]]
    damaged: list[Damage] = field(default_factory=list)
    clamped: int = 0
    index: int = 0
    breaks: bool = False

    @property
    def header(self) -> TapeHeader:
        return TapeHeader(
            name="listed", source="a test", events=len(self.story), first_at=FIRST, last_at=FIRST,
            producers=frozenset({"feed.market"}),
        )

    def events(self, from_index: int = 0) -> Iterator[tuple[int, TapeEvent]]:
        yield from self.story[from_index:]
        if self.breaks:
            raise TapeError("listed:4", "the tape is torn", "mend it")


def quote(at: int, venue_at: int) -> tuple[int, Quote]:
    return at, Quote("paper", "X", 1.0, 2.0, 3.0, 4.0, venue_at, at)


STORY: list[tuple[int, TapeEvent]] = [
    (FIRST, FeedState("paper", True, "begins", FIRST)),
    quote(FIRST + 10 * SECOND, FIRST + 10 * SECOND - 20 * MS),
    (FIRST + 10 * SECOND, Trade("paper", "X", 1.0, 2.0, True, "7", FIRST + 10 * SECOND, FIRST + 10 * SECOND)),
    (FIRST + 20 * SECOND, Heartbeat("feed.announcements", FIRST + 20 * SECOND)),
    (FIRST + 30 * SECOND, Announcement("paper", "1", "listing", "x", ("X",), FIRST + 29 * SECOND, FIRST + 30 * SECOND)),
    (FIRST + 31 * SECOND, OraclePrice("o", "USDT", "USD", 1.0, "1", FIRST, FIRST + 31 * SECOND)),
]


def play(tape: Tape, settings: TapeFeedSettings, seconds: list[float]) -> list[list[object]]:
    """Return what was told by the end of each stretch of time."""
    async def scene() -> list[list[object]]:
        time, ear = ObedientTime(), Ear()
        feed = TapeFeed(tape, settings, outside(time, ear))
        told = list[list[object]]()
        async with running(feed.run()):
            for each in seconds:
                await time.advance(each)
                told.append(list(ear.events))
            if feed.over.is_set():
                await time.advance(3600)
                assert len(ear.events) == len(told[-1]), "a feed that is over is silent and still there"
        return told

    return asyncio.run(scene())


def test_events_come_when_they_are_due_with_the_clock_s_stamp() -> None:
    told = play(ListedTape(STORY), TapeFeedSettings(), [0, 9.9, 0.2, 10, 30])

    assert [len(each) for each in told] == [1, 1, 3, 4, 7]
    assert told[-1] == [
        FeedState("paper", True, "begins", START),
        Quote("paper", "X", 1.0, 2.0, 3.0, 4.0, START + 10 * SECOND - 20 * MS, START + 10 * SECOND),
        Trade("paper", "X", 1.0, 2.0, True, "7", START + 10 * SECOND, START + 10 * SECOND),
        Heartbeat("feed.announcements", START + 20 * SECOND),
        Announcement("paper", "1", "listing", "x", ("X",), START + 29 * SECOND, START + 30 * SECOND),
        OraclePrice("o", "USDT", "USD", 1.0, "1", START, START + 31 * SECOND),
        FeedState("paper", False, "the tape is over", START + 31 * SECOND),
    ]


def test_ten_times_as_fast_is_a_tenth_of_the_time_and_of_the_age() -> None:
    told = play(ListedTape(STORY), TapeFeedSettings(speed=10, venue="binanceusdm"), [0, 1.0, 2.2])

    assert [len(each) for each in told] == [1, 3, 7]
    second = told[1][1]
    assert isinstance(second, Quote)
    assert (second.venue, second.received_at - second.venue_at) == ("binanceusdm", 2 * MS)


def test_the_demo_is_told_in_its_order_and_its_instruments_are_defined() -> None:
    tape = demo_tape()
    expected = list(islice(tape.events(), 3000))
    span = (expected[-1][0] - expected[0][0]) / SECOND

    async def scene() -> tuple[list[object], list[InstrumentDefined]]:
        time, ear, defined = ObedientTime(), Ear(), list[InstrumentDefined]()
        feed = TapeFeed(tape, TapeFeedSettings(speed=60), outside(time, ear), defined.append)
        assert feed.producers == tape.header.producers and tape.header.name in feed.name
        async with running(feed.run()):
            await time.advance(span / 60)
            await until(lambda: len(ear.events) + len(defined) >= len(expected))
        return list(ear.events), defined

    told, defined = asyncio.run(scene())
    events = [event for _, event in expected if not isinstance(event, InstrumentDefined)]
    assert [type(event) for event in told[:len(events)]] == [type(event) for event in events]
    quotes = [event for event in told if isinstance(event, Quote)]
    plain = [replace(event, venue_at=0, received_at=0) for event in quotes]
    assert plain[:500] == [
        replace(event, venue_at=0, received_at=0) for event in events if isinstance(event, Quote)
    ][:500]
    assert all(event.venue_at <= event.received_at for event in quotes)
    assert [each.instrument for each in defined][:1] == [
        event.instrument for _, event in expected if isinstance(event, InstrumentDefined)
    ][:1]


def test_a_tape_that_breaks_is_told_and_not_taken_for_its_end() -> None:
    async def scene() -> None:
        time, ear = ObedientTime(), Ear()
        feed = TapeFeed(ListedTape(STORY[:1], breaks=True), TapeFeedSettings(), outside(time, ear))
        task = asyncio.create_task(feed.run())
        await asyncio.wait({task}, timeout=5)
        task.result()

    with pytest.raises(TapeError, match="torn"):
        asyncio.run(scene())


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_at_which_nothing_is_due_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="how many times as fast"):
        TapeFeedSettings(speed=speed)
