"""One instance over its thinned history: the exact replay, told only of the points that matter.

What the rule reads is given to it as it stood at each point. Its lifecycle, its held
conditions, its timers, latches and episodes are those of the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.model.history import HistoryHeader, Mark, MarkKind, Record, Row
from engine.model.samples import InputRef
from engine.ruleset.ruling import Ruling
from engine.signals.catalogue import Catalogue
from engine.signals.replayed import ReplayedSnapshot
from engine.signals.slots import NOBODY, slot_key
from engine.workbench.fast_inputs import ALWAYS, Bound
from engine.workbench.fast_points import ALONE
from engine.workbench.fast_thin import Thinned, Wanted
from engine.workbench.replay import Replay, ReplayOptions
from engine.workbench.timeline import InstanceTimeline

_LONE = 1 << 61
"""Where the numbers of batches begin that no recording has: each of what time alone changed is one."""
_TOLD = "reading "
"""How the names begin under which rows give a rule what it reads; no signal has a space in its name."""

Value = float | bool | str


class TellingSnapshot(ReplayedSnapshot):
    """A snapshot whose slots, all of them, are told what they hold: nothing in it follows anything."""

    def __init__(self, catalogue: Catalogue, first: Mapping[Bound, tuple[Value, int]]) -> None:
        super().__init__(catalogue)
        self._told: dict[int, None] = {}
        self._first = {name_of(*bound): (bound, given) for bound, given in first.items()}

    def bind(self, ref: InputRef, labels: tuple[str, ...]) -> int:
        """Return the slot of an input."""
        slot = self.told(name_of(ref, labels))
        if self._mark[slot] == NOBODY:
            self._mark[slot] = 0
        return slot

    def told(self, name: str) -> int:
        """Return the slot of the input called `name`."""
        (ref, labels), (value, status) = self._first[name]
        key = (name, ref.signal, labels, 0, 0.0, 0.0, 0)
        slot = self._slots.by_key.get(key)
        if slot is None:
            slot = self._slots.grow(key, value)
            self.status[slot] = status
            self._told[slot] = None
        return slot

    def foreign(self, signal: str, labels: tuple[str, ...]) -> bool:
        """Whether nothing can be done with rows of `signal`."""
        return not signal.startswith(_TOLD) and super().foreign(signal, labels)

    def take(self, slot: int, row: Row) -> None:
        """Let a slot hold what `row` says."""
        if slot in self._told:
            self._slots.tell(slot, row.value, row.status)
        else:
            super().take(slot, row)


class Closed(NamedTuple):
    """A closed latch; the oldest is the least, and of one instant they stand by rule, labels and episode."""

    since: int
    rule: str
    labels: tuple[str, ...]
    episode: int
    name: str


class Stepping(Replay):
    """The exact replay, and since when its latches are closed."""

    def closed(self) -> tuple[Closed, ...]:
        """Return the latches that are closed now."""
        return tuple(
            Closed(one.since, one.rule, one.labels, one.episode, one.name) for one in self._book.latches()
        )


class _Telling(Stepping):
    """The exact replay over a `TellingSnapshot`."""

    def __init__(
        self, ruling: Ruling, history: ThinHistory, options: ReplayOptions, first: Mapping[Bound, tuple[Value, int]]
    ) -> None:
        self._before = first
        self.doubted: dict[str, int] = {}
        """Inputs in doubt when the instance comes up, by name, and since when (ns)."""
        super().__init__(ruling, history, options)

    def blank(self) -> ReplayedSnapshot:
        self._telling = TellingSnapshot(self._ruling.catalogue, self._before)
        return self._telling

    def _settle(self, at: int) -> None:
        if self.doubted and not self._telling.settled():
            doubted, self.doubted = self.doubted, {}
            for name, since in doubted.items():
                slot = self._telling.told(name)
                if self._telling.status[slot]:
                    self._book.on_old_doubt(slot, since)
        super()._settle(at)

    def _slot(self, row: Row) -> int:
        if row.signal.startswith(_TOLD):
            slot = self._slots[row.signal, row.labels] = self._telling.told(row.signal)
            return slot
        return super()._slot(row)


@dataclass(frozen=True, slots=True)
class ThinHistory:
    """Records that are left, as a history."""

    header: HistoryHeader
    kept: Sequence[Record]

    def records(self) -> Iterator[Record]:
        """Yield every record that is left, in order of happening."""
        yield from self.kept


def name_of(ref: InputRef, labels: tuple[str, ...]) -> str:
    """Return the name under which rows say what an input holds."""
    return f"{_TOLD}{slot_key(ref, labels)!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """What every instance is played with. `words` are by their codes; `marks` those that move latches and flags."""

    header: HistoryHeader
    options: ReplayOptions
    marks: tuple[Mark, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one instance, and its latches that are still closed."""

    instances: Mapping[str, InstanceTimeline]
    closed: tuple[Closed, ...]


