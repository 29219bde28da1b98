"""Where market events come from when a run is on a tape.

A tape is a finite, ordered, repeatable source: the same index gives the same event,
today and after a crash. Reading goes on past what is damaged; nothing is dropped
without being named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from engine.model.events import Command, InstrumentDefined
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.orders import Intent

TapeEvent = MarketEvent | InstrumentDefined
"""Everything a tape can hold."""

MARKET, ORACLE, ANNOUNCEMENTS = "feed.market", "feed.oracle", "feed.announcements"
"""The producers a tape can stand for, as the signal catalogue names them."""


class TapeError(Exception):
    """A tape, or a file to import, that cannot be used: where, what is wrong, and what to do about it."""

    def __init__(self, place: str, what: str, fix: str) -> None:
        """`place` is a file or file:line; `fix` is what to do, an imperative."""
        self.place, self.what, self.fix = place, what, fix
        super().__init__(f"{place}: {what}\n    fix: {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that could not be read. `line` counts from 1, the header's; the events around it stand."""

    line: int
    what: str
    ends_tape: bool = False
    """Nothing after this line could be read: the file was cut short or its compression is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A named stretch of a tape's story, [start, end) in ns, for printing only."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong at the simulated venue of a story with each order of a sort sent in [start, end), in ns."""

    kind: str
    """Of the simulated exchange's kinds of trouble (`exchange.faults.FaultKind`), or `query`: questions fail."""
    start: int
    end: int
    symbol: str = ""
    """Only orders of this symbol; empty for all."""
    intent: Intent | None = None
    purpose: str = ""
    """Only orders whose purpose has this in it, such as /stop/."""
    delay: int = 0
    """What the kind makes of it, in ns."""


TAPE_ACTOR = "the tape"
"""Who gives the orders of a story; no person at a keyboard is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A command that the operator of a story gives at `at` (ns): taken by the tape's own run as if it were typed."""

    at: int
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeHeader:
    """What a tape says of itself before its first event. Instants in ns."""

    name: str
    """`demo`, `normal-day` or the file's name, without its folder."""
    source: str
    """Where the events come from, in words."""
    events: int
    """How many events follow, damaged ones included; -1 where only reading to the end can tell (generated)."""
    first_at: int
    last_at: int
    """When the last event arrived; for a generated tape when the story ends."""
    instruments: tuple[Instrument, ...] = ()
    venues: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    streams: tuple[tuple[str, int], ...] = ()
    """(event type, how many); empty for a generated tape."""
    producers: frozenset[str] = frozenset()
    """Which of the producers above speak on this tape: the wiring tells the signals."""
    chapters: tuple[Chapter, ...] = ()
    seed: int | None = None
    """What a generated tape was made from."""
    troubles: tuple[Trouble, ...] = ()
    """What goes wrong at the simulated venue meanwhile; only a generated story has such."""
    spoken: tuple[Spoken, ...] = ()
    """What its operator types meanwhile, by instant. A live loop that hears the market of a tape takes none of it."""


class Tape(Protocol):
    """A recorded or generated feed.

    Positions are indices: event i of the tape, counted from 0, is the same event in every
    reading. A damaged line keeps its index and yields nothing.
    """

    @property
    def header(self) -> TapeHeader:
        """Return what is known before reading."""

    @property
    def damaged(self) -> list[Damage]:
        """Return what could not be read so far, in reading order."""

    @property
    def clamped(self) -> int:
        """Return how many events so far had arrived before their predecessor and were moved to its instant."""

    @property
    def index(self) -> int:
        """Return the index of the next event: what a checkpoint keeps, and `events` resumes from."""

    def events(self, from_index: int = 0) -> Iterator[tuple[int, TapeEvent]]:
        """Yield (at, event) from `from_index` on, `at` in ns and never decreasing.

        A new call starts over: `damaged`, `clamped` and `index` become those of the new
        reading, in which what precedes `from_index` is counted too.
        """
