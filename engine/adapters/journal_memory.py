"""A journal in memory, for runs in virtual time: it keeps the promise of `ports.journal`, and crashes when told.

What was appended waits, as in a file, until it is committed; reading sees what was committed.
`crash` forgets what a process takes with it, or what a power cut does.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import NamedTuple

from engine.adapters.journal_sqlite_format import subjects_of
from engine.model.codec import Data, canonical, decode, encode
from engine.model.digest import GENESIS, next_digest
from engine.model.effects import Effect, PlaceOrder
from engine.model.events import Event
from engine.ports.journal import (
    About,
    Checkpoint,
    ClientIdReused,
    FoundCheckpoint,
    JournalledEffect,
    JournalledInput,
    Tail,
)

KEPT_CHECKPOINTS = 3


class MarketRow(NamedTuple):
    """A market event as it was taken. It is spelled only when somebody reads it: events never change."""

    seq: int
    at: int
    event: Event


@dataclass(slots=True)
class Rows:
    """Rows of every table; those that wait and those that were kept have the same shape."""

    inputs: list[JournalledInput] = field(default_factory=list)
    effects: list[JournalledEffect] = field(default_factory=list)
    market: list[MarketRow] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    status: bytes | None = None

    def add(self, later: Rows) -> None:
        """Take in what `later` holds."""
        self.inputs += later.inputs
        self.effects += later.effects
        self.market += later.market
        self.blobs |= later.blobs
        self.ids |= later.ids
        self.status = self.status if later.status is None else later.status
        if later.checkpoints:
            known = {one.seq: one for one in (*self.checkpoints, *later.checkpoints)}
            self.checkpoints = [known[seq] for seq in sorted(known)[-KEPT_CHECKPOINTS:]]

    def trim(self) -> None:
        """Forget the market events that no checkpoint needs any more."""
        if self.checkpoints:
            oldest = self.checkpoints[0].seq
            self.market = self.market[bisect_right(self.market, oldest, key=_seq):]


class MemoryJournal:
    """A journal that lives as long as its owner. Never fails, but for a client id that comes twice."""

    def __init__(self, boundary: Callable[[], None] = lambda: None) -> None:
        """`boundary` is called before and behind every commit, and may raise to end the process there."""
        self._boundary = boundary
        self._kept = Rows()
        self._unsynced = Rows()
        """Committed, but not durably: a power cut takes it."""
        self._waiting = Rows()
        self._must_survive = False
        self._seen: Rows | None = None

    # -- what one engine writes ----------------------------------------------------------------

    def append_input(self, seq: int, at: int, event: Event) -> None:
        """Add an input; the next commit will be durable."""
        self._waiting.inputs.append(JournalledInput(seq, at, encode(event)))
        self._must_survive = True

    def append_market(self, seq: int, at: int, event: Event) -> None:
        """Add a market event; it shares the fate of whatever is committed next."""
        self._waiting.market.append(MarketRow(seq, at, event))

    def append_effect(  # noqa: PLR0913 -- the columns of one row
        self, n: int, seq: int, at: int, effect: Effect, raw: bytes, digest: bytes
    ) -> None:
        """Add effect `n`; ClientIdReused, with nothing added, if it repeats an order."""
        if isinstance(effect, PlaceOrder):
            known = effect.client_id
            if known in self._waiting.ids or known in self._unsynced.ids or known in self._kept.ids:
                raise ClientIdReused(f"client id {known} was used before", "this is a fault of the engine: report it")
            self._waiting.ids[known] = n
            self._must_survive = True
        self._waiting.effects.append(JournalledEffect(n, seq, at, type(effect).__name__, raw, digest))

    def put_blob(self, data: bytes) -> str:
        """Add `data` by its content and return its SHA-256 in hex."""
        digest = hashlib.sha256(data).hexdigest()
        self._waiting.blobs[digest] = data
        return digest

    def put_status(self, status: Data) -> None:
        """Replace the status row."""
        self._waiting.status = canonical(status)

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint, forget all but the newest three, and commit durably."""
        self._waiting.checkpoints.append(checkpoint)
        self.commit(durable=True)

    def commit(self, *, durable: bool = False) -> None:
        """Keep what was appended; over a power cut if `durable`, or if an input or an order is among it."""
        self._boundary()
        self._unsynced.add(self._waiting)
        self._waiting = Rows()
        self._seen = None
        if durable or self._must_survive:
            self._kept.add(self._unsynced)
            self._kept.trim()
            self._unsynced = Rows()
        self._must_survive = False
        self._boundary()

    def crash(self, *, power_cut: bool = False) -> None:
        """Forget what was not committed and, in a `power_cut`, what was not committed durably."""
        self._waiting = Rows()
        self._must_survive = False
        if power_cut:
            self._unsynced = Rows()
            self._seen = None

    # -- what anybody reads ----------------------------------------------------------------------

    def tail(self) -> Tail:
        """Return where the journal ends."""
        rows = self._rows()
        ends = [table[-1] for table in (rows.inputs, rows.effects, rows.market, rows.checkpoints) if table]
        return Tail(
            input_seq=rows.inputs[-1].seq if rows.inputs else 0, effect_n=rows.effects[-1].n if rows.effects else 0,
            seq=max((end.seq for end in ends), default=0), at=max((end.at for end in ends), default=0),
            digest=rows.effects[-1].digest if rows.effects else GENESIS,
        )

    def input_at(self, seq: int) -> bytes | None:
        """Return the payload of input `seq`, or None."""
        inputs = self._rows().inputs
        place = bisect_right(inputs, seq, key=_seq)
        return inputs[place - 1].payload if place and inputs[place - 1].seq == seq else None

    def digest_at(self, n: int) -> bytes | None:
        """Return the link after effect `n`, or None."""
        if n == 0:
            return GENESIS
        effects = self._rows().effects
        return effects[n - 1].digest if n <= len(effects) else None

    def inputs_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield the inputs behind `seq`, in order."""
        inputs = self._rows().inputs
        yield from inputs[bisect_right(inputs, seq, key=_seq):]

    def all_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield inputs and market events behind `seq`, in order."""
        market = self._rows().market
        events = (JournalledInput(*row[:2], encode(row.event)) for row in market[bisect_right(market, seq, key=_seq):])
        yield from merge(self.inputs_after(seq), events, key=_seq)

    def effects_after(self, n: int) -> Iterator[JournalledEffect]:
        """Yield the effects behind `n`, in order."""
        yield from self._rows().effects[n:]

    def effects_about(self, about: About) -> Iterator[JournalledEffect]:
        """Yield the effects that are about something, in order."""
        found = [
            row for row in self._rows().effects
            if about.kind in ("", row.kind) and _within(about, row.at) and _is_about(about, Effect, row.payload)
        ]
        yield from found[-about.newest:]

    def inputs_about(self, about: About) -> Iterator[JournalledInput]:
        """Yield the inputs that are about something, in order."""
        found = [
            row for row in self._rows().inputs
            if about.kind in ("", json.loads(row.payload)["type"]) and _within(about, row.at)
            and _is_about(about, Event, row.payload)
        ]
        yield from found[-about.newest:]

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes whose SHA-256 is `digest` (hex), or None."""
        return self._rows().blobs.get(digest)

    def last_checkpoint(self, *, until: int | None = None) -> FoundCheckpoint:
        """Return the newest checkpoint (at or before `until`, ns); none is ever damaged."""
        found = [one for one in self._rows().checkpoints if until is None or one.at <= until]
        return FoundCheckpoint(checkpoint=found[-1] if found else None, damaged=())

    def verify(self) -> str:
        """Return where the digest chain is broken, in words; empty when all is whole."""
        digest = GENESIS
        for expected, effect in enumerate(self._rows().effects, start=1):
            if effect.n != expected:
                return f"effect {expected} is missing"
            digest = next_digest(digest, effect.payload)
            if digest != effect.digest:
                return f"effect {effect.n} ({effect.kind}) does not fit the digest chain"
        return ""

    def get_status(self) -> Data | None:
        """Return the last status that was put, or None."""
        status = self._rows().status
        return None if status is None else json.loads(status)

    def close(self) -> None:
        """Let go of the journal. What was not committed is gone."""
        self.crash()

    def _rows(self) -> Rows:
        """Return all that was committed; made once between two commits."""
        if self._seen is None:
            late = self._unsynced
            if not (late.inputs or late.effects or late.market or late.checkpoints or late.blobs or late.status):
                return self._kept
            self._seen = Rows()
            self._seen.add(self._kept)
            self._seen.add(late)
        return self._seen


def _seq(row: JournalledInput | MarketRow) -> int:
    return row.seq


def _within(about: About, at: int) -> bool:
    return (about.since is None or at >= about.since) and (about.until is None or at <= about.until)


def _is_about(about: About, union: object, payload: bytes) -> bool:
    wanted = [
        word for word in (f"rule:{about.rule}", f"order:{about.client_id}", f"symbol:{about.symbol}")
        if not word.endswith(":")
    ]
    return not wanted or set(wanted) <= set(subjects_of(decode(union, payload)))
