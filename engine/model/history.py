"""What was known, written down: every change of a signal, and what happened beside the signals.

A history is one sequence of records in the order of happening. It is enough to ask any
rule set what it would have done, without the market data the signals were made of. All
times are ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from engine.model.codec import Data
from engine.model.samples import SignalSpec


class Row(NamedTuple):
    """A signal changed its value or its status, or, where every sample counts, a sample came.

    `status` is a `Status` as an int; where it is not 0 the value is the last one believed,
    and of a counter what its next rise counts from (a counter that fell begins anew there).
    A row of an event is one that came, or with a status one that was lost or broken; that
    nobody knows of events is a PRODUCER mark and never a row. Records of one `batch` were
    settled together: no rule saw a part of them. Batches grow.
    """

    at: int
    batch: int
    signal: str
    labels: tuple[str, ...]
    value: float | str | bool
    status: int
    event_at: int


class MarkKind(StrEnum):
    """What happened beside the signals."""

    WOKEN = "woken"
    """The batch is a wake-up's: rule timers due at this very instant come after it, not before. No data."""
    PRODUCER = "producer"
    """{producer, up}: whether its events are known. With {signal} it was silent for longer than that one allows: of
    its signals this one alone is stale, until the producer is up again."""
    FLAG = "flag"
    """{name, value, layer}: a flag's resolved value changed."""
    BOUNDARY = "boundary"
    """{day}: a local day began."""
    REARM = "rearm"
    """{latch, actor}: a latch (its name: rule[labels]/episode) was re-armed."""
    RELOAD = "reload"
    """{generation, digest, signals}: another rule set took over; samples of `signals` are judged otherwise from here
    on than the header says."""
    GAP = "gap"
    """{until}: nobody recorded from here on until then; nothing is known of it."""
    PROPOSAL = "proposal"
    """An order was asked for: {account, venue, symbol, quote, intent, side, post_only, notional_usd, order: {signal:
    value}, by_rules, outcome, allowed_usd, reason, rules}. `notional_usd` and `order` are of the size asked for, before
    any cutback; `by_rules` is false where no rule has a say in it (an exit, a malformed order); `outcome` is approved
    or refused."""
    FILL = "fill"
    """{venue, symbol, intent, side, notional_usd, liquidity}."""
    END = "end"
    """The recording ends here. No data."""


class Mark(NamedTuple):
    """Something that happened at `at`, in its place among the rows."""

    at: int
    batch: int
    kind: MarkKind
    data: Data


Record = Row | Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryHeader:
    """What a history covers, and what it can be asked."""

    name: str
    first_at: int
    last_at: int
    producers: tuple[str, ...]
    """Who spoke: signals of others are unwired."""
    complete: tuple[str, ...]
    """Signals of which every sample is a row. Of the others only changes are: a gauge's windows, age(...) and
    fresh(...) cannot be replayed from changes. Events and counters are always complete."""
    decimated: tuple[str, ...]
    """Signals whose changes were thinned to a floor interval."""
    catalogue_digest: str
    rules_digest: str
    has_rearms: bool
    """Whether recorded re-arms are to be replayed."""
    signals: tuple[SignalSpec, ...] = ()
    """The catalogue it was recorded under, by name: what made a sample invalid or stale then. Empty where unknown."""
