"""What a rule reads, over a stretch of history, as arrays: values and statuses point by point.

The value of a gauge, a state or a counter is what the rows say. What follows samples, and
everything about events, is played through the snapshot of the exact replay, one series
alone: those depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.model.history import Mark, MarkKind, Row
from engine.model.samples import InputRef, SignalKind, SignalSpec, Status, Unit
from engine.ports.history import ColumnarHistory, SeriesColumn, SeriesName
from engine.signals.catalogue import Catalogue
from engine.signals.series import blank
from engine.workbench.fast_arrays import Array, numpy
from engine.workbench.fast_follow import Followed, Score, follow
from engine.workbench.fast_points import ALONE, Readings, last_of_batch
from engine.workbench.fast_windows import Samples, slide, slides

_MISSING, _INVALID = int(Status.MISSING), int(Status.INVALID)
Key = tuple[str, tuple[str, ...]]
Bound = tuple[InputRef, tuple[str, ...]]
"""What is read, and all label values of its signal."""
Birth = tuple[int, int]
"""(at, batch) since when somebody reads; (-1, -1) for always."""
ALWAYS: Birth = (-1, -1)


@dataclass(frozen=True, slots=True)
class Beside:
    """What happened beside the signals, as far as inputs need it."""

    woken: tuple[tuple[int, int], ...]
    """(at, batch) of every wake-up that changed something."""
    producers: tuple[Mark, ...]
    gaps: tuple[Mark, ...]


def beside(marks: Iterator[Mark]) -> Beside:
    """Return what of `marks` inputs need."""
    woken, producers, gaps = [], [], []
    for mark in marks:
        if mark.kind is MarkKind.WOKEN:
            woken.append((mark.at, mark.batch))
        elif mark.kind is MarkKind.PRODUCER:
            producers.append(mark)
        elif mark.kind is MarkKind.GAP:
            gaps.append(mark)
    return Beside(tuple(woken), tuple(producers), tuple(gaps))


@dataclass(frozen=True, slots=True)
class Read:
    """What is read of a history by all rules together."""

    births: Mapping[Bound, Birth]
    """Every input, and since when: a window holds nothing from before."""
    events: Mapping[str, tuple[SeriesName, ...]]
    """Producer -> the series of its events: one that is heard shows that all of them live."""


class Inputs:
    """Reads inputs out of `history` a stretch at a time."""

    def __init__(
        self, history: ColumnarHistory, catalogue: Catalogue, around: Beside, read: Read, words: Mapping[str, int]
    ) -> None:
        self._history, self._catalogue, self._beside, self._words = history, catalogue, around, words
        self._births, self._events = read.births, read.events
        self._wanted: dict[Key, list[Bound]] = {}
        for bound in read.births:
            self._wanted.setdefault((bound[0].signal, bound[1]), []).append(bound)
        self._woken_at = dict(reversed(around.woken))
        self._stretch = (0, 0)
        self._found: dict[Bound, Readings] = {}
        self.woken = numpy().array(sorted(batch for _, batch in around.woken), numpy().int64)

    def turn_to(self, begin: int, end: int) -> None:
        """Read [begin, end) from now on."""
        self._stretch = (begin, end)
        self._found = {}

    def of(self, bound: Bound) -> Readings:
        """Return the readings of one input; one that all depend on is read once a stretch."""
        found = self._found.get(bound)
        if found is None:
            ref, labels = bound
            spec = self._catalogue.specs[ref.signal]
            plain = self._plain(ref.signal, labels, spec) if ref.reads == "value" else self._slide(bound, spec)
            if plain is not None:
                self._found[bound] = plain
            else:
                self._follow(ref.signal, labels, spec)
            found = self._found[bound]
        return found

    def _plain(self, signal: str, labels: tuple[str, ...], spec: SignalSpec) -> Readings | None:
        """Return what the rows say, or None where that takes more than to read them."""
        np = numpy()
        if spec.kind is SignalKind.EVENT:
            return None
        begin, end = self._stretch
        column = self._history.column(signal, labels, begin, end)
        before, _ = self._history.before(signal, labels, begin)
        if spec.kind is SignalKind.COUNTER and not _rises(column, before):
            return None
        value, status = self._checked(column, spec)
        keep = last_of_batch(column.batch)
        at, batch = column.at, column.batch
        if len(keep) < len(at):
            at, batch, value, status = at[keep], batch[keep], value[keep], status[keep]
        held, held_status = self._held(before, spec)
        gaps = self._beside.gaps
        if gaps and before is not None and any(gap.at < begin and gap.batch >= before.batch for gap in gaps):
            held_status = _MISSING
        start = np.zeros(1, np.int64)
        readings = Readings(
            at=np.concatenate([start, at]), batch=np.concatenate([start, batch]),
            value=np.concatenate([np.array([held], value.dtype), value]),
            status=np.concatenate([np.array([held_status], np.uint8), status]),
        )
        inside = [gap for gap in gaps if begin <= gap.at < end]
        return _with_gaps(readings, inside) if inside else readings

    def _slide(self, bound: Bound, spec: SignalSpec) -> Readings | None:
        """Return a window as columns, or None where it has to be played."""
        (ref, labels), begin = bound, self._stretch[0]
        birth = self._births[bound]
        reach = begin - ref.window - 1
        if self._beside.gaps or not slides(ref, spec) or (birth != ALWAYS and birth[0] >= reach):
            return None
        column = self._history.column(ref.signal, labels, reach, self._stretch[1])
        value, status = self._checked(column, spec)
        before, _ = self._history.before(ref.signal, labels, reach)
        held = self._held(before, spec)[1]
        samples = Samples(at=column.at, batch=column.batch, value=value, status=status, before=held)
        return slide(ref, spec, samples, self._woken_at, self._stretch)

    def _checked(self, column: SeriesColumn, spec: SignalSpec) -> tuple[Array, Array]:
        """Return values as conditions compare them, and statuses; what does not fit the catalogue is invalid."""
        np = numpy()
        if spec.unit is Unit.BOOL:
            fits: Any = column.switch
            value = column.value != 0.0
        elif spec.unit is Unit.ENUM:
            codes = np.array([self._words.get(word, -1) for word in column.words] or [-1], np.int64)
            value = codes[column.value.astype(np.int64)] if column.words else np.full(len(column), -1)
            fits = np.isin(value, [self._words[word] for word in spec.values])
        else:
            value = column.value
            fits = False
            if not column.words and not column.switch:
                if not len(value) or (value.min() >= spec.low and value.max() <= spec.high):
                    return value, column.status
                fits = np.logical_and(value >= spec.low, value <= spec.high)
        wrong = np.logical_and(np.logical_not(fits), column.status == 0)
        return value, np.where(wrong, np.uint8(_INVALID), column.status)

    def _held(self, before: Row | None, spec: SignalSpec) -> tuple[float | bool | int, int]:
        """Return value and status that hold when the stretch begins."""
        np = numpy()
        given = blank(spec) if before is None else before.value
        status = np.array([_MISSING if before is None else before.status], np.uint8)
        nothing = np.zeros(1, np.int64)
        words = (given,) if isinstance(given, str) else ()
        column = SeriesColumn(
            at=nothing, batch=nothing, value=np.array([0.0 if words else float(given)]), status=status,
            event_at=nothing, words=words, switch=isinstance(given, bool),
        )
        value, status = self._checked(column, spec)
        return value[0].item(), int(status[0])

    def _follow(self, signal: str, labels: tuple[str, ...], spec: SignalSpec) -> None:
        """Play the series, of events with those of the same producer, and keep everything that is wanted of them."""
        if spec.kind is SignalKind.EVENT:
            keys = {(one.signal, one.labels): None for one in self._events.get(spec.producer, ())}
            kin = [key for key in self._wanted if self._is_event_of(key[0], spec.producer)]
            keys.update((key, None) for key in kin)
        else:
            keys = {(signal, labels): None}
        births = {bound: self._births[bound] for key in keys for bound in self._wanted.get(key, ())}
        begin, end = self._stretch
        reach = begin - max(bound[0].window for bound in births) - 1
        rows = [row for key in keys for row in self._reaching(key, reach, end)]
        rows.sort(key=lambda row: row.batch)
        specs = self._catalogue.specs
        marks = [mark for mark in self._beside.producers if mark.data["producer"] == spec.producer]
        score = Score(
            specs=tuple(specs[name] for name in sorted({key[0] for key in keys})), rows=rows, births=births,
            marks=[mark for mark in (*marks, *self._beside.gaps) if mark.at < end], woken=self._beside.woken,
        )
        for bound, followed in follow(score, births, self._stretch).items():
            self._found[bound] = self._array(followed, specs[bound[0].signal], bound[0])

    def _is_event_of(self, signal: str, producer: str) -> bool:
        spec = self._catalogue.specs[signal]
        return spec.kind is SignalKind.EVENT and spec.producer == producer

    def _reaching(self, key: Key, reach: int, end: int) -> list[Row]:
        """Return the rows of a series in [reach, end), and before them those that say what stood then."""
        last, good = self._history.before(*key, reach)
        before = [row for row in ((good, last) if good != last else (last,)) if row is not None]
        return [*before, *_rows(*key, self._history.column(*key, reach, end))]

    def _array(self, followed: Followed, spec: SignalSpec, ref: InputRef) -> Readings:
        np = numpy()
        values: list[Any] = followed.values
        if ref.reads == "value" and spec.unit is Unit.ENUM:
            values = [self._words[value] for value in values]
        switch = ref.reads in ("absent", "fresh") or (ref.reads == "value" and spec.unit is Unit.BOOL)
        kind = bool if switch else np.int64 if ref.reads == "value" and spec.unit is Unit.ENUM else np.float64
        return Readings(
            at=np.array(followed.ats, np.int64), batch=np.array(followed.batches, np.int64),
            value=np.array(values, kind), status=np.array(followed.statuses, np.uint8),
        )


def _rises(column: SeriesColumn, before: Row | None) -> bool:
    """Whether every row of a counter is believed and none is below the one before it."""
    np = numpy()
    if column.status.any() or (before is not None and before.status):
        return False
    if before is not None and len(column) and column.value[0] < float(before.value):
        return False
    return bool(np.all(column.value[1:] >= column.value[:-1]))


def _rows(signal: str, labels: tuple[str, ...], column: SeriesColumn) -> Iterator[Row]:
    values: Sequence[float | bool | str] = column.value.tolist()
    if column.words:
        values = [column.words[int(value)] for value in values]
    elif column.switch:
        values = [bool(value) for value in values]
    for at, batch, value, status, event_at in zip(
        column.at.tolist(), column.batch.tolist(), values, column.status.tolist(), column.event_at.tolist(),
        strict=True,
    ):
        yield Row(at, batch, signal, labels, value, status, event_at)


def _with_gaps(readings: Readings, gaps: Sequence[Mark]) -> Readings:
    """Return `readings` with the signal missing from each gap's beginning on."""
    np = numpy()
    for gap in gaps:
        place = int(np.searchsorted(readings.batch[1:], gap.batch, side="right")) + 1
        if place > 1 and readings.batch[place - 1] == gap.batch:
            status = readings.status.copy()
            status[place - 1] = _MISSING
            readings = Readings(at=readings.at, batch=readings.batch, value=readings.value, status=status)
            continue
        readings = Readings(
            at=np.insert(readings.at, place, gap.at), batch=np.insert(readings.batch, place, gap.batch),
            value=np.insert(readings.value, place, readings.value[place - 1]),
            status=np.insert(readings.status, place, _MISSING),
        )
    return readings


__all__ = ["ALONE", "ALWAYS", "Beside", "Birth", "Bound", "Inputs", "Read", "beside"]
