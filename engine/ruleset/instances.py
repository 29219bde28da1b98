"""One rule for one set of labels: what it reads, what it last answered, where it stands.

An instance counts those of its inputs that cannot be believed. At none, its generated
function answers; from one on, and where the function finds no answer, the Kleene
evaluator does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from engine.model.codec import Data
from engine.model.truth import Truth
from engine.ruleset import kleene
from engine.ruleset.carry import WHOLE, Carry, standing_under
from engine.ruleset.codegen import RuleFunction, Template
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.held import HeldClock
from engine.ruleset.kleene import Unknown, Value
from engine.ruleset.latches import Key, instance_name
from engine.ruleset.lifecycle import IN_EPISODE, Reading, Standing, State
from engine.ruleset.words import input_text
from engine.signals.snapshot import Snapshot

_STANDING = tuple(field.name for field in fields(Standing))
_standing = attrgetter(*_STANDING)
"""Every field of a standing. `asdict` copies each value deeply and costs a third of a whole checkpoint."""
ALWAYS = -(1 << 62)
"""Since when an input is in doubt that was so when the first instance began to read it (ns)."""


class Watch(list["Instance"]):
    """The instances that read one slot, whether they found it in doubt when they last looked, and since when."""

    __slots__ = ("bad", "since")

    def __init__(self, *, bad: bool) -> None:
        super().__init__()
        self.bad = bad
        self.since = ALWAYS


class _Quick:
    """What every event looks at. A base class, because its slots lie side by side in memory."""

    __slots__ = ("answer", "quick", "trip")

    answer: bool | None
    quick: bool
    trip: RuleFunction


class Instance(_Quick):
    """See the module. `quick` says that `trip` alone decides whether anything changed."""

    __slots__ = (
        "_own_code", "bad", "clear", "clocks", "compiled", "held", "key", "labels", "name", "reasons", "slots",
        "standing", "tripped", "watches",
    )

    def __init__(
        self, compiled: CompiledRule, labels: tuple[str, ...], snapshot: Snapshot, *, own_code: bool
    ) -> None:
        self._own_code = own_code
        self.compiled = compiled
        self.labels = labels
        self.key: Key = (compiled.spec.id, labels)
        self.name = instance_name(compiled.spec.id, labels)
        self.slots = bind_inputs(compiled, labels, snapshot)
        self.bad = 0
        self.recount(snapshot)
        self.clocks = [HeldClock() for _ in compiled.program.held]
        self.held = [False] * len(self.clocks)
        self.standing = Standing()
        self.answer = None
        self.reasons: tuple[str, ...] = ()
        self.quick = False
        self.watches: tuple[Watch, ...] = ()
        self.adopt()

    def adopt(self) -> None:
        """Take the compiled's code, after it was compiled anew."""
        compiled, slots, held = self.compiled, self.slots, self.held

        def bound(template: Template) -> RuleFunction:
            return (template.bake if self._own_code else template.bind)(slots, held)

        self.trip = bound(compiled.main_template)
        self.clear = None if compiled.clear_template is None else bound(compiled.clear_template)
        self.tripped = [bound(template) for template in compiled.held_templates]
        self.rate()

    def rate(self) -> None:
        """Work out `quick` again, after the count of bad inputs or the state changed."""
        watches_clear = self.clear is not None and self.standing.state in IN_EPISODE
        self.quick = not self.bad and not self.clocks and not watches_clear and self.compiled.evaluated

    def recount(self, snapshot: Snapshot) -> None:
        """Count the inputs that cannot be believed."""
        self.bad = sum(1 for slot in sorted(set(self.slots)) if snapshot.status[slot])

    def doubted_since(self) -> int | None:
        """Return since when the oldest of the inputs in doubt has been so (ns), or None."""
        return min((watch.since for watch in self.watches if watch.bad), default=None)

    def forget(self) -> None:
        """Begin anew, as at start-up: what happens while nobody evaluates is not known."""
        self.clocks = [HeldClock() for _ in self.clocks]
        self.answer, self.reasons = None, ()

    def truth(self) -> Truth:
        """Return what the condition last was."""
        reading = self.standing.reading
        if reading is Reading.TRUE:
            return Truth.TRUE
        return Truth.UNKNOWN if reading is Reading.UNKNOWN else Truth.FALSE

    def in_episode(self) -> Truth | None:
        """Return what the condition of the open episode is, None without one and where nobody enforces the rule."""
        return self.truth() if self.compiled.enforced and self.standing.state in IN_EPISODE else None

    def read(self, snapshot: Snapshot, at: int) -> Reading:
        """Evaluate everything at `at` and return what the condition is; keeps the answer and the reasons of doubt."""
        held_known = self._step_clocks(snapshot, at)
        places = len(self.clocks)
        value = self._evaluate(self.trip, places, snapshot, sure=held_known)
        self.answer = value if isinstance(value, bool) else None
        self.reasons = value.reasons if isinstance(value, Unknown) else ()
        if value is True:
            return Reading.TRUE
        if value is not False:
            return Reading.UNKNOWN
        if self.clear is None or self.standing.state not in IN_EPISODE:
            return Reading.CLEAR
        cleared = self._evaluate(self.clear, places + 1, snapshot, sure=held_known)
        return Reading.CLEAR if cleared is True else Reading.WAIT

    def _step_clocks(self, snapshot: Snapshot, at: int) -> bool:
        """Bring the held conditions up to `at`; return whether all of them are known."""
        known = True
        for place, clock in enumerate(self.clocks):
            condition = self._evaluate(self.tripped[place], place, snapshot, sure=known)
            value = clock.step(condition, self.compiled.program.held[place].duration, at)
            self.held[place] = value is True
            known = known and not isinstance(value, Unknown)
        return known

    def _evaluate(self, function: RuleFunction, place: int, snapshot: Snapshot, *, sure: bool) -> Value:
        if sure and not self.bad:
            try:
                return function(snapshot.values)
            except ZeroDivisionError:
                pass
        return self.compiled.evaluator(place).value(self.inputs(snapshot), self.held_values())

    def inputs(self, snapshot: Snapshot) -> list[Value]:
        """Return the inputs by their places, unknown where the status says so."""
        names = self.compiled.program.names
        return [
            kleene.doubt(snapshot.status[slot], names[place]) if snapshot.status[slot] else snapshot.values[slot]
            for place, slot in enumerate(self.slots)
        ]

    def held_values(self) -> list[Value]:
        """Return the held conditions by their places."""
        return [clock.value for clock in self.clocks]

    def input_texts(self, snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
        """Return what the instance reads, by name, as a person reads it."""
        return tuple(
            (
                name,
                input_text(
                    snapshot.values[slot], snapshot.status[slot],
                    heard=snapshot.sample(slot, snapshot.now).age is not None,
                ),
            )
            for name, slot in zip(self.compiled.program.names, self.slots, strict=True)
        )

    def held_due(self, at: int) -> int | None:
        """Return when time alone next changes a held condition, or None."""
        dues = [
            due
            for plan, clock in zip(self.compiled.program.held, self.clocks, strict=True)
            if (due := clock.due(plan.duration, at)) is not None
        ]
        return min(dues, default=None)

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {
            "rule": self.key[0], "labels": list(self.labels), "answer": self.answer,
            "standing": dict(zip(_STANDING, _standing(self.standing), strict=True)),
            "reasons": list(self.reasons), "clocks": [clock.dump() for clock in self.clocks],
            "watched": [watch.since for watch in self.watches],
        }

    def load(self, data: Data, carry: Carry = WHOLE, at: int = 0) -> None:
        """Become what `dump` wrote; under other rules only as far as `carry` says, from `at` (ns) on."""
        standing = standing_of(data)
        self.standing = standing_under(carry, standing, self.compiled, at)
        self.answer, self.reasons = data["answer"], tuple(data["reasons"])
        # Other held conditions than before begin anew: what they counted was something else.
        for place, was in enumerate(_from(carry.held, len(self.clocks))):
            if was is not None and was < len(data["clocks"]):
                self.clocks[place].load(data["clocks"][was])
                self.held[place] = self.clocks[place].value is True
        for place, was in enumerate(_from(carry.reads, len(self.watches))):
            if was is not None and was < len(data["watched"]):
                self.watches[place].since = data["watched"][was]
        if not self.compiled.evaluated:
            self.forget()
        self.rate()


def _from(places: tuple[int | None, ...] | None, count: int) -> Sequence[int | None]:
    return range(count) if places is None else places


def standing_of(data: Data) -> Standing:
    """Return the standing of a dumped instance."""
    standing = data["standing"]
    return Standing(**{**standing, "state": State(standing["state"]), "reading": Reading(standing["reading"])})


def bind_inputs(compiled: CompiledRule, labels: tuple[str, ...], snapshot: Snapshot) -> tuple[int, ...]:
    """Return the slot of every input of an instance; ValueError when a label of a signal is bound by nothing."""
    known = dict(zip(compiled.spec.by, labels, strict=True))
    slots: list[int] = []
    for ref in compiled.program.refs:
        bound = compiled.bound_labels(ref, known)
        if bound is None:
            raise ValueError(f"{compiled.spec.id} does not bind every label of {ref.signal}")
        slots.append(snapshot.bind(ref, bound))
    return tuple(slots)

