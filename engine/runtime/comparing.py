"""Two sides, one history: what is replayed for a comparison, and what of the history was known.

On a tape the history is what the base's own run of it hears. Where the sides differ in
their signals, each hears the tape through its own catalogue: then their orders are two
stories, and are not compared one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.model.history import HistoryHeader
from engine.model.samples import SignalSpec
from engine.ports.feed import Tape
from engine.ports.history import History
from engine.ruleset.diagnostics import Finding
from engine.ruleset.loosening import compare
from engine.ruleset.reading import timed_signals
from engine.ruleset.ruling import Ruling
from engine.runtime.acks import ACKS, Acks, entry, read_acks
from engine.runtime.history import tape_history
from engine.runtime.revisions import Revision
from engine.runtime.wiring_history import open_history
from engine.workbench.diff import Compared, Report, Setting, diff
from engine.workbench.diff_columns import count_columns, with_inputs
from engine.workbench.diff_coverage import CoverageCount, signals_read
from engine.workbench.diff_report import Acknowledged, Range, SideInfo
from engine.workbench.fast import fast_replay
from engine.workbench.replay import Rearm, ReplayOptions, default_rearm, replay
from engine.workbench.timeline import Timeline

Told = Callable[[str], None]
"""Hears what is being done, for a progress line."""
Play = Callable[[Ruling, ReplayOptions], Timeline]
_REARMS = {
    "recorded": "as they were recorded, on both sides",
    "on-clear": "on-clear: a latch ends as soon as `engine rearm` would accept it, on both sides",
    "never": "never: a latch holds to the end of the history, on both sides",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What to replay. `rearm` None: recorded where the history has re-arms, else on-clear. Instants in ns."""

    rearm: Rearm | None = None
    symbols: frozenset[str] = frozenset()
    begin: int | None = None
    end: int | None = None
    workers: int = 2
    """Processes that share a replay by columns."""
    exact: bool = False
    """Whether recorded history is replayed step by step, which keeps what was read, and takes its time."""
    asked: str = ""
    """The options that named the history, as they are typed, for whoever acknowledges."""

    def options(self, header: HistoryHeader) -> ReplayOptions:
        """Return how a history with `header` is replayed."""
        rearm = self.rearm or default_rearm(header)
        return ReplayOptions(rearm=rearm, symbols=self.symbols, begin=self.begin, end=self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both sides, usable."""

    base: Revision
    head: Revision

    def reads(self) -> set[str]:
        """Return every signal that a rule of either side reads."""
        return signals_read([*self.base.config.ruling().rules.rules, *self.head.config.ruling().rules.rules])


def over_tape(pair: Pair, tape: Tape, wanted: Comparison, told: Told = lambda text: None) -> Report:
    """Return how the sides differ over `tape`. TapeError where it cannot be read."""
    rulings = [side.config.ruling() for side in (pair.base, pair.head)]
    also = timed_signals(rulings[1].rules.rules) & frozenset(rulings[0].catalogue.specs)
    told("the tape as the base hears it")
    history = tape_history(pair.base.config, tape, also=also)
    histories = (history, history)
    notes: tuple[str, ...] = ()
    if rulings[0].catalogue.digest != rulings[1].catalogue.digest:
        told("the tape as the head hears it")
        histories = (history, tape_history(pair.head.config, tape))
        notes = (
            "The sides differ in their signals: each heard the tape through its own catalogue and placed its own "
            "orders, which are not compared one by one.",
        )

    def play(heard: History) -> Play:
        return lambda ruling, options: replay(ruling, heard, options=options)

    def cover(count: CoverageCount, end: int) -> None:
        for record in history.records():
            if record.at >= end:
                break
            count.add(record)

    return _compared(pair, wanted, _Playing(
        header=history.header, play=(play(histories[0]), play(histories[1])), cover=cover, told=told, notes=notes,
        apart=histories[0] is not histories[1],
    ))


def over_history(pair: Pair, path: Path, wanted: Comparison, told: Told = lambda text: None) -> Report:
    """Return how the sides differ over the history in the directory `path`. HistoryError where it cannot be read."""
    told("the history")
    history = open_history(path)
    notes: tuple[str, ...] = ()
    if pair.base.config.ruling().catalogue.digest != pair.head.config.ruling().catalogue.digest:
        notes = (
            "The sides differ in their signals. A history says what was stale as it was recorded: what another "
            "max_age or range would have made of it is not shown here.",
        )
    exact = wanted.exact

    def play(ruling: Ruling, options: ReplayOptions) -> Timeline:
        if exact:
            return replay(ruling, history, options=options)
        return fast_replay(ruling, history, options=options, workers=wanted.workers)

    def cover(count: CoverageCount, end: int) -> None:
        count_columns(history, _specs(pair), count, end)

    report = _compared(pair, wanted, _Playing(header=history.header, play=(play, play), cover=cover, told=told,
                                              notes=notes, exact=exact))
    return with_inputs(report, history, pair.base.config.ruling(), pair.head.config.ruling())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Playing:
    """How either side is replayed, and how the coverage of the history is counted."""

    header: HistoryHeader
    play: tuple[Play, Play]
    cover: Callable[[CoverageCount, int], None]
    told: Told
    notes: tuple[str, ...]
    exact: bool = True
    apart: bool = False
    """Whether each side heard a history of its own: then their orders are not one by one the same."""


def _compared(pair: Pair, wanted: Comparison, playing: _Playing) -> Report:
    options = wanted.options(playing.header)
    timelines: list[Timeline] = []
    for side, play, name in zip((pair.base, pair.head), playing.play, ("base", "head"), strict=True):
        playing.told(f"the {name} over it")
        timelines.append(play(side.config.ruling(), options))
    if playing.apart:
        timelines = [replace(one, judgements=()) for one in timelines]
    begin, end = timelines[0].begin, min(timelines[0].end, timelines[1].end)
    count = CoverageCount(_specs(pair), pair.reads(), begin)
    playing.told("what was known of it")
    playing.cover(count, end)
    setting = Setting(
        range=Range(
            name=playing.header.name, begin=begin, end=end, records=timelines[0].rows,
            symbols=tuple(sorted(wanted.symbols or count.symbols)), rearm=_REARMS[options.rearm], exact=playing.exact,
            asked=wanted.asked,
        ),
        coverage=count.covered(end), changes=compare(pair.base.config.ruling(), pair.head.config.ruling()),
        notes=(*playing.notes, *_settings_note(pair)),
    )
    return diff(_side(pair.base, timelines[0]), _side(pair.head, timelines[1]), setting)


def _specs(pair: Pair) -> dict[str, SignalSpec]:
    """Return the signals of both sides by name; where both have one, as the base says."""
    return {**pair.head.config.ruling().catalogue.specs, **pair.base.config.ruling().catalogue.specs}


def _side(side: Revision, timeline: Timeline) -> Compared:
    ruling = side.config.ruling()
    info = SideInfo(
        name=side.name, commit=side.commit, digest=ruling.digest, rules=len(ruling.rules.rules),
        conf_from=side.conf_from,
    )
    return Compared(info=info, ruling=ruling, timeline=timeline)


def _settings_note(pair: Pair) -> tuple[str, ...]:
    if pair.base.config.settings.deciding() == pair.head.config.settings.deciding():
        return ()
    return (
        "conf/engine.yaml differs in what decides (floor, account, quotes, venue): it is no part of a rule set, and is "
        "not compared here. Review it by hand.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Who may answer for a loosening: whoever typed the pair, or the acknowledgements in a file."""

    typed: str = ""
    """The pair that was typed; empty for none."""
    by: str = ""
    """Who is typing."""
    acks: Acks = field(default_factory=Acks)
    now: int = 0
    """ns, for the lines to paste."""


def answered(report: Report, answer: Answer) -> Report:
    """Return `report` with who answers for its loosening, or with what to paste so that somebody does."""
    if not report.loosenings:
        return report
    if answer.typed == report.pair:
        return replace(report, acknowledged=Acknowledged(by=answer.by, reason="", at=0))
    ack = answer.acks.by_pair.get(report.pair)
    if ack is not None:
        return replace(report, acknowledged=Acknowledged(by=ack.by, reason=ack.reason, at=ack.at))
    return replace(report, paste=entry(report.pair, answer.by, "say why this may protect less", answer.now))


def acks_of(pair: Pair, data: bytes | None, name: str) -> tuple[Acks, tuple[Finding, ...]]:
    """Return the acknowledgements in the file `name` (its bytes), or those the head brings where `data` is None."""
    return read_acks(pair.head.acks, f"{pair.head.name}:{ACKS}") if data is None else read_acks(data, name)
