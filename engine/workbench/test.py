"""Runs the tests that stand inside the rules: through the snapshot and the rule book that the engine runs.

A test sees its own rule alone, on flag defaults or its own `flags:`, never on the environment.
Its samples come at their instants, everything that falls due in between fires at its
own, and an expectation is checked after all samples and timers of its instant. A shadow or
switched-off rule is tested as if it were enforced: a test says what the rule would do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.model.flag_values import fit
from engine.model.flags import FlagSpec, FlagValue
from engine.model.restraints import NONE, Restraint
from engine.model.samples import SignalKind, Status
from engine.model.time import format_duration, parse_instant
from engine.model.truth import Truth
from engine.ruleset.evaluate import RuleBook, RuleView
from engine.ruleset.reading import inputs_of
from engine.ruleset.spec import Enforcement, Place, RuleKind, RuleSet, RuleSpec
from engine.ruleset.suggest import fix_for
from engine.ruleset.testcase import Expectation, Gap, RuleTest, TestSeries
from engine.ruleset.words import restraint_words
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

BEGIN = parse_instant("2026-01-05T00:00:00Z")
"""When every test begins: a fixed instant, so that a test never depends on the day it runs."""
DEFAULT_LABEL = "test"
_TRUTHS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that was not as expected, where it is written and how long after the first sample."""

    place: Place
    at: int
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        when = format_duration(self.at) if self.at else "0s"
        return f"{self.place}: at {when}: {self.what}: expected {self.expected}, got {self.actual}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What became of one test. `error` says why it proves nothing; then it did not pass."""

    __test__ = False
    rule: str
    test: str
    place: Place
    mismatches: tuple[Mismatch, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.mismatches and not self.error


def run_tests(
    rules: RuleSet, catalogue: Catalogue, flags: Mapping[str, FlagSpec], *, only: Collection[str] = ()
) -> tuple[TestResult, ...]:
    """Return a result for each inline test of `rules` (or of the rules named in `only`), in the order of the rules."""
    results: list[TestResult] = []
    known = [spec.id for spec in rules.rules]
    for name in sorted(only):
        if name not in known:
            error = f"there is no rule {name}; {fix_for(name, known)}"
            results.append(TestResult(rule=name, test="", place=Place("", 0, 0), error=error))
    for spec in rules.rules:
        if not only or spec.id in only:
            results.extend(run_test(spec, test, rules, catalogue, flags) for test in spec.tests)
    return tuple(results)


def run_test(
    spec: RuleSpec, test: RuleTest, rules: RuleSet, catalogue: Catalogue, flags: Mapping[str, FlagSpec]
) -> TestResult:
    """Return what becomes of one test of `spec`."""
    values = {**{name: fit(flag, flag.default) for name, flag in flags.items()}, **dict(test.flags)}
    off = _switched_off(spec, values)
    if off:
        return TestResult(rule=spec.id, test=test.name, place=test.place, error=off)
    alone = replace(rules, rules=(replace(spec, enforcement=Enforcement.ENFORCE),))
    run = _Run(spec, test, alone, catalogue, values)
    error = run.play()
    return TestResult(rule=spec.id, test=test.name, place=test.place, mismatches=tuple(run.mismatches), error=error)


def _switched_off(spec: RuleSpec, values: Mapping[str, FlagValue]) -> str:
    if isinstance(spec.enabled, str):
        return "" if values.get(spec.enabled) else f"the rule is never evaluated: set {spec.enabled}: true in `flags:`"
    return "" if spec.enabled else "the rule is never evaluated: `enabled` is false"


class _Run:
    """One test on its way. `play` returns why it proves nothing, or an empty string."""

    def __init__(
        self, spec: RuleSpec, test: RuleTest, rules: RuleSet, catalogue: Catalogue, flags: Mapping[str, FlagValue]
    ) -> None:
        self._spec = spec
        self._test = test
        self._catalogue = catalogue
        self._labels = dict(test.labels)
        self._snapshot = Snapshot(catalogue)
        self._book = RuleBook(rules, catalogue, self._snapshot, flags, at=BEGIN)
        self.mismatches: list[Mismatch] = []

    def play(self) -> str:
        series = [(one, self._labels_of(one)) for one in self._test.series]
        for one, labels in series:
            if labels is None:
                wanted = f"{one.signal}{{label=value}}"
                return f"{one.place}: {one.signal} is read with several labels: write which, {wanted}"
        self._turn_producers_on()
        feeds = [(one, labels) for one, labels in series if labels is not None]
        samples = {instant for one, _ in feeds for instant in range(len(one.samples))}
        instants = sorted({self._test.step * index for index in samples} | {one.at for one in self._test.expect})
        last = max((one.at for one in self._test.expect), default=0)
        for instant in (one for one in instants if one <= last):
            at = BEGIN + instant
            self._ring(at)
            index, between = divmod(instant, self._test.step)
            if not between:
                self._feed(feeds, index, at)
            self._ring(at)
            for expectation in self._test.expect:
                if expectation.at == instant:
                    self._check(expectation, at)
        if self._spec.by and all(view.instance == self._spec.id for view in self._book.views(self._snapshot.now)):
            return "the rule was never evaluated: no sample came for the labels it is evaluated by"
        return ""

    def _turn_producers_on(self) -> None:
        for ref in inputs_of(self._spec.expr, self._spec.clear_expr):
            signal = self._catalogue.specs[ref.signal]
            if signal.kind is SignalKind.EVENT and signal.producer:
                self._snapshot.set_producer(signal.producer, True, BEGIN)

    def _labels_of(self, series: TestSeries) -> tuple[str, ...] | None:
        """Return the label values of a series; None where the rule reads it with several and none is written."""
        written, values = dict(series.labels), []
        for label in self._catalogue.specs[series.signal].labels:
            literal = dict.fromkeys(
                value for ref in inputs_of(self._spec.expr, self._spec.clear_expr) if ref.signal == series.signal
                for name, value in ref.labels if name == label
            )
            if label in written:
                values.append(written[label])
            elif len(literal) > 1:
                return None
            else:
                values.append(next(iter(literal), self._label(label)))
        return tuple(values)

    def _label(self, name: str) -> str:
        return self._labels.get(name, DEFAULT_LABEL)

    def _feed(self, feeds: list[tuple[TestSeries, tuple[str, ...]]], index: int, at: int) -> None:
        for series, labels in feeds:
            sample = series.samples[index] if index < len(series.samples) else Gap.NOTHING
            if sample is Gap.NOTHING:
                continue
            signal = self._catalogue.specs[series.signal]
            if sample is Gap.STALE:
                if signal.kind is SignalKind.EVENT and signal.producer:
                    self._snapshot.set_producer(signal.producer, False, at)
                else:
                    self._snapshot.degrade(self._snapshot.base(series.signal, labels), Status.STALE, at)
            else:
                if signal.kind is SignalKind.EVENT and signal.producer:
                    self._snapshot.set_producer(signal.producer, True, at)
                value = float("nan") if isinstance(sample, Gap) else sample
                self._snapshot.put_named(series.signal, labels, value, at, at)
            self._settle(at)

    def _settle(self, at: int) -> None:
        """Evaluate until no signal changes: making an instance may bind a signal that was heard already."""
        while True:
            for name, labels in self._snapshot.take_new_labels():
                self._book.on_new_labels(at, name, labels)
            changed = self._snapshot.take_changed()
            if not changed:
                return
            self._book.on_changed(at, changed)

    def _ring(self, at: int) -> None:
        """Fire what is due up to `at`, each at its own instant, signals before rules as the engine does."""
        while True:
            dues = [due for due in (self._snapshot.next_due(), self._book.next_due()) if due is not None and due <= at]
            if not dues:
                return
            due = min(dues)
            self._snapshot.fire(due)
            self._settle(due)
            self._book.fire(due)

    def _check(self, wanted: Expectation, at: int) -> None:
        if self._spec.kind is RuleKind.ENTRY:
            self._check_entry(wanted, at)
            return
        views = self._views(dict(wanted.labels))
        if not views:
            self._miss(wanted, "instance", "one", "none: no sample came for its labels")
            return
        view = views[0]
        self._compare(wanted, "state", wanted.state, view.state)
        self._compare(wanted, "truth", wanted.truth, _TRUTHS[view.truth])
        self._compare(wanted, "latched", _yes(wanted.latched), str(view.latched).lower())
        if wanted.granted is not None:
            order = {name: dict(wanted.labels).get(name, self._label(name)) for name in ("venue", "symbol", "intent")}
            granted, _ = self._book.maker_granted(at, **order)
            self._compare(wanted, "granted", _yes(wanted.granted), str(granted).lower())
        if wanted.restrain is not None:
            self._check_restraint(wanted, wanted.restrain, view.instance)
        self._check_why(wanted, (_TRUTHS[view.truth], *view.reasons, *view.inputs.values()))

    def _check_entry(self, wanted: Expectation, at: int) -> None:
        asked = dict(wanted.labels)
        labels = {name: asked.get(name, self._label(name)) for name in ("account", "venue", "symbol", "intent")}
        for verdict in self._book.judge_entry(at, dict(self._test.order or ()), labels):
            truth = _TRUTHS[verdict.truth]
            self._compare(wanted, "truth", wanted.truth, truth)
            self._compare(wanted, "refused", _yes(wanted.refused), str(verdict.truth is not Truth.FALSE).lower())
            self._check_why(wanted, (truth, *verdict.reasons, *(text for _, text in verdict.inputs)))

    def _check_restraint(self, wanted: Expectation, restraint: Restraint, instance: str) -> None:
        total = NONE
        for one in self._book.restraints():
            if one.rule == self._spec.id and one.instance == instance:
                total = total.join(one.restraint)
        fields = wanted.restrain_fields
        agrees = all(getattr(total, name) == getattr(restraint, name) for name in fields) if fields else total == NONE
        if not agrees:
            self._miss(wanted, "restrain", _words(restraint), _words(total))

    def _check_why(self, wanted: Expectation, told: tuple[str, ...]) -> None:
        for word in wanted.why:
            if not any(word in text for text in told):
                self._miss(wanted, "why", word, ", ".join(dict.fromkeys(told)))

    def _views(self, labels: Mapping[str, str]) -> list[RuleView]:
        """Return the view of the instance that `labels`, else the test's, name."""
        values = [labels.get(name, self._label(name)) for name in self._spec.by]
        name = f"{self._spec.id}[{','.join(values)}]" if values else self._spec.id
        return [view for view in self._book.views(self._snapshot.now) if view.instance == name]

    def _compare(self, wanted: Expectation, what: str, expected: str | None, actual: str) -> None:
        if expected is not None and expected != actual:
            self._miss(wanted, what, expected, actual)

    def _miss(self, wanted: Expectation, what: str, expected: str, actual: str) -> None:
        self.mismatches.append(Mismatch(place=wanted.place, at=wanted.at, what=what, expected=expected, actual=actual))


def failures(results: tuple[TestResult, ...]) -> Iterator[str]:
    """Yield a line for everything that went wrong, for people."""
    for result in results:
        if result.error:
            yield f"{result.place}: {result.rule}: {result.test}: {result.error}"
        for mismatch in result.mismatches:
            yield f"{mismatch} ({result.rule}: {result.test})"


def _yes(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _words(restraint: Restraint) -> str:
    return restraint_words(restraint) if restraint != NONE else "none"
