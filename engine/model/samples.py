"""What a signal is, and the standing of what we last heard of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Status(IntEnum):
    """Whether a sample can be believed. Only OK (0, so that `if status` means doubt) is known."""

    OK = 0
    STALE = 1
    MISSING = 2
    INVALID = 3
    NO_SAMPLES = 4
    """An avg, min, max or quantile over an event window that holds none."""
    NO_COVERAGE = 5
    """A gauge window whose signal was not known for enough of it."""
    UNWIRED = 6
    """Nobody produces the signal in this run."""


class SignalKind(StrEnum):
    """How a signal behaves in time."""

    GAUGE = "gauge"
    STATE = "state"
    COUNTER = "counter"
    EVENT = "event"


class Unit(StrEnum):
    """What a number counts. Two different units never compare."""

    BPS = "bps"
    PCT = "pct"
    PP = "pp"
    USD = "usd"
    S = "s"
    MS = "ms"
    RATIO = "ratio"
    COUNT = "count"
    BOOL = "bool"
    ENUM = "enum"
    NONE = "none"


LABELS = ("account", "venue", "symbol", "intent", "liquidity", "strategy", "mode", "reason", "stream")
"""Every label a signal may carry, in the order they are written. The first four are an order's: they make a scope."""

LARGEST = 1e15
"""No sample may be larger than this in magnitude: the default range of a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSpec:
    """One line of the catalogue. Durations in ns; `period` is how often a new sample is expected."""

    name: str
    kind: SignalKind
    unit: Unit
    summary: str
    labels: tuple[str, ...] = ()
    low: float = -LARGEST
    high: float = LARGEST
    values: tuple[str, ...] = ()
    """The words of an enum."""
    period: int = 0
    max_age: int = 0
    """0 for never stale by age (counters, order scope)."""
    producer: str = ""
    resolution: float = 1e-9
    """Sums over windows are kept as integer multiples of this."""
    order_scope: bool = False
    derived_from_policy: bool = False
    line: int = 0
    decimate: int = 0
    """History keeps at most one change of the value in this time (ns); 0 for every one. Decides nothing in a run."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A sample that a room above the signals computed in this step (equity, slippage, daily loss).

    `labels` are the values in the order of the signal's own labels.
    """

    name: str
    labels: tuple[str, ...]
    value: float | str | bool
    event_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRef:
    """One thing an expression reads. `reads` is value, a window function, age, absent or fresh.

    `labels` are the literal label arguments; the labels of the signal that are not among
    them are bound by the rule's `by` (or by the order, in entry rules).
    """

    reads: str
    signal: str
    labels: tuple[tuple[str, str], ...] = ()
    window: int = 0
    quantile: float = 0.0
    coverage: float = 0.8
    max_age: int = 0
    """For fresh(m, "2s")."""
