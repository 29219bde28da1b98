"""Whether the venues' market feeds say anything: a count of their messages, and since when they are silent.

Only content counts. A connection that is open and silent is as good as closed, and one
that opens again is not alive before it has said something.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.codec import Data
from engine.model.market import FeedState
from engine.signals.snapshot import Snapshot

MARKET_PRODUCER = "feed.market"


@dataclass(slots=True)
class Feed:
    """One venue's market feed; `slot` is its feed_messages, or -1 where the catalogue has none."""

    venue: str
    slot: int
    count: int
    last_at: int
    """When it last said something, or first connected (ns)."""
    connected: bool = True
    late: bool = False
    """Health has noticed its silence, so its next word must be told at once."""
    gone: bool = False
    """One of its streams is called silent: the same."""


class Feeds:
    """The market feeds that had connected or spoken, in that order."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._counted = snapshot.catalogue.get("feed_messages") is not None
        self.known: dict[str, Feed] = {}

    def of(self, venue: str, at: int) -> Feed:
        """Return the feed of `venue`; a feed met for the first time counts its silence from `at`."""
        feed = self.known.get(venue)
        if feed is None:
            slot = self._snapshot.base("feed_messages", (venue,)) if self._counted else -1
            feed = self.known[venue] = Feed(venue, slot, 0, at)
        return feed

    def heard(self, feed: Feed, venue_at: int, at: int) -> None:
        """Count one message with content."""
        feed.count += 1
        feed.last_at = at
        if feed.slot >= 0:
            self._snapshot.put(feed.slot, float(feed.count), venue_at, at)

    def on_state(self, event: FeedState, at: int) -> None:
        """Take in that a market feed's connection opened or closed."""
        self.of(event.venue, at).connected = event.connected
        self._snapshot.set_producer(MARKET_PRODUCER, any(feed.connected for feed in self.known.values()), at)

    def dump(self) -> Data:
        """Return every feed as JSON data, in the order they were met."""
        return [[feed.venue, feed.count, feed.last_at, feed.connected, feed.late] for feed in self.known.values()]

    def load(self, data: Data) -> None:
        """Become what `dump` saw; the snapshot must be loaded already."""
        self.known.clear()
        for venue, count, last_at, connected, late in data:
            feed = self.of(venue, last_at)
            feed.count, feed.connected, feed.late = count, connected, late
