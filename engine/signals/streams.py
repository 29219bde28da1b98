"""Which streams of a venue say something, and for how long one has not: a connection is alive by its content.

Quotes and books come on one connection and are never long silent. Trades and funding come
on another: trades of an illiquid symbol may be rare, so that connection is only held to
speaking where the venue is heard to tell funding every second. Announcements and references
are polled and have their own sign of life. The stream of our own orders is silent as long
as nothing happens to them; it is gone when the venue's adapter says so, until it is back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.codec import Data
from engine.model.time import SECOND
from engine.signals.feeds import Feeds
from engine.signals.snapshot import Snapshot

SILENCE, WORST, BACK = "stream_silent_s", "venue_silent_s", "venue_back_s"
BOOK, MARKET, USER = "book", "market", "user"
PULSE = 10 * SECOND
"""A venue that tells funding oftener than this is expected to go on doing so."""


@dataclass(slots=True)
class Stream:
    """One connection's content. `slot` is its stream_silent_s, or -1 where the catalogue has none."""

    name: str
    slot: int
    last_at: int
    """When it last said something, or could first have (ns)."""
    held: bool = True
    """Whether its silence counts."""
    down: bool = False
    """Of the user stream: it is known to be gone, since `last_at`."""

    @property
    def speaks(self) -> bool:
        """Whether its silence counts by itself now."""
        return self.down if self.name == USER else self.held

    def silent(self, at: int) -> int:
        """Return for how long (ns) it has been silent without a reason."""
        return max(0, at - self.last_at) if self.speaks else 0


@dataclass(slots=True)
class VenueStreams:
    """The streams of one venue. The slots are -1 where the catalogue has no such signal."""

    venue: str
    worst: int
    back: int
    streams: dict[str, Stream] = field(default_factory=dict)
    late_since: int = 0
    """Since when (ns) one of them has been silent for so long that it is called gone; 0 where none is."""
    told_at: int = -1
    """When funding was last told (ns)."""


class Streams:
    """Puts the silences each period, and at the very instant at which one is called gone or is back."""

    def __init__(self, snapshot: Snapshot, feeds: Feeds, alert: int) -> None:
        self._snapshot, self._feeds, self._alert = snapshot, feeds, alert
        spec = snapshot.catalogue.get(WORST)
        self._period = spec.period if spec is not None else 0
        self.known: dict[str, VenueStreams] = {}
        self.due: int | None = None

    def of(self, venue: str, name: str, at: int) -> Stream:
        """Return a stream; one that is met for the first time counts its silence from `at`."""
        here = self.venue(venue)
        stream = here.streams.get(name)
        if stream is None:
            slot = self._base(SILENCE, venue, name)
            stream = here.streams[name] = Stream(name, slot, at, held=name != MARKET)
        return stream

    def venue(self, venue: str) -> VenueStreams:
        """Return the streams of `venue`, none at first."""
        here = self.known.get(venue)
        if here is None:
            here = self.known[venue] = VenueStreams(venue, self._base(WORST, venue), self._base(BACK, venue))
        return here

    def _base(self, name: str, *labels: str) -> int:
        return self._snapshot.base(name, labels) if name in self._snapshot.catalogue.specs else -1

    def met(self, at: int) -> None:
        """Begin to measure."""
        if self.due is None and self._period:
            self.look(at)

    def pulse(self, venue: str, stream: Stream, at: int) -> None:
        """Funding was told: where that comes by the second, silence of its stream is a fault from now on."""
        here = self.known[venue]
        if not stream.held and 0 <= at - here.told_at <= PULSE and here.told_at >= 0:
            stream.held = True
        here.told_at = at

    def user(self, venue: str, alive: bool, at: int) -> None:
        """The stream of our own orders began, or is gone."""
        stream = self.of(venue, USER, at)
        if stream.down == alive:
            stream.down, stream.last_at = not alive, at
        self.look(at)

    def begin(self, at: int) -> None:
        """A process begins to listen at `at`: nobody heard what was said before."""
        for here in self.known.values():
            here.streams.pop(USER, None)
            for stream in here.streams.values():
                stream.last_at = at
        if self.due is not None:
            self.due = at

    def fire(self, at: int) -> None:
        """Look again if that is due."""
        if self.due is not None and self.due <= at:
            self.look(at)

    def look(self, at: int) -> None:
        """Put every silence, say who is back, and set the next look."""
        if not self._period:
            return
        soonest = at + self._period
        for here in self.known.values():
            feed = self._feeds.known.get(here.venue)
            worst = 0 if feed is None else max(0, at - feed.last_at)
            if feed is not None and worst < self._alert:
                soonest = min(soonest, feed.last_at + self._alert)
            for stream in here.streams.values():
                silent = stream.silent(at)
                worst = max(worst, silent)
                if stream.speaks and silent < self._alert:
                    soonest = min(soonest, stream.last_at + self._alert)
                self._put(stream.slot, silent / SECOND, at)
            self._put(here.worst, worst / SECOND, at)
            if feed is not None:
                feed.gone = worst >= self._alert
            if worst >= self._alert:
                here.late_since = here.late_since or at - worst
            elif here.late_since:
                gone, here.late_since = at - here.late_since, 0
                self._put(here.back, gone / SECOND, at)
        self.due = max(soonest, at + 1)

    def _put(self, slot: int, value: float, at: int) -> None:
        if slot >= 0:
            self._snapshot.put(slot, value, at, at)

    def set_alert(self, alert: int, at: int) -> None:
        """Call a silence a drop from another length (ns) on."""
        if alert != self._alert:
            self._alert = alert
            if self.due is not None:
                self.look(at)

    def dump(self) -> Data:
        """Return every stream as JSON data, in the order they were met; the limit is a flag's."""
        return {"due": self.due, "known": [
            [here.venue, here.late_since, here.told_at, [
                [one.name, one.last_at, one.held, one.down] for one in here.streams.values()
            ]] for here in self.known.values()
        ]}

    def load(self, data: Data) -> None:
        """Become what `dump` saw; the snapshot must be loaded already."""
        self.known.clear()
        for venue, late_since, told_at, streams in data["known"]:
            self.venue(venue)
            for name, last_at, held, down in streams:
                stream = self.of(venue, name, last_at)
                stream.held, stream.down = held, down
            here = self.known[venue]
            here.late_since, here.told_at = late_since, told_at
            feed = self._feeds.known.get(venue)
            if feed is not None:
                feed.gone = late_since > 0
        self.due = data["due"]
