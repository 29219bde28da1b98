"""Who reads which slot, and who among them has something new to say.

This is the hot path of the engine: an event costs a look per changed slot and a call per
instance that reads it. Nothing here is proportional to the number of rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.ruleset.instances import Instance, Watch
from engine.signals.snapshot import Snapshot


class Readers:
    """Watches by slot. A list, not a dictionary: with many instances what costs is memory that is in no cache."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.asked = 0
        """How often a condition was asked because a slot it reads changed; a measure, no part of the state."""
        self.watches: list[Watch | None] = []

    def add(self, instance: Instance, at: int) -> None:
        """Let `instance`, which came up at `at` (ns), hear of the slots it reads."""
        watches: list[Watch] = []
        for place, slot in enumerate(instance.slots):
            bad = self._snapshot.status[slot] != 0
            watch = self._watch(slot, bad=bad)
            if watch.bad is not bad:
                # Its status changed just now, and the others were not told yet. They are told here, or else the
                # new one would be asked about a value that is no longer believed.
                _turn(watch, at)
            if slot not in instance.slots[:place]:
                watch.append(instance)
            watches.append(watch)
        instance.watches = tuple(watches)
        instance.rate()

    def _watch(self, slot: int, *, bad: bool) -> Watch:
        self.watches.extend([None] * (slot + 1 - len(self.watches)))
        watch = self.watches[slot]
        if watch is None:
            watch = self.watches[slot] = Watch(bad=bad)
        return watch

    def doubted(self, slot: int, since: int) -> None:
        """Let `slot`, which nobody reads yet and which is in doubt, count as in doubt since `since` (ns)."""
        self._watch(slot, bad=True).since = since

    def of(self, slot: int) -> tuple[Instance, ...]:
        """Return the instances that read `slot`."""
        watch = self.watches[slot] if slot < len(self.watches) else None
        return () if watch is None else tuple(watch)

    def touched(self, slots: Sequence[int], at: int) -> list[Instance]:
        """Return the readers of `slots` whose answer changed at `at`, or cannot be told from their function alone."""
        watches, status, values = self.watches, self._snapshot.status, self._snapshot.values
        known = len(watches)
        heard: list[Watch] = []
        # Every slot's status first: a function must not run on a value that is not believed.
        for slot in slots:
            if slot < known:
                watch = watches[slot]
                if watch is not None:
                    if (status[slot] != 0) is not watch.bad:
                        _turn(watch, at)
                    heard.append(watch)
        found: list[Instance] = []
        for watch in heard:
            self.asked += len(watch)
            for instance in watch:
                if instance.quick:
                    try:
                        if instance.trip(values) is instance.answer:
                            continue
                    except ZeroDivisionError:
                        # It has no answer, but the Kleene evaluator may have one.
                        pass
                found.append(instance)
        return found

    def reset(self) -> None:
        """Believe what the snapshot says now, after it was loaded."""
        for slot, watch in enumerate(self.watches):
            if watch is not None:
                watch.bad = self._snapshot.status[slot] != 0


def _turn(watch: Watch, at: int) -> None:
    watch.bad, watch.since = not watch.bad, at
    for instance in watch:
        instance.bad += 1 if watch.bad else -1
        instance.rate()
