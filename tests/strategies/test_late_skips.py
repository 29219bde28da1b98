"""Each skip tells whether it was for coming late, whatever EVENT_BREAKOUT_METRICS says: a rule cuts events by it."""

from __future__ import annotations

import pytest

from engine.model.time import SECOND
from tests.strategies.world import World, listed


def late(world: World) -> list[tuple[tuple[str, ...], float | bool | str]]:
    return [(one.labels, one.value) for one in world.derived if one.name == "event_bo_skip_late"]


@pytest.mark.parametrize("metrics", [True, False])
def test_a_skip_is_told_as_late_or_not_once_a_plan_and_reason(metrics: bool) -> None:
    world = World()
    world.flags = {**world.flags, "EVENT_BREAKOUT_METRICS": metrics}
    listed(world)
    world.refuses = lambda proposal: True
    world.price(10.3, after=5 * SECOND)
    world.price(10.3, after=5 * SECOND)
    assert late(world) == [(("ENTRY",), 0.0)], "some other rule of entries refused it"

    for _ in range(2):
        world.breakout.on_refused(world.at, world.asked[-1], "entry.late_chase")
        world.price(10.3, after=60 * SECOND)

    assert late(world) == [(("ENTRY",), 0.0), (("ENTRY",), 1.0)]
    assert any(one.name == "event_bo_skips_total" for one in world.derived) is metrics
