"""Latches: restraints that outlive the condition they came from, until a person has looked.

A latch is a record beside the rule's state. It knows by itself what it forbids and for
whom, so it survives that its rule is switched off, renamed or deleted. Numbers and
episodes are never used twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.model.codec import Data, from_data, to_data
from engine.model.restraints import InForce, Restraint, Scope
from engine.ruleset.spec import Action, Latching

Key = tuple[str, tuple[str, ...]]
"""(rule id, label values) of an instance: its identity, and its place in every order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """One restraint that stays. `name` is rule[/label,label]/episode; `since` in ns."""

    number: int
    name: str
    rule: str
    instance: str
    labels: tuple[str, ...]
    episode: int
    mode: Latching
    restraint: Restraint
    scope: Scope
    since: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One known-true firing. `labels` are (name, value) pairs; `name` is rule[/label,label]/number."""

    rule: str
    instance: str
    labels: tuple[tuple[str, str], ...]
    number: int
    name: str
    at: int
    action: Action | None
    scope: Scope
    """What the rule's effects cover; an empty string covers all."""


def instance_name(rule: str, labels: tuple[str, ...]) -> str:
    """Return `rule` or `rule[label,label]`."""
    return f"{rule}[{','.join(labels)}]" if labels else rule


def episode_name(rule: str, labels: tuple[str, ...], number: int) -> str:
    """Return `rule/number` or `rule/label,label/number`."""
    return f"{rule}/{','.join(labels)}/{number}" if labels else f"{rule}/{number}"


class LatchBook:
    """All open latches, in the order of their numbers."""

    def __init__(self) -> None:
        self._open: dict[int, Latch] = {}
        self._by_key: dict[Key, tuple[Latch, ...]] = {}
        self._last_number = 0

    def close(self, latch: Latch) -> Latch:
        """Add `latch` under the next number and return it so."""
        self._last_number += 1
        numbered = replace(latch, number=self._last_number)
        self._add(numbered)
        return numbered

    def _add(self, latch: Latch) -> None:
        self._open[latch.number] = latch
        key = (latch.rule, latch.labels)
        self._by_key[key] = (*self._by_key.get(key, ()), latch)

    def all(self) -> tuple[Latch, ...]:
        """Return the open latches, oldest first."""
        return tuple(self._open.values())

    def of(self, key: Key) -> tuple[Latch, ...]:
        """Return the open latches of one instance, oldest first."""
        return self._by_key.get(key, ())

    def find(self, wanted: str) -> Latch | None:
        """Return the latch with the number or name `wanted`, or None."""
        if wanted.isascii() and wanted.isdigit():
            return self._open.get(int(wanted))
        return next((latch for latch in self._open.values() if latch.name == wanted), None)

    def remove(self, latch: Latch) -> None:
        """Open `latch` again; nothing is left of it."""
        del self._open[latch.number]
        key = (latch.rule, latch.labels)
        left = tuple(one for one in self._by_key[key] if one.number != latch.number)
        if left:
            self._by_key[key] = left
        else:
            del self._by_key[key]

    def listing(self) -> str:
        """Return the open latches as one phrase for a message."""
        return "; ".join(f"{latch.number} ({latch.name})" for latch in self._open.values()) or "none"

    def dump(self) -> Data:
        """Return everything as JSON data."""
        return {"last_number": self._last_number, "open": [to_data(latch) for latch in self._open.values()]}

    def load(self, data: Data, renamed: Mapping[str, str]) -> None:
        """Become what `dump` wrote; `renamed` maps former rule ids to today's."""
        self._last_number = data["last_number"]
        self._open, self._by_key = {}, {}
        for item in data["open"]:
            latch: Latch = from_data(Latch, item)
            rule = renamed.get(latch.rule, latch.rule)
            if rule != latch.rule:
                latch = replace(latch, rule=rule, instance=instance_name(rule, latch.labels))
            self._add(latch)


def latch_in_force(latch: Latch, beneath: str) -> InForce:
    """Return the restraint of an open latch; `beneath` says how its rule stands now."""
    until = "re-armed, or at the daily boundary" if latch.mode is Latching.BOUNDARY else "re-armed"
    return InForce(
        rule=latch.rule, instance=latch.instance, scope=latch.scope, restraint=latch.restraint, because="latched",
        since=latch.since, ends=f"when {until}; {beneath}", clear_with=f"engine rearm {latch.number}",
    )
