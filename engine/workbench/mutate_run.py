"""Judges every mutant of a set, on one process or several, and sums up."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from engine.model.flags import FlagSpec
from engine.model.samples import SignalSpec
from engine.signals.catalogue import Catalogue
from engine.workbench.mutate import Bench, Outcome, Subject, Verdict

MOST_EQUIVALENT_PCT = 2.0
"""Equivalent mutants, in percent of all that count; with more the proofs excuse too much."""
_CHUNK = 8

_bench: list[Bench] = []
"""Of a worker process: the one bench it works at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """What became of one rule's mutants."""

    subject: Subject
    outcomes: tuple[Outcome, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many mutants have this verdict."""
        return sum(one.verdict is verdict for one in self.outcomes)

    def of(self, verdict: Verdict) -> list[Outcome]:
        """Return the outcomes with this verdict, in the order of their places."""
        return sorted((one for one in self.outcomes if one.verdict is verdict), key=lambda one: one.mutant.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationReport:
    """All rules. `passed` is what the command answers with."""

    rules: tuple[RuleReport, ...]

    def counts(self) -> Mapping[Verdict, int]:
        """Return the number of mutants by verdict."""
        found = Counter(one.verdict for rule in self.rules for one in rule.outcomes)
        return {verdict: found[verdict] for verdict in Verdict}

    @property
    def equivalent_pct(self) -> float:
        """Equivalent mutants in percent of all but the invalid ones."""
        counts = self.counts()
        counted = sum(counts.values()) - counts[Verdict.INVALID]
        return 100.0 * counts[Verdict.EQUIVALENT] / counted if counted else 0.0

    @property
    def failing(self) -> tuple[tuple[str, str], ...]:
        """(rule, test) of each test that is not met by the rule as it stands."""
        return tuple((one.subject.spec.id, test) for one in self.rules for test in one.subject.failing)

    @property
    def passed(self) -> bool:
        """Whether every mistake would be noticed: nothing survived, and not too much was excused."""
        counts = self.counts()
        nothing = not sum(counts.values()) - counts[Verdict.INVALID]
        return not (
            nothing or self.failing or counts[Verdict.SURVIVED] or self.equivalent_pct > MOST_EQUIVALENT_PCT
        )


def mutate(
    files: Mapping[str, bytes], catalogue: Catalogue, flags: Mapping[str, FlagSpec], *,
    only: Collection[str] = (), workers: int = 1,
) -> MutationReport:
    """Return what becomes of every mutant of the rules in `files` (of those named in `only`).

    The result does not depend on `workers`. ValueError where the rules do not load.
    """
    bench = Bench(files, catalogue, flags, only=only)
    # A rule whose own tests fail kills everything, and that says nothing.
    sound = {subject.spec.id for subject in bench.subjects if not subject.failing}
    asked = [index for index, mutant in enumerate(bench.mutants) if mutant.rule in sound]
    if workers <= 1 or len(asked) < _CHUNK:
        outcomes = [bench.judge(bench.mutants[index]) for index in asked]
    else:
        # Spawned, not forked: a fork copies the locks of whatever threads the caller has.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin,
            initargs=(dict(files), tuple(catalogue.specs.values()), dict(flags), set(only)),
        ) as pool:
            outcomes = list(pool.map(_judge, asked, chunksize=_CHUNK))
    by_rule: dict[str, list[Outcome]] = {subject.spec.id: [] for subject in bench.subjects}
    for outcome in outcomes:
        by_rule[outcome.mutant.rule].append(outcome)
    return MutationReport(
        rules=tuple(RuleReport(subject=one, outcomes=tuple(by_rule[one.spec.id])) for one in bench.subjects),
    )


def _begin(
    files: Mapping[str, bytes], signals: Sequence[SignalSpec], flags: Mapping[str, FlagSpec], only: Collection[str]
) -> None:
    _bench[:] = [Bench(files, Catalogue(signals), flags, only=only)]


def _judge(index: int) -> Outcome:
    (bench,) = _bench
    return bench.judge(bench.mutants[index])
