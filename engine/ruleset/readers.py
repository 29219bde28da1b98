"""Who reads which slot, and who among them has something new to say.

This is the hot path of the engine: an event costs a look per changed slot and a call per
instance that reads it. Nothing here is proportional to the number of rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.ruleset.instances import Instance
from engine.signals.snapshot import Snapshot


class Readers:
    """Instances by slot, and whether the slot's value could be believed when they last looked."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._by_slot: list[list[Instance] | None] = []
        self._was_bad = bytearray()

    def add(self, instance: Instance) -> None:
        """Let `instance` hear of the slots it reads."""
        by_slot, status = self._by_slot, self._snapshot.status
        for slot in sorted(set(instance.slots)):
            missing = slot + 1 - len(by_slot)
            if missing > 0:
                by_slot.extend([None] * missing)
                self._was_bad.extend(bytes(missing))
            is_bad = status[slot] != 0
            watching = by_slot[slot]
            if watching is None:
                by_slot[slot] = [instance]
                self._was_bad[slot] = is_bad
            else:
                # All readers of a slot hear of a change of its status together, so a new one
                # begins with what the others believe.
                instance.bad += self._was_bad[slot] - is_bad
                watching.append(instance)
        instance.rate()

    def touched(self, slots: Sequence[int]) -> list[Instance]:
        """Return the readers of `slots` whose answer changed, or cannot be told from their function alone."""
        by_slot, status, values = self._by_slot, self._snapshot.status, self._snapshot.values
        was_bad, known = self._was_bad, len(by_slot)
        found: list[Instance] = []
        for slot in slots:
            if slot < known and by_slot[slot] is not None and (status[slot] != 0) != was_bad[slot]:
                self._turn(slot)
        for slot in slots:
            watching = by_slot[slot] if slot < known else None
            if watching is None:
                continue
            for instance in watching:
                if instance.quick:
                    try:
                        if instance.trip(values) is instance.answer:
                            continue
                    except ZeroDivisionError:
                        if instance.answer is None:
                            continue
                found.append(instance)
        return found

    def _turn(self, slot: int) -> None:
        is_bad = self._snapshot.status[slot] != 0
        self._was_bad[slot] = is_bad
        for instance in self._by_slot[slot] or ():
            instance.bad += 1 if is_bad else -1
            instance.rate()

    def reset(self) -> None:
        """Believe what the snapshot says now, after it was loaded."""
        status = self._snapshot.status
        for slot, watching in enumerate(self._by_slot):
            self._was_bad[slot] = watching is not None and status[slot] != 0
