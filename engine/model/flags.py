"""Flags: the numbers and switches an operator may change without touching a rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.model.samples import Unit

FlagValue = float | bool | str
WARNS, REFUSES = "warns", "refuses"
"""What a flag does whose part does not exist yet and that somebody changes: a word of warning, or nothing at all."""


class FlagKind(StrEnum):
    """What a flag's value is; a duration flag is a number with unit s or minutes in its name."""

    NUMBER = "number"
    BOOL = "bool"
    WORD = "word"


class Layer(StrEnum):
    """Where a value came from, weakest first: default, conf/flags.yaml, environment, operator."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSpec:
    """One flag as `conf/flags.yaml` declares it. Bounds are inclusive."""

    name: str
    kind: FlagKind
    default: FlagValue
    unit: Unit
    summary: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    """Whether a number must be whole."""
    words: tuple[str, ...] = ()
    tightens: str = ""
    """Which way protects more: `up`, `down`, `on`, `off`, or empty where neither does."""
    line: int = 0
    group: str = ""
    """Under which heading it is listed."""
    planned: str = ""
    """`WARNS` or `REFUSES` where the part that would read it does not exist yet; empty where it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag's value in force, and the layer that set it. `until` is ns, 0 for no end."""

    name: str
    value: FlagValue
    layer: Layer
    reason: str = ""
    actor: str = ""
    until: int = 0
    waits: int = 0
    """How long (ns) it holds from when the run goes on: it was set while no engine ran, and has no `until` yet."""
