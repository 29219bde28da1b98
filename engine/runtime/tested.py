"""The inline tests of a set that is about to take over, within a budget: what passed once is not run again."""

from __future__ import annotations

import ast
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from threading import Lock
from typing import Any

from engine.model.flags import FlagSpec
from engine.ruleset.loader import RuleLoader
from engine.ruleset.reading import inputs_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Place, RuleSpec
from engine.workbench.test import TestResult, run_test

_RULINGS = 3
"""So many are remembered beside the newest: what is in force stays known while edits are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """`failed` are results that did not pass; `left` are the rules for whose tests there was no time."""

    failed: tuple[TestResult, ...] = ()
    left: tuple[str, ...] = ()
    ran: int = 0
    """Tests that were run now."""


class Passed:
    """Remembers which rules passed their tests: by what they say, and by what they read is declared as.

    `loader` remembers beside it what the files said, so that an edit costs what it changes.
    """

    def __init__(self) -> None:
        self.loader = RuleLoader()
        self.lock = Lock()
        """Held by whoever reads: this is no object for two threads at once."""
        self._known: frozenset[str] = frozenset()
        self._rulings: dict[str, Ruling] = {}
        """The last rulings that `loader` made, by their digests."""
        self._world = ""
        self._keys: dict[int, tuple[RuleSpec, str]] = {}
        """Specs by their `id()`, which a loader hands out again unless their file changed, with their keys."""

    def run(self, ruling: Ruling, budget: int) -> Tested:
        """Run the tests of all rules not known to pass, for at most `budget` ns of wall time."""
        end = time.monotonic_ns() + budget
        known, failed, left, ran = set(), list[TestResult](), list[str](), 0
        keys = self._keys_of(ruling)
        for spec in ruling.rules.rules:
            key = keys[spec.id]
            if key in self._known:
                known.add(key)
                continue
            if time.monotonic_ns() >= end:
                left.append(spec.id)
                continue
            results = [run_test(spec, test, ruling.rules, ruling.catalogue, ruling.flag_specs) for test in spec.tests]
            ran += len(results)
            wrong = [one for one in results if not one.passed]
            failed += wrong
            if not wrong:
                known.add(key)
        # What is gone is forgotten, so that a year of edits does not make this grow.
        self._known = frozenset(known)
        return Tested(failed=tuple(failed), left=tuple(left), ran=ran)

    def made(self, ruling: Ruling) -> None:
        """Remember a ruling of `loader`: one made after it shares with it what did not change."""
        kept = [(digest, one) for digest, one in self._rulings.items() if digest != ruling.digest][-_RULINGS:]
        self._rulings = {**dict(kept), ruling.digest: ruling}

    def shared(self, ruling: Ruling) -> Ruling:
        """Return `ruling` made of the objects that `loader` made of the same words, where it did."""
        known = self._rulings.get(ruling.digest)
        return ruling if known is None else replace(known, flag_environment=ruling.flag_environment)

    def _keys_of(self, ruling: Ruling) -> dict[str, str]:
        """Return the key of each rule by its id."""
        world = _digest((ruling.catalogue.digest, [_plain(one) for _, one in sorted(ruling.flag_specs.items())]))
        if world != self._world:
            self._world, self._keys = world, {}
        old, self._keys = self._keys, {}
        for spec in ruling.rules.rules:
            kept = old.get(id(spec))
            self._keys[id(spec)] = (spec, _key(spec, ruling)) if kept is None else kept
        return {spec.id: key for spec, key in self._keys.values()}


def _key(spec: RuleSpec, ruling: Ruling) -> str:
    """Return a digest of all that the tests of `spec` depend on: wherever in its file the rule stands."""
    said = repr((_plain(spec), _plain(spec.tests)))
    signals = sorted({ref.signal for ref in inputs_of(spec.expr, spec.clear_expr)})
    declared = [_plain(ruling.catalogue.specs[name]) for name in signals]
    flags = [_plain(ruling.flag_specs[name]) for name in sorted(set(_named(spec, ruling.flag_specs)))]
    return _digest((said, declared, flags))


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` as nested tuples, without places: where a rule stands decides nothing."""
    if isinstance(value, Place):
        return None
    if isinstance(value, ast.AST):
        return ast.dump(value)
    if is_dataclass(value):
        return tuple(_plain(getattr(value, one.name)) for one in fields(value) if one.name not in _WHERE)
    if isinstance(value, tuple | list):
        return tuple(_plain(one) for one in value)
    if isinstance(value, frozenset):
        return tuple(sorted(map(repr, value)))
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _plain(one)) for name, one in value.items()))
    return value


_WHERE = ("line", "summary", "tests")
"""Fields that say where something stands, or in prose what it is for; and the tests, which are taken apart."""


def _named(value: Any, flags: Mapping[str, FlagSpec]) -> Iterator[str]:
    """Yield the flags that `value` names anywhere: in an expression, a duration, a test."""
    if isinstance(value, str):
        if value in flags:
            yield value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _named(getattr(value, one.name), flags)
    elif isinstance(value, tuple | list | frozenset):
        for one in value:
            yield from _named(one, flags)
