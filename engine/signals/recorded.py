"""A snapshot that is written down: every change of it becomes a record, in the order of happening.

Two snapshots that took the same samples give the same records, whoever reads them: which
rules there are does not matter, except for the signals of which every sample is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.model.codec import Data
from engine.model.history import Mark, MarkKind, Record, Row
from engine.model.samples import SignalKind, SignalSpec, Status
from engine.signals.catalogue import Catalogue
from engine.signals.series import Value
from engine.signals.snapshot import Snapshot

_EVERY = (SignalKind.EVENT, SignalKind.COUNTER)


class Recorder:
    """Numbers the batches and hands each record to `keep`. It outlives a snapshot: a reload makes another one.

    `complete` names the signals of which every sample is kept, beside all events and
    counters; of those in `decimated` that is what their catalogue entry says, no more.
    """

    def __init__(
        self, keep: Callable[[Record], None], complete: frozenset[str] = frozenset(),
        decimated: frozenset[str] = frozenset(),
    ) -> None:
        self.keep = keep
        self.complete = complete
        self.decimated = decimated
        self.batch = 0
        self._open_at: int | None = None
        self._woken_at: int | None = None

    def wake(self, at: int) -> None:
        """Say that what is recorded next came of a wake-up at `at` (ns)."""
        self._woken_at = at

    def close(self) -> None:
        """End the batch: what was put was settled."""
        self._open_at = self._woken_at = None

    def row(self, at: int, line: Line, value: Value, status: int, event_at: int) -> None:
        """Keep a row of the series `line`."""
        line.at, line.value = at, value
        self.keep(Row(at, self._batch_at(at), line.signal, line.labels, value, status, event_at))

    def mark(self, at: int, kind: MarkKind, data: Data) -> None:
        """Keep a mark. A proposal is reviewed between two settles, so it is a batch of its own."""
        if kind is MarkKind.PROPOSAL:
            self.close()
        self.keep(Mark(at, self._batch_at(at), kind, data))
        if kind is MarkKind.PROPOSAL:
            self.close()

    def _batch_at(self, at: int) -> int:
        """Return the number of the open batch, after opening one where there is none."""
        if self._open_at != at:
            self._open_at = at
            self.batch += 1
            if self._woken_at == at:
                self.keep(Mark(at, self.batch, MarkKind.WOKEN, {}))
        return self.batch


class Line:
    """How the history of one series is written, and what was written last."""

    __slots__ = ("at", "counts", "every", "floor", "happens", "labels", "signal", "value")

    def __init__(self, spec: SignalSpec, labels: tuple[str, ...], recorder: Recorder) -> None:
        self.signal, self.labels = spec.name, labels
        self.counts = spec.kind is SignalKind.COUNTER
        self.happens = spec.kind is SignalKind.EVENT
        self.every = spec.kind in _EVERY or spec.name in recorder.complete
        self.floor = spec.decimate if spec.name in recorder.decimated and not self.every else 0
        self.at = -1
        self.value: Value = 0.0


class RecordedSnapshot(Snapshot):
    """A snapshot that tells `recorder` what it hears. It behaves as any other."""

    recorded = True

    def __init__(self, catalogue: Catalogue, recorder: Recorder) -> None:
        super().__init__(catalogue)
        self._recorder = recorder
        self._lines: dict[int, Line] = {}
        self._producers.on_turn = self._turned

    def put(self, slot: int, value: Value, event_at: int, at: int) -> None:
        """Take a sample in, and keep it where it changes something or every sample counts."""
        before, known = self.status[slot], self.values[slot]
        super().put(slot, value, event_at, at)
        if self.status[slot]:
            # It did not fit, and `degrade` has told so.
            return
        line = self._lines.get(slot) or self._line(slot)
        now = self.values[slot]
        if before or line.every:
            self._recorder.row(self.now, line, now, 0, event_at)
        elif line.floor:
            if now != line.value and self.now >= line.at + line.floor:
                self._recorder.row(self.now, line, now, 0, event_at)
        elif now != known:
            self._recorder.row(self.now, line, now, 0, event_at)

    def degrade(self, slot: int, status: Status, at: int) -> None:
        """Note a loss, and keep it where it changes the standing, or is a loss of what counts one by one."""
        before = self.status[slot]
        super().degrade(slot, status, at)
        line = self._lines.get(slot) or self._line(slot)
        if line.happens:
            self._recorder.row(self.now, line, self.values[slot], int(status), self.event_at[slot])
        elif line.counts or self.status[slot] != before:
            self._keep_doubt(slot, line)

    def fire(self, at: int) -> None:
        """Do what is due, as of `at`."""
        self._recorder.wake(at)
        super().fire(at)

    def settled(self) -> bool:
        """Whether there is nothing to tell any more; if so, the batch is whole."""
        if super().settled():
            self._recorder.close()
            return True
        return False

    def set_unwired(self, names: frozenset[str]) -> None:
        """Say which signals nobody produces; what that changes is kept."""
        before = {slot: self.status[slot] for slot, series in enumerate(self._slots.series) if series is not None}
        super().set_unwired(names)
        for slot, was in before.items():
            line = self._lines.get(slot) or self._line(slot)
            if self.status[slot] != was and not line.happens:
                self._keep_doubt(slot, line)

    def note(self, at: int, kind: MarkKind, data: Data) -> None:
        """Keep what happened beside the signals."""
        if kind is MarkKind.BOUNDARY:
            # A boundary is crossed at the beginning of a wake-up, before anything in here is looked at.
            self._recorder.wake(at)
        self._recorder.mark(at, kind, data)

    def _ring_base(self, slot: int, at: int) -> None:
        before = self.status[slot]
        super()._ring_base(slot, at)
        if self.status[slot] != before:
            line = self._lines.get(slot) or self._line(slot)
            if not line.happens:
                self._keep_doubt(slot, line)

    def _turned(self, producer: str, up: bool, signal: str, at: int) -> None:
        data: dict[str, Data] = {"producer": producer, "up": up}
        if signal:
            data["signal"] = signal
        self._recorder.mark(at, MarkKind.PRODUCER, data)

    def _keep_doubt(self, slot: int, line: Line) -> None:
        value = self._low[slot] if line.counts else self.values[slot]
        self._recorder.row(self.now, line, value, self.status[slot], self.event_at[slot])

    def _line(self, slot: int) -> Line:
        _, name, labels = self._slots.keys[slot][:3]
        line = self._lines[slot] = Line(self.catalogue.specs[name], labels, self._recorder)
        return line

    def dump(self) -> Data:
        """Return everything as JSON data, and how far the history was written."""
        floors = [
            [line.signal, list(line.labels), line.at, line.value] for line in self._lines.values() if line.floor
        ]
        return {**super().dump(), "recorded": {"batch": self._recorder.batch, "floors": floors}}

    def load(self, data: Data) -> None:
        """Become what `dump` saw. Of a snapshot that was not recorded the history begins here."""
        super().load(data)
        recorded = data.get("recorded")
        if recorded is None:
            return
        self._recorder.close()
        self._recorder.batch = recorded["batch"]
        for signal, labels, at, value in recorded["floors"]:
            line = self._line(self.base(signal, tuple(labels)))
            line.at, line.value = at, value
