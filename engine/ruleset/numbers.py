"""Numbers of restraints and actions: written out, or given by a flag.

A flag must be a number of the right unit whose whole range would do: what an operator may
set it to must never turn a cutback into nothing, nor into more than all. Where a flag gives
the number, the rule keeps the flag's default in its place and the flag's name beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.model.flag_values import bounds_text
from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.restraints import Restraint
from engine.model.samples import Unit
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.spec import FLAG_NAME, Action, ByFlag, RuleSpec
from engine.ruleset.suggest import fix_for


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may stand for a number: its unit, and between which ends all that a flag may be must lie."""

    unit: Unit
    low: float
    high: float | None
    ends: bool
    """Whether the ends themselves would do."""

    def holds(self, spec: FlagSpec) -> bool:
        """Whether every value that the flag may have would do."""
        if spec.low is None or spec.low < self.low or spec.low == self.low and not self.ends:
            return False
        if self.high is None:
            return True
        return spec.high is not None and (spec.high < self.high or spec.high == self.high and self.ends)

    def __str__(self) -> str:
        if self.high is None:
            return f"more than {self.low:g}"
        return f"from {self.low:g} to {self.high:g}" if self.ends else f"between {self.low:g} and {self.high:g}"


WANTED: Mapping[str, Wanted] = {
    "size_mult": Wanted(Unit.RATIO, 0, 1, ends=False),
    "max_notional_usd": Wanted(Unit.USD, 0, None, ends=False),
    "trim_pct": Wanted(Unit.PCT, 0, 100, ends=True),
    "hedge_ratio": Wanted(Unit.RATIO, 0, 1, ends=True),
}


def read_number(node: Node | None, key: str, world: World, findings: list[Finding]) -> tuple[float | None, str]:
    """Return (number, "") or (a flag's default, its name); None where nothing is written or the schema refused it."""
    if node is None or isinstance(node.scalar, bool):
        return None, ""
    if isinstance(node.scalar, int | float):
        return float(node.scalar), ""
    if node.kind != "str" or not FLAG_NAME.fullmatch(node.text):
        return None, ""
    spec = world.flags.get(node.text)
    if spec is None:
        findings.append(node.finding(
            "rule-unknown-flag", f"there is no flag {node.text}",
            fix_for(node.text, world.flags, otherwise="declare it in conf/flags.yaml"),
        ))
        return None, ""
    _check(node, key, spec, findings)
    return (None, "") if isinstance(spec.default, bool | str) else (float(spec.default), spec.name)


def _check(node: Node, key: str, spec: FlagSpec, findings: list[Finding]) -> None:
    """Say what is wrong with a flag in the place of `key`."""
    wanted = WANTED[key]
    if spec.kind is not FlagKind.NUMBER:
        findings.append(node.finding(
            "rule-flag-kind", f"{spec.name} is a {spec.kind.value}, but `{key}` is a number", "name another flag",
        ))
    elif spec.unit is not wanted.unit:
        findings.append(node.finding(
            "rule-flag-unit", f"{spec.name} is in {spec.unit.value}, but `{key}` is in {wanted.unit.value}",
            f"name a flag of unit {wanted.unit.value}",
        ))
    elif not wanted.holds(spec):
        may = bounds_text(spec) or "anything"
        findings.append(node.finding(
            "rule-flag-range", f"{spec.name} may be {may}, but `{key}` must be {wanted}",
            f"give {spec.name} a range in conf/flags.yaml that lies {wanted}" if wanted.high is not None
            else f"give {spec.name} a lower end in conf/flags.yaml that is {wanted}",
        ))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a rule imposes and does under certain values of flags."""

    restrain: Restraint
    unknown_cutback: Restraint | None
    action: Action | None


def under(spec: RuleSpec, flags: Mapping[str, FlagValue]) -> Given:
    """Return the numbers of `spec` under `flags`; KeyError or ValueError for a flag that gives none.

    A part of an action that its flag sets to 0 is not there.
    """
    cutback, action = spec.unknown_cutback, spec.action
    if not spec.by_flag:
        return Given(restrain=spec.restrain, unknown_cutback=cutback, action=action)
    return Given(
        restrain=_limited(spec.restrain, _of("restrain", spec.by_flag, flags)),
        unknown_cutback=None if cutback is None else _limited(cutback, _of("unknown_cutback", spec.by_flag, flags)),
        action=None if action is None else _acting(action, _of("action", spec.by_flag, flags)),
    )


def _of(part: str, named: ByFlag, flags: Mapping[str, FlagValue]) -> dict[str, float]:
    found: dict[str, float] = {}
    for path, flag in named:
        where, _, key = path.partition(".")
        if where == part:
            number = flags[flag]
            if isinstance(number, bool | str):
                raise ValueError(f"{flag} is {number!r}, which is no number")
            found[key] = float(number)
    return found


def _limited(restraint: Restraint, numbers: Mapping[str, float]) -> Restraint:
    size, cap = numbers.get("size_mult"), numbers.get("max_notional_usd")
    if size is not None:
        restraint = replace(restraint, size_mult=size)
    return restraint if cap is None else replace(restraint, max_notional_usd=decimal_of(cap))


def _acting(action: Action, numbers: Mapping[str, float]) -> Action | None:
    trim, hedge = (numbers.get(key, getattr(action, key)) for key in ("trim_pct", "hedge_ratio"))
    acting = replace(action, trim_pct=trim or None, hedge_ratio=hedge or None)
    return None if acting == Action() else acting


def decimal_of(number: float) -> Decimal:
    """Return a flag's number as the decimal that prints like it."""
    return Decimal(str(int(number) if number == int(number) else number))
