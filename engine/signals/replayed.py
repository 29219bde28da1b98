"""A snapshot fed from recorded history: its base slots stand as the records say, and do not age by themselves.

That a sample went stale, or a producer fell silent, is a record of its own. What follows a
sample, windows, ages and freshness, runs as in any snapshot.
"""

from __future__ import annotations

from dataclasses import replace

from engine.model.history import Row
from engine.model.samples import SignalKind, Status
from engine.signals.catalogue import Catalogue
from engine.signals.producers import IN_PROCESS
from engine.signals.snapshot import Snapshot

_EVENT = SignalKind.EVENT


class ReplayedSnapshot(Snapshot):
    """See the module. Rows of signals that `catalogue` does not have, or has with other labels, are `foreign`."""

    def __init__(self, catalogue: Catalogue) -> None:
        # An event without a max_age has a producer that is never down by silence.
        super().__init__(
            Catalogue(replace(spec, max_age=0) if spec.kind is _EVENT else spec for spec in catalogue.specs.values())
        )

    def base(self, name: str, labels: tuple[str, ...]) -> int:
        """Return the slot that holds the samples of a signal; it never goes stale by itself."""
        slot = super().base(name, labels)
        self._max_age[slot] = 0
        return slot

    def foreign(self, signal: str, labels: tuple[str, ...]) -> bool:
        """Whether nothing can be done with rows of `signal`, so labelled."""
        spec = self.catalogue.get(signal)
        return spec is None or spec.order_scope or len(spec.labels) != len(labels)

    def take(self, slot: int, row: Row) -> None:
        """Let the base slot `slot` have what `row` says."""
        if not row.status:
            self.put(slot, row.value, row.event_at, row.at)
            return
        series = self._slots.series[slot]
        if series is not None and series.rises:
            self._low[slot] = float(row.value)
        self.degrade(slot, Status(row.status), row.at)

    def silence(self, producer: str, signal: str, at: int) -> None:
        """Note that `producer` was silent for longer than its event signal `signal` allowed."""
        self.now = at = max(at, self.now)
        self._producers.silence(producer, signal, at)

    def lose(self, at: int) -> None:
        """Know nothing any more: from `at` (ns) on nobody wrote down what happened."""
        for producer in sorted(self.catalogue.producers()):
            self.set_producer(producer, False, at)
        for slot, series in enumerate(self._slots.series):
            if series is not None:
                self.degrade(slot, Status.MISSING, at)
                if series.rises:
                    # What it rose meanwhile nobody counted: the next sample is where counting begins.
                    self._low[slot], series.counting = series.spec.low, False

    def resume(self, at: int) -> None:
        """Go on at `at` (ns) after a loss: events may have happened until now, and what is in this process lives."""
        for slot, series in enumerate(self._slots.series):
            if series is not None and series.happens:
                self.degrade(slot, Status.MISSING, at)
        for producer in sorted(self.catalogue.producers()):
            if producer.startswith(IN_PROCESS):
                self.set_producer(producer, True, at)
