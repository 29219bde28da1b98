"""Fast replay and the exact one agree, transition by transition."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.workbench.fast import fast_replay
from engine.workbench.replay import ReplayOptions, replay
from engine.workbench.timeline import Timeline
from tests.workbench.fast_world import Drawn, draw_world


def comparable(timeline: Timeline) -> Timeline:
    """Return `timeline` without what fast replay does not promise: inputs, and the order of latches of one instant."""
    instances = {
        name: replace(one, transitions=tuple(replace(move, inputs=()) for move in one.transitions))
        for name, one in timeline.instances.items()
    }
    return replace(timeline, instances=instances, open_latches=tuple(sorted(timeline.open_latches)))


def assert_same(world: Drawn, options: ReplayOptions, workers: int = 1) -> Timeline:
    exact = comparable(replay(world.ruling, world.history, options=options))
    fast = comparable(fast_replay(world.ruling, world.history, options=options, workers=workers))
    for name in exact.instances:
        assert fast.instances.get(name) == exact.instances[name], name
    assert fast == exact
    return exact


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1 << 32), rearm=st.sampled_from(["recorded", "on-clear", "never"]))
def test_fast_and_exact_replay_agree(seed: int, rearm: str) -> None:
    world = draw_world(Random(seed), rules=3, steps=80)
    assert_same(world, ReplayOptions(rearm=rearm))  # type: ignore[arg-type]
