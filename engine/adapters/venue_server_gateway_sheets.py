"""Every order as the venue writes it down, under its own numbers: both books, living and ended, and the trades.

The exchange knows an order by its number here, so that a client id can be used again once its
order has ended, as at Binance. A conditional order that triggers gets a child: a market order
with a number of its own, in the regular book.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from engine.model.codec import Data, from_data, to_data

FIRST_ORDER = 8_800_000_000
FIRST_ALGO = 1_000_000_000_000_000
TRADE_PREFIX = "6000"
"""How trade ids begin: whole numbers that rise, as the venue's are."""
OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "TRIGGERING", "TRIGGERED"})
_ZERO = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Sheet:
    """One order. Instants in ns, `side`, `kind`, `tif`, `status` and `working_type` in Binance's words."""

    number: int
    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal | None
    """None closes the whole position."""
    created: int
    updated: int
    conditional: bool = False
    original: str = ""
    """The type it was placed with, where it became another."""
    tif: str = "GTC"
    price: Decimal = _ZERO
    trigger: Decimal = _ZERO
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    status: str = "NEW"
    executed: Decimal = _ZERO
    cost: Decimal = _ZERO
    visible_from: int = 0
    """Until when nobody who asks is shown it: a fault."""
    child: int = 0
    """Number of the market order that it became; 0 before."""
    parent: int = 0
    triggered: int = 0
    why: str = ""
    """Why the venue refused or ended it."""
    name: str = ""
    """Under which the exchange knows it: its client id, unless a living order of the other book has that."""

    @property
    def order_id(self) -> int:
        """The id under which the venue knows it: `orderId`, or `algoId` in the conditional book."""
        return (FIRST_ALGO if self.conditional else FIRST_ORDER) + self.number

    @property
    def average(self) -> Decimal:
        """The average price of what was executed, 0 for nothing."""
        return self.cost / self.executed if self.executed else _ZERO

    @property
    def live(self) -> bool:
        """Whether it can still do something."""
        return self.status in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One execution of ours."""

    trade_id: int
    order: int
    """Number of the order's sheet."""
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    asset: str
    realized: Decimal
    maker: bool
    at: int
    visible_from: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomeRow:
    """One movement of the balance; `kind` in Binance's words."""

    number: int
    kind: str
    symbol: str
    asset: str
    amount: Decimal
    at: int
    trade_id: int = 0


class Sheets:
    """All orders, trades and movements that are remembered."""

    def __init__(self, keep: int = 2000) -> None:
        """`keep` is how many ended orders, trades and movements are remembered, each."""
        self._keep = keep
        self._by_number: dict[int, Sheet] = {}
        self._by_client: dict[tuple[bool, str], list[int]] = {}
        self._live: dict[int, Sheet] = {}
        self._by_name: dict[str, Sheet] = {}
        """Living orders as the exchange knows them."""
        self.trades: deque[TradeRow] = deque(maxlen=keep)
        self.incomes: deque[IncomeRow] = deque(maxlen=2 * keep)
        self._number = 0
        self._income = 0

    def next_number(self) -> int:
        """Return a number that no order had before."""
        self._number += 1
        return self._number

    def add(self, sheet: Sheet) -> None:
        """Write a new order down; the oldest ended one goes where there is no room."""
        self._by_number[sheet.number] = sheet
        self._by_client.setdefault((sheet.conditional, sheet.client_id), []).append(sheet.number)
        if sheet.live:
            self._live[sheet.number] = sheet
            if sheet.name:
                self._by_name[sheet.name] = sheet
        if len(self._by_number) > 2 * self._keep:
            self._forget()

    def _forget(self) -> None:
        ended = [number for number, sheet in self._by_number.items() if not sheet.live]
        for number in ended[: len(ended) - self._keep]:
            self.drop(self._by_number[number])

    def drop(self, sheet: Sheet) -> None:
        """Forget `sheet`: a refused order leaves no trace."""
        del self._by_number[sheet.number]
        self._gone(sheet)
        key = (sheet.conditional, sheet.client_id)
        self._by_client[key].remove(sheet.number)
        if not self._by_client[key]:
            del self._by_client[key]

    def move(self, sheet: Sheet, status: str, at: int, why: str = "") -> None:
        """Let `sheet` be in `status` from `at` on."""
        sheet.status, sheet.updated = status, at
        sheet.why = why or sheet.why
        if not sheet.live:
            self._gone(sheet)

    def _gone(self, sheet: Sheet) -> None:
        self._live.pop(sheet.number, None)
        # An ended order may be forgotten long after another took its name.
        if self._by_name.get(sheet.name) is sheet:
            del self._by_name[sheet.name]

    def name_for(self, sheet: Sheet) -> str:
        """Return a name that no living order has."""
        return f"{sheet.client_id}#{sheet.number}" if sheet.client_id in self._by_name else sheet.client_id

    def named(self, name: str) -> Sheet:
        """Return the living order of this name; KeyError where nobody placed one here."""
        return self._by_name[name]

    def of(self, number: int) -> Sheet | None:
        """Return the order with this number."""
        return self._by_number.get(number)

    def live(self, *, conditional: bool) -> Iterator[Sheet]:
        """Yield the living orders of one book, in the order they came."""
        for sheet in tuple(self._live.values()):
            if sheet.conditional is conditional:
                yield sheet

    def every(self, symbol: str, at: int, *, conditional: bool) -> list[Sheet]:
        """Return every order of one book and symbol, living or not, that can be seen at `at`."""
        return [
            sheet for sheet in self._by_number.values()
            if sheet.conditional is conditional and sheet.symbol == symbol and at >= sheet.visible_from
        ]

    def with_id(self, client_id: str, *, conditional: bool) -> Sheet | None:
        """Return the living order of this client id, else the last one that had it; None where none had."""
        numbers = self._by_client.get((conditional, client_id), [])
        found = [self._by_number[number] for number in numbers]
        return next((sheet for sheet in reversed(found) if sheet.live), found[-1] if found else None)

    def moved(self, kind: str, symbol: str, asset: str, movement: tuple[Decimal, int, int]) -> None:
        """Write a movement of the balance down: (amount, at, trade id or 0)."""
        amount, at, trade_id = movement
        self._income += 1
        self.incomes.append(IncomeRow(
            number=self._income, kind=kind, symbol=symbol, asset=asset, amount=amount, at=at, trade_id=trade_id))

    def dump(self) -> Data:
        """Return all as JSON data."""
        return {
            "orders": [to_data(sheet) for sheet in self._by_number.values()],
            "trades": [to_data(row) for row in self.trades], "incomes": [to_data(row) for row in self.incomes],
            "number": self._number, "income": self._income,
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._by_number, self._by_client, self._live, self._by_name = {}, {}, {}, {}
        for item in data["orders"]:
            self.add(from_data(Sheet, item))
        self.trades.clear()
        self.trades.extend(from_data(TradeRow, item) for item in data["trades"])
        self.incomes.clear()
        self.incomes.extend(from_data(IncomeRow, item) for item in data["incomes"])
        self._number, self._income = data["number"], data["income"]
