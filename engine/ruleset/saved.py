"""A rule book as data and back, also under another set of rules than the one it was dumped under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.model.codec import Data
from engine.ruleset.latches import Key
from engine.ruleset.spec import RuleKind

if TYPE_CHECKING:
    from engine.ruleset.instances import Instance


def renames(formerly: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return former rule ids with today's; `formerly` lists the former ids of each rule of today."""
    return {former: rule for rule, ids in sorted(formerly.items()) for former in ids if former not in formerly}


def key_of(item: Data, renamed: Mapping[str, str]) -> Key:
    """Return whose state a dumped instance is."""
    return renamed.get(item["rule"], item["rule"]), tuple(item["labels"])


def lifecycled(instances: Mapping[Key, Instance]) -> dict[Key, Instance]:
    """Return the instances that have a lifecycle: all but the gates'."""
    return {
        key: instances[key]
        for key in sorted(instances)
        if instances[key].compiled.spec.kind is not RuleKind.MAKER_GATE
    }
