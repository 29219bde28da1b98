"""Fast replay and the exact one agree, transition by transition."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.history import Record, Row
from engine.model.time import SECOND
from engine.runtime.wiring_history import history_writer, open_history
from engine.workbench.fast import FastReplay, fast_replay_told
from engine.workbench.replay import ReplayOptions, replay
from engine.workbench.timeline import Timeline
from tests.ruleset.notation import rule
from tests.workbench.fast_world import BEGIN, Drawn, draw_world, world_of


def comparable(timeline: Timeline) -> Timeline:
    """Return `timeline` without what fast replay does not promise: inputs, and the order of latches of one instant."""
    instances = {
        name: replace(one, transitions=tuple(replace(move, inputs=()) for move in one.transitions))
        for name, one in timeline.instances.items()
    }
    return replace(timeline, instances=instances, open_latches=tuple(sorted(timeline.open_latches)))


def assert_same(world: Drawn, options: ReplayOptions, **how: int) -> FastReplay:
    """Assert that both replays say the same; return the fast one."""
    exact = comparable(replay(world.ruling, world.history, options=options))
    told = fast_replay_told(world.ruling, world.history, options=options, **{"workers": 1, **how})
    fast = comparable(told.timeline)
    for name in exact.instances:
        assert fast.instances.get(name) == exact.instances[name], name
    assert fast == exact
    return told


seeds = st.integers(0, 1 << 32)
rearms = st.sampled_from(["recorded", "on-clear", "never"])


@settings(deadline=None, max_examples=20)
@given(seed=seeds, rearm=rearms)
def test_fast_and_exact_replay_agree(seed: int, rearm: Any) -> None:
    """Two days, three rules of any kind, everything that can happen to a signal."""
    assert_same(draw_world(Random(seed), rules=3, steps=60), ReplayOptions(rearm=rearm))


@settings(deadline=None, max_examples=12)
@given(seed=seeds, rearm=rearms, stretch=st.sampled_from([7, 13, 30, 60]))
def test_where_history_is_split_makes_no_difference(seed: int, rearm: Any, stretch: int) -> None:
    """Windows, ages and what was last heard reach over every edge."""
    world = draw_world(Random(seed), rules=3, steps=40, pauses=False)
    assert_same(world, ReplayOptions(rearm=rearm), stretch=stretch * SECOND)


@settings(deadline=None, max_examples=12)
@given(seed=seeds, data=st.data())
def test_a_range_and_symbols_are_those_of_the_exact_replay(seed: int, data: st.DataObject) -> None:
    world = draw_world(Random(seed), rules=3, steps=40, pauses=False)
    first, last = world.history.header.first_at, world.history.header.last_at
    edges = st.one_of(st.none(), st.integers(first, last + SECOND))
    begin, end = data.draw(edges), data.draw(edges)
    if begin is not None and end is not None and begin > end:
        begin, end = end, begin
    symbols = data.draw(st.sampled_from([frozenset[str](), frozenset({"AUSDT"}), frozenset({"NOBODY"})]))
    assert_same(world, ReplayOptions(rearm="on-clear", begin=begin, end=end, symbols=symbols))


def test_the_worlds_that_are_compared_exercise_what_rules_can_do() -> None:
    """Or else agreeing would mean little."""
    seen: Counter[str] = Counter()
    for seed in range(12):
        world = draw_world(Random(seed), rules=4, steps=60, pauses=False)
        timeline = replay(world.ruling, world.history, options=ReplayOptions(rearm="recorded"))
        for one in timeline.instances.values():
            seen.update(f"{move.before} to {move.after}" for move in one.transitions)
            seen.update(grip.because for grip in one.grips)
            seen["open episodes"] += sum(episode.open for episode in one.episodes)
            seen["doubt"] += one.unknown > 0
        seen["latches"] += len(timeline.open_latches)
        seen["words"] += sum("phase" in rule.expr.text for rule in world.ruling.rules.rules)
        seen["held conditions"] += sum("held(" in rule.expr.text for rule in world.ruling.rules.rules)
        seen["windows"] += sum("_over(" in rule.expr.text for rule in world.ruling.rules.rules)
    wanted = (
        "inactive to firing", "pending to firing", "inactive to held", "held to firing", "firing to clearing",
        "clearing to firing", "denied to granted", "granted to denied", "firing to inactive", "firing", "held",
        "latched", "cooldown", "open episodes", "doubt", "latches", "words", "held conditions", "windows",
    )
    assert not [name for name in wanted if not seen[name]], seen


def test_processes_and_the_disk_make_no_difference(tmp_path: Path) -> None:
    world = draw_world(Random(11), rules=5, steps=150, pauses=False)
    writer = history_writer(tmp_path, world.history.header)
    records = list(world.history.records())
    for seq, first in enumerate(range(0, len(records), 60)):
        for record in records[first:first + 60]:
            writer.add(record)
        writer.flush(seq)
    writer.close()
    stored = open_history(tmp_path)
    options = ReplayOptions(rearm="on-clear")
    exact = comparable(replay(world.ruling, world.history, options=options))
    assert comparable(replay(world.ruling, stored, options=options)) == replace(exact, end=stored.header.last_at)
    told = fast_replay_told(world.ruling, stored, options=options, workers=2, stretch=40 * SECOND)
    assert comparable(told.timeline) == comparable(replay(world.ruling, stored, options=options))


def test_what_columns_cannot_say_is_replayed_step_by_step_and_named() -> None:
    for seed in range(40):
        world = draw_world(Random(seed), rules=4, steps=60, pauses=False)
        told = assert_same(world, ReplayOptions(rearm="recorded"))
        if told.exact:
            break
    assert set(told.exact.values()) == {"LIMIT changes within the history"}
    reading = {rule.id for rule in world.ruling.rules.rules if "LIMIT" in rule.expr.flags}
    clearing = {rule.id for rule in world.ruling.rules.rules if rule.clear_expr and "LIMIT" in rule.clear_expr.flags}
    assert reading <= set(told.exact)
    assert set(told.exact) - clearing <= {
        rule.id for rule in world.ruling.rules.rules if "LIMIT" in rule.expr.text
    }


def test_few_points_are_left_of_a_calm_history() -> None:
    """A signal that moves all day and crosses its limit twice leaves what surrounds the two crossings."""
    spec = rule("a >= 10", id="guard.a")
    values = [1.0 + (place % 7) / 10 for place in range(3000)]
    values[1000:1010] = [12.0] * 10
    rows: list[Record] = [
        Row(BEGIN + place * SECOND, place + 1, "a", (), value, 0, 0) for place, value in enumerate(values)
    ]
    world = world_of((spec,), rows)
    told = assert_same(world, ReplayOptions(rearm="never"))
    assert told.answers == len(values)
    assert told.points == 3
    assert [move.at for move in told.timeline.instances["guard.a"].transitions][-2:] == [
        BEGIN + 1000 * SECOND, BEGIN + 1010 * SECOND,
    ]


def test_without_numpy_the_engine_runs_and_fast_replay_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "import engine.workbench.fast as fast\n"
        "from engine.ports.history import HistoryError\n"
        "from engine.workbench.replay import ReplayOptions\n"
        "try: fast.fast_replay(None, None, options=ReplayOptions(rearm='never'))\n"
        "except HistoryError as error: print(error.what, '|', error.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs numpy" in done.stdout and "runbook-engine[history]" in done.stdout
