"""A rule made ready to run: compiled under the flags in force, its durations resolved.

Whether the rule takes part at all is decided here, in one place: off, disabled, and
unwired rules are not evaluated, and a shadow is evaluated but restrains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.model.restraints import EVERYTHING, NONE, Restraint, Scope
from engine.model.samples import InputRef, SignalKind
from engine.model.time import format_duration
from engine.ruleset.durations import duration_under
from engine.ruleset.lifecycle import Timing
from engine.ruleset.numbers import under
from engine.ruleset.program import Program, lay_out, template
from engine.ruleset.reading import flags_beside
from engine.ruleset.spec import RESTRAINING, Enforcement, Latching, OnUnknown, RuleKind, RuleSpec
from engine.ruleset.trace import Evaluator
from engine.signals.catalogue import Catalogue

_NO = ("", "0", "false", "no", "off")
_LONGEST_TOLD = 80
"""Characters of a condition that a line of the status still holds."""
_SCOPE_LABELS = frozenset({"account", "venue", "symbol", "intent"})


class CompiledRule:
    """One rule of the run. Its instances share the code, the evaluators and the timing."""

    def __init__(self, spec: RuleSpec, catalogue: Catalogue, unwired: frozenset[str]) -> None:
        self.spec = spec
        self.program: Program = lay_out(spec)
        self.catalogue = catalogue
        self.missing = tuple(sorted({ref.signal for ref in self.program.refs} & unwired))
        self.restrains = spec.kind in RESTRAINING
        self.latching = spec.latch
        if spec.kind is RuleKind.KILL and spec.latch is Latching.NONE:
            self.latching = Latching.MANUAL
        self.sources = self._sources()
        self.readings = _readings(self.program)
        self.source = f"{spec.place.file}:{spec.place.line}"
        self.spelling: Data = None
        """What the state is the state of, as `carry.signature` once spelled it."""

    def resolve(self, flags: Mapping[str, FlagValue]) -> None:
        """Compile and time the rule under `flags`; KeyError names a flag that there is not."""
        spec, program = self.spec, self.program
        conditions = program.conditions()
        compiled = [template(condition, self.catalogue, flags) for condition in conditions]
        held = len(program.held)
        self.held_templates, self.main_template = compiled[:held], compiled[held]
        self.clear_template = compiled[held + 1] if program.clear is not None else None
        self._flags = dict(flags)
        self._evaluators: list[Evaluator | None] = [None] * len(conditions)
        self.timing = Timing(
            hold_for=duration_under(spec.hold_for, spec.hold_for_unit, flags),
            keep_firing_for=duration_under(spec.keep_firing_for, spec.keep_firing_for_unit, flags),
            cooldown=duration_under(spec.cooldown, spec.cooldown_unit, flags),
            unknown_grace=duration_under(spec.unknown_grace, spec.unknown_grace_unit, flags),
            min_clear=spec.min_clear, ttl=duration_under(spec.ttl, spec.ttl_unit, flags), on_unknown=spec.on_unknown,
        )
        self.ends = _ends(spec, self.timing)
        given = under(spec, flags)
        self.restraint = given.restrain if self.restrains else NONE
        self.unknown_cutback, self.action = given.unknown_cutback, given.action
        self.enabled = switched_on(spec.enabled, flags)
        self.evaluated = self.enabled and spec.enforcement is not Enforcement.OFF and not self.missing
        self.enforced = self.evaluated and spec.enforcement is Enforcement.ENFORCE

    def flags(self) -> frozenset[str]:
        """Return the names of all flags the rule depends on."""
        return self.program.flags | frozenset(flags_beside(self.spec))

    def flags_in_force(self) -> dict[str, FlagValue]:
        """Return every flag the rule depends on, with its value in force."""
        return {name: self._flags[name] for name in sorted(self.flags()) if name in self._flags}

    def flag_values(self) -> tuple[tuple[str, FlagValue], ...]:
        """Return the flags that the expressions read, with their values in force."""
        return tuple((name, self._flags[name]) for name in sorted(self.program.flags))

    def evaluator(self, place: int) -> Evaluator:
        """Return the Kleene evaluator of the condition at `place` of `program.conditions()`, made when first needed."""
        made = self._evaluators[place]
        if made is None:
            made = self._evaluators[place] = Evaluator(self.program.conditions()[place], self._flags)
        return made

    def why_not(self) -> str:
        """Return why the rule is not guarding, or an empty string."""
        if self.spec.enforcement is Enforcement.OFF:
            return "enforcement: off"
        if self.missing:
            return f"unwired: nobody produces {', '.join(self.missing)} in this run"
        if not self.enabled:
            flag = f" by {self.spec.enabled}" if isinstance(self.spec.enabled, str) else ""
            return f"disabled{flag}"
        return "enforcement: shadow" if self.spec.enforcement is Enforcement.SHADOW else ""

    @property
    def may_run(self) -> bool:
        """Whether it may ever be evaluated in this run; a flag may switch it on, nothing wires it or turns it on."""
        return self.spec.enforcement is not Enforcement.OFF and not self.missing

    def is_shadow(self) -> bool:
        """Whether the rule is evaluated and reported, but restrains nothing."""
        return self.evaluated and not self.enforced

    def doubted(self) -> Restraint:
        """Return what the rule imposes while in doubt, and on orders for which it has no instance."""
        if self.spec.on_unknown is OnUnknown.IGNORE:
            return NONE
        if self.spec.on_unknown is OnUnknown.CUTBACK and self.restrains:
            return self.unknown_cutback or self.restraint
        return self.restraint

    def scope(self, labels: tuple[str, ...]) -> Scope:
        """Return what the effects of the instance with these labels cover."""
        if self.spec.scope_all:
            return EVERYTHING
        named = {name: value for name, value in zip(self.spec.by, labels, strict=True) if name in _SCOPE_LABELS}
        return Scope(**named)

    def order_scope(self, order: Mapping[str, str]) -> Scope:
        """Return what the effects of the instance for `order` would cover."""
        return self.scope(tuple(order.get(name, "") for name in self.spec.by))

    def project(self, signal: str, labels: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the `by` values that a sample of `signal` with `labels` shows, or None if it does not show all."""
        if signal not in self.sources:
            return None
        known = self.labels_by_name(signal, labels)
        return tuple(known[name] for name in self.spec.by)

    def labels_by_name(self, signal: str, labels: tuple[str, ...]) -> dict[str, str]:
        """Return the label values of a sample of `signal` by their names."""
        return dict(zip(self.catalogue.specs[signal].labels, labels, strict=True))

    def bound_labels(self, ref: InputRef, known: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return all label values of `ref`, literal ones first, the rest from `known`; None if one is in neither."""
        literal = dict(ref.labels)
        bound = [literal.get(name, known.get(name)) for name in self.catalogue.specs[ref.signal].labels]
        values = tuple(value for value in bound if value is not None)
        return values if len(values) == len(bound) else None

    def _sources(self) -> frozenset[str]:
        """Return the signals whose labels make instances.

        Those the rule reads with all labels of its `by`. A rule about events alone is known
        before the first of them (there were none), so for it any signal with these labels
        will do: a venue that has quotes has no fills yet, and that is no doubt.
        """
        by = set(self.spec.by)
        if not by:
            return frozenset()
        specs = self.catalogue.specs
        labelled = [ref.signal for ref in self.program.refs if set(specs[ref.signal].labels) - set(dict(ref.labels))]
        own = frozenset(name for name in labelled if by <= set(specs[name].labels))
        if all(specs[name].kind is SignalKind.EVENT for name in labelled):
            return frozenset(name for name, spec in specs.items() if by <= set(spec.labels))
        return own


def _readings(program: Program) -> dict[str, int]:
    """Return the place of the input that a message means by a signal's name: its plain value, if it is read."""
    places: dict[str, int] = {}
    for place, ref in enumerate(program.refs):
        if ref.reads == "value" or ref.signal not in places:
            places[ref.signal] = place
    return places


def _ends(spec: RuleSpec, timing: Timing) -> str:
    """Return what ends the rule's firing, in words: the condition itself, so that nobody has to look it up at night."""
    keep, ttl = timing.keep_firing_for, timing.ttl
    by_contract = f"{format_duration(ttl)} after it was last true" if ttl else ""
    if ttl and keep >= ttl:
        return by_contract
    clear = " ".join((spec.clear_expr or spec.expr).text.split())
    if len(clear) > _LONGEST_TOLD:
        told = f"when its condition has cleared (`engine rules why-not {spec.id}`)"
    else:
        told = f"when {clear} " + ("no longer holds" if spec.clear_expr is None else "holds")
    told += f", {format_duration(keep)} later" if keep else ""
    return f"{told}, or {by_contract}" if ttl else told


def switched_on(value: bool | str, flags: Mapping[str, FlagValue]) -> bool:
    """Return what `enabled`, a switch or the name of a flag, comes to; KeyError names a flag that there is not."""
    if isinstance(value, bool):
        return value
    flag = flags[value]
    return flag.strip().lower() not in _NO if isinstance(flag, str) else bool(flag)
