"""A strategy that raised: it halts the engine and is asked no more until the next start."""

from __future__ import annotations

from engine.core.settle import fault
from engine.core.state import State
from engine.model.effects import Effect

_LONGEST = 200


def broke(state: State, at: int, name: str, error: Exception, out: list[Effect]) -> None:
    """Note that the strategy `name` raised `error`; what it holds is left to its stops and their validator."""
    state.broken.add(name)
    text = " ".join(str(error).split())[:_LONGEST]
    fault(state, at, f"strategy {name} failed ({type(error).__name__}: {text}); its positions keep their stops", out)
