"""A hedge holds its market from the step that opens it on: for strategies, and for a process that takes over then."""

from __future__ import annotations

from pathlib import Path

from engine.core.step import Step
from engine.model.effects import PolicyChanged
from engine.model.events import Event
from engine.model.flags import FlagValue
from engine.model.market import FundingRate
from engine.model.orders import Intent
from engine.model.time import HOUR, MINUTE, SECOND, parse_instant
from tests.simulation.funding_runs import VENUE, Whole, in_order, quotes, root_of

NOON = parse_instant("2026-03-02T12:00:00Z")
FLAGS: dict[str, FlagValue] = {"FUNDING_HEDGE_RATIO": 0.5}
HOLD = "engine.hedge[BTCUSDT]"


class DiesAlways(Whole):
    """It is killed after each step, a timer's too, and goes on from a dump."""

    _busy = False

    def _after(self, made: Step) -> None:
        nested, self._busy = self._busy, True
        super()._after(made)
        self._busy = nested
        if not nested:
            self.cut()


def events(dear_for: int) -> list[tuple[int, Event]]:
    """Return a market in which a position is dear from the first minute on, for so many minutes, and then is not."""
    told: list[tuple[int, Event]] = []
    for at in range(NOON + MINUTE, NOON + 45 * MINUTE, 30 * SECOND):
        rate = 0.01 if at < NOON + (1 + dear_for) * MINUTE else 0.0001
        told.append((at, FundingRate(VENUE, "XYZUSDT", rate, 8 * HOUR, at, at)))
    every = range(NOON, NOON + 45 * MINUTE, 2 * MINUTE)
    return in_order(told, quotes("XYZUSDT", 100.0, NOON, every), quotes("BTCUSDT", 50_000.0, NOON, every))


def ran(place: Path, kind: type[Whole], until: int) -> Whole:
    """Return a run of `kind` with a position that is hedged, as it stands `until` minutes after noon."""
    place.mkdir()
    made = kind(root_of(place, FLAGS), {"XYZUSDT": "10"}, ("XYZUSDT", "BTCUSDT"), NOON)
    return made.play(one for one in events(dear_for=3) if one[0] <= NOON + until * MINUTE)


def test_the_market_of_a_hedge_is_held_in_the_step_that_opens_it_and_no_longer_than_it_stands(tmp_path: Path) -> None:
    run = ran(tmp_path / "run", Whole, 44)
    (opened,), (hedge,) = run.targets("hedge_ratio"), run.orders(Intent.HEDGE)
    changes = [one for one in run.effects if isinstance(one, PolicyChanged)]
    first = next(one for one in changes if HOLD in one.binding)
    assert first.at == opened.at == hedge.at
    assert run.held("BTCUSDT") == 0, "the spike is over, and it was taken back"
    assert HOLD not in changes[-1].binding


def test_killed_after_every_step_it_is_the_same_run(tmp_path: Path) -> None:
    through, cut = ran(tmp_path / "one", Whole, 6), ran(tmp_path / "two", DiesAlways, 6)
    assert cut.effects == through.effects
    assert through.held("BTCUSDT") < 0 and through.orders(Intent.HEDGE)
