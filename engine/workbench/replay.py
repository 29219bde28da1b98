"""What a ruling would have done over recorded history, step by step: through the snapshot and the rules of the engine.

A replay takes the records batch by batch in their order. What falls due between two batches
falls due at its own instant, as it did in the run that was recorded; so under the ruling
of that run every instance moves at the very instants at which it moved then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from engine.model.flag_values import fit
from engine.model.flags import FlagValue, Layer
from engine.model.history import HistoryHeader, Mark, MarkKind, Row
from engine.model.samples import SignalKind
from engine.model.truth import Truth
from engine.ports.history import History
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.latches import Latch
from engine.ruleset.reading import signals_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, Latching, RuleSpec
from engine.signals.catalogue import unwired_signals
from engine.signals.replayed import ReplayedSnapshot
from engine.workbench.exercise import Exercise, exercise
from engine.workbench.judging import Judge
from engine.workbench.replayable import not_replayable
from engine.workbench.timeline import InstanceTimeline, Judgement, Timeline
from engine.workbench.watching import Watch

__all__ = ["Exercise", "Rearm", "Replay", "ReplayOptions", "default_rearm", "exercise", "replay"]

ON_CLEAR = "on-clear"
_MAX_ROUNDS = 8
_UNREAD = -1
Rearm = Literal["recorded", "on-clear", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What of a history is replayed, and how latches end.

    `rearm` recorded: as it was recorded, and where the recording has no re-arms not at
    all; on-clear: a manual latch ends as soon as `engine rearm` would accept it; never.
    `symbols` empty means all. `begin` and `end` (ns, [begin, end)) bound what is told; what
    was known and latched before `begin` is replayed all the same. None: all there is.
    """

    rearm: Rearm = "recorded"
    symbols: frozenset[str] = frozenset()
    begin: int | None = None
    end: int | None = None


def default_rearm(header: HistoryHeader) -> Rearm:
    """Return how latches end where nobody said how: as recorded, where that was recorded."""
    return "recorded" if header.has_rearms else "on-clear"


def replay(ruling: Ruling, history: History, *, options: ReplayOptions) -> Timeline:
    """Return what `ruling` would have done over `history`. HistoryError where that cannot be read.

    Restrains nothing and sends nothing. The same arguments give an equal timeline.
    """
    return Replay(ruling, history, options).run()


