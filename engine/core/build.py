"""A core from its parts: what a run begins with, and what a reload swaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.core.look import Look
from engine.core.state import State
from engine.execution.desk import DEFAULTS, Execution
from engine.execution.router import Router
from engine.model.restraints import Restraint
from engine.model.strategy import Strategy
from engine.model.terms import ExecutionTerms
from engine.risk.guardian import Guardian
from engine.risk.stops import StopValidator
from engine.ruleset.evaluate import RuleBook
from engine.ruleset.ruling import Ruling
from engine.signals.catalogue import Catalogue, unwired_signals
from engine.signals.reduce import Reducers, ReducerSettings
from engine.signals.snapshot import Snapshot


def build_state(  # noqa: PLR0913 - all that a core is told from outside
    ruling: Ruling, producers: Iterable[str], *, account: str, floor: Restraint, at: int,
    fresh: Callable[[Catalogue], Snapshot] = Snapshot, terms: ExecutionTerms = DEFAULTS,
    strategies: tuple[Strategy, ...] = (),
) -> State:
    """Return a core that knows its ruling and nothing else yet; `producers` speak in this run.

    `fresh` makes empty snapshots; `strategies`, of distinct names, are asked in their order.
    """
    spoken = frozenset(producers)
    unwired = unwired_signals(ruling.catalogue, spoken)
    known = fresh(ruling.catalogue)
    known.set_unwired(unwired)
    flags = ruling.flag_book()
    look = Look()
    state = State(
        account=account, floor=floor, ruling=ruling, producers=spoken, snapshot=known,
        reducers=Reducers(known, ReducerSettings.from_flags(flags.values)),
        book=RuleBook(ruling.rules, ruling.catalogue, known, flags.values, unwired=unwired, at=at),
        flags=flags, guardian=Guardian(), execution=Execution(terms), strategies=strategies,
        stops=StopValidator(), router=Router(terms), look=look, at=at, fresh=fresh,
    )
    look.of(state)
    look.at = at
    return state
