"""Which adapter keeps which promise in this run, and who produces which signal.

The only place of the shell, with its `wiring_*` parts, that names an adapter. A signal
nobody produces makes a live mode refuse to start; in dry-run the rules that need it are
shown as unwired, outside the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.adapters.clock_system import SteadyClock, SystemClock
from engine.adapters.notifier_print import JournalledNotifier
from engine.adapters.venue_paper import PaperVenue
from engine.core.build import build_state
from engine.core.state import State
from engine.exchange.faults import FaultKind, FaultPlan, Spell
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.events import RunMode
from engine.ports.clock import Clock
from engine.ports.feed import Tape, TapeHeader
from engine.ports.notifier import Notifier
from engine.ports.venue import SimulatedVenue
from engine.runtime.config import Config
from engine.runtime.configured import ConfigError
from engine.runtime.guards import insist_on_guards, unfed, unguarded
from engine.runtime.options import RunError
from engine.runtime.strategies import Made, kept_strategies, make_strategies
from engine.signals.catalogue import Catalogue
from engine.signals.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """A core with its world around it."""

    state: State
    venue: SimulatedVenue
    notifier: Notifier
    unwired: tuple[tuple[str, str], ...]
    """(rule, the signals it misses)."""
    rules: int
    rules_digest: str


def system_clock() -> Clock:
    """Return the wall and monotonic clock of this machine."""
    return SystemClock()


def steady_clock() -> Clock:
    """Return a wall clock that never goes back and never stands still: for a run on the real clock."""
    return SteadyClock()


def wire(
    config: Config, tape: Tape, mode: RunMode, *, at: int, fresh: Callable[[Catalogue], Snapshot] = Snapshot
) -> Wired:
    """Return a fresh core and paper venue for a run on `tape` that begins at `at` (ns); `fresh` makes its snapshot."""
    rules, catalogue = config.rules, config.catalogue
    assert rules is not None and catalogue is not None, "only a usable configuration is wired"
    lame = guarded(config, tape.header.producers, mode)
    state, _ = rewire(config, tape.header.producers, at=at, fresh=fresh)
    venue = PaperVenue(_exchange(config, state), troubled(tape.header))
    for instrument in tape.header.instruments:
        venue.define(instrument)
    return Wired(
        state=state, venue=venue, notifier=JournalledNotifier(), unwired=lame, rules=len(rules.rules),
        rules_digest=rules.digest,
    )


def guarded(
    config: Config, producers: frozenset[str], mode: RunMode, *, insist: bool = True
) -> tuple[tuple[str, str], ...]:
    """Return (rule, the signals none of `producers` makes) for each rule that has such; RunError if `mode` is live.

    A live mode also wants every guard enforced, unless the caller does not `insist`; see
    `unguarded`. Asked before a state directory is touched, so that a refused start leaves none
    behind that looks used: ConfigError where a strategy cannot be had.
    """
    strategies_of(config)
    lame = unfed(config, producers)
    if mode is RunMode.DRY_RUN:
        return lame
    if lame:
        wanted = "; ".join(f"{rule} needs {signals}" for rule, signals in lame)
        raise RunError(
            f"mode {mode.value} refused: nobody produces some signals in this run ({wanted})",
            "wire a producer, turn these rules off in a reviewed change, or run --mode dry-run",
        )
    if insist:
        insist_on_guards(mode, unguarded(config, config.flag_book().values))
    return lame


def strategies_of(config: Config) -> tuple[Made, ...]:
    """Return fresh strategies as `config` wants them; ConfigError where one of them cannot be had."""
    made, findings = make_strategies(config.strategies)
    if findings:
        raise ConfigError(findings)
    return made


def rewire(
    config: Config, producers: Iterable[str], *, at: int, fresh: Callable[[Catalogue], Snapshot] = Snapshot,
    trades: bool = True,
) -> tuple[State, SimulatedVenue]:
    """Return a fresh core and paper venue for whom `producers` speak, without a tape: to load a checkpoint into.

    `trades` False is for who only looks, or halts: a strategy that cannot be had is then kept as it was, and silent.
    """
    settings = config.settings
    made = strategies_of(config) if trades else kept_strategies(config.strategies)
    state = build_state(
        config.ruling(), producers, account=settings.account, floor=settings.floor, at=at, fresh=fresh,
        terms=settings.execution, strategies=tuple(one.strategy for one in made),
    )
    state.quote_preference = settings.quote_preference
    return state, PaperVenue(_exchange(config, state))


def troubled(header: TapeHeader) -> FaultPlan:
    """Return what goes wrong at the paper venue of a tape's story."""
    return FaultPlan(spells=tuple(
        Spell(
            kind=None if one.kind == "query" else FaultKind(one.kind), start=one.start, end=one.end,
            symbol=one.symbol, intent=one.intent, purpose=one.purpose, delay=one.delay,
        )
        for one in header.troubles
    ))


def _exchange(config: Config, state: State) -> ExchangeSettings:
    paper = config.settings.paper
    return ExchangeSettings(
        account=config.settings.account, balances=((paper.balance_asset, paper.balance(state.flags.values)),),
        seed=paper.seed, order_travel=Span(low=paper.order_travel.low, high=paper.order_travel.high),
        answer_travel=Span(low=paper.answer_travel.low, high=paper.answer_travel.high),
        trigger_travel=Span(low=paper.trigger_travel.low, high=paper.trigger_travel.high),
    )
