"""Whether the venue still takes stops: a tiny one far away is placed, found in its book and taken back.

Venues moved stops to other endpoints before, and every bot that only placed orders learnt it from a
position without one. The probe is reduce-only and half the price away: it cannot add risk.
"""

from __future__ import annotations

from decimal import Decimal

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters.venue_binance_codes import Outcome, Trouble, judged
from engine.adapters.venue_binance_reading import Reader
from engine.adapters.venue_ccxt_asks import OPEN_ALGO_ORDERS, PROBE_ID, Asking, Incomplete
from engine.adapters.venue_ccxt_orders import CANCEL_CONDITIONAL, PLACE_CONDITIONAL, trigger_text
from engine.adapters.venue_ccxt_rate import SendLane
from engine.adapters.venue_ccxt_terms import seconds
from engine.adapters.venue_ccxt_wire import Endpoint, Errand, Wire, WireTrouble
from engine.model.codec import decimal_text
from engine.model.instruments import Instrument
from engine.model.orders import OrderKind, Side
from engine.model.reports import Rejection

MARK_PRICE = Endpoint(method="fapiPublicGetPremiumIndex")
_PROVES_NOTHING = frozenset({Rejection.NOT_REDUCING, Rejection.CLOSE_EXISTS})
_TRIES = 3


async def probed(wire: Wire, asking: Asking, instrument: Instrument) -> tuple[bool, str]:
    """Return whether a stop can be had and how it went. Raises where there is no answer at all."""
    patience = seconds(wire.terms.query_patience_s)
    errand = Errand(lane=SendLane.QUERY, patience=patience)
    await _swept(wire, errand)
    told = Reader(await wire.call(MARK_PRICE, {"symbol": instrument.symbol}, errand), "premiumIndex")
    mark = told.positive("markPrice")
    client_id = f"{PROBE_ID}{wire.clock.now() // 1_000_000}"
    params = _probe(instrument, mark, client_id, wire.terms.working_type)
    try:
        reply = await wire.call(PLACE_CONDITIONAL, params, errand)
    except WireTrouble as error:
        return await _refused(wire, asking, instrument.symbol, client_id, error.trouble)
    # Whatever happens from here on, the probe is taken back.
    try:
        placed = payloads.order_report(reply, venue=wire.terms.venue, conditional=True)
        rows = await wire.call(OPEN_ALGO_ORDERS, {"symbol": instrument.symbol}, errand)
        found = any(
            report.client_id == client_id and report.venue_order_id == placed.venue_order_id
            for report in payloads.order_reports(rows, venue=wire.terms.venue, conditional=True)
        )
    finally:
        await _taken_back(wire, client_id)
    if not found:
        return False, f"stop {client_id} was accepted and is not in the list of conditional orders"
    return True, f"a stop at {params['triggerPrice']} was placed, found and taken back"


async def _swept(wire: Wire, errand: Errand) -> None:
    """Take back what a process left behind that died over its probe: nobody else knows what it is."""
    rows = await wire.call(OPEN_ALGO_ORDERS, {}, errand)
    for report in payloads.order_reports(rows, venue=wire.terms.venue, conditional=True):
        if report.client_id.startswith(PROBE_ID):
            await _taken_back(wire, report.client_id)


async def _refused(
    wire: Wire, asking: Asking, symbol: str, client_id: str, trouble: Trouble
) -> tuple[bool, str]:
    verdict = judged(trouble, "place")
    if verdict.outcome is Outcome.REFUSED and verdict.rejection is not Rejection.NOT_SENT:
        if verdict.rejection in _PROVES_NOTHING:
            return True, f"not proven: without a position the venue takes no reduce-only stop ({verdict.text})"
        return False, f"the venue refused a stop: {verdict.text}"
    if verdict.outcome in (Outcome.UNKNOWN, Outcome.LIVE_ALREADY):
        await _taken_back(wire, client_id)
        await _sure(asking, symbol, client_id)
    raise Incomplete(f"the probe got no answer: {verdict.text}")


async def _sure(asking: Asking, symbol: str, client_id: str) -> None:
    try:
        await asking.report(symbol, client_id, conditional=True)
    except WireTrouble:
        return


async def _taken_back(wire: Wire, client_id: str) -> None:
    """Cancel the probe; what cannot be proven gone after some tries is told as such."""
    errand = Errand(lane=SendLane.SAFETY, patience=seconds(wire.terms.order_patience_s))
    why = ""
    for _ in range(_TRIES):
        try:
            await wire.call(CANCEL_CONDITIONAL, {"clientAlgoId": client_id}, errand)
        except WireTrouble as error:
            if error.trouble.code in (-2011, -2013):
                return
            why = error.trouble.text
        else:
            return
    raise Incomplete(f"stop {client_id} of the probe may still be there: {why}")


def _probe(instrument: Instrument, mark: Decimal, client_id: str, working_type: str) -> dict[str, str]:
    trigger = mark / 2
    # Enough for a minimum notional, where the venue counts one for stops too.
    least = max(instrument.min_quantity, instrument.min_notional / trigger, instrument.step)
    quantity = (least / instrument.step).to_integral_value("ROUND_CEILING") * instrument.step
    return {
        "algoType": "CONDITIONAL", "symbol": instrument.symbol, "side": "SELL", "type": "STOP_MARKET",
        "clientAlgoId": client_id, "quantity": decimal_text(quantity), "reduceOnly": "true",
        "triggerPrice": trigger_text(trigger, Side.SELL, OrderKind.STOP_MARKET, instrument),
        "workingType": working_type,
    }
