"""What of an instance's state goes on under another set of rules, and what begins anew.

A restraint is never dropped because a file was edited: what fires goes on firing until its
condition is known false under the new one, a lockout keeps its end, and latches are not
touched at all. What was counted under another condition is not believed, though: a `for`
that runs is kept only where the new condition was true for as long.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from engine.model.codec import Data, from_data, to_data
from engine.model.flags import FlagValue
from engine.model.samples import InputRef
from engine.ruleset import lifecycle
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.lifecycle import Reading, Standing
from engine.ruleset.loosening_normal import Node, inputs_in, normal
from engine.ruleset.loosening_relation import RISING, pairs_of, ranges_of, words_of
from engine.ruleset.spec import RESTRAINING, Expression, HeldRef, Place, RuleKind

_NOWHERE = Place("", 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """What becomes of the state of one rule's instances."""

    reset: str = ""
    """Why nothing goes on but latches and episode numbers; empty where the state goes on."""
    same: bool = True
    """Whether its conditions are what they were."""
    pending: bool = True
    """Whether a `for` that runs goes on."""
    held: tuple[int | None, ...] | None = None
    """For each held condition of today the place of the same one before, None for one that begins anew.

    None as a whole: all are the same.
    """
    reads: tuple[int | None, ...] | None = None
    """The same of inputs."""


WHOLE = Carry()


def signature(compiled: CompiledRule) -> Data:
    """Return, as JSON data, what a rule's state is the state of."""
    if compiled.spelling is None:
        # Every checkpoint asks for it, and only the flags in it ever change.
        spec, program = compiled.spec, compiled.program
        compiled.spelling = {
            "kind": spec.kind.value, "by": list(spec.by), "reads": list(program.names),
            "held": [_condition_text(plan.condition.expression) for plan in program.held],
            "expr": _data(spec.expr), "clear": None if spec.clear_expr is None else _data(spec.clear_expr),
        }
    return {**compiled.spelling, "flags": dict(compiled.flag_values())}


def _condition_text(expression: Expression) -> str:
    return " ".join(expression.text.split())


def _data(expression: Expression) -> Data:
    return {
        "tree": ast.unparse(expression.tree), "inputs": [to_data(ref) for ref in expression.inputs],
        "flags": list(expression.flags), "held": [[_data(one.condition), one.duration] for one in expression.held],
    }


def _expression(data: Data) -> Expression:
    tree: str = data["tree"]
    held = tuple(HeldRef(condition=_expression(condition), duration=duration) for condition, duration in data["held"])
    return Expression(
        text=tree, place=_NOWHERE, tree=ast.parse(tree, mode="eval").body, held=held, flags=tuple(data["flags"]),
        inputs=tuple(from_data(InputRef, ref) for ref in data["inputs"]),
    )


def decide(before: Data, compiled: CompiledRule) -> Carry:
    """Return what goes on of a rule that was dumped with the signature `before`; None of it: all does."""
    if before is None:
        return WHOLE
    after = signature(compiled)
    if before == after:
        return WHOLE
    reset = _reset(before, compiled)
    if reset:
        return Carry(reset=reset, same=False, pending=False)
    conditions = ("expr", "clear", "flags")
    same = all(before[key] == after[key] for key in conditions)
    return Carry(
        same=same, pending=same or _rises(before["expr"], compiled.spec.expr, before["flags"], compiled),
        held=_held(before, after, compiled),
        reads=_places(before["reads"], after["reads"]),
    )


def _reset(before: Data, compiled: CompiledRule) -> str:
    spec = compiled.spec
    if before["by"] != list(spec.by):
        return f"`by` was [{', '.join(before['by'])}] and is [{', '.join(spec.by)}]: other instances"
    kinds = {RuleKind(before["kind"]), spec.kind}
    if len(kinds) > 1 and not kinds <= RESTRAINING:
        return f"it was a {before['kind']} and is a {spec.kind.value}: its truth does something else"
    return ""


def _places(before: list[str], after: list[str]) -> tuple[int | None, ...] | None:
    if before == after:
        return None
    return tuple(before.index(one) if one in before else None for one in after)


def _held(before: Data, after: Data, compiled: CompiledRule) -> tuple[int | None, ...] | None:
    """Return which held conditions go on: the same ones, and each in whose place stands one that was true as long."""
    same_flags = before["flags"] == after["flags"]
    if before["held"] == after["held"] and same_flags:
        return None
    old = [one for key in ("expr", "clear") if before[key] is not None for one in _conditions(before[key])]
    places: list[int | None] = []
    for place, plan in enumerate(compiled.program.held):
        named = _condition_text(plan.condition.expression)
        was = before["held"].index(named) if named in before["held"] else place if place < len(old) else None
        same = same_flags and was is not None and before["held"][was] == named
        if was is not None and not same and not _rises(old[was], plan.condition.expression, before["flags"], compiled):
            was = None
        places.append(was)
    return tuple(places)


def _conditions(data: Data) -> Iterator[Data]:
    """Yield what must hold in an expression, what stands inside another before it, as a program lays them out."""
    for condition, _ in data["held"]:
        yield from _conditions(condition)
        yield condition


def _rises(before: Data, after: Expression, flags: Mapping[str, FlagValue], compiled: CompiledRule) -> bool:
    """Whether a condition of today was true wherever the one `before` was, so that its time counts."""
    catalogue = compiled.catalogue
    expression = _expression(before)
    if any(ref.signal not in catalogue.specs for ref in inputs_in(_inputs(expression))):
        return False
    first, second = normal(expression, flags, catalogue), normal(after, _flags(compiled), catalogue)
    refs = inputs_in(first) | inputs_in(second)
    pairs = pairs_of(first, second, ranges_of((catalogue,), refs), words_of((catalogue,), refs))
    return pairs is not None and set(pairs) <= RISING


def _inputs(expression: Expression) -> Node:
    return (*expression.inputs, *(_inputs(one.condition) for one in expression.held))


def _flags(compiled: CompiledRule) -> Mapping[str, FlagValue]:
    return dict(compiled.flag_values())


def standing_under(carry: Carry, standing: Standing, compiled: CompiledRule, at: int) -> Standing:
    """Return the standing that goes on at `at` (ns) under `compiled`."""
    if not compiled.evaluated:
        # While nobody evaluates it nothing is known; only its lockout is remembered. One that had stopped before
        # goes on as it was: a state that is loaded again must be the same state.
        before = lifecycle.stopped(standing, standing.since)
        return standing if before == standing else lifecycle.stopped(standing, at)
    if carry.same:
        return standing
    changed = standing
    if not carry.pending and standing.true_since is not None:
        changed = replace(changed, true_since=at if standing.reading is Reading.TRUE else None)
    # What ends a restraint is counted anew: it ended another condition.
    if standing.clear_since is not None:
        changed = replace(changed, clear_since=at)
    if standing.known_since is not None and (standing.doubted or standing.state is lifecycle.State.HELD):
        changed = replace(changed, known_since=at)
    return changed
