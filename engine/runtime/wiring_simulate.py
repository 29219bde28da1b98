"""Which adapters a simulation is made of."""

from __future__ import annotations

from collections.abc import Callable

from engine.adapters.journal_memory import MemoryJournal
from engine.adapters.notifier_print import JournalledNotifier
from engine.adapters.tape_random import Story, random_tape
from engine.adapters.venue_ccxt_terms import CcxtTerms
from engine.adapters.venue_paper import PaperVenue
from engine.adapters.venue_virtual import VirtualVenue
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.settings import ExchangeSettings
from engine.model.time import SECOND
from engine.ports.feed import Tape
from engine.ports.venue import SimulatedVenue
from engine.runtime.config import Config
from engine.runtime.simulate_broken import SOUND, Break
from engine.runtime.simulate_judge import Judge
from engine.runtime.simulate_plan import Bounds, Plan, Scene
from engine.runtime.simulate_wire import Boundaries, Trace
from engine.runtime.simulate_world import Around, World
from engine.runtime.wiring_simulate_faults import wire_faults

PAPER, VIRTUAL = "paper", "virtual"
VENUES = (PAPER, VIRTUAL)
"""Paper speaks the engine's nouns; virtual is the real client against Binance's words."""
_NAMES = {PAPER: "paper", VIRTUAL: "binanceusdm"}
WARM_UP = 10 * SECOND
"""The market is older than the engine: when it starts there are prices."""
REMEMBERED = 4096
"""How much the venue remembers: nothing of a simulated hour is forgotten."""


def market(seed: int, minutes: int, venue: str = PAPER) -> tuple[Tape, Scene]:
    """Return the market of `seed` on `venue`, and where in it trouble may come."""
    name = _NAMES[venue]
    story = Story(seed=str(seed), venue=name, minutes=minutes)
    tape = random_tape(story)
    hot = tuple(chapter.start for chapter in tape.header.chapters)
    return tape, Scene(
        begins=story.start + WARM_UP, calm_from=story.quiet_from, hot=hot, venue=name, symbols=tape.header.symbols,
    )


def world(  # noqa: PLR0913 - what a run is made of
    config: Config, tape: Tape, plan: Plan, *, fault: Break = SOUND, whole_trace: bool = False, venue: str = PAPER
) -> World:
    """Return the world in which `plan` happens to an engine of `config` on the market of `tape`."""
    simulated, exchange, reconnect, excused = _venue(config, tape, plan, venue)
    for instrument in tape.header.instruments:
        simulated.define(instrument)
    trace, boundaries = Trace(whole_trace), Boundaries()
    judge = Judge(exchange, bounds_of(config), excused, lambda: trace.lines(plan.begins))
    journal = MemoryJournal(boundary=lambda: boundaries.cross("commit"))
    return World(plan, Around(
        config=config, tape=tape, venue_name=tape.header.venues[0], venue=simulated, exchange=exchange,
        journal=journal, crash=lambda power_cut: journal.crash(power_cut=power_cut), reconnect=reconnect,
        notifier=JournalledNotifier(), boundaries=boundaries, trace=trace, judge=judge,
    ), fault)


Sort = tuple[SimulatedVenue, SimulatedExchange, Callable[[int], None], tuple[tuple[int, int], ...]]
"""A venue, the truth behind it, how a new process connects to it, and its outages (ns)."""


def _venue(config: Config, tape: Tape, plan: Plan, name: str) -> Sort:
    settings = ExchangeSettings(
        account=config.settings.account, seed=str(plan.seed), remembered=REMEMBERED, funding=True,
        one_close_per_side=True,
    )
    if name == VIRTUAL:
        scene = Scene(begins=plan.begins, calm_from=plan.calm_from, hot=plan.hot, venue=plan.venue)
        faults, excused = wire_faults(plan.seed, scene)
        virtual = VirtualVenue(settings, faults, CcxtTerms(venue=plan.venue, symbols=tape.header.symbols))
        return virtual, virtual.exchange, virtual.restart, excused
    paper = PaperVenue(settings, plan.faults)
    silences = tuple((silence.start, silence.end) for silence in plan.faults.silences)
    return paper, paper.exchange, lambda at: None, silences


def bounds_of(config: Config) -> Bounds:
    """Return what the oracles hold an engine of `config` to."""
    flags = config.flag_book().values
    # Each half of an entry is sized at its own price; what the market moves between the two is no exposure we chose.
    return Bounds(cap_usd=float(flags["EVENT_BREAKOUT_SIZE_USD"]) * 1.05, flags=flags)
