"""Killed at each boundary of an order's life, one after the other: nothing twice, nothing left, always a stop.

Boundaries are before and behind each commit, each message to the venue and each answer. All
of them are tried, none is sampled.
"""

from __future__ import annotations

import pytest

from engine.model.time import SECOND
from engine.runtime.simulate_plan import Crash
from engine.runtime.simulate_world import Ran
from tests.simulation.simulated import BEGINS, SOLD, STOPPED, Path, living

DOWN = 4 * SECOND
GRACE = 15 * SECOND
"""How long a position may be without its stop, while the engine is up."""
ENTRY_AND_EXIT = 2


def broken(ran: Ran) -> list[str]:
    return [f"{one.oracle}: {one.what}" for one in ran.seen.violations]


@pytest.mark.parametrize(("ending", "least_orders"), [(SOLD, 6), (STOPPED, 5)], ids=["sold", "stopped"])
def test_the_life_that_is_cut_is_a_whole_one(ending: Path, least_orders: int) -> None:
    """It enters, has its stop and its take-profits, and ends flat; twice the same."""
    worlds = [living(ending=ending), living(ending=ending)]
    first, second = [world.run() for world in worlds]
    assert broken(first) == []
    assert first.lives == 1 and first.fills >= ENTRY_AND_EXIT and first.seen.orders >= least_orders
    assert worlds[0].exchange.positions() == () and worlds[0].exchange.open_orders() == ()
    assert first.seen.worst_unprotected < SECOND
    assert (first.digest, first.boundaries) == (second.digest, second.boundaries)


@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("ending", [SOLD, STOPPED], ids=["sold", "stopped"])
def test_killed_at_every_boundary_nothing_is_doubled_orphaned_or_unprotected(ending: Path, power_cut: bool) -> None:
    """The laws hold in each of the K runs, each of which really died once, and what was bought is sold."""
    boundaries = living(ending=ending).run().boundaries
    wrong: list[str] = []
    bought = 0
    # A power cut differs from a kill only where something was committed and not synced: every fourth will do.
    for nth in range(1, boundaries + 1, 4 if power_cut else 1):
        world = living(Crash(armed_at=BEGINS, nth=nth, down=DOWN, power_cut=power_cut), ending=ending)
        ran = world.run()
        wrong += [f"killed at {nth}: {what}" for what in broken(ran)]
        if ran.lives != 2:
            wrong.append(f"killed at {nth}: it lived {ran.lives} times")
        if ran.seen.worst_unprotected > GRACE:
            wrong.append(f"killed at {nth}: no stop for {ran.seen.worst_unprotected / 1e9:.1f} s")
        if world.exchange.positions() or world.exchange.open_orders():
            wrong.append(f"killed at {nth}: something is left at the venue")
        bought += ran.fills > 0
    assert wrong == []
    assert boundaries > 100 and bought > boundaries // (8 if power_cut else 2)
