"""What an operator lays over the rules: restrictions, denials, waivers, a maintenance.

All but a waiver forbid more than the rules do. A waiver and a maintenance are leases: they
end by themselves, and no later than `LONGEST_LEASE` after they began. All times are ns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.model.restraints import Restraint, Scope
from engine.model.time import HOUR, format_duration, format_second

LONGEST_LEASE = 4 * HOUR
"""A law and no setting: nobody is trusted to remember for longer what they let through."""
ALL = "--all"
"""In place of one override: every one of its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Who asked for an override, why, and how long it holds."""

    actor: str
    reason: str
    since: int
    until: int = 0
    """When it ends by itself, 0 for never; while `waits` is set it is no end, but the earliest that there can be."""
    waits: int = 0
    """How long it holds from the next event of a run on: it was asked for while no engine ran."""

    def ends(self) -> str:
        """Return when it ends by itself, in words; empty for never."""
        if self.waits:
            return f"{format_duration(self.waits)} after the run goes on"
        return f"at {format_second(self.until)}" if self.until else ""

    def longer(self, other: Term) -> Term:
        """Return the term that holds as long as the longer of both: `other` comes later, and shortens nothing."""
        if not self.until and not self.waits:
            return self
        if not other.until and not other.waits:
            return replace(other, since=self.since)
        until, waits = max(self.until, other.until), max(self.waits, other.waits)
        if (until, waits) == (self.until, self.waits):
            return self
        return replace(other, since=self.since, until=until, waits=waits)

    def begun(self, at: int) -> Term:
        """Return the term as it is once the run goes on at `at`."""
        return replace(self, until=max(self.until, at + self.waits), waits=0) if self.waits else self

    def ends_at(self) -> int:
        """Return when it ends by itself, or 0 where that is never, or not known yet."""
        return 0 if self.waits else self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """The operator's own restraint. Where `maker_off` is set, no maker is granted in its scope either."""

    number: int
    scope: Scope
    restraint: Restraint
    maker_off: bool
    term: Term

    @property
    def name(self) -> str:
        """Return what it is called where it restrains."""
        return f"operator:restrict/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """No entries in `symbol`, beside what conf/event_denylist.txt says."""

    symbol: str
    term: Term

    @property
    def name(self) -> str:
        """Return what it is called where it restrains."""
        return f"operator:deny/{self.symbol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A lease that lifts the restraints of a rule or of one of its instances; a kill's no further than reduce_only."""

    rule: str
    instance: str
    """The name of the one instance, or empty for all."""
    kill: bool
    term: Term

    @property
    def name(self) -> str:
        """Return what it is called: the rule, or the instance."""
        return self.instance or self.rule

    def covers(self, rule: str, instance: str) -> bool:
        """Whether it is about a restraint of `instance` of `rule`."""
        return rule == self.rule and self.instance in ("", instance)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideBegan:
    """An operator laid something over the rules. `kind` is restriction, denial, waiver or maintenance."""

    at: int
    kind: str
    name: str
    what: str
    """What it forbids or lifts, in words."""
    ends: str
    """When it ends by itself, in words; empty for never."""
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideEnded:
    """It is gone: `actor` ended it, or its time did."""

    at: int
    kind: str
    name: str
    actor: str
    why: str
