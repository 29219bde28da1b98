"""What becomes of the state of a running rule book when another set of rules takes over.

It is said before it is done, by the same rules by which `RuleBook.load` does it: which
instances go on and with what, which begin anew and why, and which latches are left without
a rule that anybody evaluates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.ruleset import saved
from engine.ruleset.carry import Carry, decide
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.instances import standing_of
from engine.ruleset.latches import Latch, LatchBook, instance_name
from engine.ruleset.lifecycle import IN_EPISODE, Standing, State
from engine.ruleset.spec import Latching, RuleKind, RuleSet
from engine.ruleset.words import restraint_words
from engine.signals.catalogue import Catalogue


class Fate(StrEnum):
    """What becomes of a rule's state."""

    CARRIED = "carried"
    RESET = "reset"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancePlan:
    """An instance that goes on: under which name, in which state, and what of it begins anew or is worth knowing."""

    name: str
    state: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LatchPlan:
    """An open latch. `orphaned` says that nobody will evaluate its rule."""

    number: int
    name: str
    restrains: str
    orphaned: bool
    clear_with: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """What becomes of one rule, by its id of after (of before, if it is gone). `formerly` is its id of before."""

    rule: str
    fate: Fate
    why: str = ""
    formerly: str = ""
    instances: tuple[InstancePlan, ...] = ()
    latches: tuple[LatchPlan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePlan:
    """See the module. `rules` are in the order of their ids."""

    rules: tuple[RulePlan, ...]

    @property
    def orphaned(self) -> tuple[LatchPlan, ...]:
        """The latches that stay in force though nobody evaluates their rule."""
        return tuple(latch for rule in self.rules for latch in rule.latches if latch.orphaned)

    def of(self, rule: str) -> RulePlan | None:
        """Return the plan of one rule, or None."""
        return next((one for one in self.rules if one.rule == rule), None)

    def lines(self) -> tuple[str, ...]:
        """Return what a person has to know, a line each: first how many of each fate, then what is not plain."""
        counts = Counter(rule.fate for rule in self.rules)
        carried = sum(len(rule.instances) for rule in self.rules)
        head = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate]) or "none"
        found = [f"rules: {head}; {carried} instances go on"]
        for rule in self.rules:
            found += _lines(rule)
        return tuple(found)

    def data(self) -> Data:
        """Return everything as JSON data."""
        return {
            "rules": [
                {
                    "rule": rule.rule, "fate": rule.fate.value, "why": rule.why, "formerly": rule.formerly,
                    "instances": [
                        {"name": one.name, "state": one.state, "notes": list(one.notes)} for one in rule.instances
                    ],
                    "latches": [
                        {
                            "number": one.number, "name": one.name, "restrains": one.restrains,
                            "orphaned": one.orphaned, "clear_with": one.clear_with,
                        }
                        for one in rule.latches
                    ],
                }
                for rule in self.rules
            ],
        }


def _lines(rule: RulePlan) -> Iterator[str]:
    renamed = f", formerly {rule.formerly}" if rule.formerly else ""
    if rule.fate is not Fate.CARRIED or renamed:
        why = f": {rule.why}" if rule.why else ""
        yield f"{rule.rule}{renamed}: {rule.fate.value}{why}"
    for one in rule.instances:
        if one.notes:
            yield f"{one.name} stays {one.state}: {'; '.join(one.notes)}"
    for latch in rule.latches:
        if latch.orphaned:
            yield f"latch {latch.number} ({latch.name}) stays in force, {latch.restrains}: {latch.clear_with}"


def plan(
    book: RuleBook, head: RuleSet, *, catalogue: Catalogue, flags: Mapping[str, FlagValue] | None = None,
    unwired: frozenset[str] = frozenset(),
) -> StatePlan:
    """Return what a swap from `book` to the rules of `head` does.

    `catalogue`, `flags` (None for those of the book) and `unwired` signals are what `head` will
    run under.
    """
    dumped = book.dump()
    return plan_of(
        dumped, head, catalogue=catalogue, flags=dumped["flags"] if flags is None else flags, unwired=unwired,
    )


