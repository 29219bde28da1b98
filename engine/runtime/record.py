"""What happened, written down before anything is done about it.

Every effect enters the digest chain and the journal. A resumed run writes nothing twice:
up to the journal's tail it compares what it produces with what stands there, and a
difference stops the run, because then one of the two is not what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.model.codec import encode
from engine.model.digest import GENESIS, next_digest
from engine.model.effects import CancelOrder, CommandAnswered, Effect, LatchCleared, LatchSet, PlaceOrder
from engine.model.events import Event
from engine.ports.journal import Journal

_MUST_SURVIVE = (PlaceOrder, CancelOrder, LatchSet, LatchCleared, CommandAnswered)


class Diverged(Exception):
    """The run did not reproduce its own journal."""


class Recorded(Protocol):
    """Who is told of everything a loop takes and does, in order."""

    def input(self, seq: int, at: int, event: Event) -> None:
        """Take a command or venue event before anyone reacts to it."""

    def effects(self, seq: int, at: int, effects: Sequence[Effect]) -> None:
        """Take what one input, or a wake-up behind it, led to."""


class Record:
    """The digest chain and the journal behind it. `n` counts effects from 1."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.n = 0
        self.digest = GENESIS
        self._known_effects = 0
        self._known_inputs = 0

    def continue_from(self, n: int, digest: bytes) -> None:
        """Go on after effect `n`; what the journal holds beyond it is compared, not written."""
        self.n, self.digest = n, digest
        tail = self._journal.tail()
        self._known_effects, self._known_inputs = tail.effect_n, tail.input_seq

    def go_on_at(self, n: int, digest: bytes) -> None:
        """Go on behind effect `n` without comparing: what is in the journal stays what happened."""
        self.n, self.digest = n, digest
        self._known_effects = self._known_inputs = 0

    def caught_up(self, seq: int) -> bool:
        """Whether a run that took `seq` inputs is past all that the journal held when it went on."""
        return seq >= self._known_inputs and self.n >= self._known_effects

    def input(self, seq: int, at: int, event: Event) -> None:
        """Journal a command or venue event before anyone reacts to it."""
        if seq <= self._known_inputs:
            known = self._journal.input_at(seq)
            if known != encode(event):
                raise Diverged(f"input {seq} is not what the journal holds")
            return
        self._journal.append_input(seq, at, event)

    def market(self, seq: int, at: int, event: Event) -> None:
        """Keep a market event of a live run, so that a recovery can take it again."""
        self._journal.append_market(seq, at, event)

    def effects(self, seq: int, at: int, effects: Sequence[Effect]) -> None:
        """Chain and journal `effects`; on return what must survive is on disk."""
        durable = False
        for effect in effects:
            raw = encode(effect)
            self.n += 1
            self.digest = next_digest(self.digest, raw)
            if self.n <= self._known_effects:
                if self._journal.digest_at(self.n) != self.digest:
                    raise Diverged(f"effect {self.n} ({type(effect).__name__}) is not what the journal holds")
                continue
            self._journal.append_effect(self.n, seq, at, effect, raw, self.digest)
            durable = durable or isinstance(effect, _MUST_SURVIVE)
        if durable:
            self._journal.commit(durable=True)
