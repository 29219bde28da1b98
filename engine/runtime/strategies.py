"""The strategies of a run, found by their entry points and made of `conf/strategies.yaml`.

A package makes a strategy known by an entry point of the group `runbook_engine.strategies`
that names its `Maker`. Those that come with the engine are there without being installed, so
that a checkout runs as it stands. All are made before anything is begun, or none is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from engine.model.codec import Data
from engine.model.events import Event, Input
from engine.model.ledger import OrdersView
from engine.model.orders import Proposal
from engine.model.strategy import Maker, Strategy
from engine.model.view import StrategyView
from engine.model.wishes import Wish
from engine.ruleset.diagnostics import Finding
from engine.ruleset.suggest import nearest
from engine.runtime.strategies_file import Chosen
from engine.strategies import event_breakout, scalp

GROUP = "runbook_engine.strategies"
SHIPPED: Mapping[str, Maker] = {"event_breakout": event_breakout.make, "scalp": scalp.make}
"""Those of the engine itself, as pyproject.toml names them too."""
_ASKED = ("begin", "interested", "on_event", "on_flags", "on_timer", "on_refused", "next_due", "dump", "load")


@dataclass(frozen=True, slots=True)
class Made:
    """A strategy and where it comes from: `shipped`, or the name and version of its package."""

    strategy: Strategy
    origin: str

    def __str__(self) -> str:
        return f"{self.strategy.name} ({self.origin})"


def make_strategies(chosen: tuple[Chosen, ...]) -> tuple[tuple[Made, ...], tuple[Finding, ...]]:
    """Return the strategies that were `chosen`, in their order, and what is wrong: then none of them must run."""
    found = _installed()
    made: list[Made] = []
    findings: list[Finding] = []
    for one in chosen:
        result = _make(one, found)
        if isinstance(result, Finding):
            findings.append(result)
        else:
            made.append(result)
    return tuple(made), tuple(findings)


def other_strategies(before: Sequence[str], now: Sequence[Made]) -> tuple[str, ...]:
    """Return a line where a run that goes on is not made of the strategies that it began with, as `Start` has them."""
    today = [str(one) for one in now]
    if not before or list(before) == today:
        return ()
    return (f"the run began with {', '.join(before)} and goes on with {', '.join(today)}",)


class Absent(Strategy):
    """Stands where a strategy cannot be had: it keeps what that one remembered, and wants nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: Data = None

    @property
    def name(self) -> str:
        """The name of the strategy that is not there."""
        return self._name

    def interested(self, event: Event) -> bool:
        """Nothing concerns it."""
        return False

    def on_event(self, item: Input, view: StrategyView, orders: OrdersView) -> Sequence[Wish]:
        """Want nothing."""
        return ()

    def on_refused(self, at: int, proposal: Proposal, reason: str) -> Sequence[Wish]:
        """Tell nothing."""
        return ()

    def dump(self) -> Data:
        """Return what was loaded."""
        return self._kept

    def load(self, data: Data) -> None:
        """Keep it."""
        self._kept = data


def kept_strategies(chosen: tuple[Chosen, ...]) -> tuple[Made, ...]:
    """Return the strategies that were `chosen`, with an `Absent` one in place of each that cannot be had."""
    made = {one.strategy.name: one for one in make_strategies(chosen)[0]}
    return tuple(made.get(one.name) or Made(Absent(one.name), "absent") for one in chosen)


def is_installed() -> bool:
    """Whether the engine's own strategies are known as entry points, as they are where it was installed."""
    return set(SHIPPED) <= set(_installed())


def _installed() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        known = found.setdefault(point.name, [])
        # One package may be found by two ways into it.
        if all(point.value != other.value for other in known):
            known.append(point)
    return found


def _make(one: Chosen, found: Mapping[str, list[EntryPoint]]) -> Made | Finding:
    points = [point for point in found.get(one.name, ()) if one.name not in SHIPPED or not _is_ours(point)]
    if one.name in SHIPPED and not points:
        return _called(one, SHIPPED[one.name], "shipped")
    if not points:
        near = nearest(one.name, {*SHIPPED, *found})
        fix = f"did you mean {near}?" if near else f"install its package, or write one of {_list({*SHIPPED, *found})}"
        return one.finding("strategy-unknown", f"there is no strategy {one.name} here", fix)
    if len(points) > 1 or one.name in SHIPPED:
        names = _list({*(_origin(point) for point in points), *(("the engine",) if one.name in SHIPPED else ())})
        return one.finding("strategy-ambiguous", f"{one.name} is in {names}", "uninstall all but one of them")
    try:
        maker = points[0].load()
    except Exception as error:
        return one.finding("strategy-import", _broke(one, points[0], "cannot be imported", error), _mend(points[0]))
    if not callable(maker):
        what = f"{one.name} of {_origin(points[0])} is a {type(maker).__name__}, which makes nothing"
        return one.finding("strategy-import", what, _mend(points[0]))
    return _called(one, maker, _origin(points[0]))


def _called(one: Chosen, maker: Any, origin: str) -> Made | Finding:
    try:
        strategy = maker(copy.deepcopy(dict(one.parameters)))
        lacks = [word for word in _ASKED if not callable(getattr(strategy, word, None))]
        name = str(getattr(strategy, "name", ""))
    except Exception as error:
        what = f"{one.name} cannot be made with these parameters: {_said(error)}"
        return one.finding("strategy-parameters", what, "mend its parameters, or its package")
    if lacks or name != one.name:
        what = f"{one.name} of {origin} " + (f"has no {lacks[0]}" if lacks else f"calls itself {name!r}")
        return one.finding("strategy-shape", what, "see docs/strategies.md for what a strategy must have")
    return Made(strategy, origin)


def _is_ours(point: EntryPoint) -> bool:
    return point.value.startswith("engine.strategies.")


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _broke(one: Chosen, point: EntryPoint, what: str, error: Exception) -> str:
    return f"{one.name} of {_origin(point)} {what}: {_said(error)}"


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if not isinstance(error, ValueError) else text[:300]


def _mend(point: EntryPoint) -> str:
    return f"mend {point.value}, or take the strategy out of the file"


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))
