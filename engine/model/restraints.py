"""Restraints: what a rule may forbid, as products of small semilattices.

`NONE` is the bottom; `join` is associative, commutative and idempotent, so that the
order of rules, files and events cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum


class Level(IntEnum):
    """How much may be done; a higher level allows less."""

    NORMAL = 0
    ENTRIES_PAUSED = 1
    REDUCE_ONLY = 2
    HALTED = 3

    @property
    def word(self) -> str:
        """The name as rules and people write it."""
        return self.name.lower()

    @classmethod
    def from_word(cls, word: str) -> Level:
        """Return the level that rules write as `word`; KeyError if there is none."""
        return cls[word.upper()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraint:
    """What is forbidden. Every field is its own lattice; the default is its bottom.

    `size_mult` is a fraction of the asked size, `max_notional_usd` a cap in USD or None.
    """

    level: Level = Level.NORMAL
    size_mult: float = 1.0
    max_notional_usd: Decimal | None = None
    mute: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    deny_quotes: frozenset[str] = frozenset()

    def join(self, other: Restraint) -> Restraint:
        """Return the least restraint that forbids all that either forbids."""
        caps = [cap for cap in (self.max_notional_usd, other.max_notional_usd) if cap is not None]
        return Restraint(
            level=max(self.level, other.level),
            size_mult=min(self.size_mult, other.size_mult),
            max_notional_usd=min(caps) if caps else None,
            mute=self.mute | other.mute,
            deny=self.deny | other.deny,
            deny_quotes=self.deny_quotes | other.deny_quotes,
        )

    def covers(self, other: Restraint) -> bool:
        """Whether this forbids at least all that `other` forbids."""
        return self.join(other) == self


NONE = Restraint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which orders a restraint is about; an empty string matches every order."""

    account: str = ""
    venue: str = ""
    symbol: str = ""
    intent: str = ""

    def matches(self, *, account: str, venue: str, symbol: str, intent: str) -> bool:
        """Whether an order with these labels is covered."""
        return (
            self.account in ("", account) and self.venue in ("", venue)
            and self.symbol in ("", symbol) and self.intent in ("", intent)
        )


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """One restraint that holds now, who imposes it and what ends it."""

    rule: str
    instance: str
    """`rule` or `rule[label,label]`."""
    scope: Scope
    restraint: Restraint
    because: str
    """firing, held, latched, cooldown, operator or floor."""
    since: int
    ends: str
    """In words, such as `when spread_bps > ENTRY_MAX_SPREAD_BPS no longer holds`."""
    clear_with: str
    """The command that ends it, or an empty string where only the condition can."""
    until: int = 0
    """When it ends whatever the condition does (ns), or 0."""
    ttl: int = 0
    """How long after it was last known true it ends by contract (ns), or 0."""
