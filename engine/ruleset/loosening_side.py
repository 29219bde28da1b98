"""One rule as its ruling resolves it: what a comparison has to know of it beyond the file's words."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property

from engine.model.flag_values import flag_text
from engine.model.flags import FlagValue
from engine.model.samples import InputRef
from engine.model.time import format_duration
from engine.ruleset.changes import Change, Judged
from engine.ruleset.compiled import CompiledRule, switched_on
from engine.ruleset.reading import flags_of, inputs_of
from engine.ruleset.ruling import Ruling
from engine.ruleset.spec import Enforcement, Expression, RuleSpec
from engine.signals.catalogue import Catalogue

Difference = tuple[str, str, str, Judged]
"""A key as the file spells it, what it said and says, and the judgement."""

_SAYS_NOTHING = ("place", "tests", "silences")


class Side:
    """A rule of one ruling, under the flag values below the operator's layer."""

    def __init__(self, spec: RuleSpec, catalogue: Catalogue, flags: Mapping[str, FlagValue]) -> None:
        self.spec = spec
        self.catalogue = catalogue
        self.flags = flags

    @cached_property
    def compiled(self) -> CompiledRule:
        """The rule ready to run; made when first asked for, because most rules did not change."""
        made = CompiledRule(self.spec, self.catalogue, frozenset())
        made.resolve(self.flags)
        return made

    @property
    def in_force(self) -> bool:
        """Whether the rule is evaluated and enforced."""
        return self.spec.enforcement is Enforcement.ENFORCE and switched_on(self.spec.enabled, self.flags)

    @property
    def enabled_text(self) -> str:
        """`true`, or `FLAG (true)`."""
        value = self.spec.enabled
        return self.flag(value) if isinstance(value, str) else flag_text(value)

    def flag(self, name: str) -> str:
        """Return a flag with its value: `LIMIT (0.5)`."""
        return f"{name} ({self.flag_value(name)})"

    def flag_value(self, name: str) -> str:
        """Return a flag's value as people write it."""
        return flag_text(self.flags[name])

    def duration(self, written: int | str, resolved: int) -> str:
        """Return a duration as people write it, with the flag that gives it."""
        text = format_duration(resolved)
        return f"{written} ({text})" if isinstance(written, str) else text

    def end(self, resolved: int) -> str:
        """Return a `ttl` as people write it, with the flag that gives it."""
        return self.duration(self.spec.ttl, resolved) if resolved else "none"

    def doubt_may_replace_a_lockout(self) -> bool:
        """Whether a lockout that ends in doubt, the sooner the doubt the sooner, then restrains less."""
        compiled = self.compiled
        return compiled.timing.cooldown > 0 and not compiled.doubted().covers(compiled.restraint)

    def why_idle(self) -> str:
        """Return why the rule is not in force, or an empty string."""
        return self.compiled.why_not()

    def described(self) -> str:
        """Return kind and summary."""
        return f"{self.spec.kind.value}: {self.spec.summary}"

    def is_same(self, other: Side) -> bool:
        """Whether both are one object in one world: a loader that read nothing anew hands out what it had."""
        return (
            self.spec is other.spec and self.catalogue.digest == other.catalogue.digest
            and all(self.flags[name] == other.flags[name] for name in flags_of(self.spec))
        )

    def says(self) -> tuple[object, ...]:
        """Return all that can make the rule decide otherwise: two rules that say the same decide alike."""
        spec = self.spec
        said = tuple(_said(getattr(spec, one.name)) for one in fields(spec) if one.name not in _SAYS_NOTHING)
        silent = tuple((one.lint, one.until, one.reason) for one in spec.silences)
        read = tuple(self.catalogue.get(ref.signal) for ref in inputs_of(spec.expr, spec.clear_expr))
        given = tuple((name, self.flags[name]) for name in flags_of(spec))
        return said, silent, tuple(None if one is None else (one.low, one.high) for one in read), given, self.sources

    @cached_property
    def sources(self) -> frozenset[str]:
        """The signals that make the rule's instances."""
        return CompiledRule(self.spec, self.catalogue, frozenset()).sources if self.spec.by else frozenset()

    def inputs(self) -> frozenset[InputRef]:
        """Return everything that the rule reads."""
        return frozenset(inputs_of(self.spec.expr, self.spec.clear_expr))

    def change(self, what: str, before: str, after: str, judged: Judged) -> Change:
        """Return a change of this rule."""
        return Change(
            rule=self.spec.id, what=what, before=before, after=after, direction=judged[0], why=judged[1],
            place=self.spec.place,
        )


def spelled(expression: Expression | None) -> object:
    """Return an expression without its layout and place: two that are spelled alike are the same."""
    if expression is None:
        return None
    held = tuple((spelled(one.condition), one.duration) for one in expression.held)
    return ast.unparse(expression.tree), expression.inputs, held


def _said(value: object) -> object:
    return spelled(value) if isinstance(value, Expression) else value


def sides_of(ruling: Ruling) -> dict[str, Side]:
    """Return every rule of a ruling by its id."""
    flags = ruling.flag_values()
    return {spec.id: Side(spec, ruling.catalogue, flags) for spec in ruling.rules.rules}
