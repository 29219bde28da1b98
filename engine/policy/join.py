"""All restraints in force, joined for the order at hand.

A policy is immutable and made anew only when a restraint came or went. Joining over
what matches an order is all there is: no priorities, no first match, so the order of
rules, files and events cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.model.restraints import NONE, InForce, Restraint

OrderKey = tuple[str, str, str, str]
"""(account, venue, symbol, intent) of an order."""


def join_all(restraints: Iterable[Restraint]) -> Restraint:
    """Return the join of `restraints`; NONE for none."""
    total = NONE
    for restraint in restraints:
        total = total.join(restraint)
    return total


def binding(in_force: Iterable[InForce]) -> tuple[str, ...]:
    """Return the instances without which the join would be weaker, sorted.

    When several impose the same worst, none of them alone binds; then all that reach the
    join in some dimension are named, because an operator must lift every one of them.
    """
    held = [item for item in in_force if item.restraint != NONE]
    total = join_all(item.restraint for item in held)
    return tuple(sorted({item.instance for item in held if _reaches(item.restraint, total)}))


def _reaches(one: Restraint, total: Restraint) -> bool:
    return bool(
        (one.level == total.level and total.level > NONE.level)
        or (one.size_mult == total.size_mult and total.size_mult < NONE.size_mult)
        or (one.max_notional_usd is not None and one.max_notional_usd == total.max_notional_usd)
        or one.mute
        or one.deny
        or one.deny_quotes
    )


@dataclass(slots=True)
class Policy:
    """What is in force at one version. `overall` joins everything, whatever its scope.

    `general` joins what is about no symbol and no intent of its own: the level of it is the run's.
    """

    in_force: tuple[InForce, ...]
    version: int
    overall: Restraint = NONE
    general: Restraint = NONE
    _by_order: dict[OrderKey, Restraint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        alone: list[Restraint] = []
        general: list[Restraint] = []
        for item in self.in_force:
            (alone if item.scope.symbol or item.scope.intent else general).append(item.restraint)
        self.general = join_all(general)
        self.overall = self.general.join(join_all(alone))

    def matching(self, key: OrderKey) -> tuple[InForce, ...]:
        """Return what is in force for an order with these labels."""
        account, venue, symbol, intent = key
        return tuple(
            item
            for item in self.in_force
            if item.scope.matches(account=account, venue=venue, symbol=symbol, intent=intent)
        )

    def restraint(self, key: OrderKey) -> Restraint:
        """Return the join over all that matches the order `key`."""
        known = self._by_order.get(key)
        if known is None:
            known = join_all(item.restraint for item in self.matching(key))
            self._by_order[key] = known
        return known
