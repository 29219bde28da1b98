"""History made: a whole tape at once in memory, or record by record while an engine runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from engine.model.codec import canonical, to_data
from engine.model.effects import Effect
from engine.model.events import Event, RunMode, Start, StopCommand
from engine.model.history import HistoryHeader, MarkKind, Record
from engine.ports.feed import Tape
from engine.ports.history import HistoryWriter
from engine.ruleset.reading import signals_of, timed_signals
from engine.runtime.config import Config
from engine.runtime.cursor import FeedCursor
from engine.runtime.gate import PolicyGate
from engine.runtime.loop import Loop, Parts
from engine.runtime.perform import Performer
from engine.runtime.queue import TwoLaneQueue
from engine.runtime.wiring import Wired, wire
from engine.signals.catalogue import Catalogue
from engine.signals.recorded import RecordedSnapshot, Recorder
from engine.signals.snapshot import Snapshot

TAPE_EPOCH = 10
"""Characters of the nonce in client ids. On a tape it comes from the tape, so that two runs agree."""
TAPE_OVER = "the tape is over"


def tape_identity(tape: Tape) -> str:
    """Return what tells `tape` from any other: the SHA-256 (hex) of its header."""
    return sha256(canonical(to_data(tape.header))).hexdigest()


@dataclass(frozen=True, slots=True)
class TapeHistory:
    """The history of one run over a tape, in memory."""

    header: HistoryHeader
    kept: Sequence[Record]

    def records(self) -> Iterator[Record]:
        """Yield every record in order of happening."""
        yield from self.kept


def tape_history(
    config: Config, tape: Tape, *, observe: Callable[[Effect], None] = lambda effect: None,
    also: frozenset[str] = frozenset(),
) -> TapeHistory:
    """Run the core of a usable `config` over `tape` in memory and return its history; `observe` hears every effect.

    Of the signals in `also` every sample is kept, as of those whose windows or ages the
    rules of `config` read: another set of rules may read theirs.
    It decides what a dry run on that tape decides, on the same simulated venue; no
    journal and no state directory is touched. TapeError where the tape cannot be read.
    """
    kept: list[Record] = []
    complete = timed_signals(config.ruling().rules.rules) | also
    recorder = Recorder(kept.append, complete)
    wired = wire(config, tape, RunMode.DRY_RUN, at=tape.header.first_at, fresh=fresh_with(recorder))
    last_at = _play(config, tape, wired, observe)
    wired.state.snapshot.note(last_at, MarkKind.END, {})
    header = _header(config, tape, complete, frozenset())
    return TapeHistory(replace(header, last_at=last_at), kept)


def _header(
    config: Config, tape: Tape, complete: frozenset[str], decimated: frozenset[str]
) -> HistoryHeader:
    """Return what a history of a run of `config` on `tape` covers when it begins."""
    ruling, known = config.ruling(), tape.header
    return HistoryHeader(
        name=known.name, first_at=known.first_at, last_at=known.first_at, producers=tuple(sorted(known.producers)),
        complete=tuple(sorted(complete)), decimated=tuple(sorted(decimated)),
        catalogue_digest=ruling.catalogue.digest, rules_digest=ruling.rules.digest, has_rearms=bool(tape.header.spoken),
        signals=tuple(ruling.catalogue.specs.values()),
    )


def fresh_with(recorder: Recorder) -> Callable[[Catalogue], Snapshot]:
    """Return what makes snapshots that tell `recorder`."""
    return partial(RecordedSnapshot, recorder=recorder)


@dataclass(frozen=True, slots=True)
class Recording:
    """A run's history while it is made: who numbers the records, and who keeps them."""

    recorder: Recorder
    writer: HistoryWriter


def recording_of(
    config: Config, tape: Tape, path: Path, opened: Callable[[Path, HistoryHeader], HistoryWriter]
) -> Recording | None:
    """Return what records a run of `config` on `tape` into the directory `path`; None where nobody wants it.

    A resumed run is given the configuration that it began with, whatever was reloaded since:
    what a history covers is said once. HistoryError where it cannot be kept.
    """
    if not config.settings.history.record:
        return None
    ruling = config.ruling()
    complete = timed_signals(ruling.rules.rules)
    # What a rule reads is never thinned: its history must be able to answer for it.
    read = {name for rule in ruling.rules.rules for name in signals_of(rule.expr, rule.clear_expr)}
    decimated = frozenset(name for name, spec in ruling.catalogue.specs.items() if spec.decimate) - read
    writer = opened(path, _header(config, tape, complete, decimated))
    return Recording(Recorder(writer.add, complete, decimated), writer)


class _Unwritten:
    """Stands where a run's record stands, and writes nothing."""

    def input(self, seq: int, at: int, event: Event) -> None:
        """Forget an input."""

    def effects(self, seq: int, at: int, effects: Sequence[Effect]) -> None:
        """Forget what was decided."""


def _play(config: Config, tape: Tape, wired: Wired, observe: Callable[[Effect], None]) -> int:
    """Drive `wired` over all of `tape`; return when it ended (ns)."""
    state, venue = wired.state, wired.venue
    queue = TwoLaneQueue(market_bound=1)

    def heard(effect: Effect) -> float:
        observe(effect)
        return 0.0

    loop = Loop(
        Parts(
            state=state, cursor=FeedCursor(tape), venue=venue, queue=queue, record=_Unwritten(),
            performer=Performer(PolicyGate(state), venue, wired.notifier, queue.put_urgent), observe=heard,
            breathe=lambda at: True, checkpoint=lambda: None, checkpoint_every=1 << 62, spoken=tape.header.spoken,
        )
    )
    loop.take_urgent(tape.header.first_at, _start(config, tape))
    while loop.take_next():
        pass
    loop.take_urgent(loop.at, StopCommand(actor="engine", reason=TAPE_OVER))
    return loop.at


def _start(config: Config, tape: Tape) -> Start:
    blobs = config.blobs
    return Start(
        mode=RunMode.DRY_RUN, epoch=tape_identity(tape)[:TAPE_EPOCH],
        rules_digest=blobs.digest("rules"), catalogue_digest=blobs.digest("catalogue"),
        flags_digest=blobs.digest("flags"), settings_digest=blobs.digest("settings"),
        source_digest=blobs.digest("source"),
    )
