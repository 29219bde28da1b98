"""Which rules a history can say something of: one that cannot be replayed is named with its reason, never guessed."""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.history import HistoryHeader, Mark, MarkKind, Row
from engine.model.samples import SignalKind, SignalSpec, Status
from engine.model.time import format_duration
from engine.ports.history import History
from engine.ruleset.reading import inputs_of, signals_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import RuleKind, RuleSpec
from engine.signals.catalogue import unwired_signals

_EVERY = (SignalKind.EVENT, SignalKind.COUNTER)
_STALE, _INVALID = int(Status.STALE), int(Status.INVALID)


def not_replayable(ruling: Ruling, history: History, symbols: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return rule id -> why `history`, or its `symbols` alone, cannot say what the rule would have done, by id."""
    header = history.header
    unwired = unwired_signals(ruling.catalogue, header.producers)
    doubtful = {**_reloaded(history), **_doubtful_signals(ruling, history, unwired)}
    found: dict[str, str] = {}
    for spec in sorted(ruling.rules.rules, key=lambda one: one.id):
        why = _why_not(spec, header, ruling.catalogue.specs, unwired, doubtful) or _elsewhere(spec, symbols)
        if why:
            found[spec.id] = why
    return found


def _why_not(
    spec: RuleSpec, header: HistoryHeader, specs: Mapping[str, SignalSpec], unwired: frozenset[str],
    doubtful: Mapping[str, str],
) -> str:
    names = signals_of(spec.expr, spec.clear_expr)
    missing = sorted(set(names) & unwired)
    if missing:
        return f"unwired: nobody produced {', '.join(missing)}"
    for name in sorted(names):
        if name in doubtful:
            return doubtful[name]
        if name in header.decimated:
            return f"changes of {name} were thinned when they were recorded"
    for ref in inputs_of(spec.expr, spec.clear_expr):
        timed = ref.reads not in ("value", "absent") or spec.kind is RuleKind.MAKER_GATE
        signal = specs[ref.signal]
        if timed and not signal.order_scope and signal.kind not in _EVERY and ref.signal not in header.complete:
            what = ref.reads if ref.reads != "value" else "lease"
            return f"only changes of {ref.signal} were recorded, and {what} needs every sample"
    return ""


def _reloaded(history: History) -> dict[str, str]:
    """Return signal -> why its rows do not stand as the header says, because of a reload while it was recorded."""
    # Histories on the disk give their marks without their rows.
    told = getattr(history, "marks", history.records)
    names = {
        str(name) for one in told() if isinstance(one, Mark) and one.kind is MarkKind.RELOAD
        for name in one.data.get("signals", ())
    }
    return {name: f"{name} was given other limits while it was recorded" for name in names}


def _elsewhere(spec: RuleSpec, symbols: frozenset[str]) -> str:
    """Return which symbol that is left out the rule reads by name, in words, or an empty string."""
    for ref in inputs_of(spec.expr, spec.clear_expr):
        symbol = dict(ref.labels).get("symbol")
        if symbols and symbol is not None and symbol not in symbols:
            return f"it reads {ref.signal} of {symbol}, which is left out"
    return ""


def _doubtful_signals(ruling: Ruling, history: History, unwired: frozenset[str]) -> dict[str, str]:
    """Return signal -> why what was recorded of it is not what `ruling` would have known."""
    recorded = {spec.name: spec for spec in history.header.signals}
    if not recorded or history.header.catalogue_digest == ruling.catalogue.digest:
        return {}
    found: dict[str, str] = {}
    bounds: dict[str, tuple[SignalSpec, SignalSpec]] = {}
    for name in dict.fromkeys(
        name for rule in ruling.rules.rules for name in signals_of(rule.expr, rule.clear_expr)
    ):
        spec, then = ruling.catalogue.specs[name], recorded.get(name)
        if spec.order_scope or name in unwired:
            continue
        if then is None:
            found[name] = f"{name} was not recorded: the catalogue of then did not have it"
        elif _meaning(spec) != _meaning(then):
            found[name] = f"{name} was another signal then: its kind, unit, labels or words differ"
        elif (spec.max_age, spec.low, spec.high) != (then.max_age, then.low, then.high):
            bounds[name] = (spec, then)
    if bounds:
        found.update(_matters(bounds, history))
    return found


def _meaning(spec: SignalSpec) -> tuple[object, ...]:
    return (spec.kind, spec.unit, spec.labels, spec.values, spec.resolution)


def _matters(bounds: Mapping[str, tuple[SignalSpec, SignalSpec]], history: History) -> dict[str, str]:
    """Return which of the signals with another range or max_age would have stood otherwise, and why."""
    wider = {name for name, (spec, then) in bounds.items() if spec.low < then.low or spec.high > then.high}
    longer = {name: then for name, (spec, then) in bounds.items() if _ages(spec) > _ages(then)}
    shorter = {name: spec for name, (spec, then) in bounds.items() if _ages(spec) < _ages(then)}
    rows = (record for record in history.records() if isinstance(record, Row) and record.signal in bounds)
    found: dict[str, str] = {}
    last: dict[tuple[str, tuple[str, ...]], Row] = {}
    for row in rows:
        name = row.signal
        if row.status == _INVALID and name in wider:
            found.setdefault(name, f"{name} has a wider range now, and what was invalid then was not kept")
        elif row.status == _STALE and name in longer:
            found.setdefault(
                name, f"{name} went stale after {format_duration(longer[name].max_age)} then; with a longer max_age "
                "nobody can tell",
            )
        _gap(shorter, last, row, found)
    for key, row in last.items():
        _gap(shorter, {key: row}, row._replace(at=history.header.last_at), found)
    return found


def _gap(
    shorter: Mapping[str, SignalSpec], last: dict[tuple[str, tuple[str, ...]], Row], row: Row, found: dict[str, str]
) -> None:
    """Note where a signal was believed for longer than its new max_age without a row."""
    spec = shorter.get(row.signal)
    if spec is None:
        return
    key = (row.signal, row.labels)
    before = last.get(key)
    if before is not None and not before.status and row.at - before.at >= spec.max_age:
        found.setdefault(
            row.signal, f"{row.signal} would be stale after {format_duration(spec.max_age)} now, and history does not "
            "hold each of its samples",
        )
    last[key] = row


def _ages(spec: SignalSpec) -> float:
    """Return after how long the signal is stale; never is the longest."""
    return spec.max_age or float("inf")

