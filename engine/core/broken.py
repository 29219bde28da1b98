"""A strategy that failed: it halts the engine and is asked no more until the next start.

Whatever comes of a plugin is held here to what it may be before anything is done with it: an
error that came up behind it would be blamed on the engine, and end it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import get_args

from engine.core.settle import fault
from engine.core.state import State
from engine.model.codec import encode
from engine.model.effects import Effect
from engine.model.orders import Cancellation, Intent, OrderKind, Proposal, Side
from engine.model.samples import Derived
from engine.model.strategy import Strategy
from engine.model.wishes import Told, Wish

_LONGEST = 200
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_WISHES, _TOLD = get_args(Wish), get_args(Told)


class Unsaid(Exception):
    """A strategy that had not failed cannot say what it remembers: no checkpoint can be made before it is given up."""

    def __init__(self, name: str, error: Exception) -> None:
        """Name the strategy, and what came of asking it."""
        super().__init__(f"strategy {name} cannot say what it remembers ({said(error)})")
        self.name = name
        self.what = f"of dump: {said(error)}"


def broke(state: State, at: int, name: str, error: Exception, out: list[Effect]) -> None:
    """Note that the strategy `name` raised `error`; what it holds is left to its stops and their validator."""
    give_up(state, at, name, said(error), out)


def give_up(state: State, at: int, name: str, what: str, out: list[Effect]) -> None:
    """Note that the strategy `name` failed and halt: it is asked no more until the next start."""
    state.broken.add(name)
    fault(state, at, f"strategy {name} failed ({what}); its positions keep their stops", out)


def said(error: Exception) -> str:
    """Return `error` in one line."""
    try:
        # Where an object lies in memory is another place in a run that is taken again.
        text = _ADDRESS.sub("0x", " ".join(str(error).split()))[:_LONGEST]
    except Exception:
        text = "it cannot say why"
    return f"{type(error).__name__}: {text}"


def called(strategy: Strategy) -> str:
    """Return the name of `strategy`, or that of its class where it cannot even say its own."""
    try:
        return str(strategy.name)
    except Exception:
        return type(strategy).__name__


def heard(
    state: State, at: int, strategy: Strategy, wishes: Sequence[Wish], out: list[Effect]
) -> tuple[Wish, ...]:
    """Return `wishes` of `strategy` if all of them can be wished for; else none, and it has failed."""
    try:
        listed = tuple(wishes)
        for wish in listed:
            _insist(state, strategy.name, wish)
    except Exception as error:
        broke(state, at, called(strategy), error, out)
        return ()
    return listed


def _insist(state: State, name: str, wish: object) -> None:
    if not isinstance(wish, _WISHES):
        raise TypeError(f"a wish of type {type(wish).__name__}")
    if isinstance(wish, Proposal | Cancellation) and wish.proposer != name:
        raise ValueError(f"a wish in the name of {wish.proposer!r}")
    if isinstance(wish, Proposal):
        _insist_on_numbers(wish)
    elif isinstance(wish, Derived):
        spec = state.snapshot.catalogue.specs.get(wish.name)
        if spec is not None and len(wish.labels) != len(spec.labels):
            raise ValueError(f"{wish.name} has the labels {spec.labels}, not {wish.labels}")
        if type(wish.event_at) is not int:
            raise TypeError(f"{wish.name} at a {type(wish.event_at).__name__} and no instant in ns")
    elif isinstance(wish, _TOLD):
        # It must be possible to write it down.
        encode(wish)


def _insist_on_numbers(wish: Proposal) -> None:
    for word, kind in (("intent", Intent), ("side", Side), ("kind", OrderKind), ("venue", str), ("symbol", str)):
        if not isinstance(getattr(wish, word), kind):
            raise TypeError(f"a proposal whose {word} is a {type(getattr(wish, word)).__name__}")
    numbers = {"quantity": wish.quantity, "limit_price": wish.limit_price, "trigger_price": wish.trigger_price,
               "at_most": wish.at_most}
    known = {word: value for word, value in numbers.items() if value is not None}
    for word, value in (*known.items(), ("reference_price", wish.reference_price)):
        if not isinstance(value, Decimal):
            raise TypeError(f"a proposal whose {word} is a {type(value).__name__} and no Decimal")
        if not value.is_finite() or value < 0:
            raise ValueError(f"a proposal whose {word} is {value}")
    for name, fact in wish.facts:
        if not isinstance(name, str) or not isinstance(fact, float | int):
            raise TypeError(f"a proposal with a fact that is a {type(fact).__name__}")
