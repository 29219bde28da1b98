"""How large a hedge is to be, worked out once when its episode opens, or why there is none.

What is not known for sure is no ground for a trade: without a fresh price of both markets,
with too little to send, or where the account holds the hedge's market the other way round,
a person is told and nothing is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.execution.ledger import Key
from engine.model.codec import decimal_text, plain
from engine.model.fills import Position
from engine.model.instruments import Instrument, MarketKind
from engine.model.orders import Side
from engine.model.terms import ExecutionTerms
from engine.model.view import View
from engine.ruleset.latches import Episode

PROPOSER = "hedge"


@dataclass(slots=True, kw_only=True)
class Hedge:
    """A position in one market that stands against one in another. Quantities in base, instants in ns."""

    number: int
    name: str
    """Of the episode it was opened for: rule/instance/number."""
    rule: str
    labels: tuple[str, ...]
    episode: int
    of_venue: str
    of_symbol: str
    of_sign: int
    """The side of the position that is hedged, +1 long, -1 short."""
    venue: str
    symbol: str
    quantity: Decimal
    """What it was to be, signed, and never worked out again."""
    price: Decimal
    opened_at: int
    opened: Decimal = Decimal(0)
    """Filled by its own order."""
    closed: Decimal = Decimal(0)
    """Taken back by its own orders that ended."""
    lost: Decimal = Decimal(0)
    """Closed by others: its stop, a flatten, a person."""
    ending: str = ""
    """Why it is taken back, empty while it is to stand."""
    trying: bool = False
    """An order to open it was proposed, and nothing is known to have come of it yet."""
    closing: str = ""
    """Purpose of the order that takes it back, or empty."""
    closings: int = 0
    stop: str = ""
    """Purpose of its stop, once one was placed."""
    failures: int = 0
    retry_at: int = 0

    @property
    def key(self) -> Key:
        """(venue, symbol) of the market it is held in."""
        return self.venue, self.symbol

    @property
    def side(self) -> Side:
        """The side of the order that opens it."""
        return Side.BUY if self.quantity > 0 else Side.SELL

    @property
    def entry(self) -> str:
        """The purpose of the order that opens it."""
        return f"{self.symbol}/hedge/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What the size of a hedge depends on."""

    at: int
    view: View
    terms: ExecutionTerms
    net: Decimal
    """What the account holds of the hedge's market, signed base."""


def sized(position: Position, episode: Episode, number: int, now: Sizing) -> Hedge | str:
    """Return the hedge of `position` that the action of `episode` asks for, or why there is none.

    It is worth the ratio times what is left after the action's own trim, on the other side.
    """
    venue, symbol, view = position.venue, now.terms.hedge_symbol, now.view
    if not symbol:
        return "execution.hedge_symbol in conf/engine.yaml names no market to hedge in"
    if symbol == position.symbol:
        return f"{symbol} is what hedges are held in: a hedge of it in itself is no hedge"
    instrument, own = view.instrument(venue, symbol), view.instrument(venue, position.symbol)
    if instrument is None or own is None:
        return f"{symbol if instrument is None else position.symbol} is not known at {venue}"
    if instrument.kind is not MarketKind.PERPETUAL:
        return f"{symbol} at {venue} is no perpetual"
    price, of_price = fresh_mid(now, venue, symbol), fresh_mid(now, venue, position.symbol)
    if price is None or of_price is None:
        return f"the price of {symbol if price is None else position.symbol} is not known"
    action = episode.action
    assert action is not None and action.hedge_ratio is not None
    left = abs(position.quantity) * (1 - Decimal(str(action.trim_pct or 0)) / 100)
    worth = left * of_price * own.contract_size * Decimal(str(action.hedge_ratio))
    unit = price * instrument.contract_size
    quantity = instrument.floor_quantity(min(worth / unit, instrument.max_quantity))
    if quantity < max(instrument.min_quantity, instrument.step) or quantity * unit < instrument.min_notional:
        return f"{worth:.2f} is less than the smallest order in {symbol}"
    sign = 1 if position.quantity > 0 else -1
    if now.net * sign > 0:
        way = "long" if now.net > 0 else "short"
        return f"the account is {way} {symbol} itself, {decimal_text(abs(now.net))}: a hedge would close that instead"
    return Hedge(
        number=number, name=episode.name, rule=episode.rule, labels=tuple(value for _, value in episode.labels),
        episode=episode.number, of_venue=venue, of_symbol=position.symbol, of_sign=sign, venue=venue, symbol=symbol,
        quantity=plain(-sign * quantity), price=plain(price), opened_at=now.at,
    )


def fresh_mid(now: Sizing, venue: str, symbol: str) -> Decimal | None:
    """Return the mid price, None where the last quote is too old to trade on."""
    quote = now.view.quote(venue, symbol)
    if quote is None or now.at - quote.received_at > now.terms.hedge_quote_age:
        return None
    return (Decimal(str(quote.bid)) + Decimal(str(quote.ask))) / 2


def facts(hedge: Hedge, price: Decimal, view: View) -> tuple[tuple[str, float], ...]:
    """Return what entry rules ask of every order that adds: how far the price has run, and what the order would cost.

    The second only where the depth that is known is enough for it: what is not known refuses.
    """
    run = float((price - hedge.price) / hedge.price) * hedge.side.sign * 10_000.0
    bids, asks = view.depth(*hedge.key)
    left, cost = float(abs(hedge.quantity)), 0.0
    for level, size in asks if hedge.side is Side.BUY else bids:
        taken = min(left, size)
        cost += taken * abs(level - float(price))
        left -= taken
        if left <= 0:
            slippage = cost / float(abs(hedge.quantity)) / float(price) * 10_000.0
            return ("order_late_chase_bps", run), ("order_expected_slippage_bps", slippage)
    return (("order_late_chase_bps", run),)


def stop_trigger(hedge: Hedge, average: Decimal, instrument: Instrument, distance_pct: Decimal) -> Decimal:
    """Return where the stop of a hedge that was filled at `average` stands, rounded to protect sooner."""
    wanted = average * (1 - hedge.side.sign * distance_pct / 100)
    return instrument.price_up(wanted) if hedge.side is Side.BUY else instrument.price_down(wanted)