def plan_of(
    dumped: Data, head: RuleSet, *, catalogue: Catalogue, flags: Mapping[str, FlagValue],
    unwired: frozenset[str] = frozenset(),
) -> StatePlan:
    """Return the plan for a book that was dumped, wherever it runs."""
    after: dict[str, CompiledRule] = {}
    for spec in head.rules:
        after[spec.id] = CompiledRule(spec, catalogue, unwired)
        after[spec.id].resolve(flags)
    renamed = saved.renames({rule: compiled.spec.formerly for rule, compiled in after.items()})
    was = {renamed.get(rule, rule): rule for rule in dumped["rules"]}
    instances: dict[str, list[Data]] = {}
    for item in dumped["instances"]:
        instances.setdefault(renamed.get(item["rule"], item["rule"]), []).append(item)
    kept = LatchBook()
    kept.load(dumped["moves"]["latches"], renamed)
    latches: dict[str, list[Latch]] = {}
    for latch in kept.all():
        latches.setdefault(latch.rule, []).append(latch)
    return StatePlan(rules=tuple(
        _rule(
            name, after.get(name), (was.get(name), dumped["rules"].get(was.get(name))), instances.get(name, []),
            latches.get(name, []),
        )
        for name in sorted({*was, *after, *latches})
    ))


def _rule(
    name: str, compiled: CompiledRule | None, before: tuple[str | None, Data], items: list[Data],
    latches: list[Latch],
) -> RulePlan:
    former, signature = before
    formerly = former if former is not None and former != name else ""
    left = tuple(_latch(latch, name, compiled) for latch in latches)
    if compiled is None:
        return RulePlan(rule=name, fate=Fate.GONE, why="no file holds it any more", latches=left)
    if former is None:
        return RulePlan(rule=name, fate=Fate.NEW, why=_begins(compiled), latches=left)
    if compiled.spec.kind is RuleKind.ENTRY:
        return RulePlan(rule=name, fate=Fate.CARRIED, formerly=formerly, latches=left)
    carry = decide(signature, compiled)
    reset = carry.reset or ("" if compiled.may_run else compiled.why_not())
    if reset:
        return RulePlan(rule=name, fate=Fate.RESET, why=reset, formerly=formerly, latches=left)
    return RulePlan(
        rule=name, fate=Fate.CARRIED, formerly=formerly, latches=left,
        instances=tuple(_instance(name, item, carry, compiled, bool(left)) for item in items),
    )


def _begins(compiled: CompiledRule) -> str:
    if not compiled.evaluated:
        return compiled.why_not()
    if compiled.spec.kind is RuleKind.ENTRY:
        return "asked from the next order on"
    gate = compiled.spec.kind is RuleKind.MAKER_GATE
    return "grants nothing until its condition is true" if gate else "held until its condition is known"


def _latch(latch: Latch, rule: str, compiled: CompiledRule | None) -> LatchPlan:
    """A latch outlives its rule. Re-arming is refused while its rule is there and nobody evaluates it."""
    evaluated = compiled is not None and compiled.evaluated
    clear = f"engine rearm {latch.number}"
    if compiled is not None and not evaluated:
        clear += f", refused while nobody evaluates {rule} ({compiled.why_not()})"
    return LatchPlan(
        number=latch.number, name=latch.name, restrains=restraint_words(latch.restraint), orphaned=not evaluated,
        clear_with=clear,
    )


def _instance(name: str, item: Data, carry: Carry, compiled: CompiledRule, latched: bool) -> InstancePlan:
    standing = standing_of(item)
    labels = tuple(item["labels"])
    if compiled.spec.kind is RuleKind.MAKER_GATE:
        return InstancePlan(
            name=instance_name(name, labels), state="denied", notes=("its grant ends until it is renewed",),
        )
    if not compiled.evaluated:
        return InstancePlan(
            name=instance_name(name, labels), state=State.INACTIVE.value, notes=(compiled.why_not(),),
        )
    return InstancePlan(
        name=instance_name(name, labels), state=standing.state.value,
        notes=tuple(_notes(standing, carry, compiled, latched)),
    )


def _notes(standing: Standing, carry: Carry, compiled: CompiledRule, latched: bool) -> Iterator[str]:
    state = standing.state
    if not carry.same:
        if state in IN_EPISODE:
            yield "until its new condition is known false"
        if state is State.PENDING and not carry.pending:
            yield "its `for` runs from now: the new condition may have been false before"
        if carry.held is not None and any(place is None for place in carry.held):
            yield "what must have held begins anew"
    if standing.locked_until is not None and state is State.COOLDOWN:
        yield "its lockout keeps its end"
    if state in IN_EPISODE and compiled.latching is not Latching.NONE and not latched and compiled.restrains:
        yield "without a latch: only the next episode sets one"
