"""The strategies of a run, asked in their order. One that raises is our fault and not the market's: it halts.

It is asked no more until the next start: what it holds keeps its stops at the venue, the
validator sees to them, and a fault that came with every event would come once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from engine.core.broken import broke
from engine.core.orders import dispatch
from engine.core.state import State
from engine.model.codec import Data
from engine.model.effects import Effect
from engine.model.events import Input
from engine.model.orders import Cancellation, Proposal
from engine.model.samples import Derived
from engine.model.strategy import Strategy
from engine.model.wishes import Wish

_WISHES = get_args(Wish)


def ask_begin(state: State, at: int, out: list[Effect]) -> None:
    """Let every strategy tell what is to be known from the start; those that had failed are asked again."""
    state.broken.clear()
    for strategy in state.strategies:
        _ask(state, at, strategy, lambda one=strategy: one.begin(at, state.look), out)  # type: ignore[misc]


def ask_event(state: State, item: Input, is_order: bool, out: list[Effect]) -> None:
    """Let those whom `item` concerns wish for what follows from it."""
    for strategy in state.strategies:
        if strategy.name in state.broken:
            continue
        try:
            # A try that nothing raises in costs nothing, and this is the hot path: no closure, no second call.
            wishes = strategy.on_event(item, state.look, state.execution) \
                if is_order or strategy.interested(item.event) else ()
        except Exception as error:
            broke(state, item.at, strategy.name, error, out)
            continue
        if wishes:
            _wish(state, item.at, strategy, wishes, out)


def ask_flags(state: State, at: int, out: list[Effect]) -> None:
    """Let every strategy take over what flags say now."""
    for strategy in state.strategies:
        _ask(
            state, at, strategy,
            lambda one=strategy: one.on_flags(at, state.look, state.execution), out,  # type: ignore[misc]
        )


def ask_timer(state: State, at: int, out: list[Effect]) -> None:
    """Let every strategy do what is due."""
    for strategy in state.strategies:
        _ask(
            state, at, strategy,
            lambda one=strategy: one.on_timer(at, state.look, state.execution), out,  # type: ignore[misc]
        )


def due(state: State) -> int | None:
    """Return when a strategy next wants to be looked at (ns), or None."""
    soonest: int | None = None
    for strategy in state.strategies:
        if strategy.name in state.broken:
            continue
        wanted = strategy.next_due()
        if wanted is not None and (soonest is None or wanted < soonest):
            soonest = wanted
    return soonest


def dump_strategies(state: State) -> Data:
    """Return by name what each strategy remembers; None of one that has failed and cannot even say that any more."""
    return {strategy.name: _dumped(state, strategy) for strategy in state.strategies}


def load_strategies(state: State, data: Data) -> None:
    """Let each strategy become what it was; one that is new in this run begins with nothing."""
    for strategy in state.strategies:
        if data.get(strategy.name) is not None:
            strategy.load(data[strategy.name])


def _dumped(state: State, strategy: Strategy) -> Data:
    try:
        return strategy.dump()
    except Exception:
        if strategy.name in state.broken:
            return None
        raise


def _ask(
    state: State, at: int, strategy: Strategy, asked: Callable[[], Sequence[Wish]], out: list[Effect]
) -> None:
    if strategy.name in state.broken:
        return
    try:
        wishes = asked()
    except Exception as error:
        broke(state, at, strategy.name, error, out)
        return
    if wishes:
        _wish(state, at, strategy, wishes, out)


def _wish(state: State, at: int, strategy: Strategy, wishes: Sequence[Wish], out: list[Effect]) -> None:
    try:
        for wish in wishes:
            _insist(state, strategy.name, wish)
    except Exception as error:
        broke(state, at, strategy.name, error, out)
        return
    dispatch(state, at, wishes, out)


def _insist(state: State, name: str, wish: object) -> None:
    if not isinstance(wish, _WISHES):
        raise TypeError(f"a wish of type {type(wish).__name__}")
    if isinstance(wish, Proposal | Cancellation) and wish.proposer != name:
        raise ValueError(f"a wish in the name of {wish.proposer!r}")
    if isinstance(wish, Derived):
        spec = state.snapshot.catalogue.specs.get(wish.name)
        if spec is not None and len(wish.labels) != len(spec.labels):
            raise ValueError(f"{wish.name} has the labels {spec.labels}, not {wish.labels}")


__all__ = ["ask_begin", "ask_event", "ask_flags", "ask_timer", "due", "dump_strategies", "load_strategies"]
