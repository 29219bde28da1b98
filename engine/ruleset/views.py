"""How rules stand, for people: state, truth, what was read, and how far it is from tripping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.model.codec import Data
from engine.model.truth import Truth
from engine.ruleset import lifecycle
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.grants import word
from engine.ruleset.instances import Instance
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.latches import Key
from engine.ruleset.moves import Moves
from engine.ruleset.nearness import margin_of
from engine.ruleset.program import Condition
from engine.ruleset.running import running
from engine.ruleset.spec import RuleKind
from engine.ruleset.words import restraint_words
from engine.signals.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """How one instance stands. `since` in ns; `margin` is how far from true, 0 to 1, None where nobody can say."""

    id: str
    instance: str
    kind: str
    state: str
    since: int
    truth: Truth
    reasons: tuple[str, ...]
    inputs: dict[str, str]
    restrains: str
    margin: float | None
    enforcement: str
    guarding: bool
    why_not: str
    """Why it is not guarding; empty when it is."""
    summary: str
    source: str
    latched: bool
    next_due: int | None


def all_views(
    rules: Mapping[str, CompiledRule], instances: Mapping[Key, Instance], moves: Moves, snapshot: Snapshot, at: int
) -> tuple[RuleView, ...]:
    """Return one view an instance, and one for each rule without instances, by rule id and labels."""
    by_rule: dict[str, list[Instance]] = {rule: [] for rule in rules}
    for key in sorted(instances):
        by_rule[key[0]].append(instances[key])
    found: list[RuleView] = []
    for rule in sorted(rules):
        if by_rule[rule]:
            found.extend(view_of(instance, moves, snapshot, at) for instance in by_rule[rule])
        else:
            found.append(_without_instances(rules[rule]))
    return tuple(found)


def idle(rules: Mapping[str, CompiledRule], instances: Mapping[Key, Instance]) -> tuple[tuple[str, str], ...]:
    """Return (instance, why) of all that does not guard, by rule id and labels; a rule alone where it has none."""
    why = {rule: compiled.why_not() for rule, compiled in rules.items()}
    names: dict[str, list[str]] = {rule: [] for rule in sorted(why) if why[rule]}
    for key in sorted(key for key in instances if key[0] in names) if names else ():
        names[key[0]].append(instances[key].name)
    return tuple((name, why[rule]) for rule, found in names.items() for name in found or (rule,))


def view_of(instance: Instance, moves: Moves, snapshot: Snapshot, at: int) -> RuleView:
    """Return how `instance` stands at `at` (ns)."""
    compiled, spec, standing = instance.compiled, instance.compiled.spec, instance.standing
    is_gate = spec.kind is RuleKind.MAKER_GATE
    force = moves.force_of(instance)
    latched = moves.latches.of(instance.key)
    words = [restraint_words(force.restraint)] if force is not None else []
    words += [restraint_words(latch.restraint) for latch in latched]
    why_not = compiled.why_not()
    return RuleView(
        id=spec.id, instance=instance.name, kind=spec.kind.value,
        state=word(standing.reading) if is_gate else standing.state.value,
        since=standing.since, truth=instance.truth(), reasons=instance.reasons,
        inputs=dict(instance.input_texts(snapshot)), restrains="; ".join(dict.fromkeys(words)),
        margin=margin_of(instance, snapshot),
        enforcement=spec.enforcement.value, guarding=not why_not, why_not=why_not, summary=spec.summary,
        source=compiled.source, latched=bool(latched),
        next_due=lifecycle.next_due(standing, compiled.timing, at) if compiled.evaluated and not is_gate else None,
    )


def _without_instances(compiled: CompiledRule) -> RuleView:
    spec, why_not = compiled.spec, compiled.why_not()
    state = "each order" if spec.kind is RuleKind.ENTRY else "no instance"
    return RuleView(
        id=spec.id, instance=spec.id, kind=spec.kind.value, state=state, since=0, truth=Truth.UNKNOWN, reasons=(),
        inputs={}, restrains="", margin=None, enforcement=spec.enforcement.value, guarding=not why_not, why_not=why_not,
        summary=spec.summary, source=compiled.source, latched=False, next_due=None,
    )


def explained(
    instances: Sequence[Instance], moves: Moves, snapshot: Snapshot, at: int
) -> list[Data]:
    """Return all about each of `instances` as JSON data. Nothing is changed by asking."""
    return [_explained(one, moves, snapshot, at) for one in instances]


def _explained(instance: Instance, moves: Moves, snapshot: Snapshot, at: int) -> Data:
    """Return all about one instance as JSON data: standing, inputs and the trace of every expression."""
    compiled, spec, program = instance.compiled, instance.compiled.spec, instance.compiled.program
    view = view_of(instance, moves, snapshot, at)
    conditions = program.conditions()
    traces = {
        "expr": _trace(instance, len(program.held), program.main, snapshot),
        "clear_expr": None if program.clear is None else _trace(instance, len(conditions) - 1, program.clear, snapshot),
        "held": [
            {
                "text": plan.text, "value": _json(instance.clocks[place].value),
                "trace": _trace(instance, place, plan.condition, snapshot),
            }
            for place, plan in enumerate(program.held)
        ],
    }
    return {
        "id": spec.id, "instance": instance.name, "kind": spec.kind.value, "source": compiled.source,
        "expr": spec.expr.text, "clear_expr": None if spec.clear_expr is None else spec.clear_expr.text,
        "state": view.state, "since": view.since, "truth": view.truth.name.lower(), "reasons": list(view.reasons),
        "inputs": view.inputs, "flags": compiled.flags_in_force(), "trace": traces["expr"],
        "clear_trace": traces["clear_expr"], "held": traces["held"], "restrains": view.restrains,
        "episode": moves.episodes.get(instance.key, 0), "latched": view.latched, "guarding": view.guarding,
        "why_not": view.why_not, "margin": view.margin, "next_due": view.next_due,
        "timers": [{"timer": one.timer, "until": one.until, "then": one.then} for one in running(instance, at)],
        "latches": [
            {
                "number": latch.number, "name": latch.name, "since": latch.since, "why": latch.why,
                "restrains": restraint_words(latch.restraint),
            }
            for latch in moves.latches.of(instance.key)
        ],
    }


def _trace(instance: Instance, place: int, condition: Condition, snapshot: Snapshot) -> list[Data]:
    program = instance.compiled.program
    names = {name: program.names[index] for name, index in condition.inputs.items()}
    names |= {name: program.held[index].text for name, index in condition.held.items()}
    return instance.compiled.evaluator(place).trace(instance.inputs(snapshot), instance.held_values(), names)


def _json(value: Value) -> Data:
    return None if isinstance(value, Unknown) else value


__all__ = ["RuleView", "all_views", "explained", "idle", "view_of"]
