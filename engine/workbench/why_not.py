"""Why a rule fires, or why it does not, and the least that would have to change.

For each instance: where it stands, what it reads and how old that is, how far every
comparison is from its threshold, the smallest change of a single reading that turns each
part of the condition, and the timers that still run. Nothing is changed by asking.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.model.samples import Status
from engine.model.time import format_duration
from engine.ruleset import kleene
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.entries import Entries
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.instances import Instance
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.lifecycle import IN_EPISODE, State
from engine.ruleset.margin import margin
from engine.ruleset.program import Condition
from engine.ruleset.spec import RuleKind, RuleSpec
from engine.ruleset.trace import readable
from engine.ruleset.words import value_text
from engine.signals.snapshot import Snapshot
from engine.workbench.flips import Flip, Look, flips, parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is asked: rules over a snapshot at an instant (ns), under flags, perhaps with an order at hand."""

    book: RuleBook
    snapshot: Snapshot
    flags: Mapping[str, FlagValue]
    at: int
    order: Mapping[str, float | str] | None = None
    """The order's own signals by name; entry rules read them."""
    order_labels: Mapping[str, str] = field(default_factory=dict)


def why_not(scene: Scene, rule_id: str, instance: str | None = None) -> list[Data]:
    """Return why a rule (the instance with that name) stands as it does, one answer an instance, as JSON data.

    An unknown rule or instance gives an empty list; a rule of which no labels were heard
    gives one answer without readings.
    """
    spec = next((one for one in scene.book.rules.rules if one.id == rule_id), None)
    if spec is None:
        return []
    if spec.kind is RuleKind.ENTRY:
        return [] if instance not in (None, rule_id) else [_of_order(scene, spec)]
    found = scene.book.of_rule(rule_id)
    if not found and instance is None:
        return [_without_instance(scene, spec)]
    return [_of_instance(scene, one) for one in found if instance in (None, one.name)]


def _head(scene: Scene, spec: RuleSpec, name: str) -> dict[str, Data]:
    view = next(one for one in scene.book.views(scene.at) if one.id == spec.id)
    return {
        "id": spec.id, "instance": name, "kind": spec.kind.value, "summary": spec.summary,
        "source": f"{spec.place.file}:{spec.place.line}", "runbook": spec.runbook, "at": scene.at,
        "guarding": view.guarding, "why_not": view.why_not,
    }


def _without_instance(scene: Scene, spec: RuleSpec) -> dict[str, Data]:
    head = _head(scene, spec, spec.id)
    unheard = f"no {' and '.join(spec.by)} was heard of yet that it could be asked about; an order counts it as unknown"
    why = str(head["why_not"]) or unheard
    return {
        **head, "state": "no instance", "truth": "unknown", "reasons": [], "why": why, "inputs": [], "conditions": [],
        "timers": [], "latches": [], "restrains": "",
    }


def _of_instance(scene: Scene, instance: Instance) -> dict[str, Data]:
    compiled, program = instance.compiled, instance.compiled.program
    told = next(
        one for one in scene.book.explain(scene.at, compiled.spec.id, instance.name) if one["instance"] == instance.name
    )
    inputs, held = instance.inputs(scene.snapshot), instance.held_values()
    last = [_believable(scene.snapshot, slot) for slot in instance.slots]
    kept = ("state", "since", "truth", "reasons", "timers", "latches", "restrains")
    firing = instance.standing.state in IN_EPISODE
    word = "allow_expr" if compiled.spec.kind is RuleKind.MAKER_GATE else "expr"
    asked: list[tuple[str, int, Condition]] = [(word, len(program.held), program.main)]
    if program.clear is not None and firing:
        asked.insert(0, ("clear_expr", len(program.held) + 1, program.clear))
    asked += [(plan.text, place, plan.condition) for place, plan in enumerate(program.held)]
    reading = _Reading(compiled, inputs, held, last)
    return {
        **_head(scene, compiled.spec, instance.name), **{name: told[name] for name in kept},
        "why": _why(told, compiled), "inputs": _inputs(scene, instance),
        "conditions": [reading.condition(role, place, condition) for role, place, condition in asked],
    }


