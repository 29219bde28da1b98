"""Orders that a by-rule has no instance for: its labels were never heard, or its cap is reached.

What a rule cannot see it cannot vouch for, so such an order counts as that rule unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.model.restraints import NONE, InForce
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.latches import Key, instance_name


def unmet(
    rules: Iterable[CompiledRule], instances: Mapping[Key, object], order: Mapping[str, str], at: int
) -> tuple[InForce, ...]:
    """Return what the enforced ones of `rules` impose on `order` (its labels by name) for want of an instance."""
    found: list[InForce] = []
    for compiled in rules:
        restraint = compiled.doubted()
        if not compiled.enforced or restraint == NONE or _has_instance(compiled, instances, order):
            continue
        rule = compiled.spec.id
        labels = tuple(order.get(name, "*") for name in compiled.spec.by)
        found.append(
            InForce(
                rule=rule, instance=instance_name(rule, labels), scope=compiled.order_scope(order),
                restraint=restraint, because="held", since=at, clear_with="",
                ends="when its signals are first heard for these labels",
            )
        )
    return tuple(found)


def _has_instance(compiled: CompiledRule, instances: Mapping[Key, object], order: Mapping[str, str]) -> bool:
    by = compiled.spec.by
    if all(name in order for name in by):
        return (compiled.spec.id, tuple(order[name] for name in by)) in instances
    # A label that no order has, such as liquidity: any instance will do that agrees in the others.
    return any(
        all(order.get(name, value) == value for name, value in zip(by, labels, strict=True))
        for rule, labels in instances
        if rule == compiled.spec.id
    )
