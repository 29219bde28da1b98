"""When instances want to be looked at again, in the order (due, rule id, instance).

An instance has one entry in the heap, at its due time or earlier. A due time that moves
away does not touch the heap: the entry finds that out when it comes up, and is armed
anew. `soonest` is exact all the same, so that a run that was cut off and resumed wakes
at the same instants.
"""

from __future__ import annotations

from heapq import heappop, heappush

from engine.ruleset.latches import Key


class Timers:
    """Due times (ns) by instance. `soonest` is the earliest, or None: read far more often than it changes."""

    def __init__(self) -> None:
        self.soonest: int | None = None
        self._heap: list[tuple[int, Key]] = []
        self._due: dict[Key, int] = {}
        self._armed: dict[Key, int] = {}

    def set(self, key: Key, due: int | None) -> None:
        """Say when the instance `key` is due next; None for never."""
        if due is None:
            if self._due.pop(key, None) is None:
                return
        else:
            self._due[key] = due
            armed = self._armed.get(key)
            if armed is None or due < armed:
                self._armed[key] = due
                heappush(self._heap, (due, key))
        self.soonest = self._first()

    def clear(self) -> None:
        """Forget every due time."""
        self.soonest = None
        self._heap.clear()
        self._due.clear()
        self._armed.clear()

    def _first(self) -> int | None:
        """Return the earliest due time, and make the heap's first entry say so."""
        heap = self._heap
        while heap:
            entry, key = heap[0]
            due = self._due.get(key)
            if due == entry:
                return entry
            heappop(heap)
            if self._armed.get(key) != entry:
                continue
            if due is None:
                del self._armed[key]
            else:
                self._armed[key] = due
                heappush(heap, (due, key))
        return None

    def pop(self, at: int) -> tuple[int, Key] | None:
        """Return (due, instance) of the first one due at or before `at`, which then has no due time, or None."""
        due = self.soonest
        if due is None or due > at:
            return None
        _, key = heappop(self._heap)
        del self._due[key]
        del self._armed[key]
        self.soonest = self._first()
        return due, key
