"""Slots that follow a sample: windows over it, its age, absent(...) and fresh(...).

They change with the sample or when a timer rings, never by being looked at, so that a
replay sees the same changes at the same instants.
"""

from __future__ import annotations

from engine.model.samples import SignalKind, Status, Unit
from engine.model.time import SECOND
from engine.signals.coverage import Coverage
from engine.signals.series import Heard, Result, Series, Windowed
from engine.signals.slots import SlotKey, Slots
from engine.signals.staleness import Timers
from engine.signals.windows import WINDOW_READS, Flavour, Scale, Window

_UNWIRED, _MISSING = int(Status.UNWIRED), int(Status.MISSING)


class Followers:
    """Makes the slots that follow a base slot, and keeps them right. `at` (ns) never goes back."""

    def __init__(self, slots: Slots, timers: Timers) -> None:
        self._slots = slots
        self._timers = timers
        self.windows: list[tuple[Series, Windowed]] = []
        """By -1 - ident."""
        self.updates = 0
        """How often a window was brought up to date; a measure, no part of the state."""

    def derive(self, series: Series, key: SlotKey, now: int) -> int:
        """Return the new slot of `key` that follows `series`; ValueError if it cannot be read so."""
        reads, name, max_age = key[0], key[1], key[6]
        slots = self._slots
        if reads in WINDOW_READS:
            slot = self._derive_window(series, key, now)
        elif reads == "age":
            slot = slots.grow(key, 0.0, series.slot)
            series.ages.append(slot)
            self._count_age(slot, now)
        elif reads == "fresh":
            slot = slots.grow(key, False, series.slot)
            slots.max_age[slot] = max_age
            series.fresh.append(slot)
            self._check_fresh(slot, now)
        elif reads == "absent":
            slot = slots.grow(key, True, series.slot)
            series.absent.append(slot)
            self._check_absent(slot)
        else:
            raise ValueError(f"nothing reads {reads!r} of {name}")
        slots.follows[series.slot] = series
        return slot

    def _derive_window(self, series: Series, key: SlotKey, now: int) -> int:
        reads, name, _, span, quantile, coverage, _ = key
        spec = series.spec
        if span <= 0:
            raise ValueError(f"{reads} of {name} needs a window above zero")
        if spec.unit is Unit.ENUM and reads != "count_over":
            raise ValueError(f"{reads} needs numbers, and {name} is an enum")
        rises = series.rises and reads in ("increase_over", "rate_over")
        held = self._window(series, span, "increments" if rises else "levels")
        held.window.want(reads)
        slot = self._slots.grow(key, 0.0, series.slot)
        held.results.append(Result(slot, reads, quantile, round(coverage * span)))
        self.settle(series, held, now)
        return slot

    def _window(self, series: Series, span: int, flavour: Flavour) -> Windowed:
        for held in series.windows:
            if held.window.span == span and held.flavour == flavour:
                return held
        spec = series.spec
        sampled = spec.kind in (SignalKind.GAUGE, SignalKind.STATE)
        held = Windowed(
            ident=-1 - len(self.windows), flavour=flavour, window=Window(span, Scale(spec.resolution)),
            coverage=Coverage(span) if sampled else None,
        )
        self.windows.append((series, held))
        series.windows.append(held)
        if held.coverage is not None and not self._slots.status[series.slot]:
            held.coverage.turn(True, self._slots.received_at[series.slot])
        for heard in series.early or ():
            if not heard.status or series.happens:
                held.take(heard)
        return held

    def take(self, series: Series, held: Windowed, heard: Heard, before: int) -> None:
        """Let one window of `series` have a good sample; `before` is the base slot's status until now."""
        if before and held.coverage is not None:
            held.coverage.turn(True, heard.at)
        held.take(heard)
        self.settle(series, held, heard.at)

    def touch(self, series: Series, before: int, at: int) -> None:
        """Begin ages anew with a good sample; `before` is the base slot's status until now."""
        slots, armed = self._slots, self._timers.armed
        for slot in series.ages:
            slots.tell(slot, 0.0, 0)
            if slot not in armed:
                self._timers.arm(slot, at + SECOND)
        for slot in series.fresh:
            slots.tell(slot, True, 0)
            if slot not in armed:
                self._timers.arm(slot, at + slots.max_age[slot])
        if before:
            for slot in series.absent:
                slots.tell(slot, False, 0)

    def doubted(self, series: Series, at: int, lost: Heard | None = None) -> None:
        """Pass on that the base slot is no longer believed; `lost` when that is because of a sample."""
        for held in series.windows:
            if held.coverage is not None:
                held.coverage.turn(False, at)
            elif lost is not None and series.happens:
                held.take(lost)
        self.refresh(series, at)

    def refresh(self, series: Series, at: int) -> None:
        """Look again at all that follows a base slot, because its status changed without a sample."""
        for slot in series.ages:
            self._count_age(slot, at)
        for slot in series.fresh:
            self._check_fresh(slot, at)
        for slot in series.absent:
            self._check_absent(slot)
        for held in series.windows:
            self.settle(series, held, at)

    def settle(self, series: Series, held: Windowed, at: int) -> None:
        """Answer all that is asked of a window as of `at`, and arm its timer for the next change."""
        slots = self._slots
        self.updates += 1
        held.window.evict(at)
        for result in held.results:
            doubt = self._doubt(series, held, result, at)
            if doubt:
                slots.doubt(result.slot, doubt)
            else:
                value, status = held.window.ask(result.reads, result.quantile, series.spec.kind)
                slots.tell(result.slot, value, status)
        due = held.next_change(at)
        if due is not None:
            self._timers.arm(held.ident, due)

    def _doubt(self, series: Series, held: Windowed, result: Result, at: int) -> int:
        """Return why a window cannot be asked, or 0."""
        status = self._slots.status[series.slot]
        if status == _UNWIRED:
            return status
        if series.happens:
            return series.life or held.window.torn()
        if held.coverage is None:
            return status
        if held.coverage.covered(at) < result.need:
            return status or int(Status.NO_COVERAGE)
        return 0

    def ring(self, ident: int, at: int) -> None:
        """Do what is due for a window (negative) or for a slot that follows."""
        if ident < 0:
            series, held = self.windows[-1 - ident]
            self.settle(series, held, at)
        elif self._slots.keys[ident][0] == "age":
            self._count_age(ident, at)
        else:
            self._check_fresh(ident, at)

    def _count_age(self, slot: int, at: int) -> None:
        slots, base = self._slots, self._slots.base_of[slot]
        received = slots.received_at[base]
        if received < 0:
            slots.doubt(slot, _UNWIRED if slots.status[base] == _UNWIRED else _MISSING)
            return
        seconds = max(0, at - received) // SECOND
        slots.tell(slot, float(seconds), 0)
        self._timers.arm(slot, received + (seconds + 1) * SECOND)

    def _check_fresh(self, slot: int, at: int) -> None:
        slots, base = self._slots, self._slots.base_of[slot]
        status = slots.status[base]
        if status == _UNWIRED:
            slots.doubt(slot, _UNWIRED)
            return
        due = slots.received_at[base] + slots.max_age[slot]
        young = status == 0 and due > at
        slots.tell(slot, young, 0)
        if young:
            self._timers.arm(slot, due)

    def _check_absent(self, slot: int) -> None:
        status = self._slots.status[self._slots.base_of[slot]]
        if status == _UNWIRED:
            self._slots.doubt(slot, _UNWIRED)
        else:
            self._slots.tell(slot, status != 0, 0)
