"""Replay by columns: what a ruling would have done over months of history, in seconds.

Expressions run as three-valued columns over a series and a day at a time, split over
processes. Of all rows only those at which an answer changes are then replayed, through
the same lifecycle, latches and timers as ever. The timeline is that of `replay`, but for
what a transition read, which is not kept, and the order of latches that closed at one instant.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

from engine.model.history import MarkKind
from engine.model.time import DAY
from engine.ports.history import ColumnarHistory
from engine.ruleset.compiled import CompiledRule
from engine.ruleset.reading import signals_of
from engine.ruleset.ruling import Ruling
from engine.workbench.fast_arrays import numpy
from engine.workbench.fast_inputs import Inputs
from engine.workbench.fast_plan import Plan, plan
from engine.workbench.fast_play import Closed, Played, Stepping, play
from engine.workbench.fast_thin import Thinned, Thinner, questions
from engine.workbench.replay import ReplayOptions
from engine.workbench.replayable import not_replayable
from engine.workbench.timeline import Judgement, Timeline

_TOGETHER = 64
"""Instances that are played in one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FastReplay:
    """A timeline and how it was come by."""

    timeline: Timeline
    exact: Mapping[str, str]
    """Rule id -> why it was replayed step by step after all."""
    answers: int
    """How often a condition was answered by columns: points of its inputs, over all instances."""
    points: int
    """How many of them were left to be replayed."""


def fast_replay(ruling: Ruling, history: ColumnarHistory, *, options: ReplayOptions, workers: int = 2) -> Timeline:
    """Return what `replay` returns, without what transitions read; HistoryError where history cannot be read.

    `workers` processes share the work; at 1 it is done in this one.
    """
    return fast_replay_told(ruling, history, options=options, workers=workers).timeline


def fast_replay_told(
    ruling: Ruling, history: ColumnarHistory, *, options: ReplayOptions, workers: int = 2, stretch: int = DAY
) -> FastReplay:
    """Like `fast_replay`, and tell what had to be replayed step by step, and how much was left to replay.

    History is split every `stretch` ns, counted from the epoch.
    """
    numpy()
    left_out = not_replayable(ruling, history, options.symbols)
    if any(mark.kind is MarkKind.PROPOSAL for mark in history.marks()):
        # What is let through hangs on all rules together, and on entry rules, which have no instances.
        why = dict.fromkeys((rule.id for rule in ruling.rules.rules), "the history holds proposals")
        return FastReplay(timeline=Stepping(ruling, history, options).run(), exact=why, answers=0, points=0)
    planned = plan(ruling, history, options, left_out, stretch)
    with _pool(history.opener(), planned, workers) as run:
        parts, answers = _thinned(planned, run)
        played = _played(planned, parts, run)
    points = sum(len(part.at) for found in parts for part in found)
    stepped = _stepped(ruling, history, options, planned.exact)
    return FastReplay(
        timeline=_joined(ruling, history, options, played, stepped, left_out), exact=planned.exact, answers=answers,
        points=points,
    )


class _Worker:
    """What one process keeps between its tasks."""

    def __init__(self, opener: Callable[[], ColumnarHistory], planned: Plan) -> None:
        self._plan = planned
        ruling = planned.ruling
        words = {word: code for code, word in enumerate(planned.cast.words)}
        flags = ruling.flag_values()
        asked = [
            questions(CompiledRule(rule, ruling.catalogue, frozenset()), ruling.catalogue, flags)
            for rule in ruling.rules.rules
        ]
        inputs = Inputs(opener(), ruling.catalogue, planned.around, planned.read, words)
        self._thinner = Thinner(asked, inputs, words)

    def thin(self, stretch: int, group: int) -> list[Thinned]:
        """Return what is left of a stretch for each instance of a group."""
        self._thinner.turn_to(*self._plan.stretches[stretch])
        wanted = self._plan.wanted
        return [self._thinner.thin(wanted[place]) for place in self._plan.groups[group]]

    def play(self, places: Sequence[int], parts: Sequence[Sequence[Thinned]]) -> list[Played]:
        """Return what became of the instances at `places`."""
        planned, found = self._plan, []
        ruling = planned.ruling
        for place, own in zip(places, parts, strict=True):
            wanted = planned.wanted[place]
            alone = replace(ruling, rules=replace(ruling.rules, rules=(ruling.rules.rules[wanted.rule],)))
            found.append(play(alone, planned.cast, wanted, planned.heard.get(place), own))
        return found


_worker: list[_Worker] = []
"""The worker of this process, where this process is one."""


def _begin(opener: Callable[[], ColumnarHistory], planned: Plan) -> None:
    _worker[:] = [_Worker(opener, planned)]


def _thin(task: tuple[int, int]) -> list[Thinned]:
    return _worker[0].thin(*task)