def play(ruling: Ruling, cast: Cast, wanted: Wanted, heard: Row | None, parts: Sequence[Thinned]) -> Played:
    """Return what became of one instance of the only rule of `ruling`; `heard` is the row it came up with."""
    header = replace(cast.header, signals=(), complete=tuple(ruling.catalogue.specs))
    told = _told(wanted, parts, cast.words)
    first = _first(wanted, parts, cast.words)
    history = ThinHistory(header, _records(wanted, heard, told, cast.marks))
    telling = _Telling(ruling, history, cast.options, first)
    telling.doubted = _old_doubts(wanted, parts)
    instances = telling.run().instances
    return Played(
        instances={name: _untold(one) for name, one in instances.items()},
        closed=telling.closed(),
    )


def _untold(one: InstanceTimeline) -> InstanceTimeline:
    """Return a timeline without what was read: at a timer that is not what was read at the last point."""
    return replace(one, transitions=tuple(replace(move, inputs=()) for move in one.transitions))


def _first(wanted: Wanted, parts: Sequence[Thinned], words: tuple[str, ...]) -> dict[Bound, tuple[Value, int]]:
    if not parts:
        return {}
    return {
        bound: (_value(bound, value, words), status)
        for bound, (value, status) in zip(wanted.inputs, parts[0].first, strict=True)
    }


def _old_doubts(wanted: Wanted, parts: Sequence[Thinned]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for bound, since in zip(wanted.inputs, part.since, strict=bool(part.since)):
            if since is not None:
                found[name_of(*bound)] = since
    return found


def _value(bound: Bound, value: object, words: tuple[str, ...]) -> Value:
    if isinstance(value, int) and not isinstance(value, bool):
        return words[value]
    assert isinstance(value, float | bool), bound
    return value


Point = tuple[int, int, bool, list[Row]]


def _told(wanted: Wanted, parts: Sequence[Thinned], words: tuple[str, ...]) -> list[Point]:
    """Return (at, batch, early, rows) of every point, with a row for each input that stands otherwise than before."""
    names = [name_of(*bound) for bound in wanted.inputs]
    last: list[tuple[object, int] | None] = list(parts[0].first) if parts and wanted.birth == ALWAYS else [
        None for _ in names
    ]
    found: list[Point] = []
    lone = _LONE
    for part in parts:
        values = [column.tolist() for column in part.values]
        statuses = [column.tolist() for column in part.statuses]
        for number, (at, batch, early) in enumerate(
            zip(part.at.tolist(), part.batch.tolist(), part.early.tolist(), strict=True)
        ):
            if batch == ALONE:
                lone += 1
                batch = lone
            rows = []
            for place, name in enumerate(names):
                now = (values[place][number], statuses[place][number])
                if now != last[place]:
                    last[place] = now
                    rows.append(Row(at, batch, name, (), _value(wanted.inputs[place], now[0], words), now[1], at))
            found.append((at, batch, early, rows))
    return found


def _records(wanted: Wanted, heard: Row | None, told: list[Point], marks: Sequence[Mark]) -> list[Record]:
    """Return points and marks in their order; what happened in one batch stays in one."""
    found: list[Record] = []
    waiting = list(reversed(marks))
    for at, batch, early, rows in told:
        while waiting and (waiting[-1].at, waiting[-1].batch) < (at, batch if batch < _LONE else ALONE):
            found.append(waiting.pop())
        if early:
            found.append(Mark(at, batch, MarkKind.WOKEN, {}))
        while waiting and waiting[-1].batch == batch:
            mark = waiting.pop()
            if not (early and mark.kind is MarkKind.WOKEN):
                found.append(mark)
        if heard is not None and batch == wanted.birth[1]:
            found.append(heard)
        found.extend(rows)
    found.extend(reversed(waiting))
    return found
