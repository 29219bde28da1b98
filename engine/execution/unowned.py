"""Fills that were counted before anybody knew whose they were: the child of a stop may be told of before the stop."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from engine.execution.ledger import Ledger
from engine.model.codec import Data, decimal_text
from engine.model.effects import Notify
from engine.model.fills import Fill
from engine.model.ledger import OrderRecord
from engine.model.wishes import Wish

REMEMBERED = 512
"""Fills kept; more than so many strangers later nobody will come for one."""


class Unowned:
    """Counted fills of no order of ours. Each is given once, to the order that it proves to be of."""

    def __init__(self) -> None:
        self._fills: dict[tuple[str, str, str], None] = {}

    def add(self, fill: Fill) -> None:
        """Remember that `fill` was counted as nobody's."""
        self._fills[fill.venue, fill.symbol, fill.trade_id] = None
        if len(self._fills) > REMEMBERED:
            del self._fills[next(iter(self._fills))]

    def take(self, fill: Fill) -> bool:
        """Return whether `fill` is one of these; it is then its order's, and given to nobody again."""
        key = (fill.venue, fill.symbol, fill.trade_id)
        known = key in self._fills
        self._fills.pop(key, None)
        return known

    def dump(self) -> Data:
        """Return everything as JSON data, oldest first."""
        return [list(key) for key in self._fills]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._fills = dict.fromkeys((venue, symbol, trade_id) for venue, symbol, trade_id in data)


def untold(ledger: Ledger, record: OrderRecord, at: int) -> list[Wish]:
    """Count what an ended order executed and no trade tells of as nothing: the position is right without it.

    As exposure it would stand in the way of every later exit on the symbol.
    """
    ledger.put(replace(record, unseen=Decimal(0)))
    text = (
        f"{record.intent.value} {record.client_id} on {record.symbol} is {record.state.value}: the venue lists no "
        f"trades for {decimal_text(record.unseen)} of it, and holds what is counted here without them"
    )
    return [Notify(at=at, to="alert", rule="engine.fills", text=text)]