def _play(task: tuple[Sequence[int], Sequence[Sequence[Thinned]]]) -> list[Played]:
    return _worker[0].play(*task)


class _Here:
    """Runs tasks in this process."""

    def __init__(self, opener: Callable[[], ColumnarHistory], planned: Plan) -> None:
        self._worker = _Worker(opener, planned)

    def thin(self, tasks: Sequence[tuple[int, int]]) -> Iterator[list[Thinned]]:
        """Yield what is left, task by task."""
        return (self._worker.thin(*task) for task in tasks)

    def play(self, tasks: Sequence[tuple[Sequence[int], Sequence[Sequence[Thinned]]]]) -> Iterator[list[Played]]:
        """Yield what became of instances, task by task."""
        return (self._worker.play(*task) for task in tasks)

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Beside:
    """Runs tasks in processes of their own."""

    def __init__(self, opener: Callable[[], ColumnarHistory], planned: Plan, workers: int) -> None:
        # A fresh process each: a copy of one in which a database has threads may hang.
        self._pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(opener, planned),
        )

    def thin(self, tasks: Sequence[tuple[int, int]]) -> Iterator[list[Thinned]]:
        """Yield what is left, in the order of the tasks."""
        return self._pool.map(_thin, tasks)

    def play(self, tasks: Sequence[tuple[Sequence[int], Sequence[Sequence[Thinned]]]]) -> Iterator[list[Played]]:
        """Yield what became of instances, in the order of the tasks."""
        return self._pool.map(_play, tasks)

    def __enter__(self) -> _Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _pool(opener: Callable[[], ColumnarHistory], planned: Plan, workers: int) -> _Here | _Beside:
    few = workers <= 1 or len(planned.groups) * len(planned.stretches) <= 1
    return _Here(opener, planned) if few else _Beside(opener, planned, workers)


def _thinned(planned: Plan, run: _Here | _Beside) -> tuple[list[list[Thinned]], int]:
    """Return what is left of every stretch by instance, and how often a condition was answered."""
    parts: list[list[Thinned]] = [[] for _ in planned.wanted]
    tasks = [(stretch, group) for group in range(len(planned.groups)) for stretch in range(len(planned.stretches))]
    answers = 0
    for (_, group), found in zip(tasks, run.thin(tasks), strict=True):
        for place, part in zip(planned.groups[group], found, strict=True):
            answers += part.rows
            # The first part also says what was before it; a later one without points says nothing.
            if not parts[place] or len(part.at) or any(part.since):
                parts[place].append(part)
    return parts, answers


def _played(planned: Plan, parts: list[list[Thinned]], run: _Here | _Beside) -> list[Played]:
    places = range(len(planned.wanted))
    tasks = [
        (some, [parts[place] for place in some])
        for some in (places[first:first + _TOGETHER] for first in range(0, len(places), _TOGETHER))
    ]
    return [one for found in run.play(tasks) for one in found]


def _stepped(
    ruling: Ruling, history: ColumnarHistory, options: ReplayOptions, exact: Mapping[str, str]
) -> tuple[Timeline, tuple[Closed, ...]] | None:
    """Replay step by step what columns cannot say; None for nothing."""
    if not exact:
        return None
    read = {
        name for rule in ruling.rules.rules if rule.id in exact for name in signals_of(rule.expr, rule.clear_expr)
    }
    # A window that two rules read is one window, kept since the first of them came up: so they go together.
    rules = tuple(
        rule for rule in ruling.rules.rules
        if rule.id in exact or not read.isdisjoint(signals_of(rule.expr, rule.clear_expr))
    )
    stepping = Stepping(replace(ruling, rules=replace(ruling.rules, rules=rules)), history, options)
    timeline = stepping.run()
    return timeline, stepping.closed()


def _joined(  # noqa: PLR0913 - the parts of one timeline
    ruling: Ruling, history: ColumnarHistory, options: ReplayOptions, played: Sequence[Played],
    stepped: tuple[Timeline, tuple[Closed, ...]] | None, left_out: Mapping[str, str],
) -> Timeline:
    header = history.header
    instances = {name: one for found in played for name, one in found.instances.items()}
    closed = {latch.name: latch for found in played for latch in found.closed}
    judgements: tuple[Judgement, ...] = ()
    if stepped is not None:
        judgements = stepped[0].judgements
        instances.update(stepped[0].instances)
        closed.update((latch.name, latch) for latch in stepped[1])
    begin = header.first_at if options.begin is None else options.begin
    return Timeline(
        begin=begin, end=header.last_at if options.end is None else options.end,
        instances=dict(sorted(instances.items())), judgements=judgements, not_replayable=left_out,
        open_latches=tuple(latch.name for latch in sorted(closed.values())), rows=history.count(options.end),
    )


__all__ = ["FastReplay", "fast_replay", "fast_replay_told"]
