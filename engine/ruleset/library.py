"""The rules engine for a program of one's own: load three kinds of text, feed samples, ask what is allowed.

Nothing here needs a trading engine, a file, a clock or a network. Times are seconds of any
clock that does not go back (`time.time()` will do); the rules' timers run when the next
sample comes, or when `advance` says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from engine.model.effects import Effect
from engine.model.flag_values import fit
from engine.model.flags import FlagSpec, FlagValue
from engine.model.restraints import NONE, InForce, Restraint
from engine.model.samples import Status
from engine.model.time import SECOND
from engine.ruleset.catalogue_file import read_catalogue
from engine.ruleset.diagnostics import Finding, format_text, has_errors
from engine.ruleset.entries import EntryVerdict
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.flags_file import FlagFile, read_flags
from engine.ruleset.latches import Latch
from engine.ruleset.load import load_rules
from engine.ruleset.spec import RuleSet
from engine.ruleset.views import RuleView
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot

_LABELS = ("account", "venue", "symbol", "intent")
Text = str | bytes


class RulesError(ValueError):
    """Everything that is wrong with the texts, each `finding` with its place and a fix; `str` shows all of it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n" + format_text(self.findings))


class Rules:
    """A set of rules at work over what it was told. Everything said of `at` is in seconds."""

    def __init__(  # noqa: PLR0913 - what `load` has read
        self, rules: RuleSet, catalogue: Catalogue, specs: Mapping[str, FlagSpec], flags: Mapping[str, FlagValue], *,
        at: float, warnings: tuple[Finding, ...] = (),
    ) -> None:
        """Use `Rules.load`: it checks what is given here."""
        self.rules, self.catalogue, self.warnings = rules, catalogue, warnings
        self._specs, self._flags = specs, dict(flags)
        self._at = _ns(at)
        self._snapshot = Snapshot(catalogue)
        self._book = RuleBook(rules, catalogue, self._snapshot, self._flags, at=self._at)
        self._told: list[Effect] = []
        self._settle(self._at)

    @classmethod
    def load(
        cls, *, rules: Mapping[str, Text], signals: Text, flags: Text | None = None,
        values: Mapping[str, FlagValue] | None = None, at: float = 0.0,
    ) -> Self:
        """Return rules that run from `at` on.

        `rules` are texts by the names that mistakes are told with, `signals` and `flags` the texts
        of the catalogue and of the flags; `values` set flags over what their text says. RulesError
        lists every mistake of every text at once; KeyError and ValueError are about `values`.
        """
        findings: list[Finding] = []
        catalogue, found = read_catalogue(_bytes(signals), "signals.yaml")
        findings += found
        declared = FlagFile() if flags is None else read_flags(_bytes(flags), "flags.yaml")
        findings += declared.findings
        if catalogue is None or has_errors(findings):
            raise RulesError(findings)
        loaded = load_rules({name: _bytes(text) for name, text in rules.items()}, catalogue, declared.specs)
        findings += loaded.findings
        if loaded.rules is None:
            raise RulesError(findings)
        set_to = {name: spec.default for name, spec in declared.specs.items()} | declared.values
        for name, value in (values or {}).items():
            set_to[name] = _fitting(declared.specs, name, value)
        return cls(loaded.rules, catalogue, declared.specs, set_to, at=at, warnings=tuple(findings))

    def feed(self, name: str, value: float | bool | str, at: float, **labels: str) -> None:
        """Take a sample of signal `name` in, received at `at`; a value outside its range makes the signal unknown.

        ValueError for a signal or labels that the catalogue does not have.
        """
        self.advance(at)
        self._snapshot.put_named(name, self._labels(name, labels), value, self._at, self._at)
        self._settle(self._at)

    def lost(self, name: str, at: float, **labels: str) -> None:
        """Say that a sample of signal `name` did not come or could not be read: until the next one it is unknown."""
        self.advance(at)
        slot = self._snapshot.base(name, self._labels(name, labels))
        self._snapshot.degrade(slot, Status.MISSING, self._at)
        self._settle(self._at)

    def alive(self, producer: str, at: float, *, up: bool = True) -> None:
        """Say that a producer of events lives (`up=False`: is down), so that no event means that none happened."""
        self.advance(at)
        self._snapshot.set_producer(producer, up, self._at)
        self._settle(self._at)

    def advance(self, at: float) -> None:
        """Let time pass up to `at`: samples grow stale, `for` and every other timer runs out at its own instant."""
        until = max(self._at, _ns(at))
        due = self._next_due()
        while due is not None and due <= until:
            self._at = max(self._at, due)
            self._snapshot.fire(self._at)
            self._settle(self._at)
            self._book.fire(self._at)
            self._settle(self._at)
            due = self._next_due()
        self._at = until

    def next_due(self) -> float | None:
        """Return when time alone next changes something (seconds), or None: when to call `advance` at the latest."""
        due = self._next_due()
        return None if due is None else due / SECOND

    def restraints(self) -> tuple[InForce, ...]:
        """Return what is forbidden now, each with its rule, why, since when and what ends it."""
        return tuple(item for item in self._book.restraints() if item.restraint != NONE)

    def restraint(self, **labels: str) -> Restraint:
        """Return all that is forbidden now for something with these labels (account, venue, symbol, intent), joined.

        Labels that were never heard of count as unknown for the rules that are evaluated by them.
        """
        order = {name: labels.get(name, "") for name in _LABELS}
        by = {rule.id: rule.by for rule in self.rules.rules}
        unmet = (one for one in self._book.unmet(**order) if all(labels.get(name) for name in by[one.rule]))
        total = NONE
        for item in (*self._book.restraints(), *unmet):
            if item.scope.matches(**order):
                total = total.join(item.restraint)
        return total

    def refusals(self, order: Mapping[str, float | str], at: float, **labels: str) -> tuple[EntryVerdict, ...]:
        """Return the entry rules that refuse `order` (its own signals by name): those that are true or not known."""
        self.advance(at)
        named = {name: labels.get(name, "") for name in _LABELS}
        verdicts = self._book.judge_entry(self._at, order, named)
        return tuple(verdict for verdict in verdicts if verdict.truth.name != "FALSE")

    def states(self) -> tuple[RuleView, ...]:
        """Return how every rule stands: state, truth, what it read, how far it is from firing."""
        return self._book.views(self._at)

    def explain(self, rule: str) -> list[dict[str, Any]]:
        """Return all about each instance of `rule`: the value of every part of its condition, timers, latches.

        KeyError for a rule that there is not.
        """
        if rule not in {one.id for one in self.rules.rules}:
            raise KeyError(rule)
        return self._book.explain(self._at, rule)

    def happened(self) -> tuple[Effect, ...]:
        """Return what rules did since the last call, in order: RuleMoved, LatchSet, LatchCleared, Notify."""
        told, self._told = tuple(self._told), []
        return told

    def latches(self) -> tuple[Latch, ...]:
        """Return the open latches, oldest first."""
        return self._book.latches()

    def rearm(self, latch: str, at: float, *, actor: str) -> tuple[bool, str]:
        """End the latch with this number or name; return (whether it ended, what or why not)."""
        self.advance(at)
        done = self._book.rearm(self._at, latch, actor)
        self._settle(self._at)
        return done

    def set_flag(self, name: str, value: FlagValue, at: float) -> None:
        """Give a flag another value from `at` on: rules that read it are asked anew.

        KeyError for a flag that there is not, ValueError for a value that does not fit it.
        """
        self.advance(at)
        self._flags[name] = _fitting(self._specs, name, value)
        self._book.on_flags(self._at, self._flags)
        self._settle(self._at)

    def _labels(self, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
        spec = self.catalogue.get(name)
        if spec is None:
            near = ", ".join(self.catalogue.nearest(name)) or "none"
            raise ValueError(f"the catalogue has no signal {name!r}; nearest: {near}")
        if set(labels) != set(spec.labels):
            raise ValueError(f"{name} has the labels {list(spec.labels)}, not {sorted(labels)}")
        return tuple(labels[label] for label in spec.labels)

    def _next_due(self) -> int | None:
        found = [due for due in (self._snapshot.next_due(), self._book.next_due()) if due is not None]
        return min(found, default=None)

    def _settle(self, at: int) -> None:
        # Rules derive no samples, so this ends: each round only takes what the one before has not.
        while not self._snapshot.settled():
            for name, labels in self._snapshot.take_new_labels():
                self._book.on_new_labels(at, name, labels)
            self._book.on_changed(at, self._snapshot.take_changed())
        self._told += self._book.take_moves()
        self._book.take_episodes()


def _bytes(text: Text) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _ns(at: float) -> int:
    return round(at * SECOND)


def _fitting(specs: Mapping[str, FlagSpec], name: str, value: FlagValue) -> FlagValue:
    if name not in specs:
        raise KeyError(name)
    return fit(specs[name], value)


__all__ = ["Rules", "RulesError"]
