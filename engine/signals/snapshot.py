"""The last sample of every signal, its standing, and everything that follows from it by itself.

A base slot holds the samples of one signal with one set of labels; windows, ages,
absent(...) and fresh(...) have slots of their own. A value is believed only where its
status is 0. Time arrives as an argument and never goes back: an `at` earlier than one
seen before counts as that one, so that a clock set back cannot make old news young.
"""

from __future__ import annotations

from engine.model.codec import Data
from engine.model.history import MarkKind
from engine.model.samples import InputRef, SignalKind, Status, Unit
from engine.signals import saved
from engine.signals.catalogue import Catalogue
from engine.signals.firsts import Firsts
from engine.signals.followers import Followers
from engine.signals.producers import Producers
from engine.signals.series import Heard, Sample, Series, Value, blank
from engine.signals.slots import NOBODY, Slots, slot_key
from engine.signals.staleness import Timers

_MISSING, _STALE, _UNWIRED = int(Status.MISSING), int(Status.STALE), int(Status.UNWIRED)
_AGELESS = (SignalKind.EVENT, SignalKind.COUNTER)


class Snapshot:
    """See the module. All times are ns; `at` is the loop's."""

    recorded = False
    """Whether `note` keeps anything."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.now = 0
        self._slots = slots = Slots()
        self._timers = Timers()
        self._followers = Followers(slots, self._timers)
        self._producers = Producers(slots, self._timers, self._followers)
        self._bases: dict[tuple[str, tuple[str, ...]], int] = {}
        self._firsts = Firsts(slots)
        self._unwired: frozenset[str] = frozenset()
        # The lists themselves, not copies: rule functions and `put` go straight to them.
        self.values, self.status = slots.values, slots.status
        self.event_at, self.received_at = slots.event_at, slots.received_at
        self._low, self._high, self._max_age = slots.low, slots.high, slots.max_age
        self._mark, self._changed, self._follows = slots.mark, slots.changed, slots.follows
        self._armed = self._timers.armed

    def bind(self, ref: InputRef, labels: tuple[str, ...]) -> int:
        """Return the slot of what `ref` reads; `labels` are all label values in the signal's order. Idempotent.

        Raises ValueError when the catalogue has no such signal, labels or reading.
        """
        key = slot_key(ref, labels)
        slot = self._slots.by_key.get(key)
        if slot is None:
            slot = self.base(ref.signal, labels)
            if ref.reads != "value":
                series = self._slots.series[slot]
                assert series is not None
                slot = self._followers.derive(series, key, self.now)
        if self._mark[slot] == NOBODY:
            self._mark[slot] = 0
        return slot

    def base(self, name: str, labels: tuple[str, ...]) -> int:
        """Return the slot that holds the samples of a signal, whether or not anybody reads it.

        Raises ValueError when the catalogue has no such signal or other labels.
        """
        slot = self._bases.get((name, labels))
        if slot is not None:
            return slot
        spec = self.catalogue.get(name)
        if spec is None:
            near = ", ".join(self.catalogue.nearest(name)) or "none"
            raise ValueError(f"the catalogue has no signal {name!r}; nearest: {near}")
        if len(labels) != len(spec.labels):
            raise ValueError(f"{name} has the labels {list(spec.labels)}, not {list(labels)}")
        slot = self._bases[name, labels] = self._slots.grow(("value", name, labels, 0, 0.0, 0.0, 0), blank(spec))
        numeric = spec.unit not in (Unit.ENUM, Unit.BOOL)
        # Words and switches get a range that holds no number, so that `put` looks at them closely.
        self._low[slot], self._high[slot] = (spec.low, spec.high) if numeric else (1.0, 0.0)
        self._max_age[slot] = 0 if spec.kind in _AGELESS else spec.max_age
        series = Series(slot, spec)
        self._slots.series[slot] = self._follows[slot] = series
        if spec.kind is SignalKind.EVENT:
            self._producers.adopt(series)
        if name in self._unwired:
            self.status[slot] = _UNWIRED
        return slot

    def put(self, slot: int, value: Value, event_at: int, at: int) -> None:
        """Take a new sample of a base slot in; what does not fit the catalogue makes the slot INVALID."""
        if at > self.now:
            self.now = at
        elif at < self.now:
            at = self.now
        if value.__class__ is not float or not self._low[slot] <= value <= self._high[slot]:
            accepted = self._accept(slot, value)
            if accepted is None:
                self.degrade(slot, Status.INVALID, at)
                return
            value = accepted
        before = self.status[slot]
        if before or self.values[slot] != value:
            self.values[slot] = value
            self.status[slot] = 0
            if not self._mark[slot]:
                self._mark[slot] = 1
                self._changed.append(slot)
        self.event_at[slot] = event_at
        self.received_at[slot] = at
        max_age = self._max_age[slot]
        if max_age and slot not in self._armed:
            self._timers.arm(slot, at + max_age)
        series = self._follows[slot]
        if series is not None:
            self._heard(series, value, before, at)

    def put_named(self, name: str, labels: tuple[str, ...], value: Value, event_at: int, at: int) -> None:
        """Like `put`, by name; ValueError for a name or a number of labels that the catalogue does not have."""
        slot = self._bases.get((name, labels))
        self.put(self.base(name, labels) if slot is None else slot, value, event_at, at)

    def _accept(self, slot: int, value: Value) -> Value | None:
        """Return `value` as the slot holds it, or None when it is of the wrong type or out of range."""
        series = self._slots.series[slot]
        if series is None:
            raise ValueError(f"slot {slot} follows a sample; it takes none of its own")
        spec = series.spec
        if spec.unit is Unit.BOOL:
            return value if isinstance(value, bool) else None
        if spec.unit is Unit.ENUM:
            return value if isinstance(value, str) and value in spec.values else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not spec.low <= value <= spec.high:
            return None
        number = float(value)
        if number < self._low[slot]:
            # A counter fell, so by how much it rose meanwhile cannot be known: this sample
            # is invalid, and counting begins again from it.
            self._low[slot] = number
            return None
        return number

    def _heard(self, series: Series, value: Value, before: int, at: int) -> None:
        rise = None
        if series.rises:
            number = float(value)
            rise = number - self._low[series.slot] if series.counting else None
            self._low[series.slot], series.counting = number, True
        elif series.happens:
            series.own = 0
            self._producers.sample_came(series, at)
        if series.early is not None or series.windows:
            heard = Heard(at, value, rise)
            self._firsts.keep(series, heard)
            for held in series.windows:
                self._followers.take(series, held, heard, before)
        if before or series.ages or series.fresh:
            self._followers.touch(series, before, at)

    def degrade(self, slot: int, status: Status, at: int) -> None:
        """Note that the sample of a base slot was lost (MISSING) or broken (INVALID) on its way to us."""
        self.now = at = max(at, self.now)
        series = self._slots.series[slot]
        if series is None:
            raise ValueError(f"slot {slot} follows a sample; degrade the sample")
        lost = Heard(at, self.values[slot], None, int(status))
        if status is Status.INVALID or series.happens:
            # An event that was lost happened all the same: windows bound because of the next one have the hole too.
            self._firsts.keep(series, lost)
        if series.happens:
            series.own = int(status)
        self._slots.doubt(slot, series.life or int(status))
        self._followers.doubted(series, at, lost)

    @property
    def window_updates(self) -> int:
        """How often a window was brought up to date in this process, by a sample or by time. For benches."""
        return self._followers.updates

    def settled(self) -> bool:
        """Whether `take_new_labels` and `take_changed` have nothing to tell; cheap: asked at every event."""
        return not self._changed and not self._firsts.untold

    def take_changed(self) -> list[int]:
        """Return the bound slots whose value or status changed since the last call, each once, first change first."""
        self._firsts.grown()
        return self._slots.take_changed()

    def take_new_labels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return (signal, labels) heard for the first time since the last call.

        Ask before `take_changed`: windows bound in between hold these first samples too.
        """
        return self._firsts.take()

    def labels_of(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Return all label values heard of signal `name`, in the order they were heard."""
        return self._firsts.of(name)

    def series(self) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
        """Return (base slot, signal, labels) of all that was bound or heard, in the order it was."""
        keys = self._slots.keys
        return tuple((slot, *keys[slot][1:3]) for slot, one in enumerate(self._slots.series) if one is not None)

    def next_due(self) -> int | None:
        """Return when something here next may change by itself, or None."""
        return self._timers.next_due()

    def fire(self, at: int) -> None:
        """Do everything that is due at or before `at`, as of `at`."""
        if at > self.now:
            self.now = at
        ident = self._timers.pop(at)
        while ident is not None:
            if ident < 0 or self._slots.base_of[ident] != ident:
                self._followers.ring(ident, at)
            else:
                self._ring_base(ident, at)
            ident = self._timers.pop(at)

    def _ring_base(self, slot: int, at: int) -> None:
        series = self._slots.series[slot]
        assert series is not None
        if series.happens:
            self._producers.ring(series, at)
        elif self.status[slot] == 0:
            due = self.received_at[slot] + self._max_age[slot]
            if due > at:
                self._timers.arm(slot, due)
            else:
                self._slots.doubt(slot, _STALE)
                self._followers.doubted(series, at)

    def set_unwired(self, names: frozenset[str]) -> None:
        """Say which signals nobody produces in this run; a sample that comes all the same is believed."""
        self._unwired = names
        for slot, series in enumerate(self._slots.series):
            if series is None:
                continue
            if series.spec.name in names and self.received_at[slot] < 0:
                self._slots.doubt(slot, _UNWIRED)
            elif series.spec.name not in names and self.status[slot] == _UNWIRED:
                self._slots.doubt(slot, series.life or _MISSING)
            else:
                continue
            self._followers.refresh(series, self.now)

    def set_producer(self, producer: str, up: bool, at: int) -> None:
        """Say that a producer is up (also: still up) or down. Events are unknown only while theirs is down."""
        self.now = at = max(at, self.now)
        self._producers.turn(producer, up, at)

    def note(self, at: int, kind: MarkKind, data: Data) -> None:
        """Hear what happened beside the signals. Only a snapshot that is recorded keeps it."""

    def sample(self, slot: int, at: int) -> Sample:
        """Return what a slot holds, for people."""
        reads, name, labels = self._slots.keys[slot][:3]
        received = self.received_at[self._slots.base_of[slot]]
        spec = self.catalogue.specs[name]
        return Sample(
            name=name, labels=labels, reads=reads, value=self.values[slot], status=Status(self.status[slot]),
            age=None if received < 0 else max(0, at - received), producer=spec.producer,
        )

    def doubtful(self, at: int) -> tuple[Sample, ...]:
        """Return the signals that somebody reads, in any way, and that cannot be believed now, by name and labels.

        An event that has not happened is no doubt; that its producer is down is.
        """
        found = []
        for slot, series in enumerate(self._slots.series):
            if series is None or series.spec.order_scope or not self.status[slot]:
                continue
            followed = series.ages or series.fresh or series.absent or series.windows
            if self._mark[slot] == NOBODY and not followed:
                continue
            if series.happens and not series.life and series.own == _MISSING:
                continue
            found.append(self.sample(slot, at))
        return tuple(sorted(found, key=lambda one: (one.name, one.labels)))

    def reread(self, slot: int) -> None:
        """Hold a loaded base slot to what the catalogue says of its range and its age, whatever it said before."""
        series = self._slots.series[slot]
        assert series is not None
        spec = series.spec
        if not series.rises and spec.unit not in (Unit.ENUM, Unit.BOOL):
            self._low[slot] = spec.low
        if series.happens:
            self._producers.ring(series, self.now)
        elif self._max_age[slot] and self.received_at[slot] >= 0:
            self._timers.arm(slot, self.received_at[slot] + self._max_age[slot])

    def dump(self) -> Data:
        """Return everything as JSON data; `load` makes the same snapshot of it."""
        return {
            "now": self.now, "unwired": sorted(self._unwired),
            "slots": saved.dump_slots(self._slots), "series": saved.dump_series(self._slots),
            "windows": saved.dump_windows(self._followers.windows), "producers": self._producers.dump(),
            "timers": self._timers.dump(), "firsts": self._firsts.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw. Slots bound already must be the first ones there, in the same order.

        They are when the same rules were bound to the same catalogue; ValueError otherwise.
        """
        self.now = data["now"]
        self._unwired = frozenset(data["unwired"])
        for ref, labels in saved.bindings(data["slots"], self._slots):
            if ref.reads == "value":
                self.base(ref.signal, labels)
            else:
                self.bind(ref, labels)
        saved.load_slots(self._slots, data["slots"])
        saved.load_series(self._slots, data["series"])
        saved.load_windows(self._followers.windows, data["windows"])
        self._producers.load(data["producers"])
        self._timers.load(data["timers"])
        self._firsts.load(data["firsts"])
