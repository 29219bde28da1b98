"""What Binance sends becomes nouns or is refused with a place and a reason; no JSON whatever crashes the reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.adapters import venue_binance_payloads as payloads
from engine.adapters import venue_binance_user as user
from engine.adapters.venue_binance_reading import PayloadRefused
from engine.model.codec import Data
from engine.model.orders import OrderKind, OrderState, Side
from engine.model.reports import IncomeKind
from tests.shared_data import SHARED, needs_shared

FIXTURES = SHARED / "data" / "api_fixtures"
VENUE = "binanceusdm"
D = Decimal


def regular(data: Data) -> object:
    return payloads.order_report(data, venue=VENUE, conditional=False)


def algo(data: Data) -> object:
    return payloads.order_report(data, venue=VENUE, conditional=True)


def told(data: Data) -> object:
    return user.stream(data, venue=VENUE)


READERS: list[Callable[[Data], object]] = [
    regular, algo, told,
    lambda data: payloads.order_reports(data, venue=VENUE, conditional=False),
    lambda data: payloads.order_reports(data, venue=VENUE, conditional=True),
    lambda data: payloads.position_report(data, venue=VENUE),
    lambda data: payloads.position_reports(data, venue=VENUE),
    lambda data: payloads.income(data, venue=VENUE),
    lambda data: payloads.incomes(data, venue=VENUE),
    lambda data: payloads.instrument(data, venue=VENUE),
    lambda data: payloads.instruments(data, venue=VENUE),
    payloads.balance_report, payloads.balances, payloads.trade, payloads.trades,
]

ORDER = {
    "orderId": 12345678, "symbol": "BTCUSDT", "status": "NEW", "clientOrderId": "rb-e-1", "price": "50000.00",
    "avgPrice": "0.00", "origQty": "0.002", "executedQty": "0.001", "cumQuote": "0.00", "type": "LIMIT",
    "reduceOnly": False, "closePosition": False, "side": "BUY", "stopPrice": "0.00", "updateTime": 1625474304765,
}
ALGO = {
    "algoId": 2148627, "clientAlgoId": "rb-e-2", "algoType": "CONDITIONAL", "orderType": "STOP_MARKET",
    "symbol": "BNBUSDT", "side": "SELL", "quantity": "0.01", "algoStatus": "NEW", "actualOrderId": "",
    "actualQty": "0", "triggerPrice": "750.000", "price": "0", "closePosition": False, "reduceOnly": True,
    "createTime": 1750514941540, "updateTime": 1750514941540,
}
UPDATE = {
    "e": "ORDER_TRADE_UPDATE", "T": 1568879465651, "E": 1568879465652,
    "o": {"s": "BTCUSDT", "c": "rb-e-1", "S": "BUY", "o": "LIMIT", "f": "GTC", "q": "0.002", "p": "7100.50",
          "ap": "7100.50", "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 8886774, "l": "0.001", "z": "0.001",
          "L": "7100.50", "N": "USDT", "n": "0.01", "T": 1568879465651, "t": 12345678, "m": True, "R": False,
          "cp": False},
}
ALGO_UPDATE = {
    "e": "ALGO_UPDATE", "T": 1765431097031, "E": 1765431097037,
    "o": {"caid": "rb-e-2", "aid": 1000000033225453, "o": "STOP_MARKET", "s": "DOGEUSDT", "S": "BUY", "q": "38",
          "X": "FINISHED", "ai": "88937381063", "ap": "0.13856", "aq": "38", "tp": "0.13855", "p": "0", "cp": False,
          "R": False},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["NaN", "Infinity", "-1", "1e999999", "0", "BUY", "NEW", "9" * 90]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=5),
    max_leaves=12,
)


def read_or_refused(read: Callable[[Data], object], data: Data) -> str:
    """Return what became of `data`: read, refused, or nothing where a refusal lacks its place or its reason."""
    try:
        read(data)
    except PayloadRefused as refusal:
        return "refused" if refusal.place and refusal.what else ""
    return "read"


@given(JSON, st.sampled_from(READERS))
def test_no_json_crashes_a_reader(data: Data, read: Callable[[Data], object]) -> None:
    assert read_or_refused(read, data)


@pytest.mark.parametrize(
    ("sample", "read"), [(ORDER, regular), (ALGO, algo), (UPDATE, told), (ALGO_UPDATE, told)],
    ids=["order", "algo", "update", "algo update"],
)
@given(data=st.data())
def test_a_real_payload_with_one_field_spoilt_is_read_or_refused(
    sample: dict[str, Any], read: Callable[[Data], object], data: st.DataObject
) -> None:
    spoilt = json.loads(json.dumps(sample))
    target = spoilt.get("o", spoilt) if isinstance(spoilt.get("o"), dict) else spoilt
    name = data.draw(st.sampled_from(sorted(target)))
    value = data.draw(JSON)
    target[name] = value
    if data.draw(st.booleans()):
        del target[name]

    assert read_or_refused(read, spoilt)


def test_an_order_keeps_its_state_and_what_it_executed() -> None:
    report = payloads.order_report(ORDER, venue=VENUE, conditional=False)

    assert (report.client_id, report.venue_order_id, report.state) == ("rb-e-1", "12345678", OrderState.OPEN)
    assert (report.quantity, report.executed, report.remaining) == (D("0.002"), D("0.001"), D("0.001"))
    assert report.updated_at == 1625474304765 * 10**6
    assert report.trigger_price is None


@pytest.mark.parametrize("quantity", ["0", "0.000", 0, "0.01", None])
def test_an_order_on_the_whole_position_has_no_quantity_whatever_number_is_sent(quantity: object) -> None:
    """Taking the 0 for a quantity once dropped the stop of a position at a restart."""
    closing = {**ALGO, "closePosition": True, "quantity": quantity}

    report = payloads.order_report(closing, venue=VENUE, conditional=True)

    assert report.close_position
    assert report.quantity is None


@pytest.mark.parametrize(
    ("executed", "state"),
    [("0.01", OrderState.FILLED), ("0.004", OrderState.CANCELLED), ("0", OrderState.CANCELLED),
     (None, OrderState.OPEN)],
)
def test_finished_is_not_filled(executed: str | None, state: OrderState) -> None:
    finished = {**ALGO, "algoStatus": "FINISHED", "actualQty": executed, "actualOrderId": "77"}

    report = payloads.order_report(finished, venue=VENUE, conditional=True)

    assert (report.state, report.child_id) == (state, "77")


def test_a_finished_order_that_tells_nothing_of_its_child_is_refused() -> None:
    with pytest.raises(PayloadRefused, match="tells nothing"):
        payloads.order_report({**ALGO, "algoStatus": "FINISHED", "actualQty": None}, venue=VENUE, conditional=True)


def test_a_stop_with_a_limit_is_not_called_a_market_stop() -> None:
    """It may trigger and never fill: who looks for the stop of a position may not take it for one."""
    report = payloads.order_report({**ALGO, "orderType": "STOP", "price": "700"}, venue=VENUE, conditional=True)

    assert (report.kind, report.limit_price) == (OrderKind.LIMIT, D(700))


def test_one_unreadable_order_refuses_the_whole_list() -> None:
    """A list with a hole in it would read as: that order is not there."""
    with pytest.raises(PayloadRefused, match=r"openOrders\[1\].status"):
        payloads.order_reports([ORDER, {**ORDER, "status": "MOON"}], venue=VENUE, conditional=False)


def test_a_trade_on_the_stream_carries_price_fee_side_and_what_is_left() -> None:
    (part,) = user.stream(UPDATE, venue=VENUE)

    assert isinstance(part, user.OrderUpdate)
    assert part.trade is not None
    assert (part.trade.trade_id, part.trade.client_id, part.trade.side) == ("12345678", "rb-e-1", Side.BUY)
    assert (part.trade.fee, part.trade.fee_asset, part.trade.maker) == (D("0.01"), "USDT", True)
    assert (part.trade.quantity, part.trade.remaining) == (D("0.001"), D("0.001"))


def test_a_combined_stream_envelope_is_taken_off() -> None:
    assert user.stream({"stream": "key", "data": UPDATE}, venue=VENUE) == user.stream(UPDATE, venue=VENUE)


def test_a_spot_cancel_is_told_by_the_id_of_the_order_and_not_of_the_cancel() -> None:
    report = {"e": "executionReport", "E": 1759347763167, "s": "ETHUSDT", "c": "web_1", "C": "rb-e-3", "S": "SELL",
              "o": "LIMIT", "q": "0.5", "p": "2500", "x": "CANCELED", "X": "CANCELED", "r": "NONE", "i": 98, "l": "0",
              "z": "0.1", "L": "0", "T": 1759347763167, "t": -1, "m": False}

    (part,) = user.stream(report, venue="binance")

    assert isinstance(part, user.OrderUpdate)
    assert (part.report.client_id, part.report.state, part.report.remaining) == (
        "rb-e-3", OrderState.CANCELLED, D("0.4"),
    )


def test_a_dead_key_says_so() -> None:
    assert isinstance(user.stream({"e": "listenKeyExpired", "E": 1}, venue=VENUE)[0], user.KeyExpired)


def test_a_hedged_leg_is_refused_and_an_empty_one_is_flat() -> None:
    row = {"symbol": "BTCUSDT", "positionAmt": "0", "entryPrice": "0", "positionSide": "LONG"}
    assert payloads.position_report(row, venue=VENUE) is None

    with pytest.raises(PayloadRefused, match="hedge"):
        payloads.position_report({**row, "positionAmt": "1"}, venue=VENUE)


def test_two_executions_of_one_transfer_are_two_movements() -> None:
    row = {"symbol": "BTCUSDT", "incomeType": "COMMISSION", "income": "-0.01", "asset": "USDT", "time": 1570636800000,
           "tranId": 9689322392, "tradeId": 1}
    first, second = payloads.incomes([row, {**row, "tradeId": 2}], venue=VENUE)

    assert first.kind is IncomeKind.FEE
    assert first.transfer_id != second.transfer_id


def test_the_smaller_of_two_maximum_quantities_holds() -> None:
    row = {"symbol": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "BTC",
           "quoteAsset": "USDT", "filters": [
               {"filterType": "PRICE_FILTER", "tickSize": "0.10"}, {"filterType": "MIN_NOTIONAL", "notional": "100"},
               {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
               {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"}]}

    instrument = payloads.instrument(row, venue=VENUE)

    assert instrument is not None
    assert (instrument.tick, instrument.max_quantity, instrument.min_notional) == (D("0.1"), D(120), D(100))
    assert payloads.instrument({**row, "contractType": "CURRENT_QUARTER"}, venue=VENUE) is None


def read_all(path: Path) -> Data:
    return json.loads(path.read_text(encoding="utf-8"))


PRICELESS = "ws_spot_execution_report_trade_l_zero"
"""An execution without a price would be booked at 0. It is refused, and the trade is asked for by REST."""


@needs_shared
def test_every_recorded_user_event_is_read() -> None:
    folders = [FIXTURES / "nautilus" / name for name in ("futures/user_data_json", "spot/user_data_json")]
    files = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    names = ("ws_futures_algo_update*", "ws_futures_order_update*", "ws_futures_trade_lite*",
             "ws_spot_execution_report*")
    files += [path for name in names for path in sorted((FIXTURES / "nautilus/py_ws_messages").glob(name + ".json"))]
    assert len(files) > 45

    refused = [path.stem for path in files if read_or_refused(told, read_all(path)) == "refused"]
    assert refused == [PRICELESS]
    read = {path.name: user.stream(read_all(path), venue=VENUE) for path in files if path.stem not in refused}
    assert all(len(parts) == 1 for parts in read.values())
    trades = [part.trade for parts in read.values() for part in parts
              if isinstance(part, user.OrderUpdate) and part.trade is not None]
    assert len(trades) >= 12
    assert all(trade.price > 0 and trade.quantity > 0 for trade in trades)
    (finished,) = read["ws_futures_algo_update_finished_canceled.json"]
    assert isinstance(finished, user.AlgoUpdate)
    assert finished.report.state is OrderState.CANCELLED


REST: list[tuple[str, Callable[[Data], object]]] = [
    ("Account/GetIncomeHistory", lambda data: payloads.incomes(data, venue=VENUE)),
    ("Account/GetAccountInfo", payloads.balances),
    ("Account/GetAccountInfoV3", payloads.balances),
    ("ExchangeData/GetExchangeInfo", lambda data: payloads.instruments(data, venue=VENUE)),
    ("Trading/GetPositionInformation", lambda data: payloads.position_reports(data, venue=VENUE)),
    ("Trading/GetUserTrades", payloads.trades),
    ("Trading/PlaceOrder", regular),
    ("Trading/CancelOrder", regular),
    ("Trading/GetOrder", regular),
    ("Trading/EditOrder", regular),
    ("Trading/GetForcedOrders", lambda data: payloads.order_reports(data, venue=VENUE, conditional=False)),
    ("Trading/GetOpenOrders", lambda data: payloads.order_reports(data, venue=VENUE, conditional=False)),
    ("Trading/GetOrders", lambda data: payloads.order_reports(data, venue=VENUE, conditional=False)),
    ("Trading/PlaceConditionalOrder", algo),
    ("Trading/GetConditionalOrder", algo),
    ("Trading/GetConditionalOrders", lambda data: payloads.order_reports(data, venue=VENUE, conditional=True)),
    ("Trading/GetOpenConditionalOrders", lambda data: payloads.order_reports(data, venue=VENUE, conditional=True)),
]


@needs_shared
def test_every_recorded_rest_answer_that_concerns_us_is_read() -> None:
    recorded = read_all(FIXTURES / "binance_net_usdm_rest.json")
    for name, read in REST:
        data = recorded.get(f"UsdFutures/{name}") or recorded[f"UsdFutures/Account/{name.split('/')[1]}"]
        answer = read(data["response"])
        assert answer is not None, name
        assert not isinstance(answer, tuple) or answer or "Position" in name, name

    mixed = recorded["UsdFutures/Trading/PlaceMultipleOrders"]["response"]
    assert payloads.order_report(mixed[0], venue=VENUE, conditional=False).venue_order_id == "22542179"
    with pytest.raises(PayloadRefused, match="missing"):
        payloads.order_report(mixed[1], venue=VENUE, conditional=False)


@needs_shared
def test_every_other_recorded_answer_is_read_or_refused_and_none_crashes() -> None:
    files = sorted((FIXTURES / "nautilus").rglob("*.json"))
    bodies = [read_all(path) for path in files]
    bodies += [entry["response"] for entry in read_all(FIXTURES / "binance_net_usdm_rest.json").values()]
    bodies += list(read_all(FIXTURES / "binance_net_market_ws.json").values())
    assert len(bodies) > 200
    outcomes = {"read": 0, "refused": 0}
    for body in bodies:
        for read in READERS:
            outcomes[read_or_refused(read, body)] += 1

    assert outcomes["read"] > 60
    assert outcomes["refused"] > 2000
