"""What Binance's private stream says, as parts: order and conditional-order updates, the account, a dead key.

Pure. A message that tells of an order and cannot be read is refused, so that whoever listens
can ask by REST; one that is of no concern here is named and let pass. What came is told in
the order it came; nothing is sorted or merged.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.venue_binance_payloads import ZERO, TradePart, algo_state, kind_of, side_of, state_of
from engine.adapters.venue_binance_reading import PayloadRefused, Reader
from engine.model.codec import Data
from engine.model.orders import OrderState
from engine.model.reports import BalanceReport, OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """A regular order moved. `execution` is why (NEW, TRADE, CANCELED, EXPIRED, CALCULATED, ...)."""

    execution: str
    report: OrderReport
    trade: TradePart | None
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgoUpdate:
    """A conditional order moved; `status` is the venue's word for where it is now."""

    status: str
    report: OrderReport
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSeen:
    """A position as an account update tells it: signed base quantity, 0 for flat."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUpdate:
    """Balances (free is not told on futures: total stands for it) and positions that changed, and why."""

    reason: str
    balances: tuple[BalanceReport, ...]
    positions: tuple[PositionSeen, ...]
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpired:
    """The listen key is dead: nothing more comes on this stream."""

    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNews:
    """A message that changes nothing we keep; it proves that the stream lives."""

    kind: str
    venue_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangeNews:
    """A message of a kind that is not known here: what it changed must be asked for."""

    kind: str
    venue_at: int


UserPart = StrangeNews | OrderUpdate | AlgoUpdate | AccountUpdate | KeyExpired | OtherNews
_NO_CONCERN = frozenset(
    {
        "TRADE_LITE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "STRATEGY_UPDATE", "GRID_UPDATE", "balanceUpdate",
        "CONDITIONAL_ORDER_TRIGGER_REJECT", "listStatus", "externalLockUpdate",
    }
)
"""Known and not used: TRADE_LITE is a trade without fee and maker flag, which the full update brings too."""
_ORDER_ENDED = frozenset({OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})


def stream(message: Data, *, venue: str) -> tuple[UserPart, ...]:
    """Return what one message of the private stream says, in order; PayloadRefused if it cannot be read."""
    reader = Reader(message, "message")
    for envelope in ("data", "event"):
        if reader.has(envelope) and not reader.has("e"):
            reader = reader.inner(envelope)
            break
    kind = reader.text("e", "")
    at = reader.instant("E", 0)
    if kind == "ORDER_TRADE_UPDATE":
        return (_order(reader.inner("o"), venue, at),)
    if kind == "executionReport":
        return (_order(reader, venue, at),)
    if kind == "ALGO_UPDATE":
        return (_algo(reader.inner("o"), venue, at),)
    if kind == "ACCOUNT_UPDATE":
        return (_account(reader.inner("a"), at),)
    if kind == "outboundAccountPosition":
        return (AccountUpdate(reason="ORDER", balances=tuple(_spot_held(row) for row in reader.rows("B")),
                              positions=(), venue_at=at),)
    if kind in ("listenKeyExpired", "eventStreamTerminated"):
        return (KeyExpired(venue_at=at),)
    if kind in _NO_CONCERN:
        return (OtherNews(kind=kind, venue_at=at),)
    if kind:
        return (StrangeNews(kind=kind, venue_at=at),)
    raise PayloadRefused(f"{reader.place}.e", "a message without a kind")


def _order(reader: Reader, venue: str, at: int) -> OrderUpdate:
    execution = reader.name("x")
    original = reader.text("C", "")
    # Spot gives a cancel its own id and moves the order's to C.
    client_id = original if original and execution == "CANCELED" else reader.text("c", "")
    closes = reader.yes("cp", False)
    executed = reader.at_least_zero("z")
    quantity = None if closes else reader.at_least_zero("q")
    state = state_of(reader, "X")
    report = OrderReport(
        client_id=client_id, venue_order_id=reader.id("i"), venue=venue, symbol=reader.name("s"),
        side=side_of(reader, "S"), kind=kind_of(reader, "o"), state=state, quantity=quantity, executed=executed,
        average_price=reader.at_least_zero("ap", ZERO), limit_price=reader.unless_zero("p"),
        trigger_price=reader.unless_zero("sp"), reduce_only=reader.yes("R", False), close_position=closes,
        reason=_why(reader, state, execution), updated_at=reader.instant("T", at),
    )
    return OrderUpdate(execution=execution, report=report, trade=_trade(reader, report, at), venue_at=at)


def _trade(reader: Reader, report: OrderReport, at: int) -> TradePart | None:
    """Return the execution in an order update, None without one: liquidations may come with an empty one."""
    last = reader.at_least_zero("l", ZERO)
    trade_id = reader.id("t", "0")
    if last == 0 or trade_id in ("0", "-1", ""):
        return None
    price = reader.at_least_zero("L", ZERO) or report.average_price
    if price == 0:
        raise reader.refuse("L", "an execution without a price")
    return TradePart(
        symbol=report.symbol, trade_id=trade_id, order_id=report.venue_order_id, side=report.side, price=price,
        quantity=last, fee=reader.number("n", ZERO), fee_asset=reader.text("N", ""), maker=reader.yes("m"),
        venue_at=reader.instant("T", at), client_id=report.client_id, remaining=report.remaining,
    )


def _algo(reader: Reader, venue: str, at: int) -> AlgoUpdate:
    status = reader.name("X")
    closes = reader.yes("cp", False)
    quantity = None if closes else reader.at_least_zero("q")
    executed = reader.at_least_zero("aq", ZERO)
    child = reader.id("ai", "")
    report = OrderReport(
        client_id=reader.text("caid", ""), venue_order_id=reader.id("aid"), venue=venue, symbol=reader.name("s"),
        side=side_of(reader, "S"), kind=kind_of(reader, "o"), quantity=quantity, executed=executed,
        state=algo_state(reader, "X", quantity, executed if reader.has("aq") else None),
        average_price=reader.at_least_zero("ap", ZERO), limit_price=reader.unless_zero("p"),
        trigger_price=reader.unless_zero("tp"), reduce_only=reader.yes("R", False), close_position=closes,
        conditional=True, child_id="" if child == "0" else child, reason=reader.text("rm", ""), updated_at=at,
    )
    return AlgoUpdate(status=status, report=report, venue_at=at)


def _account(reader: Reader, at: int) -> AccountUpdate:
    held = []
    for row in reader.rows("B") if reader.has("B") else ():
        total = row.number("wb")
        held.append(BalanceReport(asset=row.name("a"), free=row.number("cw", total), total=total))
    seen = [
        PositionSeen(symbol=row.name("s"), quantity=row.number("pa"), entry_price=row.at_least_zero("ep", ZERO))
        for row in (reader.rows("P") if reader.has("P") else ())
    ]
    return AccountUpdate(reason=reader.text("m", ""), balances=tuple(held), positions=tuple(seen), venue_at=at)


def _spot_held(row: Reader) -> BalanceReport:
    free = row.number("f")
    return BalanceReport(asset=row.name("a"), free=free, total=free + row.number("l"))


def _why(reader: Reader, state: OrderState, execution: str) -> str:
    if state not in _ORDER_ENDED:
        return ""
    said = reader.text("r", "")
    return execution.lower() if said in ("", "NONE") else said
