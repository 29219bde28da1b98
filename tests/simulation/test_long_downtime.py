"""A process that was away for long does not ask its questions once for each time that they were due meanwhile."""

from __future__ import annotations

from collections import Counter

from engine.model.effects import AskVenue
from engine.model.reports import Query
from engine.model.time import MINUTE, SECOND
from engine.ports.venue import SimulatedVenue
from engine.runtime.simulate_between import Between
from engine.runtime.simulate_broken import Break
from engine.runtime.simulate_plan import Crash
from engine.runtime.taking import asked_again
from tests.simulation.simulated import BEGINS, living

ARMED = BEGINS + int(3.2 * MINUTE)
DOWN = 110 * SECOND


class Hears(Between):
    """Notes every question that is sent."""

    heard: Counter[tuple[int, tuple[str, ...]]]

    def ask(self, ask: AskVenue, at: int) -> None:
        self.heard[at, (ask.query, ask.symbol, ask.client_id, ask.why)] += 1
        self._inner.ask(ask, at)


def test_what_was_due_many_times_while_nobody_was_there_is_not_asked_many_times() -> None:
    """It held a position with its stop: every fifteen seconds it would have asked for both, and after each order."""
    asked: Counter[tuple[int, tuple[str, ...]]] = Counter()

    def heard_by(venue: SimulatedVenue) -> SimulatedVenue:
        made = Hears(venue)
        made.heard = asked
        return made

    ran = living(
        Crash(armed_at=ARMED, nth=1, down=DOWN), fault=Break(name="none", oracle="", what="hears", venue=heard_by)
    ).run()
    assert ran.seen.violations == [] and ran.lives == 2 and ran.fills
    back = [number for (at, _), number in asked.items() if at >= ARMED + DOWN]
    # Once for all the timers, and of what the process before had asked once more, because it died with it.
    assert len(back) > 10 and max(asked.values()) <= 2


def ask(number: int, **fields: object) -> AskVenue:
    told = {"at": 1, "query": Query.ACCOUNT, "venue": "paper", "why": "schedule", **fields}
    return AskVenue(ask=number, **told)  # type: ignore[arg-type]


def test_only_the_same_question_is_the_same() -> None:
    again = asked_again([
        ask(1), ask(2, why="a run began"), ask(3, query=Query.ORDER, client_id="a"), ask(4), ask(5, venue="other"),
        ask(6, query=Query.ORDER, client_id="a", conditional=True), ask(7, query=Query.ORDER, client_id="a"), ask(8),
    ])
    assert again == {1, 3, 4}, "of each the last is sent"
    assert asked_again([ask(1)]) == frozenset()
