"""The venue's back office: what the exchange does to orders becomes sheets, trades, positions and messages.

The exchange behind it answers in no time (`wire_settings`): what a request causes has happened
when its reply is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from engine.adapters import venue_server_gateway_payloads as payloads
from engine.adapters.venue_server_gateway_door import GatewayTerms
from engine.adapters.venue_server_gateway_sheets import TRADE_PREFIX, Sheet, Sheets, TradeRow
from engine.exchange.exchange import SimulatedExchange
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.codec import Data, from_data, to_data
from engine.model.events import (
    BalanceReported,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    VenueEvent,
)
from engine.model.fills import Fill, Liquidity, Position
from engine.model.instruments import Instrument
from engine.model.reports import IncomeKind

Say = Callable[[Data, str, int, int], None]
"""Takes a message of the private stream: (payload, symbol, when it is said, from when it may be heard)."""
_NOW = Span(low=0, high=0)
_GONE = "ReduceOnly Order is rejected."


def wire_settings(settings: ExchangeSettings) -> ExchangeSettings:
    """Return `settings` for an exchange behind a wire: no travel of its own, funding paid, Binance's rule of closes."""
    return replace(
        settings, order_travel=_NOW, answer_travel=_NOW, funding=True, one_close_per_side=True,
        trade_prefix=TRADE_PREFIX)


