"""What the exchange remembers of what is over: ended orders, trades and movements of the balance, each bounded.

A real venue forgets too. Who asks later than this gets what a venue answers that has
forgotten: an order nobody knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.model.codec import Data, from_data, to_data
from engine.model.fills import Fill
from engine.model.reports import Income, OrderReport

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Ended:
    """One order that is over, and until when (ns) no question finds it all the same."""

    report: OrderReport
    hidden_until: int = 0


@dataclass(frozen=True, slots=True)
class Traded:
    """One execution, and until when (ns) no question finds it."""

    fill: Fill
    hidden_until: int = 0


class Shelf(Generic[_Item]):
    """The last `keep` things of one kind, oldest first. Each is spelled once, however often it is dumped."""

    __slots__ = ("_items", "_kind", "_spelled")

    def __init__(self, kind: type[_Item], keep: int) -> None:
        self._kind = kind
        self._items: deque[_Item] = deque(maxlen=keep)
        self._spelled: deque[Data] = deque(maxlen=keep)

    def add(self, item: _Item) -> None:
        """Put `item` behind the others; the oldest goes where there is no room."""
        if self._spelled and len(self._items) == self._items.maxlen:
            self._spelled.popleft()
        self._items.append(item)

    def __iter__(self) -> Iterator[_Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def dump(self) -> Data:
        """Return all items as JSON data."""
        for place in range(len(self._spelled), len(self._items)):
            self._spelled.append(to_data(self._items[place]))
        return list(self._spelled)

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._items.clear()
        self._items.extend(from_data(self._kind, item) for item in data)
        self._spelled.clear()
        self._spelled.extend(data)


class Records:
    """Everything over that can still be asked for."""

    def __init__(self, keep: int) -> None:
        """`keep` is how many of each kind are remembered."""
        self.orders = Shelf(Ended, keep)
        self.trades = Shelf(Traded, keep)
        self.income = Shelf(Income, keep)

    def ended(self, client_id: str, at: int) -> OrderReport | None:
        """Return the last ended order of `client_id` that can be seen at `at` (ns), None where there is none."""
        for item in reversed(tuple(self.orders)):
            if item.report.client_id == client_id and item.hidden_until <= at:
                return item.report
        return None

    def dump(self) -> Data:
        """Return all that is remembered as JSON data."""
        return {"orders": self.orders.dump(), "trades": self.trades.dump(), "income": self.income.dump()}

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.orders.load(data["orders"])
        self.trades.load(data["trades"])
        self.income.load(data["income"])
