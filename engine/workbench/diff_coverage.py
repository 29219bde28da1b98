"""How much of a history each signal was known in: what a comparison over it can say at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.model.history import Mark, MarkKind, Record, Row
from engine.model.samples import SignalKind, SignalSpec
from engine.ruleset.spec import Expression, RuleSpec
from engine.signals.producers import IN_PROCESS

Slot = tuple[str, tuple[str, ...]]
"""(signal, label values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One signal. Shares are from 0 to 1 of the time since each of its series was first heard.

    A signal without labels counts from the beginning of the history, and so do events,
    which are known while their producer is up.
    """

    signal: str
    series: int
    """How many sets of labels it had; 0 for a signal that was never heard."""
    known: float
    """Share of the time it was known, over all its series."""
    worst: float
    """The same of its least known series."""
    worst_labels: tuple[str, ...]


class CoverageCount:
    """Counts while records go by: give it every record, then ask. Times in ns."""

    def __init__(self, specs: Mapping[str, SignalSpec], signals: Iterable[str], begin: int) -> None:
        wanted = sorted(set(signals) & set(specs))
        self._specs = {name: specs[name] for name in wanted if not specs[name].order_scope}
        self.begin = begin
        self._symbol_at = {name: spec.labels.index("symbol") for name, spec in specs.items() if "symbol" in spec.labels}
        self._known: dict[Slot, int] = {}
        self._first: dict[Slot, int] = {}
        self._since: dict[Slot, int] = {}
        """When a series that is known now became so."""
        self._events: dict[str, list[Slot]] = {}
        """Producer -> its event signals: those are known while it is up, whether or not anything happens."""
        for name, spec in self._specs.items():
            if spec.kind is SignalKind.EVENT:
                self._events.setdefault(spec.producer, []).append((name, ()))
                if spec.producer.startswith(IN_PROCESS):
                    self._since[name, ()] = begin
            if not spec.labels or spec.kind is SignalKind.EVENT:
                self._first[name, ()] = begin
        self.symbols: set[str] = set()

    def wants(self, signal: str) -> bool:
        """Return whether anybody asks about `signal`."""
        return signal in self._specs

    def settle(self, slot: Slot, first: int, known: int) -> None:
        """Take in the whole of a series at once: when it was first heard, and how long it was known (ns)."""
        self._first.setdefault(slot, first)
        self._known[slot] = known

    def add(self, record: Record) -> None:
        """Count one record."""
        if isinstance(record, Row):
            place = self._symbol_at.get(record.signal)
            if place is not None:
                self.symbols.add(record.labels[place])
            spec = self._specs.get(record.signal)
            if spec is None:
                return
            # An event is its producer's best sign of life, whatever its labels.
            labels = () if spec.kind is SignalKind.EVENT else record.labels
            self._turn((record.signal, labels), record.at, known=record.status == 0)
            return
        self._mark(record)

    def _mark(self, mark: Mark) -> None:
        if mark.kind is MarkKind.PRODUCER:
            only = mark.data.get("signal")
            for slot in self._events.get(mark.data["producer"], ()):
                if only in (None, slot[0]):
                    self._turn(slot, mark.at, known=only is None and bool(mark.data["up"]))
        elif mark.kind is MarkKind.GAP:
            for slot in list(self._since):
                self._turn(slot, mark.at, known=False)
        elif mark.kind is MarkKind.PROPOSAL:
            self.symbols.add(str(mark.data["symbol"]))

    def _turn(self, slot: Slot, at: int, *, known: bool) -> None:
        self._first.setdefault(slot, at)
        if known:
            self._since.setdefault(slot, at)
        elif slot in self._since:
            self._known[slot] = self._known.get(slot, 0) + max(0, at - max(self.begin, self._since.pop(slot)))

    def covered(self, end: int) -> tuple[Coverage, ...]:
        """Return the coverage of every signal asked about, until `end`, by name."""
        found: list[Coverage] = []
        for name in self._specs:
            shares: list[tuple[float, tuple[str, ...], int, int]] = []
            for slot, first in self._first.items():
                if slot[0] == name:
                    length = max(0, end - max(first, self.begin))
                    known = self._known.get(slot, 0)
                    if slot in self._since:
                        known += max(0, end - max(self.begin, self._since[slot]))
                    known = min(known, length)
                    shares.append((known / length if length else 0.0, slot[1], known, length))
            found.append(_coverage(name, shares))
        return tuple(found)


def _coverage(name: str, shares: Sequence[tuple[float, tuple[str, ...], int, int]]) -> Coverage:
    if not shares:
        return Coverage(signal=name, series=0, known=0.0, worst=0.0, worst_labels=())
    worst = min(shares)
    whole = sum(length for *_, length in shares)
    known = sum(known for _, _, known, _ in shares) / whole if whole else 0.0
    return Coverage(signal=name, series=len(shares), known=known, worst=worst[0], worst_labels=worst[1])


def signals_read(rules: Iterable[RuleSpec]) -> set[str]:
    """Return every signal that `rules` read."""
    found: set[str] = set()
    for rule in rules:
        for expression in (rule.expr, rule.clear_expr):
            if expression is not None:
                found |= expression_reads(expression)
    return found


def expression_reads(expression: Expression) -> set[str]:
    """Return every signal that `expression` reads, in held conditions too."""
    found = {one.signal for one in expression.inputs}
    for held in expression.held:
        found |= expression_reads(held.condition)
    return found
