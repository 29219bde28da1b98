"""Runs the tests that stand inside the rules: through the snapshot and the rule book that the engine runs.

A test sees its own rule alone, on flag defaults or its own `flags:`, never on the environment.
A shadow or switched-off rule is tested as if it were enforced: a test says what the rule
would do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.model.flag_values import fit
from engine.model.flags import FlagSpec, FlagValue
from engine.ruleset.spec import Enforcement, Place, RuleKind, RuleSet, RuleSpec
from engine.ruleset.suggest import fix_for
from engine.ruleset.testcase import RuleTest
from engine.signals.catalogue import Catalogue
from engine.workbench.test_checks import Checks, Mismatch
from engine.workbench.test_play import BEGIN, Play


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
    error = _proves_nothing(spec, test, values)
    if error:
        return TestResult(rule=spec.id, test=test.name, place=test.place, error=error)
    alone = replace(rules, rules=(replace(spec, enforcement=Enforcement.ENFORCE),))
    play = Play(spec, test, alone, catalogue, values)
    checks = Checks(spec, test, play)
    error = play.prepare() or _run(test, play, checks)
    if not error and _never_evaluated(spec, values, play):
        error = "the rule was never evaluated: no sample came for the labels it is evaluated by"
    mismatches = tuple(sorted(checks.mismatches, key=lambda one: one.place))
    return TestResult(rule=spec.id, test=test.name, place=test.place, mismatches=mismatches, error=error)


def _run(test: RuleTest, play: Play, checks: Checks) -> str:
    """Play the test to its end; return why it proves nothing, or an empty string."""
    for instant in play.instants():
        runs = play.advance(instant)
        for expectation in test.expect:
            if expectation.at == instant:
                if not runs:
                    return f"{expectation.place}: the engine is down here: nothing can be expected of it"
                checks.check(expectation, play.clock(instant))
    checks.check_moves()
    checks.check_rearmings()
    return ""


def _proves_nothing(spec: RuleSpec, test: RuleTest, values: Mapping[str, FlagValue]) -> str:
    """Return why the test cannot fail, or an empty string."""
    if spec.kind is RuleKind.ENTRY and test.transitions is not None:
        return "an entry rule is asked once for each order and has no state: take `transitions:` away"
    if not test.expect and test.transitions is None:
        return "the test expects nothing"
    off = _switched_off(spec, values)
    # That the rule is off may be what the test claims; then it must claim so.
    return "" if any(wanted.evaluated is False for wanted in test.expect) else off


def _switched_off(spec: RuleSpec, values: Mapping[str, FlagValue]) -> str:
    if isinstance(spec.enabled, str):
        return "" if values.get(spec.enabled) else f"the rule is never evaluated: set {spec.enabled}: true in `flags:`"
    return "" if spec.enabled else "the rule is never evaluated: `enabled` is false"


def _never_evaluated(spec: RuleSpec, values: Mapping[str, FlagValue], play: Play) -> bool:
    if not spec.by or _switched_off(spec, values):
        return False
    return all(view.instance == spec.id for view in play.book.views(play.snapshot.now))


def failures(results: tuple[TestResult, ...]) -> Iterator[str]:
    """Yield a line for everything that went wrong, for people."""
    for result in results:
        if result.error:
            yield f"{result.place}: {result.rule}: {result.test}: {result.error}"
        for mismatch in result.mismatches:
            yield f"{mismatch} ({result.rule}: {result.test})"


__all__ = ["BEGIN", "Mismatch", "TestResult", "failures", "run_test", "run_tests"]
