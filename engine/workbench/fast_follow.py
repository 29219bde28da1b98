"""Series played alone, to see what follows them: windows, ages, whether one is fresh or absent, and events.

They are played as the exact replay plays them, through the same snapshot. A gauge, a
state or a counter depends on nothing else; events depend on those of the same producer,
each of which shows that it lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.model.history import Mark, MarkKind, Row
from engine.model.samples import InputRef, SignalSpec
from engine.signals.catalogue import Catalogue
from engine.signals.replayed import ReplayedSnapshot
from engine.workbench.fast_points import ALONE


@dataclass(slots=True)
class Followed:
    """Points of one input; the first entry is what held before the stretch."""

    ats: list[int] = field(default_factory=lambda: [0])
    batches: list[int] = field(default_factory=lambda: [0])
    values: list[Any] = field(default_factory=lambda: [0.0])
    statuses: list[int] = field(default_factory=lambda: [0])


Key = tuple[str, tuple[str, ...]]
"""(signal, labels)."""
Bound = tuple[InputRef, tuple[str, ...]]


class _Played:
    """The series, and what is heard of them in the stretch [begin, end)."""

    def __init__(self, specs: Iterable[SignalSpec], stretch: tuple[int, int]) -> None:
        self._stretch = stretch
        self.snapshot = ReplayedSnapshot(Catalogue(specs))
        self._slots: dict[Key, int] = {}
        self._bounds: dict[int, list[Bound]] = {}
        self.found: dict[Bound, Followed] = {}
        self._gap_until: int | None = None

    def bind(self, bound: Bound) -> int:
        """Read `bound` from now on; return its slot."""
        slot = self.snapshot.bind(*bound)
        self._bounds.setdefault(slot, []).append(bound)
        return slot

    def note(self, at: int, batch: int) -> None:
        """Keep what changed in the batch, or ALONE, that was settled at `at`."""
        snapshot = self.snapshot
        snapshot.take_new_labels()
        for slot in snapshot.take_changed():
            for bound in self._bounds.get(slot, ()):
                self._keep(bound, slot, at, batch)

    def _keep(self, bound: Bound, slot: int, at: int, batch: int) -> None:
        value, status = self.snapshot.values[slot], self.snapshot.status[slot]
        followed = self.found.get(bound)
        if followed is None:
            return
        if at < self._stretch[0]:
            followed.values[0], followed.statuses[0] = value, status
        elif at < self._stretch[1]:
            followed.ats.append(at)
            followed.batches.append(batch)
            followed.values.append(value)
            followed.statuses.append(status)

    def begun(self, bound: Bound) -> None:
        """Read `bound` from before the stretch on."""
        slot = self.bind(bound)
        if bound in self.found:
            self.found[bound].values[0] = self.snapshot.values[slot]
            self.found[bound].statuses[0] = self.snapshot.status[slot]

    def born(self, bound: Bound, at: int, batch: int) -> None:
        """Read `bound` from the batch at `at` on, whose rows were taken."""
        self.snapshot.now = max(self.snapshot.now, at)
        self._keep(bound, self.bind(bound), at, batch)

    def ring(self, until: int, woken: Mapping[int, int]) -> None:
        """Fire what is due up to `until`, each at its own instant; of a wake-up's if one was recorded then."""
        snapshot = self.snapshot
        while True:
            due, gap = snapshot.next_due(), self._gap_until
            if gap is not None and gap <= until and (due is None or gap <= due):
                self._gap_until = None
                snapshot.resume(gap)
                self.note(gap, ALONE)
                continue
            if due is None or due > until:
                return
            snapshot.fire(due)
            self.note(due, woken.get(due, ALONE))

    def take(self, record: Row | Mark) -> None:
        """Take a record of a batch."""
        if isinstance(record, Row):
            key = (record.signal, record.labels)
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = self.snapshot.base(*key)
            self.snapshot.take(slot, record)
        elif record.kind is MarkKind.GAP:
            self._gap_until = int(record.data["until"])
            self.snapshot.lose(record.at)
        elif "signal" in record.data:
            self.snapshot.silence(record.data["producer"], record.data["signal"], record.at)
        else:
            self.snapshot.set_producer(record.data["producer"], record.data["up"], record.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What is to be played: rows in order that reach back far enough to know what stood when the stretch begins.

    `births` say since when each input is read: a window holds nothing from before. `marks`
    are those that concern the series, from the beginning of history.
    """

    specs: tuple[SignalSpec, ...]
    rows: Sequence[Row]
    births: Mapping[Bound, tuple[int, int]]
    marks: Sequence[Mark]
    woken: Sequence[tuple[int, int]]


def follow(score: Score, wanted: Iterable[Bound], stretch: tuple[int, int]) -> dict[Bound, Followed]:
    """Return the points of each of `wanted` in `stretch` = [begin, end) (ns)."""
    played = _Played(score.specs, stretch)
    rows, marks, woken = score.rows, score.marks, score.woken
    played.found.update((bound, Followed()) for bound in wanted)
    first = min((row.batch for row in rows), default=1 << 62)
    later: dict[tuple[int, int], list[Bound]] = {}
    for bound, birth in score.births.items():
        long_ago = birth[1] < first and birth[0] < stretch[0] - bound[0].window
        if birth[1] < 0 or long_ago:
            played.begun(bound)
        elif birth[0] < stretch[1]:
            later.setdefault((birth[1], birth[0]), []).append(bound)
    batches: dict[tuple[int, int], list[Row | Mark]] = {}
    records: list[Row | Mark] = [*marks, *rows]
    for record in records:
        batches.setdefault((record.batch, record.at), []).append(record)
    wakes = {batch for _, batch in woken}
    woken_at: dict[int, int] = {}
    for at, batch in reversed(woken):
        woken_at[at] = batch
    for batch, at in sorted({*batches, *later}):
        early = batch in wakes
        played.ring(at - 1 if early else at, woken_at)
        if early:
            played.snapshot.fire(at)
        for record in batches.get((batch, at), ()):
            played.take(record)
        for bound in later.get((batch, at), ()):
            played.born(bound, at, batch)
        played.note(at, batch)
    played.ring(stretch[1] - 1, woken_at)
    return played.found


__all__ = ["Followed", "follow"]