def _of_order(scene: Scene, spec: RuleSpec) -> dict[str, Data]:
    """An entry rule has no state: it is asked once an order, and what is not known refuses."""
    compiled = CompiledRule(spec, scene.snapshot.catalogue, frozenset())
    compiled.resolve(scene.flags)
    entries = Entries([compiled], scene.snapshot)
    inputs, texts = entries.inputs(compiled, scene.order or {}, scene.order_labels)
    held = entries.no_held(compiled)
    value = compiled.evaluator(len(held)).value(inputs, held)
    truth = kleene.truth_of(value).name.lower()
    reading = _Reading(compiled, inputs, held, inputs)
    refusal = {"true": "it refuses this order", "false": "it lets this order pass"}.get(
        truth, "what is not known refuses"
    )
    why = refusal if scene.order is not None else f"no order is at hand; {refusal}"
    head = _head(scene, spec, spec.id)
    return {
        **head, "state": "each order", "since": 0, "truth": truth, "timers": [], "latches": [], "restrains": "",
        "reasons": list(value.reasons) if isinstance(value, Unknown) else [], "why": str(head["why_not"]) or why,
        "inputs": [
            {"name": name, "value": _json(one), "text": text, "status": "ok" if not isinstance(one, Unknown) else text}
            for name, one, text in zip(compiled.program.names, inputs, texts, strict=True)
        ],
        "conditions": [reading.condition("expr", len(held), compiled.program.main)],
    }


def _believable(snapshot: Snapshot, slot: int) -> Value:
    """Return the last value that was heard, believed or not: what a change is measured from."""
    heard = snapshot.sample(slot, snapshot.now).age is not None
    return snapshot.values[slot] if heard or not snapshot.status[slot] else Unknown(())


def _inputs(scene: Scene, instance: Instance) -> list[Data]:
    program, snapshot = instance.compiled.program, scene.snapshot
    rows: list[Data] = []
    for place, (name, text) in enumerate(instance.input_texts(snapshot)):
        sample = snapshot.sample(instance.slots[place], scene.at)
        spec = snapshot.catalogue.specs[program.refs[place].signal]
        rows.append({
            "name": name, "signal": spec.name, "labels": list(sample.labels), "text": text,
            "value": sample.value if sample.status is Status.OK else None, "status": sample.status.name.lower(),
            "age_s": None if sample.age is None else sample.age / 1e9, "max_age_s": spec.max_age / 1e9 or None,
            "producer": spec.producer, "unit": spec.unit.value,
        })
    return rows


def _why(told: Mapping[str, Data], compiled: CompiledRule) -> str:
    """Return in a sentence why the instance stands where it stands."""
    if not compiled.evaluated:
        return f"it is not evaluated: {compiled.why_not()}"
    truth, state = str(told["truth"]), str(told["state"])
    if compiled.spec.kind is RuleKind.MAKER_GATE:
        return {"true": "its condition is true: it grants", "false": "its condition is false"}.get(
            truth, "its condition is not known, and what is not known grants nothing"
        )
    doubt = f"its condition is not known ({', '.join(told['reasons'])})"
    now = {"true": "its condition is true", "false": "its condition is false"}.get(truth, doubt)
    waits = {
        State.INACTIVE.value: "" if truth != "unknown" else ", and the grace for doubt still runs",
        State.PENDING.value: ", but not for long enough yet",
        State.FIRING.value: "" if truth == "true" else "; it fired, and what would end it is not known true",
        State.CLEARING.value: "; it fired, and has not been clear for long enough",
        State.COOLDOWN.value: "; it fired, and its lockout still runs",
        State.HELD.value: _held(compiled, truth),
    }
    return now + waits.get(state, "")


