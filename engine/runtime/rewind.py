"""The exact past: a run taken again from its own journal, in memory, up to an instant that was asked for.

What came from outside, the configuration and the operator's commands, is in the journal;
the rest is the tape. Every effect is compared with the journal's digest chain on the way,
so that what is shown is what was, or nothing is shown. Nothing is written: the engine that
writes that journal may be running.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.core.state import State
from engine.model.codec import canonical, decode, encode, to_data
from engine.model.digest import GENESIS, next_digest
from engine.model.effects import Effect
from engine.model.events import Event, Start
from engine.model.time import DAY, SECOND, format_second, parse_duration, parse_instant
from engine.ports.feed import Tape
from engine.ports.journal import Checkpoint, JournalError, JournalReader
from engine.runtime.configured import FIRST, config_of, journalled_config, offer
from engine.runtime.cursor import FeedCursor
from engine.runtime.gate import PolicyGate
from engine.runtime.loop import Loop, Parts
from engine.runtime.options import RunError
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.record import Diverged
from engine.runtime.saved import Standing, commands_after, restore, unpack
from engine.runtime.wiring import Wired, wire

_PARTS = re.compile(r"[0-9.]+(?:ms|[smhd])", re.ASCII)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_INTERNAL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The core as it was at `at` (ns): everything that came up to and including that instant is in it."""

    state: State
    at: int
    from_seq: int
    """The input of the checkpoint that was begun from; 0 for the beginning of the run."""
    seq: int
    compared: int
    """How many effects were made again and found equal to the journal's."""
    tape: str


def moment_of(text: str, begin: int) -> int:
    """Return the instant (ns) that `text` names in a run that began at `begin`; ValueError says what is wrong.

    An ISO instant with its zone, `+1h20m` from the beginning, or a clock time (UTC): the
    first such time from the beginning on.
    """
    if text.startswith("+"):
        parts = _PARTS.findall(text)
        if not parts or "".join(parts) != text[1:]:
            raise ValueError(f"{text!r} is no time from the beginning: write +1h20m, +90s or +6h")
        return begin + sum(parse_duration(part) for part in parts)
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return parse_instant(text)
    wanted = (int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)) * SECOND
    at = begin - begin % DAY + wanted
    return at if at >= begin else at + DAY


def began_at(journal: JournalReader) -> int:
    """Return when the run in `journal` began (ns); JournalError where it has no beginning."""
    first = next(iter(journal.inputs_after(FIRST - 1)), None)
    if first is None or first.seq != FIRST:
        raise JournalError("the journal has no beginning", "ask a state directory in which a run has begun")
    return first.at


def reached(journal: JournalReader) -> int:
    """Return how far (ns) the run in `journal` is known to have come."""
    status = journal.get_status() or {}
    at = status.get("at")
    return max(journal.tail().at, at if isinstance(at, int) else 0)


def rewind(journal: JournalReader, tape: Tape, root: Path, until: int) -> Past:
    """Return the past at `until` (ns) of the run in `journal`, which was on `tape`.

    Begins at the newest checkpoint at or before `until`, or at the beginning. RunError for
    another tape or an instant outside the run, and with exit code 5 where what is made
    again is not what the journal holds; JournalError where the journal cannot be used.
    """
    begin, end = began_at(journal), reached(journal)
    if not begin <= until <= end:
        ask = f"ask for an instant from {format_second(begin)} to {format_second(end)}"
        raise RunError(f"the run was not under way at {format_second(until)}", ask)
    start, config = journalled_config(journal, root)
    if not _is_of(tape, start):
        raise RunError(f"{tape.header.name} is not the tape that this run was on", "give that tape to --tape")
    checkpoint = _checkpoint(journal, until)
    standing = None
    if checkpoint is not None:
        standing, data = unpack(checkpoint)
        config = config_of(journal, root, standing.source)
    wired = wire(config, tape, start.mode, at=tape.header.first_at)
    if checkpoint is not None:
        restore(data, wired.state, wired.venue)
    try:
        return _again(_Run(journal, tape, wired, root), standing, start, until)
    except Diverged as error:
        what = f"the run cannot be taken again: {error}"
        raise RunError(what, "keep this directory for a report", exit_code=_INTERNAL) from error


