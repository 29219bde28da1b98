"""The flat lists behind a snapshot: one place an input, and a note of what changed.

Generated rule functions index `values` directly, so the lists only grow and are never
replaced. A slot that nobody bound never reports a change.
"""

from __future__ import annotations

from engine.model.samples import InputRef, Status
from engine.signals.series import Series, Value
from engine.signals.windows import WINDOW_READS

SlotKey = tuple[str, str, tuple[str, ...], int, float, float, int]
"""(reads, signal, labels, window, quantile, coverage, max_age); what a reading does not use is 0."""
NOBODY = 2
"""Mark of a slot that no one bound. 0 is bound, 1 is bound and listed as changed."""


def slot_key(ref: InputRef, labels: tuple[str, ...]) -> SlotKey:
    """Return what makes the slot of `ref` one of its own: two inputs that read alike share a slot."""
    if ref.reads in WINDOW_READS:
        quantile = ref.quantile if ref.reads == "quantile_over" else 0.0
        return (ref.reads, ref.signal, labels, ref.window, quantile, ref.coverage, 0)
    return (ref.reads, ref.signal, labels, 0, 0.0, 0.0, ref.max_age if ref.reads == "fresh" else 0)


class Slots:
    """Parallel lists by slot. Times in ns, -1 for never."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.status: list[int] = []
        self.event_at: list[int] = []
        self.received_at: list[int] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.max_age: list[int] = []
        self.mark: list[int] = []
        self.keys: list[SlotKey] = []
        self.base_of: list[int] = []
        """The base slot whose sample a slot follows; a base slot's is itself."""
        self.series: list[Series | None] = []
        """Of every base slot."""
        self.follows: list[Series | None] = []
        """The same, but None where a new sample concerns the slot alone: what `put` looks at."""
        self.changed: list[int] = []
        self.by_key: dict[SlotKey, int] = {}

    def grow(self, key: SlotKey, value: Value, base: int | None = None) -> int:
        """Return a new slot that holds `value` and is MISSING; without `base` it is a base slot."""
        slot = len(self.values)
        self.values.append(value)
        self.status.append(int(Status.MISSING))
        self.event_at.append(-1)
        self.received_at.append(-1)
        self.low.append(0.0)
        self.high.append(0.0)
        self.max_age.append(0)
        self.mark.append(NOBODY)
        self.keys.append(key)
        self.base_of.append(slot if base is None else base)
        self.series.append(None)
        self.follows.append(None)
        self.by_key[key] = slot
        return slot

    def tell(self, slot: int, value: Value, status: int) -> None:
        """Give a slot its value and status, and list it if that changed anything."""
        if self.status[slot] == status and (status or self.values[slot] == value):
            return
        if not status:
            self.values[slot] = value
        self.status[slot] = status
        if not self.mark[slot]:
            self.mark[slot] = 1
            self.changed.append(slot)

    def doubt(self, slot: int, status: int) -> None:
        """Give a slot a status that is not OK; its value stays, and means nothing."""
        self.tell(slot, self.values[slot], status)

    def take_changed(self) -> list[int]:
        """Return the slots listed since the last call, each once, in the order of their first change."""
        changed = self.changed[:]
        self.changed.clear()
        for slot in changed:
            self.mark[slot] = 0
        return changed
