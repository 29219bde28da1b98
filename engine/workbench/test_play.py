"""One inline test on its way: the snapshot and the rule book that the engine runs, and what befalls them.

Samples come at their instants and everything that falls due in between fires at its own. At
one instant the order is: timers, samples, timers, events, timers; then claims are checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.model.effects import RuleMoved
from engine.model.flags import FlagValue
from engine.model.samples import SignalKind, Status
from engine.model.time import parse_instant
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.latches import Episode
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import RuleSet, RuleSpec
from engine.ruleset.testcase import Deed, Gap, Late, RuleTest, TestEvent, TestSample
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

BEGIN = parse_instant("2026-01-05T00:00:00Z")
"""When every test begins: a fixed instant, so that a test never depends on the day it runs."""
DEFAULT_LABEL = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One change of state of one instance, `at` ns after the first sample."""

    at: int
    instance: str
    to: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearming:
    """What came of the event that asked for a re-arm."""

    event: TestEvent
    done: bool
    said: str


@dataclass(frozen=True, slots=True)
class _Feed:
    """A series with all its label values."""

    signal: str
    labels: tuple[str, ...]
    samples: tuple[TestSample, ...]


class Play:
    """One rule alone in a world that a test describes. `advance` leads it from instant to instant."""

    def __init__(
        self, spec: RuleSpec, test: RuleTest, rules: RuleSet, catalogue: Catalogue, flags: Mapping[str, FlagValue]
    ) -> None:
        self._spec, self._test, self._rules = spec, test, rules
        self._catalogue, self.flags = catalogue, flags
        self._labels = dict(test.labels)
        self.snapshot = Snapshot(catalogue)
        self.book = RuleBook(rules, catalogue, self.snapshot, flags, at=BEGIN)
        self.moved: list[Moved] = []
        self.episodes: list[Episode] = []
        self.rearmings: list[Rearming] = []
        self._feeds: list[_Feed] = []
        self._arrivals: dict[int, list[tuple[_Feed, Late, int]]] = {}
        self._back = 0
        self._down_until = 0
        self._last = 0
        self._take(0)

    def prepare(self) -> str:
        """Bind every series to its labels and start the producers; return why that cannot be, or an empty string."""
        for one in self._test.series:
            labels = self._labels_of(one.signal, dict(one.labels))
            if labels is None:
                wanted = f"{one.signal}{{label=value}}"
                return f"{one.place}: {one.signal} is read with several labels: write which, {wanted}"
            self._feeds.append(_Feed(one.signal, labels, one.samples))
        for event in self._test.events:
            if event.do is Deed.DROP and self._labels_of(event.signal, dict(event.labels)) is None:
                return f"{event.place}: {event.signal} is read with several labels: write which"
        for feed in self._feeds:
            for index, sample in enumerate(feed.samples):
                if isinstance(sample, Late):
                    came = index * self._test.step
                    self._arrivals.setdefault(came + sample.by, []).append((feed, sample, came))
        for ref in inputs_of(self._spec.expr, self._spec.clear_expr):
            signal = self._catalogue.specs[ref.signal]
            if signal.kind is SignalKind.EVENT and signal.producer:
                self.snapshot.set_producer(signal.producer, True, BEGIN)
        return ""

    def instants(self) -> list[int]:
        """Return every instant at which something is looked at, in order, up to the last that anybody asks about."""
        test = self._test
        asked = {one.at for one in test.expect}
        happens = {event.at for event in test.events} | {event.at + event.lasts for event in test.events}
        samples = {test.step * index for feed in self._feeds for index in range(len(feed.samples))}
        samples |= set(self._arrivals)
        if test.transitions is not None:
            asked |= samples | happens | {move.at for move in test.transitions}
        last = max(asked, default=0)
        return sorted(one for one in asked | samples | happens if one <= last)

    def advance(self, instant: int) -> bool:
        """Live through everything up to `instant` (ns after the first sample); False while the engine is down."""
        if instant < self._down_until:
            return False
        at = self.clock(instant)
        self._ring(at, instant)
        self._feed(instant, at)
        self._ring(at, instant)
        for event in self._test.events:
            if event.at == instant:
                self._befall(event, at, instant)
                self._ring(at, instant)
        self._last = instant
        return True

    def clock(self, instant: int) -> int:
        """Return what the clock says at `instant`, in ns since the epoch."""
        return BEGIN + instant - self._back

    def label(self, name: str) -> str:
        """Return the value of a label that nothing else gives."""
        return self._labels.get(name, DEFAULT_LABEL)

    def instance(self, labels: Mapping[str, str]) -> str:
        """Return the name of the instance that `labels`, else the test's, name."""
        values = [labels.get(name, self.label(name)) for name in self._spec.by]
        return f"{self._spec.id}[{','.join(values)}]" if values else self._spec.id

    def _labels_of(self, signal: str, written: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the label values of a series; None where the rule reads it with several and none is written."""
        values: list[str] = []
        for label in self._catalogue.specs[signal].labels:
            literal = dict.fromkeys(
                value for ref in inputs_of(self._spec.expr, self._spec.clear_expr) if ref.signal == signal
                for name, value in ref.labels if name == label
            )
            if label in written:
                values.append(written[label])
            elif len(literal) > 1:
                return None
            else:
                values.append(next(iter(literal), self.label(label)))
        return tuple(values)

    def _feed(self, instant: int, at: int) -> None:
        index, between = divmod(instant, self._test.step)
        for feed in self._feeds if not between else ():
            sample = feed.samples[index] if index < len(feed.samples) else Gap.NOTHING
            if sample is not Gap.NOTHING and not isinstance(sample, Late):
                self._put(feed, sample, at, at)
                self._settle(at, instant)
        for feed, late, came in self._arrivals.get(instant, ()):
            self._put(feed, late.sample, self.clock(came), at)
            self._settle(at, instant)

    def _put(self, feed: _Feed, sample: float | bool | str | Gap, event_at: int, at: int) -> None:
        if sample is Gap.STALE:
            self._lose(feed.signal, feed.labels, Status.STALE, at)
            return
        signal = self._catalogue.specs[feed.signal]
        if signal.kind is SignalKind.EVENT and signal.producer:
            self.snapshot.set_producer(signal.producer, True, at)
        value = float("nan") if isinstance(sample, Gap) else sample
        self.snapshot.put_named(feed.signal, feed.labels, value, event_at, at)

    def _lose(self, name: str, labels: tuple[str, ...], status: Status, at: int) -> None:
        """Put a signal in doubt until its next sample: of an event, because its producer is down."""
        signal = self._catalogue.specs[name]
        if signal.kind is SignalKind.EVENT and signal.producer:
            self.snapshot.set_producer(signal.producer, False, at)
        else:
            self.snapshot.degrade(self.snapshot.base(name, labels), status, at)

    def _befall(self, event: TestEvent, at: int, instant: int) -> None:
        match event.do:
            case Deed.RELOAD:
                self._adopt(self.snapshot, at)
            case Deed.RESTART:
                saved = _written(self.snapshot.dump())
                self._adopt(Snapshot(self._catalogue), at, lambda snapshot: snapshot.load(saved))
                self._down_until = instant + event.lasts
            case Deed.REARM:
                done, said = self.book.rearm(at, "--cleared", "test")
                self.rearmings.append(Rearming(event=event, done=done, said=said))
            case Deed.BOUNDARY:
                self.book.on_boundary(at)
            case Deed.CLOCK_BACK:
                self._back += event.by
            case Deed.DROP:
                labels = self._labels_of(event.signal, dict(event.labels))
                assert labels is not None, "prepare has looked"
                self._lose(event.signal, labels, Status.MISSING, at)
        self._settle(at, instant)

    def _adopt(self, snapshot: Snapshot, at: int, restore: Callable[[Snapshot], None] | None = None) -> None:
        """Let a new rule book over `snapshot` go on where the old one stands."""
        saved = _written(self.book.dump())
        book = RuleBook(self._rules, self._catalogue, snapshot, self.flags, at=at)
        if restore is not None:
            restore(snapshot)
        book.load(saved)
        self.snapshot, self.book = snapshot, book

    def _settle(self, at: int, instant: int) -> None:
        """Evaluate until no signal changes: making an instance may bind a signal that was heard already."""
        while True:
            for name, labels in self.snapshot.take_new_labels():
                self.book.on_new_labels(at, name, labels)
            changed = self.snapshot.take_changed()
            if not changed:
                break
            self.book.on_changed(at, changed)
        self._take(instant)

    def _ring(self, at: int, instant: int) -> None:
        """Fire what is due up to `at`, each at its own instant, signals before rules as the engine does."""
        while True:
            dues = [due for due in (self.snapshot.next_due(), self.book.next_due()) if due is not None and due <= at]
            if not dues:
                return
            due = min(dues)
            self.snapshot.fire(due)
            self._settle(due, instant)
            self.book.fire(due)
            self._take(instant)

    def _take(self, instant: int) -> None:
        """Keep what the book tells. A move has the instant of its timer, on the clock that goes forward only."""
        for effect in self.book.take_moves():
            if isinstance(effect, RuleMoved) and effect.rule == self._spec.id:
                moved_at = min(max(effect.at - BEGIN + self._back, self._last), instant)
                told = (effect.why, *(text for _, text in effect.inputs))
                self.moved.append(Moved(at=moved_at, instance=effect.instance, to=effect.after, why=told))
        self.episodes += self.book.take_episodes()


def _written(data: object) -> dict[str, object]:
    """Return `data` as a file would give it back."""
    read: dict[str, object] = json.loads(json.dumps(data))
    return read


__all__ = ["BEGIN", "DEFAULT_LABEL", "Moved", "Play", "Rearming"]
