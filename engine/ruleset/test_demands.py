"""What the tests of a rule must show between them: a guard that was never seen to fire is a hope.

A kill or a guard must be seen firing, clearing after a firing, and in doubt. These are demands
on the tests and not on the rule, so a set that fails them could still run: `rules check` calls
them errors, and whoever takes a set for another reason can tell them apart by `TEST_CODES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.spec import RuleKind, RuleSet, RuleSpec
from engine.ruleset.testcase_spec import Labels, RuleTest

MISSING, NO_FIRING, NO_CLEARING, NO_UNKNOWN = (
    "test-missing", "test-no-firing", "test-no-clearing", "test-no-unknown",
)
TEST_CODES = frozenset({MISSING, NO_FIRING, NO_CLEARING, NO_UNKNOWN})
"""The codes of all findings made here."""

_DEMANDING = frozenset({RuleKind.KILL, RuleKind.GUARD})
_EPISODE = ("firing", "clearing")
_DOUBTS = ("unknown", "stale", "missing", "invalid", "no_coverage", "no_samples", "unwired", "division_by_zero")


def demand_tests(rules: RuleSet, files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """Return what the tests of `rules` leave unshown, each at its rule; `files` (name -> bytes) give the lines.

    A kill or guard without enough tests is an error, any other rule without tests a warning.
    """
    texts = {name: data.decode("utf-8", "replace").splitlines() for name, data in files.items()}
    found: list[Finding] = []
    for spec in rules.rules:
        place = spec.place
        lines = texts.get(place.file, [])
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        severity = Severity.ERROR if spec.kind in _DEMANDING else Severity.WARNING
        found.extend(
            Finding(
                file=place.file, line=place.line, column=place.col, code=code, severity=severity, message=message,
                fix=fix, source_line=line,
            )
            for code, message, fix in _unshown(spec)
        )
    return tuple(sorted(found))


def _unshown(spec: RuleSpec) -> Iterator[tuple[str, str, str]]:
    """Yield (code, message, fix) for each demand that the tests of `spec` do not meet."""
    tests: tuple[RuleTest, ...] = spec.tests
    if not tests:
        yield MISSING, f"{spec.id} has no test", "add `tests:` that show it firing, clearing and in doubt"
        return
    if spec.kind not in _DEMANDING:
        return
    if not any(_fires(test) for test in tests):
        yield NO_FIRING, f"no test of {spec.id} expects it to fire", "add one with {at: ..., state: firing}"
    if not any(_clears(test) for test in tests):
        yield (
            NO_CLEARING, f"no test of {spec.id} expects it to clear after it has fired",
            "add {at: ..., state: inactive} behind a firing",
        )
    if not any(_doubts(test) for test in tests):
        yield (
            NO_UNKNOWN, f"no test of {spec.id} expects anything of doubt",
            "add one with a gap (_*9, stale or nan) and {at: ..., state: held, why: stale}",
        )


def _states(test: RuleTest) -> list[tuple[Labels, int, str]]:
    """Return (labels, when, state) of every state that the test claims, in order of time for each instance."""
    said = [(wanted.labels, wanted.at, wanted.state) for wanted in test.expect if wanted.state is not None]
    said += [(move.labels, move.at, move.to) for move in test.transitions or ()]
    return sorted(said, key=lambda one: (one[0], one[1]))


def _fires(test: RuleTest) -> bool:
    return any(state == "firing" for _, _, state in _states(test))


def _clears(test: RuleTest) -> bool:
    fired: set[Labels] = set()
    for labels, _, state in _states(test):
        if state == "firing":
            fired.add(labels)
        elif labels in fired and state not in _EPISODE:
            return True
    return False


def _doubts(test: RuleTest) -> bool:
    """Whether doubt is claimed: of the truth, of its reason, or as `held`, which only doubt brings about."""
    words = [word for wanted in test.expect for word in wanted.why]
    words += [word for move in test.transitions or () for word in move.why]
    return (
        any(wanted.truth == "unknown" for wanted in test.expect)
        or any(state == "held" for _, _, state in _states(test))
        or any(doubt in word for word in words for doubt in _DOUBTS)
    )
