"""What the account holds: one net position a symbol, balances by asset.

A perpetual moves the quote balance by realised profit and fees only; a spot fill swaps one
asset for the other. Positions are not marked: unrealised profit is no balance here.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from engine.model.codec import Data, decimal_text, from_data, to_data
from engine.model.events import BalanceReported
from engine.model.fills import Fill, Liquidity, Position
from engine.model.instruments import Instrument, MarketKind

_BPS = Decimal(10_000)
_FINEST = Decimal("0.00000001")
_ZERO = Decimal(0)


def fee_of(instrument: Instrument, price: Decimal, quantity: Decimal, liquidity: Liquidity) -> Decimal:
    """Return the fee of a fill in quote currency, rounded up to 1e-8."""
    bps = instrument.maker_fee_bps if liquidity is Liquidity.MAKER else instrument.taker_fee_bps
    return (price * quantity * instrument.contract_size * bps / _BPS).quantize(_FINEST, ROUND_CEILING)


class Account:
    """One account in one-way mode. `leverage` is notional per unit of margin."""

    def __init__(self, name: str, balances: Iterable[tuple[str, Decimal]], *, leverage: Decimal) -> None:
        self.name = name
        self._leverage = leverage
        self._leverages: dict[tuple[str, str], Decimal] = {}
        """Where a symbol has been given another leverage than the account's."""
        self.balances: dict[str, Decimal] = dict(balances)
        self._positions: dict[tuple[str, str], Position] = {}
        self._margins: dict[tuple[str, str], tuple[str, Decimal]] = {}
        """Margin that each open perpetual binds: (asset, amount at its average price)."""

    def position(self, venue: str, symbol: str) -> Position:
        """Return the position, flat if there never was one."""
        found = self._positions.get((venue, symbol))
        return found if found is not None else Position(account=self.name, venue=venue, symbol=symbol)

    def positions(self) -> tuple[Position, ...]:
        """Return every position that ever was, by venue and symbol."""
        return tuple(position for _, position in sorted(self._positions.items()))

    def apply(self, fill: Fill, instrument: Instrument) -> Position:
        """Book `fill` and return the position it leaves."""
        key = (fill.venue, fill.symbol)
        before = self.position(*key)
        after = self._positions[key] = before.after(fill)
        if instrument.kind is MarketKind.SPOT:
            cost = fill.price * fill.quantity * instrument.contract_size
            self._add(instrument.base, fill.quantity * fill.side.sign)
            self._add(instrument.quote, -cost * fill.side.sign - fill.fee)
        else:
            self._add(instrument.quote, (after.realized - before.realized) * instrument.contract_size - fill.fee)
            notional = abs(after.quantity) * after.average_price * instrument.contract_size
            # On a fixed grid sums of margins are exact, so that no order of adding them matters.
            margin = (notional / self.leverage(*key)).quantize(_FINEST, ROUND_CEILING)
            self._margins[key] = (instrument.quote, margin)
        return after

    def leverage(self, venue: str, symbol: str) -> Decimal:
        """Return the notional that a unit of margin carries on this symbol."""
        return self._leverages.get((venue, symbol), self._leverage)

    def set_leverage(self, venue: str, symbol: str, leverage: Decimal) -> None:
        """Let a unit of margin carry `leverage` on this symbol; what is open binds its new margin at once."""
        key, before = (venue, symbol), self.leverage(venue, symbol)
        self._leverages[key] = leverage
        if key in self._margins:
            asset, bound = self._margins[key]
            self._margins[key] = (asset, (bound * before / leverage).quantize(_FINEST, ROUND_CEILING))

    def pay(self, asset: str, amount: Decimal) -> None:
        """Move the balance of `asset` by `amount`, received where positive: funding, not a trade."""
        self._add(asset, amount)

    def _add(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = self.balances.get(asset, _ZERO) + amount

    def free(self, asset: str) -> Decimal:
        """Return what of `asset` no open position binds."""
        bound = sum((margin for held, margin in self._margins.values() if held == asset), _ZERO)
        return self.balances.get(asset, _ZERO) - bound

    def affords(self, instrument: Instrument, *, signed: Decimal, price: Decimal) -> bool:
        """Whether an order of `signed` base at `price` is covered: margin on perpetuals, the asset itself on spot."""
        if instrument.kind is MarketKind.SPOT:
            if signed < 0:
                return self.balances.get(instrument.base, _ZERO) >= -signed
            return self.balances.get(instrument.quote, _ZERO) >= signed * price * instrument.contract_size
        key = (instrument.venue, instrument.symbol)
        held = self.position(*key).quantity
        adds = abs(held + signed) - abs(held)
        return adds <= 0 or adds * price * instrument.contract_size / self.leverage(*key) <= self.free(instrument.quote)

    def report(self, asset: str, at: int) -> BalanceReported:
        """Return what a venue would tell about `asset` at `at`, rounded down to 1e-8."""
        total, free = self.balances.get(asset, _ZERO), self.free(asset)
        return BalanceReported(
            account=self.name, asset=asset, free=free.quantize(_FINEST, ROUND_FLOOR),
            total=total.quantize(_FINEST, ROUND_FLOOR), venue_at=at,
        )

    def dump(self) -> Data:
        """Return balances and positions as JSON data."""
        return {
            "balances": {asset: decimal_text(amount) for asset, amount in sorted(self.balances.items())},
            "positions": [to_data(position) for position in self.positions()],
            "leverages": [[*key, decimal_text(leverage)] for key, leverage in sorted(self._leverages.items())],
            "margins": [[*key, asset, decimal_text(amount)] for key, (asset, amount) in sorted(self._margins.items())],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self.balances = {asset: Decimal(amount) for asset, amount in data["balances"].items()}
        held: list[Position] = [from_data(Position, item) for item in data["positions"]]
        self._positions = {(position.venue, position.symbol): position for position in held}
        self._leverages = {(venue, symbol): Decimal(text) for venue, symbol, text in data["leverages"]}
        self._margins = {
            (venue, symbol): (asset, Decimal(amount)) for venue, symbol, asset, amount in data["margins"]
        }