class Office:
    """Keeps the papers. All instants in ns."""

    def __init__(self, exchange: SimulatedExchange, terms: GatewayTerms, say: Say) -> None:
        self.exchange = exchange
        self.terms = terms
        self.sheets = Sheets()
        self.refused: dict[str, str] = {}
        """Reasons of orders that were refused since they were last looked for, by the exchange's name of them."""
        self._say = say
        self._positions: dict[str, Position] = {}
        self._paid = 0

    def instrument(self, symbol: str) -> Instrument | None:
        """Return what is offered as futures under `symbol`, None for nothing."""
        if self.terms.symbols and symbol not in self.terms.symbols:
            return None
        desk = self.exchange.desk(self.terms.venue, symbol)
        return None if desk is None else desk.instrument

    def position(self, symbol: str) -> Position:
        """Return one position, as the fills told so far make it."""
        found = self._positions.get(symbol)
        return found or Position(account="main", venue=self.terms.venue, symbol=symbol)

    def positions(self) -> tuple[Position, ...]:
        """Return every position that ever was, by symbol."""
        return tuple(position for _, position in sorted(self._positions.items()))

    def mark(self, symbol: str) -> Decimal:
        """Return the mark price, 0 without a market."""
        return self.exchange.mark(self.terms.venue, symbol) or Decimal(0)

    def run(self, at: int) -> None:
        """Let everything up to `at` happen and write it down."""
        for due, event in self.exchange.pop_due(at):
            self._take(event, due)

    def _take(self, event: VenueEvent, at: int) -> None:
        if isinstance(event, OrderFilled):
            self._filled(event, at)
        elif isinstance(event, OrderAccepted):
            sheet = self.sheets.named(event.client_id)
            if sheet.conditional:
                self._tell_algo(sheet, at)
            else:
                self._tell(sheet, payloads.Told(execution="NEW", at=at))
        elif isinstance(event, OrderCancelled):
            self._ended(event, at)
        elif isinstance(event, OrderTriggered):
            sheet = self.sheets.named(event.client_id)
            sheet.triggered = at
            self.sheets.move(sheet, "TRIGGERING", at)
            self._tell_algo(sheet, at)
        elif isinstance(event, OrderRejected):
            self.refused[event.client_id] = event.reason
        elif isinstance(event, BalanceReported):
            self._funded(at)

    def _filled(self, event: OrderFilled, at: int) -> None:
        fill = event.fill
        sheet = self.sheets.named(fill.client_id)
        remaining = event.remaining or Decimal(0)
        order = self._child(sheet, fill.quantity + remaining, at) if sheet.conditional else sheet
        before = self.position(fill.symbol)
        after = self._positions[fill.symbol] = before.after(fill)
        order.executed += fill.quantity
        order.cost += fill.price * fill.quantity
        self.sheets.move(order, "PARTIALLY_FILLED" if remaining else "FILLED", at)
        row = self._book(order, fill, after.realized - before.realized)
        self._tell_account("ORDER", fill.symbol, at, order.visible_from)
        self._tell(order, payloads.Told(execution="TRADE", at=at, trade=row))
        if sheet is not order and not remaining:
            self.sheets.move(sheet, "FINISHED", at)
            self._tell_algo(sheet, at)

    def _book(self, order: Sheet, fill: Fill, realized: Decimal) -> TradeRow:
        instrument = self.instrument(fill.symbol)
        asset = "USDT" if instrument is None else instrument.quote
        row = TradeRow(
            trade_id=int(fill.trade_id), order=order.number, symbol=fill.symbol, side=order.side,
            price=fill.price, quantity=fill.quantity, fee=fill.fee, asset=asset, realized=realized,
            maker=fill.liquidity is Liquidity.MAKER, at=fill.venue_at, visible_from=order.visible_from,
        )
        self.sheets.trades.append(row)
        self.sheets.moved("COMMISSION", fill.symbol, asset, (-fill.fee, fill.venue_at, row.trade_id))
        if realized:
            self.sheets.moved("REALIZED_PNL", fill.symbol, asset, (realized, fill.venue_at, row.trade_id))
        return row

    def _child(self, sheet: Sheet, quantity: Decimal, at: int) -> Sheet:
        """Return the market order that the conditional `sheet` became, making it when it first is heard of."""
        child = self.sheets.of(sheet.child)
        if child is not None:
            return child
        number = self.sheets.next_number()
        client_id = sheet.client_id if self.terms.child_keeps_id else f"autoTrigger{number}"
        child = Sheet(
            number=number, client_id=client_id, symbol=sheet.symbol, side=sheet.side, kind="MARKET",
            original=sheet.kind, quantity=quantity, created=at, updated=at, reduce_only=sheet.reduce_only,
            close_position=sheet.close_position, visible_from=sheet.visible_from, parent=sheet.number,
        )
        self.sheets.add(child)
        sheet.child = number
        self.sheets.move(sheet, "TRIGGERED", at)
        self._tell_algo(sheet, at)
        self._tell(child, payloads.Told(execution="NEW", at=at))
        return child

    def _ended(self, event: OrderCancelled, at: int) -> None:
        sheet, requested = self.sheets.named(event.client_id), event.reason == "requested"
        word = "CANCELED" if requested else "EXPIRED"
        if not sheet.conditional:
            self.sheets.move(sheet, word, at, "" if requested else event.reason)
            self._tell(sheet, payloads.Told(execution=word, at=at))
            return
        nothing_left = event.reason == "position_closed" and not sheet.child
        if not sheet.triggered:
            self.sheets.move(sheet, word, at)
        elif nothing_left:
            # Its market order was refused by the book: there was nothing to reduce.
            self.sheets.move(sheet, "EXPIRED" if sheet.close_position else "REJECTED", at, _GONE)
        else:
            child = self._child(sheet, event.remaining, at)
            self.sheets.move(child, "EXPIRED", at, event.reason)
            self._tell(child, payloads.Told(execution="EXPIRED", at=at))
            self.sheets.move(sheet, "FINISHED", at)
        self._tell_algo(sheet, at)

    def _funded(self, at: int) -> None:
        """Write down the funding that was paid since the last look."""
        for entry in self.exchange.income(self.terms.venue):
            if entry.kind is not IncomeKind.FUNDING:
                continue
            number = int(entry.transfer_id.removeprefix("sim-i"))
            if number > self._paid:
                self._paid = number
                self.sheets.moved("FUNDING_FEE", entry.symbol, entry.asset, (entry.amount, entry.venue_at, 0))
                self._tell_account("FUNDING_FEE", entry.symbol, at, 0, entry.amount)

    def child_of(self, sheet: Sheet) -> Sheet | None:
        """Return the market order that a conditional one became, None before."""
        return self.sheets.of(sheet.child)

    def _tell(self, sheet: Sheet, told: payloads.Told) -> None:
        self._say(payloads.order_update(sheet, told), sheet.symbol, told.at, sheet.visible_from)

    def _tell_algo(self, sheet: Sheet, at: int) -> None:
        said = payloads.algo_update(sheet, self.child_of(sheet), at)
        self._say(said, sheet.symbol, at, sheet.visible_from)

    def _tell_account(
        self, reason: str, symbol: str, at: int, visible_from: int, change: Decimal = Decimal(0),
    ) -> None:
        held, instrument = self.position(symbol), self.instrument(symbol)
        asset = "USDT" if instrument is None else instrument.quote
        seen = payloads.Held(
            symbol=symbol, quantity=held.quantity, entry=held.average_price,
            unrealized=(self.mark(symbol) - held.average_price) * held.quantity,
        )
        balance = (asset, self.exchange.balance(asset), change)
        self._say(payloads.account_update(reason, balance, (seen,), at), symbol, at, visible_from)

    def dump(self) -> Data:
        """Return the papers as JSON data; the exchange's own are in it."""
        return {
            "exchange": self.exchange.dump(), "sheets": self.sheets.dump(), "paid": self._paid,
            "positions": [to_data(position) for position in self.positions()],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.exchange.load(data["exchange"])
        self.sheets.load(data["sheets"])
        held: list[Position] = [from_data(Position, item) for item in data["positions"]]
        self._positions = {position.symbol: position for position in held}
        self._paid = data["paid"]
