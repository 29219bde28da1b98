"""Maker grants: permissions, and so leases.

A maker_gate grants while its condition is known true, and no longer than `valid_for`
after anything it reads was last heard. Doubt, a lapse, a false condition and a new set of
rules revoke at once. Without a gate for an order nothing is granted.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.model.codec import Data
from engine.model.effects import RuleMoved
from engine.model.time import format_duration
from engine.model.truth import Truth
from engine.ruleset import lifecycle
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.instances import Instance
from engine.ruleset.lifecycle import Reading
from engine.signals.snapshot import Snapshot

GRANTED, DENIED = "granted", "denied"


class Grants:
    """All maker gates of a run and what they grant."""

    def __init__(self, rules: Sequence[CompiledRule], snapshot: Snapshot) -> None:
        self.rules = tuple(rules)
        self._snapshot = snapshot
        self._instances: dict[str, dict[tuple[str, ...], Instance]] = {compiled.spec.id: {} for compiled in rules}
        self._revoked_at = -1
        """Only what was heard after this instant renews a grant."""

    def add(self, instance: Instance) -> None:
        """Take a new instance of a gate in."""
        self._instances[instance.key[0]][instance.labels] = instance

    def of(self, compiled: CompiledRule) -> list[Instance]:
        """Return the instances of one gate, by their labels."""
        return [instance for _, instance in sorted(self._instances[compiled.spec.id].items())]

    def all(self) -> list[Instance]:
        """Return the instances of all gates, by rule id and labels."""
        return [instance for compiled in self.rules for instance in self.of(compiled)]

    def step(self, instance: Instance, at: int) -> RuleMoved | None:
        """Evaluate a gate's instance at `at` (ns) and return its move, if it is one."""
        compiled, before = instance.compiled, instance.standing
        if compiled.evaluated:
            reading = instance.read(self._snapshot, at)
            # A gate has no lifecycle: of the standing only the clocks of the condition are kept.
            instance.standing = lifecycle.clocks(before, reading, at)
        else:
            instance.forget()
            instance.standing = lifecycle.stopped(before, at)
        was, now = word(before.reading), word(instance.standing.reading)
        if was == now:
            return None
        why = "true" if now == GRANTED else "unknown" if instance.truth() is Truth.UNKNOWN else "false"
        reasons = f": {', '.join(instance.reasons)}" if instance.reasons else ""
        if not compiled.evaluated:
            why, reasons = compiled.why_not(), ""
        return RuleMoved(
            at=at, rule=compiled.spec.id, instance=instance.name, before=was, after=now,
            why=why + reasons + (" (shadow)" if compiled.is_shadow() else ""),
            inputs=instance.input_texts(self._snapshot), source=compiled.source, restrains="", episode=0,
        )

    def granted(self, at: int, *, venue: str, symbol: str, intent: str) -> tuple[bool, tuple[str, ...]]:
        """Return whether a maker order is granted at `at`, and the reasons against it."""
        order = {"venue": venue, "symbol": symbol, "intent": intent}
        matched, against = False, []
        for compiled in self.rules:
            if not compiled.enforced:
                continue
            found = [instance for instance in self.of(compiled) if _matches(instance, order)]
            if not found:
                against.append(f"{compiled.spec.id} has no instance for this order yet")
            for instance in found:
                matched = True
                why = self._why_not(instance, at)
                if why:
                    against.append(f"{instance.name} {why}")
        if not matched and not against:
            against.append("no maker gate covers this order")
        return matched and not against, tuple(against)

    def _why_not(self, instance: Instance, at: int) -> str:
        truth = instance.truth()
        if truth is Truth.UNKNOWN:
            return f"is unknown ({', '.join(instance.reasons) or 'never evaluated'})"
        if truth is Truth.FALSE:
            return "is false"
        ages = [self._snapshot.sample(slot, at).age for slot in instance.slots]
        renewed = max(at - min((age for age in ages if age is not None), default=at), instance.standing.true_since or 0)
        if renewed <= self._revoked_at:
            return "was revoked by a new set of rules and not renewed yet"
        valid_for = instance.compiled.spec.valid_for
        if at - renewed > valid_for:
            return f"lapsed: nothing it reads was heard for {format_duration(valid_for)}"
        return ""

    def revoke(self, at: int) -> None:
        """Revoke all grants, as a new set of rules does; only what is heard after `at` renews them."""
        self._revoked_at = max(self._revoked_at, at)

    def dump(self) -> Data:
        """Return what instances do not keep themselves, as JSON data."""
        return {"revoked_at": self._revoked_at}

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._revoked_at = data["revoked_at"]


def word(reading: Reading) -> str:
    """Return `granted` or `denied`."""
    return GRANTED if reading is Reading.TRUE else DENIED


def _matches(instance: Instance, order: dict[str, str]) -> bool:
    known = zip(instance.compiled.spec.by, instance.labels, strict=True)
    return all(order.get(name, value) == value for name, value in known)
