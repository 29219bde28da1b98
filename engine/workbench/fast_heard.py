"""When the labels of each series were first heard: that is when rules with `by:` get an instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.model.history import Mark, Row
from engine.model.samples import SignalKind, Status
from engine.model.time import DAY
from engine.ports.history import ColumnarHistory, SeriesName
from engine.ruleset.compiled import CompiledRule
from engine.signals.catalogue import Catalogue
from engine.workbench.fast_inputs import Birth, Key


class Heard:
    """First rows by series. `series` are those that anybody may hear of."""

    def __init__(self, history: ColumnarHistory, catalogue: Catalogue, series: Iterable[SeriesName]) -> None:
        self.series = list(series)
        self._history, self._catalogue = history, catalogue
        self._days = history.days()
        self._firsts: dict[Key, Row | None] = {}

    def first(self, one: SeriesName) -> Row | None:
        """Return the first row that shows the labels, or None: a row of doubt shows them where it was a sample."""
        key = (one.signal, one.labels)
        if key not in self._firsts:
            self._firsts[key] = self._find(one, self._catalogue.specs[one.signal].kind)
        return self._firsts[key]

    def lose(self, gaps: Iterable[Mark], bound: Mapping[Key, Birth]) -> bool:
        """Let each gap lose every event that is read by then, `bound` since when; return whether that is news."""
        news = False
        known = {(one.signal, one.labels): one for one in self.series}
        for gap in gaps:
            for key, birth in bound.items():
                if self._catalogue.specs[key[0]].kind is not SignalKind.EVENT or birth[1] >= gap.batch:
                    continue
                if key not in known:
                    known[key] = SeriesName(*key, gap.at, gap.batch)
                    self.series.append(known[key])
                first = self.first(known[key])
                if first is None or first.batch > gap.batch:
                    self._firsts[key] = Row(gap.at, gap.batch, *key, 0.0, int(Status.MISSING), gap.at)
                    news = True
        return news

    def _find(self, one: SeriesName, kind: SignalKind) -> Row | None:
        first = one.first_at
        spans = [(first, first + 1), (first + 1, first - first % DAY + DAY)]
        spans += [(day, day + DAY) for day in self._days if day > first]
        for begin, end in spans:
            column = self._history.column(one.signal, one.labels, begin, end)
            for place in range(len(column)):
                status = int(column.status[place])
                if status and status != Status.INVALID and kind is not SignalKind.EVENT:
                    continue
                number = float(column.value[place])
                value = column.words[int(number)] if column.words else bool(number) if column.switch else number
                at, batch = int(column.at[place]), int(column.batch[place])
                return Row(at, batch, one.signal, one.labels, value, status, int(column.event_at[place]))
        return None


def instances_of(compiled: CompiledRule, heard: Heard, end: int | None) -> dict[tuple[str, ...], Row | None]:
    """Return the labels of every instance, with the row it comes up with; None where it is there from the start."""
    if not compiled.spec.by:
        return {(): None}
    found: dict[tuple[str, ...], Row | None] = {}
    for one in heard.series:
        labels = compiled.project(one.signal, one.labels)
        if labels is None:
            continue
        row = heard.first(one)
        if row is None or (end is not None and row.at >= end):
            continue
        known = found.get(labels)
        if known is None or row.batch < known.batch:
            found[labels] = row
    return found
