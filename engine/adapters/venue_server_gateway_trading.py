"""Placing and cancelling: what is asked becomes an order of the exchange, or one of Binance's refusals.

Checked in the venue's order: the shape of the request, then the filters, then what the
exchange itself has to say (margin, position, price, book).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from engine.adapters.venue_server_gateway_codes import BY_REASON, Refused
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_gateway_office import Office
from engine.adapters.venue_server_gateway_sheets import FIRST_ALGO, FIRST_ORDER, OPEN, Sheet
from engine.exchange.orders import Reason
from engine.model.effects import CancelOrder, PlaceOrder
from engine.model.instruments import Instrument
from engine.model.orders import Intent, OrderKind, Side

_CONDITIONAL = {"STOP_MARKET": OrderKind.STOP_MARKET, "TAKE_PROFIT_MARKET": OrderKind.TAKE_PROFIT_MARKET}
_OTHER_ENDPOINT = frozenset({*_CONDITIONAL, "STOP", "TAKE_PROFIT", "TRAILING_STOP_MARKET"})
_TIFS = frozenset({"GTC", "IOC", "GTX", "GTD"})
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_BPS = Decimal(10_000)
_DIGITS = 15
"""Beyond so many digits before or after the point a number is nonsense."""


def place(office: Office, request: Request, at: int, hidden: int | None = None) -> Sheet:
    """Take an order of the regular book; `hidden` is for how long (ns) nobody who asks is shown it."""
    instrument = _instrument(office, request)
    kind = request.need("type")
    if kind in _OTHER_ENDPOINT:
        raise Refused(-4120)
    if kind not in ("MARKET", "LIMIT"):
        raise Refused(-1116)
    if _yes(request, "closePosition"):
        raise Refused(-4136, kind, "true")
    limit = kind == "LIMIT"
    tif = request.need("timeInForce") if limit else request.get("timeInForce", "GTC")
    if tif not in _TIFS:
        raise Refused(-1115)
    if not limit and request.get("price"):
        raise Refused(-1106, "price")
    sheet = _written(office, request, at, hidden)
    sheet.kind, sheet.tif = kind, tif
    sheet.quantity = _quantity(request, instrument)
    sheet.price = _price(request, "price", instrument) if limit else Decimal(0)
    open_here = sum(other.symbol == sheet.symbol for other in office.sheets.live(conditional=False))
    if limit and open_here >= office.terms.max_orders:
        raise Refused(-2025)
    return _sent(office, sheet, instrument, at)


def place_algo(office: Office, request: Request, at: int, hidden: int | None = None) -> Sheet:
    """Take an order of the conditional book."""
    if request.get("algoType") != "CONDITIONAL":
        raise Refused(-1102, "algoType")
    instrument = _instrument(office, request)
    kind = request.need("type")
    if kind not in _CONDITIONAL:
        raise Refused(-1116)
    closes = _yes(request, "closePosition")
    if closes and request.get("quantity") not in ("", "0"):
        raise Refused(-4137)
    if closes and request.get("reduceOnly"):
        raise Refused(-1106, "reduceonly")
    working = request.get("workingType", "CONTRACT_PRICE")
    if working not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise Refused(-1102, "workingType")
    sheet = _written(office, request, at, hidden)
    sheet.conditional, sheet.kind, sheet.close_position, sheet.working_type = True, kind, closes, working
    sheet.quantity = None if closes else _quantity(request, instrument)
    sheet.trigger = _price(request, "triggerPrice", instrument)
    return _sent(office, sheet, instrument, at)


def _instrument(office: Office, request: Request) -> Instrument:
    instrument = office.instrument(request.need("symbol"))
    if instrument is None:
        raise Refused(-1121)
    if request.get("positionSide", "BOTH") != "BOTH":
        raise Refused(-4061)
    return instrument


def _written(office: Office, request: Request, at: int, hidden: int | None) -> Sheet:
    """Return a sheet with what every order has; it is not in the books yet."""
    side = request.need("side")
    if side not in ("BUY", "SELL"):
        raise Refused(-1117)
    algo = request.path.endswith("algoOrder")
    number = office.sheets.next_number()
    client_id = request.get("clientAlgoId" if algo else "newClientOrderId") or f"gw{number}"
    if not _CLIENT_ID.fullmatch(client_id):
        raise Refused(-4015)
    sheet = Sheet(
        number=number, client_id=client_id, symbol=request.need("symbol"), side=side, kind="", quantity=None,
        created=at, updated=at, reduce_only=_yes(request, "reduceOnly"), conditional=algo,
        visible_from=0 if hidden is None else at + hidden,
    )
    _unused(office, sheet)
    return sheet


def _unused(office: Office, sheet: Sheet) -> None:
    """Refuse a client id that a living order of the same book has; one that has ended frees it."""
    other = office.sheets.with_id(sheet.client_id, conditional=sheet.conditional)
    if other is not None and other.live:
        raise Refused(-4116)


def _yes(request: Request, name: str) -> bool:
    said = request.get(name, "false").lower()
    if said not in ("true", "false"):
        raise Refused(-1102, name)
    return said == "true"


def _number(request: Request, name: str) -> Decimal:
    text = request.need(name)
    try:
        value = Decimal(text) if len(text) <= 40 else None
    except InvalidOperation:
        value = None
    if value is None or not value.is_finite() or abs(value.adjusted()) > _DIGITS:
        raise Refused(-1102, name)
    return value


def places(grain: Decimal) -> int:
    """Return how many decimals a tick or step has."""
    return max(0, -int(grain.normalize().as_tuple().exponent))


def _quantity(request: Request, instrument: Instrument) -> Decimal:
    quantity = _number(request, "quantity")
    if quantity <= 0:
        raise Refused(-4003)
    if places(quantity) > places(instrument.step):
        raise Refused(-1111)
    return quantity


def _price(request: Request, name: str, instrument: Instrument) -> Decimal:
    price = _number(request, name)
    if price <= 0:
        raise Refused(-4001)
    if places(price) > places(instrument.tick):
        raise Refused(-1111)
    return price


def _sent(office: Office, sheet: Sheet, instrument: Instrument, at: int) -> Sheet:
    """Put `sheet` into the books and its order before the exchange; take it out again where it is refused."""
    sheet.name = office.sheets.name_for(sheet)
    order = PlaceOrder(
        at=at, client_id=sheet.name, account="main", venue=office.terms.venue, symbol=sheet.symbol,
        side=Side(sheet.side.lower()), kind=_kind(sheet), intent=Intent.ENTRY, quantity=sheet.quantity,
        limit_price=sheet.price or None, trigger_price=sheet.trigger or None, reference_price=Decimal(0),
        reduce_only=sheet.reduce_only, close_position=sheet.close_position, post_only=sheet.tif == "GTX",
        purpose="", policy_version=0, immediate=sheet.kind == "LIMIT" and sheet.tif == "IOC",
    )
    office.sheets.add(sheet)
    office.exchange.submit(order, at, on_mark=sheet.working_type == "MARK_PRICE")
    office.run(at)
    reason = office.refused.pop(sheet.name, None)
    if reason is not None:
        office.sheets.drop(sheet)
        raise _refusal(office, sheet, instrument, Reason(reason))
    return sheet


def _kind(sheet: Sheet) -> OrderKind:
    if sheet.conditional:
        return _CONDITIONAL[sheet.kind]
    return OrderKind.LIMIT if sheet.kind == "LIMIT" else OrderKind.MARKET


def _refusal(office: Office, sheet: Sheet, instrument: Instrument, reason: Reason) -> Refused:
    code = BY_REASON.get(reason, -2010)
    if reason is Reason.MIN_NOTIONAL:
        return Refused(code, str(instrument.min_notional))
    if reason is Reason.PRICE_BAND:
        band = office.mark(sheet.symbol) * office.exchange.settings.price_band_bps / _BPS
        edge = office.mark(sheet.symbol) + (band if sheet.side == "BUY" else -band)
        return Refused(-4016 if sheet.side == "BUY" else -4024, str(edge))
    if reason is Reason.BAD_ORDER:
        return Refused(code, "type")
    return Refused(code)


def found(office: Office, request: Request, at: int, *, conditional: bool, code: int) -> Sheet:
    """Return the order that is asked for by its id or ours; refused with `code` where that book does not know it."""
    by_id, ours = ("algoId", "clientAlgoId") if conditional else ("orderId", "origClientOrderId")
    symbol, order_id, client_id = request.get("symbol"), request.get(by_id), request.get(ours)
    if not conditional and not symbol:
        raise Refused(-1102, "symbol")
    if not order_id and not client_id:
        raise Refused(-1102, by_id)
    if order_id:
        first = FIRST_ALGO if conditional else FIRST_ORDER
        sheet = office.sheets.of(int(order_id) - first) if order_id.isdigit() and len(order_id) < 20 else None
    else:
        sheet = office.sheets.with_id(client_id, conditional=conditional)
    unknown = sheet is None or sheet.conditional is not conditional or at < sheet.visible_from
    if sheet is None or unknown or (symbol and sheet.symbol != symbol):
        raise Refused(code)
    return sheet


def cancel(office: Office, sheet: Sheet, at: int) -> Sheet:
    """Take an order back; refused where it has ended or triggered."""
    if not sheet.live or sheet.parent:
        raise Refused(-2011)
    office.exchange.cancel(
        CancelOrder(
            at=at, client_id=sheet.name, venue=office.terms.venue, symbol=sheet.symbol,
            conditional=sheet.conditional, why="",
        ),
        at,
    )
    office.run(at)
    if sheet.status in OPEN:
        raise Refused(-2011)
    return sheet


def cancel_all(office: Office, symbol: str, at: int, *, conditional: bool) -> None:
    """Take back every order of one book and symbol that can be seen."""
    if office.instrument(symbol) is None:
        raise Refused(-1121)
    for sheet in tuple(office.sheets.live(conditional=conditional)):
        if sheet.symbol == symbol and at >= sheet.visible_from and sheet.status in ("NEW", "PARTIALLY_FILLED"):
            cancel(office, sheet, at)
