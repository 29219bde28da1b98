"""What a fast replay sets out to do: which instances there will be, since when, and what each reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.model.history import HistoryHeader, Mark, MarkKind, Row
from engine.model.samples import SignalKind, Unit
from engine.ports.history import ColumnarHistory, SeriesName
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.evaluate import INSTANCE_CAP
from engine.ruleset.reading import signals_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, RuleKind, RuleSpec
from engine.signals.catalogue import Catalogue, unwired_signals
from engine.signals.slots import SlotKey, slot_key
from engine.workbench.fast_heard import Heard, instances_of
from engine.workbench.fast_inputs import ALWAYS, Beside, Birth, Bound, Key, Read, beside
from engine.workbench.fast_kleene import Unvectorised
from engine.workbench.fast_play import Cast
from engine.workbench.fast_thin import Wanted, questions
from engine.workbench.replay import ReplayOptions

_STEERING = frozenset({MarkKind.FLAG, MarkKind.BOUNDARY, MarkKind.REARM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a worker needs beside the history. Rules are by their places in `ruling`."""

    ruling: Ruling
    """Of the rules that are replayed fast alone."""
    wanted: tuple[Wanted, ...]
    groups: tuple[tuple[int, ...], ...]
    """Places in `wanted` of instances that read the same series."""
    stretches: tuple[tuple[int, int], ...]
    """[begin, end) in ns, in order, without gaps."""
    around: Beside
    read: Read
    heard: Mapping[int, Row]
    """Place in `wanted` -> the row that the instance came up with."""
    cast: Cast
    exact: Mapping[str, str]
    """Rule id -> why it is replayed step by step."""


def plan(
    ruling: Ruling, history: ColumnarHistory, options: ReplayOptions, left_out: Collection[str], stretch: int
) -> Plan:
    """Return how `ruling` is replayed over `history`, split every `stretch` ns, but for the rules `left_out`."""
    header = history.header
    marks = [mark for mark in history.marks() if options.end is None or mark.at < options.end]
    flags = {str(mark.data["name"]) for mark in marks if mark.kind is MarkKind.FLAG}
    rules = [
        rule for rule in ruling.rules.rules if rule.id not in left_out and rule.kind is not RuleKind.ENTRY
        and rule.enforcement is not Enforcement.OFF
    ]
    series = [one for one in history.series() if not _elsewhere(one, ruling, options.symbols)]
    around = beside(iter(marks))
    unwired = unwired_signals(ruling.catalogue, header.producers)
    everything = [CompiledRule(rule, ruling.catalogue, unwired) for rule in rules]
    heard = Heard(history, ruling.catalogue, series)
    while heard.lose(around.gaps, _bound(everything, heard, options.end)):
        # What a gap lost of an event that was read shows its labels too, and with them come instances that read more.
        pass
    exact: dict[str, str] = {}
    fast: list[RuleSpec] = []
    wanted: list[Wanted] = []
    everyone: list[Wanted] = []
    rows: dict[int, Row] = {}
    for rule, compiled in zip(rules, everything, strict=True):
        why = _unfit(compiled, ruling, flags)
        found = instances_of(compiled, heard, options.end)
        if len(found) > INSTANCE_CAP:
            why = f"more than {INSTANCE_CAP:,} instances"
        instances = [(row, _wanted(len(fast), compiled, labels, row)) for labels, row in sorted(found.items())]
        everyone += [one for _, one in instances]
        if why:
            exact[rule.id] = why
            continue
        for row, one in instances:
            if row is not None:
                rows[len(wanted)] = row
            wanted.append(one)
        fast.append(rule)
    watched = _watched(everyone)
    wanted = [replace(one, watched=tuple(watched[slot_key(*bound)] for bound in one.inputs)) for one in wanted]
    return Plan(
        ruling=_travelling(ruling, tuple(fast)), wanted=tuple(wanted), around=around,
        groups=_groups(wanted, fast), stretches=_stretches(header, series, options, stretch),
        read=Read(_births(everyone, ruling.catalogue), _events(heard.series, ruling, rules)), heard=rows, exact=exact,
        cast=Cast(header=header, options=options, marks=_steering(marks), words=_words(ruling)),
    )


def _bound(rules: Iterable[CompiledRule], heard: Heard, end: int | None) -> dict[Key, Birth]:
    """Return since when each series is read."""
    found: dict[Key, Birth] = {}
    for compiled in rules:
        for labels, row in instances_of(compiled, heard, end).items():
            one = _wanted(0, compiled, labels, row)
            for ref, bound in one.inputs:
                key = (ref.signal, bound)
                found[key] = min(found.get(key, one.birth), one.birth, key=lambda birth: birth[1])
    return found


def _travelling(ruling: Ruling, rules: tuple[RuleSpec, ...]) -> Ruling:
    """Return `ruling` with `rules` alone, fit to be sent to another process."""
    return replace(
        ruling, rules=replace(ruling.rules, rules=rules), flag_specs=dict(ruling.flag_specs),
        flag_file=dict(ruling.flag_file), flag_environment=dict(ruling.flag_environment),
    )


