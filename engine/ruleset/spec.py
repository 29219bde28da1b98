"""A rule as the engine holds it after everything about it was checked.

Durations are ns. A spec is immutable and knows where in which file it stands; nothing
in it depends on the state of the engine.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.model.restraints import NONE, Restraint
from engine.model.samples import InputRef

FLAG_NAME = re.compile(r"[A-Z][A-Z0-9_]*", re.ASCII)
ByFlag = tuple[tuple[str, str], ...]
"""(where, flag) of each number that a flag gives, such as (`restrain.size_mult`, `AUTO_CUTBACK_SIZE_MULT`)."""


class RuleKind(StrEnum):
    """What `expr` true means; see DESIGN in the README's words: restrain, refuse, inform or grant."""

    GUARD = "guard"
    KILL = "kill"
    CUTBACK = "cutback"
    MUTE = "mute"
    ENTRY = "entry"
    MAKER_GATE = "maker_gate"
    WATCH = "watch"


RESTRAINING = frozenset({RuleKind.GUARD, RuleKind.KILL, RuleKind.CUTBACK, RuleKind.MUTE})


class Latching(StrEnum):
    """What ends the restraint of an episode."""

    NONE = "none"
    BOUNDARY = "boundary"
    MANUAL = "manual"


class OnUnknown(StrEnum):
    """What doubt that outlasts the grace does."""

    RESTRICT = "restrict"
    HOLD = "hold"
    CUTBACK = "cutback"
    IGNORE = "ignore"


class Enforcement(StrEnum):
    """Whether the rule's restraints are joined."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands; line and column count from 1, as editors do."""

    file: str
    line: int
    col: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRef:
    """`held(condition, "5m")`: true once the condition has been known true for `duration`."""

    condition: Expression
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A checked expression.

    In `tree` every input is an `ast.Name` `i0`, `i1`, ... (index into `inputs`), every held
    condition `h0`, `h1`, ..., every flag a `ast.Name` with the flag's own name. What is left
    are the allowed nodes: Compare, BoolOp, UnaryOp(Not, USub), BinOp(+ - * /), IfExp,
    Constant, and Call of abs, min, max, pct, bps.
    """

    text: str
    place: Place
    tree: ast.expr
    inputs: tuple[InputRef, ...]
    held: tuple[HeldRef, ...] = ()
    flags: tuple[str, ...] = ()
    unit: str = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a known-true episode starts. `exit_risk` is false, dry_run or true, or a flag's name."""

    exit_risk: str = ""
    trim_pct: float | None = None
    hedge_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Whom a firing tells; `text` may hold `{signal}` and `{signal:.4f}`."""

    to: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A lint that is silent here, for good or until a day (ISO, empty for good)."""

    lint: str
    reason: str
    place: Place
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """One rule. A time or a switch that a flag gives is kept as the flag's name until it is resolved."""

    id: str
    kind: RuleKind
    summary: str
    runbook: str
    place: Place
    expr: Expression
    clear_expr: Expression | None = None
    by: tuple[str, ...] = ()
    scope_all: bool = False
    enabled: bool | str = True
    enforcement: Enforcement = Enforcement.ENFORCE
    hold_for: int | str = 0
    """`for`: ns, or a flag's name."""
    hold_for_unit: int = 1
    """What one of the flag `hold_for` names is worth in ns: a signal's period for `N windows`."""
    keep_firing_for: int | str = 0
    keep_firing_for_unit: int = 1
    cooldown: int | str = 0
    cooldown_unit: int = 1
    latch: Latching = Latching.NONE
    on_unknown: OnUnknown = OnUnknown.RESTRICT
    on_unknown_reason: str = ""
    unknown_grace: int | str = 0
    unknown_grace_unit: int = 1
    min_clear: int = 0
    valid_for: int = 0
    restrain: Restraint = NONE
    unknown_cutback: Restraint | None = None
    """What `on_unknown: cutback` applies while in doubt."""
    ttl: int | str = 0
    """Cutbacks, mutes and denials end this long after the last known-true; 0 for no such end."""
    ttl_unit: int = 1
    action: Action | None = None
    by_flag: ByFlag = ()
    """Which flags give numbers of `restrain`, `unknown_cutback` and `action`; there stand the flags' defaults."""
    notify: Notice | None = None
    formerly: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = field(default=(), compare=False)
    """What `lint:` says. It decides nothing in a run; a review shows what was silenced."""
    tests: tuple[Any, ...] = field(default=(), compare=False)
    """Inline tests (`ruleset.testcase.RuleTest`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """All rules of a run, in the order of their ids, and the digest of what they were read from."""

    rules: tuple[RuleSpec, ...]
    digest: str
    files: tuple[str, ...]
