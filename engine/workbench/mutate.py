"""Mutation of rules: make each small mistake that a person could make, and see whether a test notices.

A mutant is one rule with one change, written as a file again and loaded like any other; the
loader's refusal makes it invalid, and it is not counted. It is killed when one of the rule's
own tests is not met. What survives is either proven to decide the same (`mutate_same`) or
a mistake that the tests would let through.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.model.codec import Data
from engine.model.flags import FlagSpec
from engine.model.time import MINUTE
from engine.ruleset.durations import periods_of
from engine.ruleset.load import load_rules
from engine.ruleset.nodes import Node
from engine.ruleset.reading import inputs_of
from engine.ruleset.source import read_yaml
from engine.ruleset.spec import Place, RuleSet, RuleSpec
from engine.ruleset.testcase import RuleTest
from engine.signals.catalogue import Catalogue
from engine.workbench.mutate_keys import key_changes
from engine.workbench.mutate_points import splices
from engine.workbench.mutate_same import same
from engine.workbench.test import run_test

_EXPRESSIONS = ("expr", "clear_expr", "allow_expr")
_NO_PART = ("tests", "enforcement")
"""Tests are the judge and not the accused; and they judge every rule as if it were enforced."""


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One rule with one change. `said` is the whole changed rule as data; `hint` says which expectation kills it."""

    rule: str
    operator: str
    key: str
    place: Place
    before: str
    after: str
    hint: str
    said: Mapping[str, Data]

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.key}: {self.before} -> {self.after or '(nothing)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A mutant and what became of it; `why` is the test that killed it, the proof, or the loader's refusal."""

    mutant: Mutant
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One rule to be mutated. `failing` are its own tests that are not met as it stands; then nothing can be said."""

    spec: RuleSpec
    step: int
    """The step of its durations, in ns: the first period of what it reads, else the smallest step of its tests."""
    mutants: tuple[Mutant, ...]
    failing: tuple[str, ...] = ()


class Bench:
    """All rules of a set with their mutants, in the order of the rules and of their text."""

    def __init__(
        self, files: Mapping[str, bytes], catalogue: Catalogue, flags: Mapping[str, FlagSpec], *,
        only: Collection[str] = (),
    ) -> None:
        """Read `files` (name -> bytes), which the loader accepts; ValueError where it does not."""
        self._catalogue, self._flags = catalogue, flags
        loaded = load_rules(files, catalogue, flags)
        if loaded.rules is None:
            raise ValueError("rules that do not load cannot be mutated")
        self._rules: RuleSet = loaded.rules
        nodes = dict(_rule_nodes(files))
        wanted = [spec for spec in loaded.rules.rules if not only or spec.id in only]
        self.subjects = tuple(self._subject(spec, nodes[spec.id]) for spec in wanted)
        self.mutants = tuple(mutant for subject in self.subjects for mutant in subject.mutants)
        self._specs = {subject.spec.id: subject.spec for subject in self.subjects}

    def _subject(self, spec: RuleSpec, node: Node) -> Subject:
        tests = tuple(_bound(test, spec) for test in spec.tests)
        periods = [one for one in periods_of([spec.expr, spec.clear_expr], self._catalogue) if one]
        step = periods[0] if periods else min((test.step for test in tests), default=MINUTE)
        mutants = {json.dumps(one.said, sort_keys=True): one for one in self._mutants(spec, node, step)}
        # A mutant that says what the rule says is none.
        mutants.pop(json.dumps(_said(node), sort_keys=True), None)
        failing = [
            test.name for test in tests
            if not run_test(spec, test, self._rules, self._catalogue, self._flags).passed
        ]
        return Subject(
            spec=replace(spec, tests=tests), step=step, mutants=tuple(mutants.values()), failing=tuple(failing),
        )

    def _mutants(self, spec: RuleSpec, node: Node, step: int) -> Iterator[Mutant]:
        said = _said(node)
        for key in _EXPRESSIONS:
            at = node.get(key)
            for splice in splices(at.text, self._flags, step) if at is not None else ():
                assert at is not None
                yield Mutant(
                    rule=spec.id, operator=splice.operator, key=key, before=splice.before, after=splice.after,
                    place=Place(at.source.file, *at.spot(splice.offset)), hint=splice.hint,
                    said={**said, key: splice.apply(at.text)},
                )
        for change in key_changes(spec, said, self._flags, step):
            edited = {**said, **dict(change.edits)}
            yield Mutant(
                rule=spec.id, operator=change.operator, key=".".join(change.path), before=change.before,
                after=change.after, place=_place(node, change.path), hint=change.hint,
                said={key: value for key, value in edited.items() if value is not None},
            )

    def judge(self, mutant: Mutant) -> Outcome:
        """Return what becomes of `mutant` under its rule's own tests."""
        rule = self._specs[mutant.rule]
        text = f"version: 1\nrules:\n  - {json.dumps(dict(mutant.said), ensure_ascii=False)}\n"
        loaded = load_rules({mutant.place.file: text.encode()}, self._catalogue, self._flags)
        if loaded.rules is None:
            refusal = next(str(one.message) for one in loaded.findings if one.severity.value == "error")
            return Outcome(mutant=mutant, verdict=Verdict.INVALID, why=refusal)
        changed = replace(loaded.rules.rules[0], tests=rule.tests, place=rule.place)
        tests: tuple[RuleTest, ...] = rule.tests
        for test in tests:
            if run_test(changed, test, self._rules, self._catalogue, self._flags).mismatches:
                return Outcome(mutant=mutant, verdict=Verdict.KILLED, why=test.name)
        proof = same(rule, replace(changed, enforcement=rule.enforcement), self._catalogue)
        if proof:
            return Outcome(mutant=mutant, verdict=Verdict.EQUIVALENT, why=proof)
        return Outcome(mutant=mutant, verdict=Verdict.SURVIVED)


def _rule_nodes(files: Mapping[str, bytes]) -> Iterator[tuple[str, Node]]:
    for name in sorted(files):
        root, _ = read_yaml(files[name], name)
        rules = root.get("rules") if root is not None else None
        for node in rules.items if rules is not None else ():
            at = node.get("id")
            if at is not None:
                yield at.text, node


def _bound(test: RuleTest, spec: RuleSpec) -> RuleTest:
    """Return the test with the labels written out that its series take from the rule: a mutant may read others."""
    literal: dict[tuple[str, str], list[str]] = {}
    for ref in inputs_of(spec.expr, spec.clear_expr):
        for name, value in ref.labels:
            values = literal.setdefault((ref.signal, name), [])
            if value not in values:
                values.append(value)
    series = [
        replace(one, labels=(*one.labels, *(
            (name, values[0]) for (signal, name), values in literal.items()
            if signal == one.signal and len(values) == 1 and name not in dict(one.labels)
        )))
        for one in test.series
    ]
    return replace(test, series=tuple(series))


def _said(node: Node) -> dict[str, Data]:
    plain: dict[str, Data] = node.plain()
    return {key: value for key, value in plain.items() if key not in _NO_PART}


def _place(node: Node, path: tuple[str, ...]) -> Place:
    """Return where the change is: at the value that changes, else at the rule's id."""
    at: Node | None = node
    for key in path:
        at = at.get(key) if at is not None else None
    return at.place if at is not None else node.key("id").place