def _events(
    series: Iterable[SeriesName], ruling: Ruling, rules: Iterable[RuleSpec]
) -> dict[str, tuple[SeriesName, ...]]:
    specs = ruling.catalogue.specs
    read = {name for rule in rules for name in signals_of(rule.expr, rule.clear_expr)}
    found: dict[str, tuple[SeriesName, ...]] = {}
    for one in series:
        spec = specs[one.signal]
        if spec.kind is SignalKind.EVENT and one.signal in read:
            found[spec.producer] = (*found.get(spec.producer, ()), one)
    return found


def _elsewhere(one: SeriesName, ruling: Ruling, symbols: frozenset[str]) -> bool:
    """Whether nobody will hear the series: no such signal, or another symbol."""
    spec = ruling.catalogue.get(one.signal)
    if spec is None or spec.order_scope or len(spec.labels) != len(one.labels):
        return True
    return bool(symbols) and "symbol" in spec.labels and one.labels[spec.labels.index("symbol")] not in symbols


def _unfit(compiled: CompiledRule, ruling: Ruling, flags: Collection[str]) -> str:
    """Return why a rule cannot be replayed by columns, or an empty string."""
    turned = sorted(compiled.program.flags & set(flags))
    if turned:
        return f"{', '.join(turned)} changes within the history"
    try:
        questions(compiled, ruling.catalogue, ruling.flag_values())
    except Unvectorised as error:
        return str(error)
    return ""


def _wanted(rule: int, compiled: CompiledRule, labels: tuple[str, ...], row: Row | None) -> Wanted:
    known = dict(zip(compiled.spec.by, labels, strict=True))
    inputs: list[Bound] = []
    for ref in compiled.program.refs:
        bound = compiled.bound_labels(ref, known)
        if bound is None:
            raise ValueError(f"{compiled.spec.id} does not bind every label of {ref.signal}")
        inputs.append((ref, bound))
    birth = ALWAYS if row is None else (row.at, row.batch)
    return Wanted(rule=rule, labels=labels, inputs=tuple(inputs), birth=birth, watched=())


def _births(wanted: Iterable[Wanted], catalogue: Catalogue) -> dict[Bound, Birth]:
    """Return since when each input is kept. Windows of one span over one series are one window, whoever reads it."""
    shared: dict[tuple[str, tuple[str, ...], int, bool], Birth] = {}

    def window(bound: Bound) -> tuple[str, tuple[str, ...], int, bool]:
        ref, labels = bound
        rises = catalogue.specs[ref.signal].kind is SignalKind.COUNTER and ref.reads in ("increase_over", "rate_over")
        return (ref.signal, labels, ref.window, rises)

    for one in wanted:
        for bound in one.inputs:
            key = window(bound)
            shared[key] = min(shared.get(key, one.birth), one.birth, key=lambda birth: birth[1])
    return {bound: shared[window(bound)] for one in wanted for bound in one.inputs}


def _watched(wanted: Iterable[Wanted]) -> dict[SlotKey, Birth]:
    """Return since when each input is read by anybody: whoever comes later knows since when it is in doubt."""
    found: dict[SlotKey, Birth] = {}
    for one in wanted:
        for bound in one.inputs:
            key = slot_key(*bound)
            found[key] = min(found.get(key, one.birth), one.birth, key=lambda birth: birth[1])
    return found


def _groups(wanted: list[Wanted], rules: list[RuleSpec]) -> tuple[tuple[int, ...], ...]:
    """Return instances by what they are of: those of one symbol read the same series."""
    found: dict[tuple[str, ...], list[int]] = {}
    for place, one in enumerate(wanted):
        by = rules[one.rule].by
        key = (one.labels[by.index("symbol")],) if "symbol" in by else one.labels
        found.setdefault(key, []).append(place)
    return tuple(tuple(places) for _, places in sorted(found.items()))


def _stretches(
    header: HistoryHeader, series: Iterable[SeriesName], options: ReplayOptions, stretch: int
) -> tuple[tuple[int, int], ...]:
    begin = min([header.first_at, *(one.first_at for one in series)])
    end = header.last_at + 1 if options.end is None else min(options.end, header.last_at + 1)
    end = max(end, begin + 1)
    edges = [begin, *range(begin - begin % stretch + stretch, end, stretch), end]
    return tuple(pairwise(edges))


def _steering(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Return the marks that move latches and flags, and the wake-ups they came with."""
    marks = list(marks)
    batches = {mark.batch for mark in marks if mark.kind in _STEERING}
    return tuple(
        mark for mark in marks if mark.kind in _STEERING or (mark.kind is MarkKind.WOKEN and mark.batch in batches)
    )


def _words(ruling: Ruling) -> tuple[str, ...]:
    """Return every word of every enum: its place is its code."""
    specs = ruling.catalogue.specs.values()
    return tuple(sorted({word for spec in specs if spec.unit is Unit.ENUM for word in spec.values}))
