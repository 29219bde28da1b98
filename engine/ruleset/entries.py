"""Entry rules: asked once for each proposal that would add exposure.

They alone read the order. They have no state: nothing held, nothing latched. What is not
known is not let through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.model.samples import SignalSpec, Status, Unit
from engine.model.truth import Truth
from engine.ruleset import kleene
from engine.ruleset.codegen import RuleFunction
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.words import input_text
from engine.signals.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryVerdict:
    """What one entry rule said of one order: TRUE refuses, and so does UNKNOWN. `source` is file:line."""

    rule: str
    truth: Truth
    reasons: tuple[str, ...]
    inputs: tuple[tuple[str, str], ...]
    source: str


class Entries:
    """All entry rules of a run, in the order of their ids."""

    def __init__(self, rules: Sequence[CompiledRule], snapshot: Snapshot) -> None:
        self.rules = tuple(rules)
        self._snapshot = snapshot
        self._functions: dict[str, RuleFunction] = {}
        self.adopt()

    def adopt(self) -> None:
        """Take the rules' code, after it was compiled anew."""
        for compiled in self.rules:
            places, held = range(len(compiled.program.refs)), [False] * len(compiled.program.held)
            self._functions[compiled.spec.id] = compiled.main_template.bind(places, held)

    def on_new_labels(self, name: str, labels: tuple[str, ...]) -> None:
        """Bind what entry rules read of signal `name`, so that windows fill before the first order."""
        for compiled in self.rules:
            known = compiled.labels_by_name(name, labels)
            for ref in compiled.program.refs:
                if ref.signal == name and compiled.evaluated and compiled.bound_labels(ref, known) == labels:
                    self._snapshot.bind(ref, labels)

    def judge(self, order: Mapping[str, float | str], labels: Mapping[str, str]) -> tuple[EntryVerdict, ...]:
        """Return what every enforced entry rule says of `order`; `labels` are its account, venue, symbol, intent."""
        return tuple(self._judge_one(compiled, order, labels) for compiled in self.rules if compiled.enforced)

    def _judge_one(
        self, compiled: CompiledRule, order: Mapping[str, float | str], labels: Mapping[str, str]
    ) -> EntryVerdict:
        inputs, texts = self.inputs(compiled, order, labels)
        value = self._value(compiled, inputs)
        return EntryVerdict(
            rule=compiled.spec.id, truth=kleene.truth_of(value), source=compiled.source,
            reasons=value.reasons if isinstance(value, Unknown) else (),
            inputs=tuple(zip(compiled.program.names, texts, strict=True)),
        )

    def _value(self, compiled: CompiledRule, inputs: list[Value]) -> Value:
        known = [value for value in inputs if not isinstance(value, Unknown)]
        if len(known) == len(inputs) and not compiled.program.held:
            try:
                return self._functions[compiled.spec.id](known)
            except ZeroDivisionError:
                pass
        return compiled.evaluator(len(compiled.program.held)).value(inputs, self.no_held(compiled))

    def no_held(self, compiled: CompiledRule) -> list[Value]:
        """Return the held conditions of an entry rule: it lasts no time, so nobody knows."""
        return [Unknown((f"no_time({plan.text})",)) for plan in compiled.program.held]

    def inputs(
        self, compiled: CompiledRule, order: Mapping[str, float | str], labels: Mapping[str, str]
    ) -> tuple[list[Value], list[str]]:
        """Return the inputs of one rule for one order, and their texts, by their places."""
        values: list[Value] = []
        texts: list[str] = []
        for name, ref in zip(compiled.program.names, compiled.program.refs, strict=True):
            spec = compiled.catalogue.specs[ref.signal]
            if spec.order_scope:
                value, status, heard = _of_order(order.get(ref.signal), spec)
                if ref.reads != "value":
                    status = Status.MISSING
            else:
                bound = compiled.bound_labels(ref, labels)
                if bound is None:
                    value, status, heard = 0.0, Status.MISSING, False
                else:
                    slot = self._snapshot.bind(ref, bound)
                    value, status = self._snapshot.values[slot], Status(self._snapshot.status[slot])
                    heard = self._snapshot.sample(slot, self._snapshot.now).age is not None
            values.append(kleene.doubt(status, name) if status else value)
            texts.append(input_text(value, status, heard=heard))
        return values, texts


def _of_order(value: float | str | None, spec: SignalSpec) -> tuple[float | str, Status, bool]:
    """Return an order's own value with its status: a fact that is not there, or makes no sense, is not known."""
    if value is None:
        return 0.0, Status.MISSING, False
    if spec.unit is Unit.ENUM:
        return value, Status.OK if value in spec.values else Status.INVALID, True
    if isinstance(value, bool | str) or not spec.low <= value <= spec.high:
        return value, Status.INVALID, True
    return float(value), Status.OK, True
