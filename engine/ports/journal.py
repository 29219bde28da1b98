"""What the engine must not lose, in the order it happened.

Inputs that must survive are written before anyone reacts to them, intents before they
are sent. Nothing appended counts as kept until `commit` returns. A journal that failed
once stays failed: going on without one would forget orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.model.codec import Data
from engine.model.effects import Effect
from engine.model.events import Event


class JournalError(Exception):
    """The journal cannot be opened, read or written: what happened, and what to do. Exit code 2."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what}\n    fix: {fix}")


class ClientIdReused(JournalError):
    """An order was to be written under a client id that was used before. It must not be sent."""


class JournalledInput(NamedTuple):
    """An input as it was written; `payload` is `codec.encode(event)`."""

    seq: int
    at: int
    payload: bytes


class JournalledEffect(NamedTuple):
    """Effect `n` (from 1) of the run; `seq` is the input it came of, `digest` the chain's link after it."""

    n: int
    seq: int
    at: int
    kind: str
    payload: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Where the journal ends. Zeros and GENESIS where there is nothing yet.

    `seq` is the highest that anything in the journal came of, market events included as
    far as they left a trace: whoever appends an input offline takes the one behind it.
    """

    input_seq: int
    effect_n: int
    seq: int
    at: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state after input `seq`, with effects up to `effect_n` made; `payload` is whatever the run needs to go on."""

    seq: int
    at: int
    effect_n: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCheckpoint:
    """The newest checkpoint that is whole, or None, and a sentence for each newer one that is damaged."""

    checkpoint: Checkpoint | None
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Which records to look for; every field that is set must hold. Times in ns, inclusive."""

    rule: str = ""
    client_id: str = ""
    symbol: str = ""
    kind: str = ""
    since: int | None = None
    until: int | None = None
    newest: int = 0
    """Only that many, the newest; 0 for all. They come in the order they happened either way."""


class JournalReader(Protocol):
    """Looks at what was committed, also while an engine writes. Every method may raise JournalError."""

    def tail(self) -> Tail:
        """Return where the journal ends."""

    def input_at(self, seq: int) -> bytes | None:
        """Return the payload of input `seq`; None for one that is not journalled (market events)."""

    def digest_at(self, n: int) -> bytes | None:
        """Return the chain's link after effect `n`, GENESIS for 0, None beyond the end."""

    def inputs_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield the inputs behind `seq`, in order."""

    def all_after(self, seq: int) -> Iterator[JournalledInput]:
        """Yield the inputs behind `seq` and the market events among them that were kept, in order."""

    def effects_after(self, n: int) -> Iterator[JournalledEffect]:
        """Yield the effects behind `n`, in order."""

    def effects_about(self, about: About) -> Iterator[JournalledEffect]:
        """Yield the effects that are about something, in order: what `explain` is made of."""

    def inputs_about(self, about: About) -> Iterator[JournalledInput]:
        """Yield the inputs that are about an order or a symbol, in order."""

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes whose SHA-256 is `digest` (hex), or None; JournalError if they are damaged."""

    def last_checkpoint(self, *, until: int | None = None) -> FoundCheckpoint:
        """Return the newest checkpoint (at or before `until`, ns) whose hash still fits, naming those skipped."""

    def verify(self) -> str:
        """Return where the digest chain or the database is broken, in words; empty when all is whole."""

    def get_status(self) -> Data | None:
        """Return the last status that was put, or None."""

    def close(self) -> None:
        """Let go of the journal. What was not committed is gone."""


class Journal(JournalReader, Protocol):
    """A journal one engine writes to, under the lock of its state directory."""

    def append_input(self, seq: int, at: int, event: Event) -> None:
        """Add an input. It must survive, so the next commit is durable whatever it is asked for."""

    def append_market(self, seq: int, at: int, event: Event) -> None:
        """Add a market event of a live run, kept until no checkpoint needs it. It waits for the next commit."""

    def append_effect(  # noqa: PLR0913 -- the columns of one row
        self, n: int, seq: int, at: int, effect: Effect, raw: bytes, digest: bytes
    ) -> None:
        """Add effect `n` with its canonical bytes and the link after it; ClientIdReused for a repeated order."""

    def commit(self, *, durable: bool = False) -> None:
        """Keep what was appended: over a crash of the process always, over a power cut when `durable`."""

    def put_blob(self, data: bytes) -> str:
        """Add `data` by its content and return its SHA-256 in hex."""

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint and commit durably with all that precedes it; only the newest three are kept."""

    def put_status(self, status: Data) -> None:
        """Replace the status row. Committed with the next commit."""
