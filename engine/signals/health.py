"""How healthy the engine's own content is: 0 fine, 1 degraded, 2 halted.

Measured by what the market feeds say, not by whether their sockets are open: a feed that
had connected and has been silent, or closed, for too long is the fault. Before any feed
had connected there is nothing to measure and no sample.
"""

from __future__ import annotations

from engine.model.codec import Data
from engine.signals.feeds import Feeds
from engine.signals.snapshot import Snapshot

SIGNAL = "health_measured"


class Health:
    """Puts `health_measured` each period, and at the very instant at which it changes. Durations in ns."""

    def __init__(self, snapshot: Snapshot, feeds: Feeds, *, degraded: int, halted: int) -> None:
        self._snapshot = snapshot
        self._feeds = feeds
        self.degraded, self.halted = degraded, halted
        spec = snapshot.catalogue.get(SIGNAL)
        self._period = spec.period if spec is not None else 0
        self._slot = snapshot.base(SIGNAL, ()) if spec is not None else -1
        self._due: int | None = None

    def next_due(self) -> int | None:
        """Return when to look again, or None."""
        return self._due

    def fire(self, at: int) -> None:
        """Look again if that is due."""
        if self._due is not None and self._due <= at:
            self.look(at)

    def met(self, at: int) -> None:
        """Begin to measure, once there is a feed."""
        if self._due is None:
            self.look(at)

    def look(self, at: int) -> None:
        """Measure, put the sample, and set the next look."""
        if self._slot < 0 or not self._feeds.known:
            return
        worst, dues = 0, [at + self._period] if self._period else []
        for feed in self._feeds.known.values():
            silent = at - feed.last_at
            level = 2 if silent >= self.halted else 1 if silent >= self.degraded else 0
            feed.late = level > 0
            worst = max(worst, level)
            dues += [feed.last_at + limit for limit in (self.degraded, self.halted) if limit > silent]
        self._snapshot.put(self._slot, float(worst), at, at)
        self._due = min(dues) if dues else None

    def set_limits(self, *, degraded: int, halted: int, at: int) -> None:
        """Measure by other limits from now on."""
        if (degraded, halted) != (self.degraded, self.halted):
            self.degraded, self.halted = degraded, halted
            self.look(at)

    def dump(self) -> Data:
        """Return the state as JSON data."""
        return {"due": self._due, "degraded": self.degraded, "halted": self.halted}

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._due, self.degraded, self.halted = data["due"], data["degraded"], data["halted"]
