"""What a comparison asks of a history that can be read by columns: coverage, and what was read at one instant.

The answers are those of going through every record, without going through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from engine.model.history import MarkKind, Record, Row
from engine.model.samples import SignalKind, SignalSpec
from engine.model.time import DAY
from engine.ports.history import ColumnarHistory, SeriesName
from engine.ruleset.reading import inputs_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RuleSpec
from engine.ruleset.words import input_text
from engine.signals.catalogue import Catalogue
from engine.workbench.diff_coverage import CoverageCount
from engine.workbench.diff_report import InstanceDiff, Report
from engine.workbench.fast_arrays import Array, numpy


def count_columns(history: ColumnarHistory, specs: Mapping[str, SignalSpec], count: CoverageCount, end: int) -> None:
    """Give `count` all it would have of the records of `history` before `end` (ns)."""
    gaps: list[int] = []
    events: list[Record] = []
    for mark in history.marks():
        if mark.at >= end:
            break
        events.append(mark)
        if mark.kind is MarkKind.GAP:
            gaps.append(mark.at)
    for name in history.series():
        spec = specs.get(name.signal)
        if spec is None or name.first_at >= end:
            continue
        if "symbol" in spec.labels:
            count.symbols.add(name.labels[spec.labels.index("symbol")])
        if not count.wants(name.signal):
            continue
        if spec.kind is SignalKind.EVENT:
            events += _rows(history, name, end)
        else:
            count.settle((name.signal, name.labels), name.first_at, _known(history, name, gaps, (count.begin, end)))
    for record in sorted(events, key=lambda one: (one.at, one.batch)):
        count.add(record)


def _rows(history: ColumnarHistory, name: SeriesName, end: int) -> Iterator[Row]:
    """Yield the rows of an event's series; what the values are does not matter here."""
    column = history.column(name.signal, name.labels, name.first_at, end)
    for at, batch, status in zip(column.at.tolist(), column.batch.tolist(), column.status.tolist(), strict=True):
        yield Row(at, batch, name.signal, name.labels, 0.0, status, at)


def _known(history: ColumnarHistory, name: SeriesName, gaps: list[int], within: tuple[int, int]) -> int:
    """Return for how long (ns) a series was known within a span: a day of rows at a time."""
    np = numpy()
    begin, end = within
    days = [day for day in history.days() if day < end]
    known, last = 0, False
    for day, following in pairwise([*days, end]):
        column = history.column(name.signal, name.labels, day, min(day + DAY, end))
        here = [gap for gap in gaps if day <= gap < following]
        at, ok = _turns(np, column.at, column.status == 0, here)
        edges = np.concatenate(([day], at, [following]))
        clipped = np.clip(edges, begin, max(begin, end))
        held = np.concatenate(([last], ok))
        known += int(np.diff(clipped)[held].sum())
        last = bool(held[-1])
    return known


def _turns(np: Array, at: Array, ok: Array, gaps: list[int]) -> tuple[Array, Array]:
    """Return when a series spoke and whether it was known then; from a gap on nothing is, until it speaks again."""
    if not gaps:
        return at, ok
    # A gap stands behind the rows of its own instant.
    place = np.searchsorted(at, gaps, side="right")
    return np.insert(at, place, gaps), np.insert(ok, place, False)


def with_inputs(report: Report, history: ColumnarHistory, base: Ruling, head: Ruling) -> Report:
    """Return `report` with what there was to read at each first divergence, where the replay did not keep it.

    It is the last value of each signal at the end of that instant.
    """
    found = [
        replace(one, instances=tuple(_read(each, history, (base, head)) for each in one.instances))
        for one in report.rules
    ]
    return replace(report, rules=tuple(found))


def _read(one: InstanceDiff, history: ColumnarHistory, rulings: tuple[Ruling, Ruling]) -> InstanceDiff:
    parted = one.divergence
    side, ruling = (one.head, rulings[1]) if one.head is not None else (one.base, rulings[0])
    if parted is None or parted.inputs or side is None:
        return one
    rule = next(rule for rule in ruling.rules.rules if rule.id == side.rule)
    inputs = tuple(_inputs(rule, side.labels, ruling.catalogue, (history, parted.at)))
    return replace(one, divergence=replace(parted, inputs=inputs))


def _inputs(
    rule: RuleSpec, labels: tuple[str, ...], catalogue: Catalogue, moment: tuple[ColumnarHistory, int]
) -> Iterable[tuple[str, str]]:
    """Yield each signal that the rule reads as it is, with its last value then; windows are not worked out again."""
    history, at = moment
    bound = dict(zip(rule.by, labels, strict=True))
    for ref in inputs_of(rule.expr, rule.clear_expr):
        spec = catalogue.specs[ref.signal]
        own = {**bound, **dict(ref.labels)}
        if ref.reads != "value" or not all(name in own for name in spec.labels):
            continue
        last, _ = history.before(ref.signal, tuple(own[name] for name in spec.labels), at + 1)
        yield ref.signal, "missing" if last is None else input_text(last.value, last.status, heard=True)

