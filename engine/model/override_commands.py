"""What an operator may ask for over the rules. Tightening needs nothing but its name; a waiver needs a reason.

All times are ns. What was asked for is judged by the core: a command is a wish.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.restraints import Restraint, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictCommand:
    """The operator's own restraint on what `scope` matches; `ttl` in ns, 0 for until it is taken back."""

    actor: str
    scope: Scope
    restraint: Restraint
    maker_off: bool = False
    """No maker is granted in the scope either."""
    ttl: int = 0
    reason: str = ""
    offline: bool = False
    """Asked for while no engine ran: the ttl counts from when the run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrestrictCommand:
    """Ends restrictions: by number, of one symbol, `--all`, or, empty, those that are about no symbol."""

    actor: str
    which: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyCommand:
    """No entries in `symbol`; `ttl` and `offline` as in a restriction."""

    actor: str
    symbol: str
    ttl: int = 0
    reason: str = ""
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UndenyCommand:
    """Ends the operator's denial of `symbol`."""

    actor: str
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiveCommand:
    """Lifts the restraints of a rule, or of RULE/INSTANCE, for `lasts` ns: a lease."""

    actor: str
    rule: str
    lasts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwaiveCommand:
    """Ends a waiver before its time; `rule` as it was waived, or `--all`."""

    actor: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceCommand:
    """Pauses entries, and lets rules forgive what they forgive then: for `lasts` ns, or `until` an instant."""

    actor: str
    lasts: int = 0
    until: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMaintenanceCommand:
    """Ends the maintenance before its time."""

    actor: str
