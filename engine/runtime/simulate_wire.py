"""The wire of a simulation: every message passes here, is told to who judges, and may be the last.

A boundary is an instant at which a process can die with something half done: before and
behind each commit, each message and each answer. Messages that left have left, whatever dies.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence

from engine.exchange.exchange import SimulatedExchange
from engine.model.codec import Data, encode
from engine.model.effects import AskVenue, CancelOrder, Effect, PlaceOrder
from engine.model.events import Event, InstrumentDefined, VenueEvent
from engine.model.fills import Position
from engine.model.instruments import Instrument
from engine.model.market import MarketEvent
from engine.model.reports import OrderReport
from engine.ports.venue import SimulatedVenue
from engine.runtime.record import Record
from engine.runtime.simulate_judge import Judge

LINES = 20
"""How many of the last lines a violation is told with."""


class Crashed(Exception):
    """The process died here."""


class Boundaries:
    """Counts the boundaries of a run and ends the process at one of them, where that is armed."""

    def __init__(self) -> None:
        self.count = 0
        self._left = 0
        self._kind = ""
        self._over = False

    def arm(self, nth: int, kind: str = "") -> None:
        """Let the `nth` boundary of `kind` from now on be the last."""
        self._left, self._kind = nth, kind

    def disarm(self) -> None:
        """Let nothing die any more, and count no more."""
        self._left, self._over = 0, True

    @property
    def armed(self) -> bool:
        """Whether a crash is still to come."""
        return self._left > 0

    def cross(self, kind: str) -> None:
        """Pass a boundary; Crashed if this is the one."""
        if self._over:
            return
        self.count += 1
        if self._left and self._kind in ("", kind):
            self._left -= 1
            if not self._left:
                raise Crashed(kind)


class Trace:
    """The last lines of a run, and one hash over all of them."""

    def __init__(self, whole: bool = False) -> None:
        """`whole` keeps every line."""
        self._lines: deque[tuple[int, str, object]] = deque(maxlen=None if whole else LINES)
        self._hash = hashlib.sha256()

    def note(self, at: int, what: str, noun: object) -> None:
        """Add a line about `noun`, a dataclass or a text, at `at` (ns)."""
        self._lines.append((at, what, noun))

    def seal(self, data: bytes) -> None:
        """Let `data` be part of the hash."""
        self._hash.update(data)

    def digest(self) -> str:
        """Return the hash in hex."""
        return self._hash.hexdigest()

    def lines(self, since: int = 0) -> list[str]:
        """Return the lines kept, oldest first; instants as seconds from `since` (ns)."""
        return [f"{(at - since) / 1e9:>11.3f} s  {what:<8} {_text(noun)}" for at, what, noun in self._lines]


def _text(noun: object) -> str:
    return noun if isinstance(noun, str) else encode(noun).decode()


class Wire:
    """A `SimulatedVenue` around another: tells what passes, and dies at the boundary it is told to."""

    def __init__(self, inner: SimulatedVenue, exchange: SimulatedExchange, judge: Judge, around: Boundaries) -> None:
        self._inner, self._exchange, self._judge, self._around = inner, exchange, judge, around

    def place(self, order: PlaceOrder, at: int) -> None:
        """Send `order`."""
        self._around.cross("perform")
        self._judge.placed(order, at)
        self._inner.place(order, at)
        self._around.cross("perform")

    def cancel(self, order: CancelOrder, at: int) -> None:
        """Ask for an order back."""
        self._around.cross("perform")
        self._judge.sent(at, order)
        self._inner.cancel(order, at)
        self._around.cross("perform")

    def ask(self, ask: AskVenue, at: int) -> None:
        """Ask how something stands."""
        self._around.cross("perform")
        self._judge.sent(at, ask)
        self._inner.ask(ask, at)
        self._around.cross("perform")

    def on_market(self, event: MarketEvent | InstrumentDefined, at: int) -> None:
        """Show what happened in the market; where orders wait, see what it did to them."""
        self._inner.on_market(event, at)
        if self._exchange.open_orders() or self._judge.watchful:
            self._judge.look(at)

    def next_due(self) -> int | None:
        """Return when something next happens at the venue."""
        return self._inner.next_due()

    def pop_due(self, at: int) -> list[tuple[int, VenueEvent]]:
        """Let everything up to `at` happen."""
        self._judge.look(at)
        told = self._inner.pop_due(at)
        self._judge.heard(told)
        self._judge.look(at)
        return told

    def define(self, instrument: Instrument) -> None:
        """Make `instrument` tradable."""
        self._inner.define(instrument)

    def open_orders(self) -> tuple[OrderReport, ...]:
        """Return what is open at the venue."""
        return self._inner.open_orders()

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is not flat."""
        return self._inner.positions()

    def dump(self) -> Data:
        """Return the venue's state."""
        return self._inner.dump()

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._inner.load(data)


class WatchedRecord:
    """A `Recorded`: what is written down is told to who judges, and each answer is a boundary."""

    def __init__(self, record: Record, judge: Judge, trace: Trace, around: Boundaries) -> None:
        self._record, self._judge, self._trace, self._around = record, judge, trace, around

    def input(self, seq: int, at: int, event: Event) -> None:
        """Journal a command or venue event."""
        self._around.cross("input")
        self._trace.note(at, "input", event)
        self._record.input(seq, at, event)
        self._around.cross("input")

    def effects(self, seq: int, at: int, effects: Sequence[Effect]) -> None:
        """Chain and journal `effects`; only what is on the disk binds anybody."""
        for effect in effects:
            if not isinstance(effect, PlaceOrder | CancelOrder | AskVenue):
                self._trace.note(at, "effect", effect)
        self._record.effects(seq, at, effects)
        self._judge.decided(at, effects)