def _held(compiled: CompiledRule, truth: str) -> str:
    if truth != "unknown":
        return "; it was in doubt, and has been known for less than `min_clear`"
    return ", and doubt restrains" if compiled.restrains else ", and doubt has outlasted the grace"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a rule reads now: enough to look into any of its conditions."""

    compiled: CompiledRule
    inputs: Sequence[Value]
    held: Sequence[Value]
    last: Sequence[Value]

    def condition(self, role: str, place: int, condition: Condition) -> dict[str, Data]:
        """Return one condition, whole and part by part, with the least change that turns each."""
        compiled = self.compiled
        look = Look(
            condition=condition, evaluator=compiled.evaluator(place), program=compiled.program,
            catalogue=compiled.catalogue, inputs=self.inputs, held=self.held, last=self.last,
        )
        tree = condition.expression.tree
        return {
            "role": role, "text": " ".join(condition.expression.text.split()), "truth": _truth(look.value(tree)),
            "parts": [self._part(look, node, depth) for node, depth in parts(tree)],
        }

    def _part(self, look: Look, node: ast.expr, depth: int) -> dict[str, Data]:
        program = self.compiled.program
        names = {name: program.names[place] for name, place in look.condition.inputs.items()}
        names |= {name: program.held[place].text for name, place in look.condition.held.items()}
        value = look.value(node)
        seen = dict(look.evaluator.seen)
        row: dict[str, Data] = {"text": readable(node, names), "depth": depth, "truth": _truth(value)}
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            row["sides"] = [_json(seen[id(side)]) for side in sides]
            wanted = value is not True
            row["margin"] = margin(node, seen, wanted=wanted) if not isinstance(value, Unknown) else None
        turns = [wanted for wanted in (True, False) if value is not wanted]
        row["changes"] = [
            {"makes": _truth(wanted), **self._change(flip)} for wanted in turns for flip in flips(look, node, wanted)
        ]
        made = {one["makes"] for one in row["changes"]}
        missing = [_truth(wanted) for wanted in turns if _truth(wanted) not in made]
        row["none"] = [f"no change of a single reading makes this {word}{self._doubts(look)}" for word in missing]
        return row

    def _doubts(self, look: Look) -> str:
        """Return which readings in doubt stand in the way, as the end of a sentence."""
        names = self.compiled.program.names
        unknown = [names[place] for place in look.condition.inputs.values() if isinstance(self.inputs[place], Unknown)]
        return f" while {', '.join(unknown)} cannot be believed" if len(unknown) > 1 else ""

    def _change(self, flip: Flip) -> dict[str, Data]:
        program = self.compiled.program
        if flip.held:
            plan = program.held[flip.place]
            lasts = f" once {plan.condition.expression.text} has held for {format_duration(plan.duration)}"
            return {
                "reading": plan.text, "now": _json(flip.now), "to": flip.to, "edge": None, "size": flip.size,
                "text": f"{plan.text} {_truth(flip.to)}" + (lasts if flip.to else ""),
            }
        name = program.names[flip.place]
        now = "not known" if isinstance(flip.now, Unknown) else value_text(flip.now)
        return {
            "reading": name, "now": _json(flip.now), "to": flip.to, "edge": flip.edge, "size": round(flip.size, 6),
            "text": f"{name} {_bound(flip)} (now {now})",
        }


def _bound(flip: Flip) -> str:
    """Return where a reading would have to be, in words: `at 0.995 or less`, `above 10`."""
    if isinstance(flip.to, bool | str):
        return value_text(flip.to)
    if flip.edge is None:
        return f"at about {value_text(flip.to)}"
    off = flip.to - flip.edge
    if 1e-12 * max(1.0, abs(flip.edge)) < abs(off) < 0.5:
        # Just beyond the edge and not on it: the edge is what a person knows.
        return f"{'above' if off > 0 else 'below'} {flip.edge:.6g}"
    return f"at {flip.to:.6g}{_SIDES[flip.beyond]}"


_SIDES = {1: " or more", -1: " or less", 0: ""}


def _truth(value: Value) -> str:
    return "unknown" if isinstance(value, Unknown) else "true" if value else "false"


def _json(value: Value) -> Data:
    return None if isinstance(value, Unknown) else value
