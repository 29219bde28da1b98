"""Two lanes into the core: what must never be lost, and the market.

Commands and venue events go first and are never dropped. Market events are bounded:
where the stream allows it a newer one takes the place of the older one of the same
(venue, symbol, stream), and where the lane is full the newest is refused. Every event
lost either way is counted and told to the core, so that no signal looks fresh by luck.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.model.events import Command, Event, VenueEvent
from engine.model.market import FeedDropped, MarketEvent, Quote

CONFLATED: frozenset[type] = frozenset({Quote})
"""Streams of which only the newest counts. Trades and book deltas are facts that add up: never conflated."""

StreamKey = tuple[str, str, str]


@dataclass(slots=True)
class Loss:
    """How many market events of one stream did not reach the core."""

    conflated: int = 0
    dropped: int = 0


class TwoLaneQueue:
    """First the urgent lane in order of arrival, then the market lane. Not thread safe: one loop owns it."""

    def __init__(self, *, market_bound: int, heard: Callable[[], None] = lambda: None) -> None:
        """At most `market_bound` market events wait; `heard` is called for each event that came."""
        self._heard = heard
        self._urgent: deque[Command | VenueEvent] = deque()
        self._market: OrderedDict[tuple[StreamKey, int], MarketEvent] = OrderedDict()
        self._bound = market_bound
        self._count = 0
        self.losses: dict[StreamKey, Loss] = {}
        self._untold: dict[StreamKey, int] = {}

    def put_urgent(self, event: Command | VenueEvent) -> None:
        """Add a command or a venue event. Never refuses: these are few, and each one matters."""
        self._urgent.append(event)
        self._heard()

    def put_market(self, event: MarketEvent) -> bool:
        """Add a market event; False when the lane was full and it was dropped."""
        key = stream_of(event)
        if type(event) in CONFLATED:
            slot = (key, 0)
            if slot in self._market:
                # The newer quote keeps the older one's place: a busy stream cannot starve behind itself.
                self._market[slot] = event
                self._loss(key).conflated += 1
                return True
        else:
            self._count += 1
            slot = (key, self._count)
        if len(self._market) >= self._bound:
            self._loss(key).dropped += 1
            self._untold[key] = self._untold.get(key, 0) + 1
            return False
        self._market[slot] = event
        self._heard()
        return True

    def waits_urgent(self) -> bool:
        """Whether anything is in the urgent lane."""
        return bool(self._urgent)

    def next_urgent(self) -> Command | VenueEvent | None:
        """Take the oldest of the urgent lane, or None."""
        return self._urgent.popleft() if self._urgent else None

    def take(self, *, received_at: int) -> Event | None:
        """Return the next event, or None. Losses are told before the market event behind them."""
        if self._urgent:
            return self._urgent.popleft()
        if self._untold:
            (venue, symbol, stream), count = next(iter(self._untold.items()))
            del self._untold[venue, symbol, stream]
            return FeedDropped(venue=venue, symbol=symbol, stream=stream, count=count, received_at=received_at)
        if self._market:
            return self._market.popitem(last=False)[1]
        return None

    def urgent(self) -> Iterator[Command | VenueEvent]:
        """Take everything in the urgent lane, in order."""
        while self._urgent:
            yield self._urgent.popleft()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._market) + len(self._untold)

    def _loss(self, key: StreamKey) -> Loss:
        return self.losses.setdefault(key, Loss())


def stream_of(event: MarketEvent) -> StreamKey:
    """Return (venue or source, symbol, stream) of a market event."""
    venue = getattr(event, "venue", "") or getattr(event, "source", "") or getattr(event, "producer", "")
    return venue, getattr(event, "symbol", ""), type(event).__name__
