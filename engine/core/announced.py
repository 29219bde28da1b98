"""What the operator has announced, as a signal that rules may read."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.state import State
from engine.model.instruments import Instrument

MAINTENANCE = "maintenance_active"
ADMITTED, ADMITTED_FLAG = "maker_admitted", "MAKER_GATE_SYMBOLS"


def tell_maintenance(state: State, at: int, *, active: bool) -> None:
    """Let rules know whether a maintenance lasts from `at` (ns) on; nothing where the catalogue has no such signal."""
    if state.snapshot.catalogue.get(MAINTENANCE) is not None:
        state.snapshot.put_named(MAINTENANCE, (), float(active), at, at)


def tell_admitted(state: State, at: int, instruments: Iterable[Instrument]) -> None:
    """Let rules know on which of `instruments` the operator admits orders that rest."""
    if state.snapshot.catalogue.get(ADMITTED) is None:
        return
    named = {word.strip().upper() for word in str(state.flags.values.get(ADMITTED_FLAG, "none")).split(",")}
    for one in instruments:
        state.snapshot.put_named(ADMITTED, (one.venue, one.symbol), "ALL" in named or one.symbol in named, at, at)
