"""The first line of the status: may this run trade, but for which symbols, or what stands in its way.

What holds for one symbol alone leaves the rest of the run free, and the line says both. What
restrains everything, or every symbol there is, is no exception any more.
"""

from __future__ import annotations

from engine.core.state import State
from engine.model.codec import Data
from engine.model.restraints import NONE, InForce, Level, Restraint
from engine.ruleset.reading import signals_of
from engine.ruleset.words import restraint_words

_SHOWN = 5
"""How many symbols of one denylist are named."""


def headline(state: State) -> Data:
    """Return `line`, since when, why, and `but`: the symbols that are restrained though the run may trade."""
    every = [item for item in state.policy.in_force if item.restraint != NONE]
    untold = [item for item in every if unwatched(state, item)]
    held = [item for item in every if not _of_the_mode(state, item) and item not in untold]
    whole = [item for item in held if not _of_some(item)]
    some = [item for item in held if _of_some(item)]
    if not whole and _leaves_some(state, some):
        caps = [item for item in every if item not in held and item not in untold]
        return {
            "line": "MAY TRADE", "since": state.level_changed_at, "why": _free(some, caps, untold),
            "but": sorted({symbol for item in some for symbol in _symbols(item)}),
        }
    level = max((item.restraint.level for item in whole), default=Level.NORMAL)
    worst = [item for item in whole if item.restraint.level == level] or some
    return {
        "line": "HALTED" if _halts(whole) else "RESTRICTED", "since": min(item.since for item in worst),
        "why": "; ".join(f"{item.instance} ({item.because})" for item in worst), "but": [],
    }


def unwatched(state: State, item: InForce) -> bool:
    """Whether `item` only denies quotes of which no source ever told here, and in which nothing here is quoted.

    It denies them all the same: nobody knows what they are worth. But nobody could trade in them either.
    """
    denied = item.restraint.deny_quotes
    if item.because != "held" or item.restraint != Restraint(deny_quotes=denied):
        return False
    quotes = {one.quote for one in state.look.instruments.values()}
    spec = next((one for one in state.ruling.rules.rules if one.id == item.rule), None)
    if not quotes or denied & quotes or spec is None:
        return False
    never = {one.name for one in state.snapshot.doubtful(state.at) if one.age is None}
    reads = set(signals_of(spec.expr))
    return bool(reads) and reads <= never


def _of_the_mode(state: State, item: InForce) -> bool:
    """Whether `item` only caps entries because of the mode the run is in: true all day, and nothing to wait for.

    A cap in doubt, or of a rule that reads anything else than the mode, is a restriction.
    """
    only_a_cap = Restraint(max_notional_usd=item.restraint.max_notional_usd)
    if item.because != "firing" or item.restraint != only_a_cap:
        return False
    spec = next((one for one in state.ruling.rules.rules if one.id == item.rule), None)
    return spec is not None and signals_of(spec.expr) == ("run_mode",)


def _of_some(item: InForce) -> bool:
    """Whether `item` is about single symbols alone."""
    return bool(item.scope.symbol) or item.restraint == Restraint(deny=item.restraint.deny)


def _symbols(item: InForce) -> set[str]:
    return {item.scope.symbol} if item.scope.symbol else set(item.restraint.deny)


def _leaves_some(state: State, some: list[InForce]) -> bool:
    """Whether there is a symbol left that `some` let be entered; where there is none at all, nothing is withheld."""
    shut: set[str] = set()
    for item in some:
        if item.restraint.deny or (item.restraint.level > Level.NORMAL and not item.scope.intent):
            shut |= _symbols(item)
    known = {symbol for _, symbol in state.look.instruments}
    return not known or not known <= shut


def _halts(whole: list[InForce]) -> bool:
    return any(item.restraint.level is Level.HALTED and not item.scope.intent for item in whole)


def _free(some: list[InForce], caps: list[InForce], untold: list[InForce]) -> str:
    said = [_told(item) for item in some]
    besides = [f"{item.instance}: {restraint_words(item.restraint)}" for item in caps]
    quotes = sorted({quote for item in untold for quote in item.restraint.deny_quotes})
    if besides:
        said.append(f"the mode itself caps {'; '.join(besides)}")
    if quotes:
        said.append(f"no source tells of {', '.join(quotes)}, in which nothing here is quoted")
    return f"nothing restrains but {'; '.join(said)}" if said else "nothing restrains"


def _told(item: InForce) -> str:
    if item.scope.symbol:
        return f"{item.scope.symbol}: {restraint_words(item.restraint)} by {item.instance} ({item.because})"
    denied = sorted(item.restraint.deny)
    more = f" and {len(denied) - _SHOWN} more" if len(denied) > _SHOWN else ""
    return f"{', '.join(denied[:_SHOWN])}{more}: no entries by {item.instance}"
