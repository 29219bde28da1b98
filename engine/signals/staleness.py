"""When a sample stops being believed, and every other instant at which a signal changes by itself.

A sample received at t with max_age m is believed in [t, t + m): at t + m it is stale. Each
timed thing has one timer, armed for the earliest instant it may have to change. A fresh
sample leaves the timer where it is; when it rings too early it is armed again for the true
instant, so that a busy signal costs one ring per max_age and nothing per sample.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush


class Timers:
    """At most one live timer an ident (an int), rung in the order (due, ident). All times are ns."""

    __slots__ = ("_heap", "armed")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self.armed: dict[int, int] = {}
        """ident -> its live due. An entry of the heap that differs was replaced and never rings."""

    def arm(self, ident: int, due: int) -> None:
        """Ring for `ident` at `due`, unless it already rings earlier."""
        known = self.armed.get(ident)
        if known is None or due < known:
            self.armed[ident] = due
            heappush(self._heap, (due, ident))

    def next_due(self) -> int | None:
        """Return when the next live timer rings, or None."""
        heap, armed = self._heap, self.armed
        while heap:
            due, ident = heap[0]
            if armed.get(ident) == due:
                return due
            heappop(heap)
        return None

    def pop(self, at: int) -> int | None:
        """Disarm and return the ident of the first live timer due at or before `at`, or None."""
        due = self.next_due()
        if due is None or due > at:
            return None
        ident = heappop(self._heap)[1]
        del self.armed[ident]
        return ident

    def dump(self) -> list[list[int]]:
        """Return [ident, due] of every live timer, by ident."""
        return [[ident, due] for ident, due in sorted(self.armed.items())]

    def load(self, data: list[list[int]]) -> None:
        """Become what `dump` saw."""
        self.armed.clear()
        self.armed.update((ident, due) for ident, due in data)
        self._heap[:] = [(due, ident) for ident, due in data]
        heapify(self._heap)
