"""A rule's expressions laid out for evaluation: one list of inputs, one of held conditions.

`expr`, `clear_expr` and every `held(...)` number their inputs for themselves; here each
distinct input has one place in the rule, and each held condition comes after those
inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.model.flags import FlagValue
from engine.model.samples import InputRef, SignalSpec, Unit
from engine.model.time import format_duration
from engine.ruleset.codegen import Scope, Template, compile_template
from engine.ruleset.intervals import Interval, input_interval
from engine.ruleset.spec import Expression, RuleSpec
from engine.signals.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One expression and the places in the rule of what its names `i0`, `h0`, ... mean."""

    expression: Expression
    inputs: Mapping[str, int]
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPlan:
    """One `held(condition, duration)`; duration in ns."""

    condition: Condition
    duration: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """All that a rule evaluates."""

    refs: tuple[InputRef, ...]
    names: tuple[str, ...]
    """Of each input, as a person reads it: `avg_over(fill_ms, 6h)`."""
    held: tuple[HeldPlan, ...]
    main: Condition
    clear: Condition | None
    flags: frozenset[str]

    def conditions(self) -> tuple[Condition, ...]:
        """Return every condition: held ones first, then `expr`, then `clear_expr` if there is one."""
        last = () if self.clear is None else (self.clear,)
        return (*(plan.condition for plan in self.held), self.main, *last)


def lay_out(spec: RuleSpec) -> Program:
    """Return the program of `spec`."""
    layout = _Layout()
    main = layout.condition(spec.expr)
    clear = None if spec.clear_expr is None else layout.condition(spec.clear_expr)
    refs = tuple(layout.places)
    return Program(
        refs=refs, names=tuple(input_name(ref) for ref in refs), held=tuple(layout.held), main=main, clear=clear,
        flags=frozenset(layout.flags),
    )


@dataclass(slots=True)
class _Layout:
    places: dict[InputRef, int] = field(default_factory=dict)
    held: list[HeldPlan] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def condition(self, expression: Expression) -> Condition:
        held: dict[str, int] = {}
        for number, ref in enumerate(expression.held):
            inner = self.condition(ref.condition)
            held[f"h{number}"] = len(self.held)
            text = f"held({ref.condition.text}, {format_duration(ref.duration)})"
            self.held.append(HeldPlan(condition=inner, duration=ref.duration, text=text))
        inputs = {
            f"i{number}": self.places.setdefault(ref, len(self.places)) for number, ref in enumerate(expression.inputs)
        }
        self.flags.extend(expression.flags)
        return Condition(expression=expression, inputs=inputs, held=held)


def input_name(ref: InputRef) -> str:
    """Return how a person reads an input: `peg_usdt_usd`, `avg_over(fill_ms, 6h, venue=paper)`."""
    labels = [f"{name}={value}" for name, value in ref.labels]
    if ref.reads == "value":
        return f"{ref.signal}({', '.join(labels)})" if labels else ref.signal
    arguments = [ref.signal]
    if ref.window:
        arguments.append(format_duration(ref.window))
    if ref.reads == "fresh":
        arguments.append(format_duration(ref.max_age))
    if ref.reads == "quantile_over":
        arguments.insert(0, f"{ref.quantile:g}")
    return f"{ref.reads}({', '.join([*arguments, *labels])})"


def template(condition: Condition, catalogue: Catalogue, flags: Mapping[str, FlagValue]) -> Template:
    """Return the compiled code of `condition` with `flags` folded in; KeyError for a signal that is not listed."""
    expression = condition.expression
    ranges: dict[str, Interval] = {}
    exact: list[str] = []
    for number, ref in enumerate(expression.inputs):
        spec = catalogue.specs[ref.signal]
        if _is_condition(ref, spec):
            exact.append(f"i{number}")
        else:
            ranges[f"i{number}"] = input_interval(ref, spec)
    scope = Scope(
        inputs=condition.inputs, held=condition.held, flags={name: flags[name] for name in expression.flags},
        ranges=ranges, conditions=frozenset(exact),
    )
    return compile_template(expression.tree, scope)


def _is_condition(ref: InputRef, spec: SignalSpec) -> bool:
    return ref.reads in ("absent", "fresh") or (ref.reads == "value" and spec.unit in (Unit.BOOL, Unit.ENUM))
