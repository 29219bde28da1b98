"""Whether everything that guards really guards: asked before orders may cost money.

A guard is a rule of kind guard or kill, and what of the engine guards without a rule. A
guard whose flag is off where it ships is a choice that was never made, and is not missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.events import RunMode
from engine.model.flags import FlagValue
from engine.ruleset.reading import signals_of
from engine.ruleset.spec import Enforcement, RuleKind, RuleSpec
from engine.runtime.config import Config
from engine.runtime.flag_readers import GUARDS
from engine.runtime.options import RunError
from engine.signals.catalogue import unwired_signals

_GUARDING = frozenset({RuleKind.GUARD, RuleKind.KILL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A guard that does not guard, why, and what makes it."""

    guard: str
    why: str
    fix: str
    key: str
    """The id of the rule, or the flag of a guard that is no rule."""

    def line(self) -> str:
        """Return it with what makes it guard."""
        return f"{self}: {self.fix}"

    def __str__(self) -> str:
        return f"{self.guard} is {self.why}"


def unfed(config: Config, producers: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return (rule, the signals it reads that none of `producers` makes) for each rule that has such."""
    rules, catalogue = config.rules, config.catalogue
    assert rules is not None and catalogue is not None, "only a usable configuration is wired"
    missing = unwired_signals(catalogue, producers)
    read = ((rule.id, missing.intersection(signals_of(rule.expr, rule.clear_expr))) for rule in rules.rules)
    return tuple((rule, ", ".join(sorted(signals))) for rule, signals in read if signals)


def unguarded(config: Config, values: Mapping[str, FlagValue]) -> tuple[Missing, ...]:
    """Return every guard that is off, in shadow or disabled while flags have `values`, in the order of the rules."""
    rules = () if config.rules is None else config.rules.rules
    found = [_of_rule(rule, config, values) for rule in rules if rule.kind in _GUARDING]
    off = [(name, part) for name, part in GUARDS.items() if values.get(name) is False]
    found += [_of_flag(part, name, config, key=name) for name, part in off]
    return tuple(one for one in found if one is not None)


def insist_on_guards(mode: RunMode, missing: tuple[Missing, ...]) -> None:
    """Raise RunError where a live `mode` would begin without some guard: each is named, with what to do."""
    if mode is not RunMode.DRY_RUN and missing:
        raise RunError(
            f"mode {mode.value} refused: not every guard guards ({'; '.join(str(one) for one in missing)})",
            "; ".join(dict.fromkeys(one.fix for one in missing)) + "; or run --mode dry-run",
        )


def guards_missed(mode: RunMode, missing: tuple[Missing, ...], *, open_: bool) -> tuple[Missing, ...]:
    """Return of the guards that are `missing` those that a start in a live `mode` has to say something of.

    With something `open_` a refusal would leave it without anybody who trails and repairs its
    stops: such a start goes on, and begins nothing. With nothing open it raises RunError.
    """
    if mode is RunMode.DRY_RUN or not missing:
        return ()
    if not open_:
        insist_on_guards(mode, missing)
    return missing


def _of_rule(rule: RuleSpec, config: Config, values: Mapping[str, FlagValue]) -> Missing | None:
    place = f"{rule.place.file}:{rule.place.line}"
    if rule.enforcement is not Enforcement.ENFORCE:
        word = "in shadow" if rule.enforcement is Enforcement.SHADOW else "off"
        fix = f"write `enforcement: enforce` for {rule.id}"
        return Missing(guard=rule.id, why=f"{word} ({place})", fix=fix, key=rule.id)
    if rule.enabled is False:
        fix = f"write `enabled: true` for {rule.id}"
        return Missing(guard=rule.id, why=f"disabled ({place})", fix=fix, key=rule.id)
    name = rule.enabled
    if not isinstance(name, str) or values.get(name) is not False or config.flag_specs[name].default is False:
        return None
    return _of_flag(rule.id, name, config, key=rule.id)


def _of_flag(guard: str, name: str, config: Config, *, key: str) -> Missing:
    where = "`value: true` in conf/flags.yaml" if config.flag_file.get(name) is False else "true"
    below = config.flag_book().values.get(name) is False
    fix = f"set {name} to {where}" if below else f"engine flag unset {name}"
    return Missing(guard=guard, why=f"disabled by {name}", fix=fix, key=key)
