"""Flags and signals that nobody reads: each is a number that an operator might turn in vain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.reading import flags_of, signals_of
from engine.ruleset.silences import Hush, silence
from engine.ruleset.spec import RuleSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Where flags or signals are declared: the file's name, its silences, and what others than rules read."""

    file: str
    hushes: tuple[Hush, ...] = ()
    read_elsewhere: frozenset[str] = frozenset()


def unused(
    specs: Iterable[RuleSpec], world: World, flags: Declared, signals: Declared, *, today: date | None = None
) -> tuple[Finding, ...]:
    """Return the flags and signals that no rule and nobody else reads, less what is silenced."""
    rules = tuple(specs)
    read = {name for spec in rules for name in flags_of(spec)} | flags.read_elsewhere
    found = [
        _finding(flags.file, flag.line, "lint-unused-flag", f"neither a rule nor the engine reads the flag {name}")
        for name, flag in world.flags.items() if name not in read
    ]
    heard = {name for spec in rules for name in signals_of(spec.expr, spec.clear_expr)} | signals.read_elsewhere
    found += [
        _finding(signals.file, signal.line, "lint-unused-signal", f"no rule reads the signal {name}")
        for name, signal in world.catalogue.specs.items() if name not in heard and not signal.derived_from_policy
    ]
    return tuple(sorted(silence(found, (*flags.hushes, *signals.hushes), today)))


def _finding(file: str, line: int, code: str, message: str) -> Finding:
    return Finding(
        file=file, line=max(line, 1), column=1, code=code, severity=Severity.WARNING, message=message,
        fix="remove it, or say under `lint:` who reads it",
    )