class Replay:
    """One replay on its way. `fast` runs it too, on records of which only those that matter are left."""

    def __init__(self, ruling: Ruling, history: History, options: ReplayOptions) -> None:
        self._ruling, self._history, self._options = ruling, history, options
        self._header = header = history.header
        self._begin = header.first_at if options.begin is None else options.begin
        self._not = not_replayable(ruling, history, options.symbols)
        unwired = unwired_signals(ruling.catalogue, header.producers)
        rules = replace(ruling.rules, rules=tuple(one for one in ruling.rules.rules if one.id not in self._not))
        self._flags: Mapping[str, FlagValue] = ruling.flag_values()
        self._operator: dict[str, FlagValue] = {}
        self._snapshot = self.blank()
        self._snapshot.set_unwired(unwired)
        self._watch = Watch(self._begin)
        self._book = RuleBook(
            rules, ruling.catalogue, self._snapshot, self._flags, unwired=unwired, at=header.first_at,
            onlooker=self._watch.stood,
        )
        self._judge = Judge(self._book, ruling.denylist)
        self._judgements: list[Judgement] = []
        self._proposals = 0
        self._rows = 0
        self._gap_until: int | None = None
        self._new_flags = False
        self._read = frozenset(name for one in rules.rules for name in signals_of(one.expr, one.clear_expr))
        self._labelling = _labelling(rules.rules, self._ruling)
        self._slots: dict[tuple[str, tuple[str, ...]], int] = {}

    def blank(self) -> ReplayedSnapshot:
        """Return the snapshot to begin with, in which nothing was heard yet."""
        return ReplayedSnapshot(self._ruling.catalogue)

    def run(self) -> Timeline:
        """Replay everything and return what came of it."""
        self._told(self._header.first_at)
        end = self._options.end
        self._records(end)
        last = self._header.last_at if end is None else end
        self._ring(last if end is None else last - 1)
        instances = {**self._watch.finish(last), **self._entries()}
        return Timeline(
            begin=self._begin, end=last, instances=dict(sorted(instances.items())),
            judgements=tuple(self._judgements), not_replayable=self._not,
            open_latches=tuple(latch.name for latch in self._book.latches()), rows=self._rows,
        )

    def _records(self, end: int | None) -> None:
        snapshot, slots = self._snapshot, self._slots
        batch, at, woken, to_fire, count = -1, 0, False, False, 0
        for record in self._history.records():
            if record[1] != batch:
                if batch >= 0:
                    if to_fire:
                        snapshot.fire(at)
                    self._close(at, woken)
                at, batch = record[0], record[1]
                if end is not None and at >= end:
                    batch = -1
                    break
                woken = to_fire = isinstance(record, Mark) and record.kind is MarkKind.WOKEN
                self._ring(at - 1 if woken else at)
            count += 1
            if isinstance(record, Row):
                if to_fire:
                    to_fire = False
                    snapshot.fire(at)
                slot = slots.get((record[2], record[3]))
                if slot is None:
                    slot = self._slot(record)
                if slot != _UNREAD:
                    snapshot.take(slot, record)
            else:
                to_fire = self._mark(record, to_fire)
        if batch >= 0:
            if to_fire:
                snapshot.fire(at)
            self._close(at, woken)
        self._rows = count

    def _mark(self, mark: Mark, to_fire: bool) -> bool:
        """Take a mark in its place; return whether what is due in the snapshot is still to be fired."""
        at, data = mark.at, mark.data
        kind = mark.kind
        if kind is MarkKind.WOKEN:
            return to_fire
        if kind is MarkKind.BOUNDARY:
            self._book.on_boundary(at)
            self._told(at)
            return to_fire
        if to_fire:
            self._snapshot.fire(at)
        if kind is MarkKind.PRODUCER:
            if "signal" in data:
                self._snapshot.silence(data["producer"], data["signal"], at)
            else:
                self._snapshot.set_producer(data["producer"], data["up"], at)
        elif kind is MarkKind.FLAG:
            self._flag(data["name"], data["value"], data["layer"])
        elif kind is MarkKind.REARM:
            if self._options.rearm == "recorded":
                self._rearm(at, data["latch"], data["actor"])
        elif kind is MarkKind.PROPOSAL:
            self._proposal(mark)
        elif kind is MarkKind.GAP:
            self._gap_until = int(data["until"])
            self._snapshot.lose(at)
        return False

    def _slot(self, row: Row) -> int:
        """Return the slot for rows of a series, `_UNREAD` where nobody needs them; remembered once it is settled."""
        signal, labels = row.signal, row.labels
        key = (signal, labels)
        if self._snapshot.foreign(signal, labels) or self._elsewhere(signal, labels):
            self._slots[key] = _UNREAD
            return _UNREAD
        slot = self._snapshot.base(signal, labels)
        if signal in self._read:
            self._slots[key] = slot
        elif signal not in self._labelling:
            slot = self._slots[key] = _UNREAD
        elif not row.status:
            # Nobody reads it, but that it was heard is news of a venue or a symbol: once.
            self._slots[key] = _UNREAD
        return slot

    def _elsewhere(self, signal: str, labels: tuple[str, ...]) -> bool:
        names = self._ruling.catalogue.specs[signal].labels
        wanted = self._options.symbols
        return bool(wanted) and "symbol" in names and labels[names.index("symbol")] not in wanted

    def _ring(self, until: int) -> None:
        """Fire everything that is due at or before `until`, each at its own instant, signals before rules."""
        snapshot, book = self._snapshot, self._book
        while True:
            due, other = snapshot.next_due(), book.next_due()
            if due is None or (other is not None and other < due):
                due = other
            gap = self._gap_until
            if gap is not None and gap <= until and (due is None or gap <= due):
                self._gap_until = None
                snapshot.resume(gap)
                self._settle(gap)
                continue
            if due is None or due > until:
                return
            snapshot.fire(due)
            self._settle(due)
            book.fire(due)
            self._settle(due)

    def _close(self, at: int, woken: bool) -> None:
        """Settle a batch; after that of a wake-up the timers of this very instant are due."""
        if self._new_flags:
            self._new_flags = False
            self._book.on_flags(at, self._flags)
        self._settle(at)
        if woken:
            self._book.fire(at)
            self._settle(at)

    def _settle(self, at: int) -> None:
        snapshot, book = self._snapshot, self._book
        for _ in range(_MAX_ROUNDS + 1):
            if snapshot.settled():
                break
            for name, labels in snapshot.take_new_labels():
                book.on_new_labels(at, name, labels)
            changed = snapshot.take_changed()
            if changed:
                book.on_changed(at, changed)
        self._told(at)

    def _told(self, at: int) -> None:
        """Take in what the rules told, and re-arm what may be re-armed."""
        book, watch = self._book, self._watch
        effects = book.take_moves()
        if effects:
            watch.hear(effects, {latch.name: latch for latch in book.latches()}, self._flags)
            book.take_episodes()
        if not watch.cleared:
            return
        cleared = set(watch.cleared)
        watch.cleared.clear()
        if self._options.rearm == ON_CLEAR:
            for latch in book.latches():
                if latch.mode is Latching.MANUAL and (latch.rule, latch.labels) in cleared:
                    book.rearm(at, str(latch.number), ON_CLEAR)
            self._told(at)

    def _rearm(self, at: int, name: str, actor: str) -> None:
        """Replay a re-arm: of the latch with that name, else of those of the same instance, whatever their numbers."""
        meant = name.rpartition("/")[0]
        wanted: list[Latch] = [one for one in self._book.latches() if one.name == name]
        wanted = wanted or [one for one in self._book.latches() if one.name.rpartition("/")[0] == meant]
        for latch in wanted:
            self._book.rearm(at, str(latch.number), actor)
        self._told(at)

    def _flag(self, name: str, value: FlagValue, layer: str) -> None:
        """Let a recorded value of the operator lie over the ruling's own; any other layer takes it away."""
        spec = self._ruling.flag_specs.get(name)
        self._operator.pop(name, None)
        if spec is not None and layer == Layer.OPERATOR.value:
            # What was set then may be no value of this flag now; then its own holds.
            with contextlib.suppress(ValueError):
                self._operator[name] = fit(spec, value)
        self._flags = {**self._ruling.flag_values(), **self._operator}
        self._new_flags = True

    def _proposal(self, mark: Mark) -> None:
        index = self._proposals
        self._proposals += 1
        symbols = self._options.symbols
        if mark.at >= self._begin and (not symbols or mark.data["symbol"] in symbols):
            self._judgements.append(self._judge.judge(index, mark))

    def _entries(self) -> dict[str, InstanceTimeline]:
        """Return a timeline for each entry rule that was asked: it has no states, only answers."""
        shadows = {one.id for one in self._ruling.rules.rules if one.enforcement is Enforcement.SHADOW}
        return {
            rule: InstanceTimeline(
                rule=rule, instance=rule, labels=(), ever_true=Truth.TRUE in truths, ever_false=Truth.FALSE in truths,
                shadow=rule in shadows,
            )
            for rule, truths in self._judge.answers.items()
        }


def _labelling(rules: tuple[RuleSpec, ...], ruling: Ruling) -> frozenset[str]:
    """Return the signals that rules about events alone learn their labels from, without reading them."""
    specs = ruling.catalogue.specs
    found: set[str] = set()
    for rule in rules:
        by = set(rule.by)
        names = signals_of(rule.expr, rule.clear_expr)
        if by and all(specs[name].kind is SignalKind.EVENT for name in names if specs[name].labels):
            found.update(name for name, spec in specs.items() if by <= set(spec.labels))
    return frozenset(found)
