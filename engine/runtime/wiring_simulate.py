"""Which adapters a simulation is made of."""

from __future__ import annotations

from collections.abc import Callable

from engine.adapters.journal_memory import MemoryJournal
from engine.adapters.notifier_print import JournalledNotifier
from engine.adapters.tape_random import Story, random_tape
from engine.adapters.venue_paper import PaperVenue
from engine.exchange.settings import ExchangeSettings
from engine.model.time import SECOND
from engine.ports.feed import Tape
from engine.runtime.config import Config
from engine.runtime.simulate_broken import SOUND, Break
from engine.runtime.simulate_judge import Judge
from engine.runtime.simulate_plan import Bounds, Plan, Scene
from engine.runtime.simulate_wire import Boundaries, Trace
from engine.runtime.simulate_world import Around, World

PAPER = "paper"
VENUES = (PAPER,)
WARM_UP = 10 * SECOND
"""The market is older than the engine: when it starts there are prices."""
REMEMBERED = 4096
"""How much the venue remembers: nothing of a simulated hour is forgotten."""


def market(seed: int, minutes: int, venue: str = PAPER) -> tuple[Tape, Scene]:
    """Return the market of `seed` on `venue`, and where in it trouble may come."""
    story = Story(seed=str(seed), venue=venue, minutes=minutes)
    tape = random_tape(story)
    hot = tuple(chapter.start for chapter in tape.header.chapters)
    return tape, Scene(begins=story.start + WARM_UP, calm_from=story.quiet_from, hot=hot, venue=venue)


def world(config: Config, tape: Tape, plan: Plan, *, fault: Break = SOUND, whole_trace: bool = False) -> World:
    """Return the world in which `plan` happens to an engine of `config` on the market of `tape`."""
    settings = ExchangeSettings(
        account=config.settings.account, seed=str(plan.seed), remembered=REMEMBERED, funding=True,
        one_close_per_side=True,
    )
    venue = PaperVenue(settings, plan.faults)
    for instrument in tape.header.instruments:
        venue.define(instrument)
    trace, boundaries = Trace(whole_trace), Boundaries()
    excused = tuple((silence.start, silence.end) for silence in plan.faults.silences)
    judge = Judge(venue.exchange, bounds_of(config), excused, lambda: trace.lines(plan.begins))
    journal = MemoryJournal(boundary=_at_commits(boundaries))
    return World(plan, Around(
        config=config, tape=tape, venue_name=tape.header.venues[0], venue=venue, exchange=venue.exchange,
        journal=journal, crash=lambda power_cut: journal.crash(power_cut=power_cut), notifier=JournalledNotifier(),
        boundaries=boundaries, trace=trace, judge=judge,
    ), fault)


def bounds_of(config: Config) -> Bounds:
    """Return what the oracles hold an engine of `config` to."""
    flags = config.flag_book().values
    # Each half of an entry is sized at its own price; what the market moves between the two is no exposure we chose.
    return Bounds(cap_usd=float(flags["EVENT_BREAKOUT_NOTIONAL_USD"]) * 1.05)


def _at_commits(boundaries: Boundaries) -> Callable[[], None]:
    return lambda: boundaries.cross("commit")