def fits(journal: JournalReader, tape: Tape) -> bool:
    """Whether the run in `journal` was on `tape`."""
    raw = journal.input_at(FIRST)
    start = None if raw is None else decode(Event, raw)
    return isinstance(start, Start) and _is_of(tape, start)


def _is_of(tape: Tape, start: Start) -> bool:
    """On a tape the nonce of client ids is the beginning of the tape's digest."""
    return bool(start.epoch) and sha256(canonical(to_data(tape.header))).hexdigest().startswith(start.epoch)


def _checkpoint(journal: JournalReader, until: int) -> Checkpoint | None:
    """Return the newest whole checkpoint at or before `until` that this engine can read."""
    found = journal.last_checkpoint(until=until).checkpoint
    try:
        if found is not None:
            unpack(found)
    except (KeyError, TypeError, ValueError):
        return None
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    journal: JournalReader
    tape: Tape
    wired: Wired
    root: Path


class _Comparison:
    """Stands where a run's record stands: chains what is made and holds it against the journal."""

    def __init__(self, journal: JournalReader, n: int, digest: bytes) -> None:
        self._journal = journal
        self.n, self.digest = n, digest
        self.compared = 0

    def input(self, seq: int, at: int, event: Event) -> None:
        """Raise Diverged where the journal holds another input under `seq`. What is not written yet is believed."""
        known = self._journal.input_at(seq)
        if known is not None and known != encode(event):
            raise Diverged(f"input {seq} is not what the journal holds")

    def effects(self, seq: int, at: int, effects: Sequence[Effect]) -> None:
        """Raise Diverged at the first effect that the journal's chain does not go through."""
        for effect in effects:
            self.n += 1
            self.digest = next_digest(self.digest, encode(effect))
            known = self._journal.digest_at(self.n)
            if known is None:
                continue
            if known != self.digest:
                raise Diverged(f"effect {self.n} ({type(effect).__name__}) is not what the journal holds")
            self.compared += 1


def _again(run: _Run, standing: Standing | None, start: Start, until: int) -> Past:
    state, venue = run.wired.state, run.wired.venue
    from_seq = 0 if standing is None else standing.seq
    record = _Comparison(run.journal, *((0, GENESIS) if standing is None else (standing.effect_n, standing.digest)))
    cursor = FeedCursor(run.tape, from_index=0 if standing is None else standing.feed_index)
    queue = TwoLaneQueue(market_bound=1)
    parts = Parts(
        state=state, cursor=cursor, venue=venue, queue=queue, record=record,
        performer=Performer(PolicyGate(state), venue, run.wired.notifier, queue.put_urgent), observe=lambda effect: 0.0,
        breathe=lambda at: True, checkpoint=lambda: None, checkpoint_every=1 << 62,
        taken=0 if standing is None else standing.taken, spoken=run.tape.header.spoken,
    )
    loop = Loop(parts)
    if standing is None:
        loop.take_urgent(run.tape.header.first_at, start)
    if standing is None or not standing.ended:
        loop.replay = commands_after(run.journal, max(from_seq, FIRST))
        offer(state, (command for _, command in loop.replay.values()), run.journal, run.root)
        while _comes(loop, parts) <= until and loop.take_next():
            pass
    return Past(
        state=state, at=until, from_seq=from_seq, seq=loop.seq, compared=record.compared, tape=run.tape.header.name
    )


_NEVER = 1 << 63


def _comes(loop: Loop, parts: Parts) -> int:
    """Return when the loop's next thing comes (ns), in the loop's own order; _NEVER where only wake-ups are left."""
    woken = _NEVER if parts.state.wake_at is None else parts.state.wake_at
    if len(parts.queue):
        return loop.at
    waiting = loop.replay.get(loop.seq + 1)
    if waiting is not None:
        return min(waiting[0], woken)
    due, feed = parts.venue.next_due(), parts.cursor.at
    soonest = min(_NEVER if one is None else one for one in (due, feed, loop.spoken_at))
    return _NEVER if soonest == _NEVER else min(soonest, woken)
