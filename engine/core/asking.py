"""The strategies of a run, asked in their order. One that raises is our fault and not the market's: it halts.

It is asked no more until the next start: what it holds keeps its stops at the venue, the
validator sees to them, and a fault that came with every event would come once. The same is
true of one that answers with what cannot be, that can no longer say what it remembers, or that
cannot take up what it remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.core.broken import Unsaid, broke, called, give_up, heard, said
from engine.core.orders import dispatch
from engine.core.state import State
from engine.model.codec import Data, canonical
from engine.model.effects import Effect
from engine.model.events import Input
from engine.model.strategy import Strategy
from engine.model.wishes import Wish


def ask_begin(state: State, at: int, out: list[Effect]) -> None:
    """Let every strategy tell what is to be known from the start; those that had failed are asked again.

    One that could not take up what it remembered is not: it would trade as if it held nothing.
    """
    state.broken.clear()
    for name, (why, _) in sorted(state.unloaded.items()):
        give_up(state, at, name, f"of load, so that it does not know what it holds: {why}", out)
    for strategy in state.strategies:
        _ask(state, at, strategy, lambda one=strategy: one.begin(at, state.look), out)  # type: ignore[misc]


def ask_event(state: State, item: Input, is_order: bool, out: list[Effect]) -> None:
    """Let those whom `item` concerns wish for what follows from it."""
    for strategy in state.strategies:
        try:
            # A try that nothing raises in costs nothing, and this is the hot path: no closure, no second call.
            if strategy.name in state.broken:
                continue
            wishes = strategy.on_event(item, state.look, state.execution) \
                if is_order or strategy.interested(item.event) else ()
            if not wishes:
                continue
        except Exception as error:
            broke(state, item.at, called(strategy), error, out)
            continue
        dispatch(state, item.at, heard(state, item.at, strategy, wishes, out), out)


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


def due(state: State, out: list[Effect]) -> int | None:
    """Return when a strategy next wants to be looked at (ns), or None. One that cannot say has failed."""
    soonest: int | None = None
    for strategy in state.strategies:
        try:
            if strategy.name in state.broken:
                continue
            wanted = _wanted(strategy)
        except Exception as error:
            broke(state, state.at, called(strategy), error, out)
            continue
        if wanted is not None and (soonest is None or wanted < soonest):
            soonest = wanted
    return soonest


def end_spin(state: State, at: int, out: list[Effect]) -> None:
    """Give up the strategies that are still due at `at` though they were looked at again and again."""
    for strategy in state.strategies:
        try:
            wanted = None if strategy.name in state.broken else _wanted(strategy)
            if wanted is not None and wanted <= at:
                raise RuntimeError("next_due stays at an instant that is over, whatever on_timer does")
        except Exception as error:
            broke(state, at, called(strategy), error, out)


def dump_strategies(state: State) -> Data:
    """Return by name what each strategy remembers; None of one that has failed and cannot even say that any more.

    Raises Unsaid for one that had not failed until now.
    """
    return {called(strategy): _dumped(state, strategy) for strategy in state.strategies}


def insist_on_dumps(state: State) -> None:
    """Raise Unsaid for the first strategy that remembers what is no JSON data."""
    for strategy in state.strategies:
        data = _dumped(state, strategy)
        try:
            canonical(data)
        except Exception as error:
            raise Unsaid(called(strategy), error) from error


def load_strategies(state: State, data: Data) -> None:
    """Let each strategy become what it was; one that is new in this run begins with nothing.

    One that cannot has failed, and what it remembered is kept as it is in `state.unloaded`.
    """
    for strategy in state.strategies:
        name = called(strategy)
        if data.get(name) is None:
            continue
        try:
            strategy.load(data[name])
        except Exception as error:
            state.broken.add(name)
            state.unloaded[name] = (said(error), data[name])


def _wanted(strategy: Strategy) -> int | None:
    wanted = strategy.next_due()
    if wanted is not None and type(wanted) is not int:
        raise TypeError(f"next_due is a {type(wanted).__name__}, neither ns nor None")
    return wanted


def _dumped(state: State, strategy: Strategy) -> Data:
    name = called(strategy)
    if name in state.unloaded:
        return state.unloaded[name][1]
    try:
        data = strategy.dump()
        if name in state.broken:
            canonical(data)
    except Exception as error:
        if name in state.broken:
            return None
        raise Unsaid(name, error) from error
    return data


def _ask(
    state: State, at: int, strategy: Strategy, asked: Callable[[], Sequence[Wish]], out: list[Effect]
) -> None:
    try:
        if strategy.name in state.broken:
            return
        wishes = asked()
        if not wishes:
            return
    except Exception as error:
        broke(state, at, called(strategy), error, out)
        return
    dispatch(state, at, heard(state, at, strategy, wishes, out), out)


__all__ = [
    "Unsaid", "ask_begin", "ask_event", "ask_flags", "ask_timer", "due", "dump_strategies", "end_spin",
    "insist_on_dumps", "load_strategies",
]
