"""Who reads which slot, and who among them has something new to say.

This is the hot path of the engine: an event costs a look per changed slot and a call per
instance that reads it. Nothing here is proportional to the number of rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.ruleset.instances import Instance, Watch
from engine.signals.snapshot import Snapshot


class Readers:
    """Instances by slot. `watched` may be asked whether a slot is read by anybody."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.asked = 0
        """How often a condition was asked because a slot it reads changed; a measure, no part of the state."""
        self.watched: dict[int, Watch] = {}

    def add(self, instance: Instance) -> None:
        """Let `instance` hear of the slots it reads."""
        for slot in sorted(set(instance.slots)):
            bad = self._snapshot.status[slot] != 0
            watch = self.watched.get(slot)
            if watch is None:
                watch = self.watched[slot] = Watch(bad=bad)
            # All readers of a slot hear of a change of its status together, so a new one
            # begins with what the others believe.
            instance.bad += watch.bad - bad
            watch.instances.append(instance)
        instance.watches = tuple(self.watched[slot] for slot in instance.slots)
        instance.rate()

    def of(self, slot: int) -> tuple[Instance, ...]:
        """Return the instances that read `slot`."""
        watch = self.watched.get(slot)
        return () if watch is None else tuple(watch.instances)

    def touched(self, slots: Sequence[int], at: int) -> list[Instance]:
        """Return the readers of `slots` whose answer changed at `at`, or cannot be told from their function alone."""
        status, values, watched = self._snapshot.status, self._snapshot.values, self.watched
        # Every slot's status first: a function must not run on a value that is not believed.
        heard: list[list[Instance]] = []
        for slot in slots:
            watch = watched.get(slot)
            if watch is not None:
                if (status[slot] != 0) is not watch.bad:
                    _turn(watch, at)
                heard.append(watch.instances)
        found: list[Instance] = []
        for instances in heard:
            self.asked += len(instances)
            for instance in instances:
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
        for slot, watch in self.watched.items():
            watch.bad = self._snapshot.status[slot] != 0


def _turn(watch: Watch, at: int) -> None:
    watch.bad, watch.since = not watch.bad, at
    for instance in watch.instances:
        instance.bad += 1 if watch.bad else -1
        instance.rate()
