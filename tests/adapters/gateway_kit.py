"""A gateway with one symbol, its one customer, and requests signed as the customer signs them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from engine.adapters.venue_server_gateway import Gateway, GatewayTerms, Reply, Request, UserMessage, WireFaults, opened
from engine.adapters.venue_server_gateway_faults import StreamRule, WireRule
from engine.exchange.settings import ExchangeSettings, Span
from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import FundingRate, Quote, Trade
from engine.model.time import MS, SECOND

VENUE, SYMBOL = "binanceusdm", "BTCUSDT"
NOON = 1_700_000_000_000_000_000
KEY, SECRET = "the-key", "the-secret"
TERMS = GatewayTerms(api_key=KEY, secret=SECRET)
BTC = Instrument(
    venue=VENUE, symbol=SYMBOL, base="BTC", quote="USDT", kind=MarketKind.PERPETUAL, tick=Decimal("0.1"),
    step=Decimal("0.001"), min_quantity=Decimal("0.002"), max_quantity=Decimal(100), min_notional=Decimal(5),
)
SPOT = replace(BTC, venue="binance", kind=MarketKind.SPOT)
SETTINGS = ExchangeSettings(
    balances=(("USDT", Decimal(10_000)),), trigger_travel=Span(low=10 * MS, high=10 * MS), leverage=Decimal(10))


class Customer:
    """A gateway and its customer. Time moves only in `let`; what was said meanwhile is in `said`."""

    def __init__(
        self, *requests: WireRule, streams: tuple[StreamRule, ...] = (), terms: GatewayTerms = TERMS, seed: str = "0",
    ) -> None:
        faults = WireFaults(requests=requests, streams=streams, seed=seed)
        self.gateway: Gateway = opened(SETTINGS, terms, faults)
        self.now = NOON
        self.said: list[UserMessage] = []
        for instrument in (BTC, SPOT):
            self.gateway.on_market(InstrumentDefined(instrument=instrument, venue_at=NOON), NOON)
        self.quote(99.9, 100.1)

    def quote(self, bid: float, ask: float, size: float = 50.0) -> None:
        """Show a touch on both markets."""
        for venue in (VENUE, "binance"):
            self.gateway.on_market(Quote(venue, SYMBOL, bid, size, ask, size, self.now, self.now), self.now)

    def trade(self, price: float, size: float, *, buys: bool) -> None:
        """Show a public trade."""
        self.gateway.on_market(Trade(VENUE, SYMBOL, price, size, buys, "7", self.now, self.now), self.now)

    def funding(self, rate: float, interval: int) -> None:
        """Show a funding rate."""
        self.gateway.on_market(FundingRate(VENUE, SYMBOL, rate, interval, self.now, self.now), self.now)

    def let(self, pass_ns: int) -> None:
        """Let time pass as a driver does: from one instant at which something happens to the next."""
        end = self.now + pass_ns
        while (due := self.gateway.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.said += self.gateway.advance(self.now)
        self.now = end

    def request(self, method: str, path: str, **params: Any) -> Request:
        """Return a signed request of now; a `timestamp`, `recvWindow` or `signature` given stays."""
        words = {"timestamp": self.now // MS, "recvWindow": 5000, **params}
        signature = words.pop("signature", None)
        text = urlencode(words)
        right = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return Request(
            method=method, path=path, params=tuple((name, str(value)) for name, value in words.items()),
            signed_text=text, signature=right if signature is None else signature, api_key=KEY,
        )

    def reply(self, method: str, path: str, **params: Any) -> Reply:
        """Ask, and return the whole reply."""
        reply = self.gateway.handle(self.request(method, path, **params), self.now)
        self.let(0)
        return reply

    def ask(self, method: str, path: str, **params: Any) -> Any:
        """Ask, and return the body of an answer that must be no error."""
        reply = self.reply(method, path, **params)
        assert reply.status == 200, reply.body
        return reply.body

    def code(self, method: str, path: str, **params: Any) -> int:
        """Ask, and return the code of an answer that must be an error."""
        reply = self.reply(method, path, **params)
        assert reply.status != 200, reply.body
        code: int = reply.body["code"]
        return code

    def order(self, side: str = "BUY", quantity: str = "1", **params: Any) -> dict[str, Any]:
        """Return the parameters of an order: at market, or at a limit where there is a price."""
        limit = {"type": "LIMIT", "timeInForce": "GTC"} if "price" in params else {"type": "MARKET"}
        return {"symbol": SYMBOL, "side": side, "quantity": quantity, **limit, **params}

    def place(self, side: str = "BUY", quantity: str = "1", **params: Any) -> Any:
        """Place an order that must be taken."""
        return self.ask("POST", "/fapi/v1/order", **self.order(side, quantity, **params))

    def stop(self, trigger: str = "95", side: str = "SELL", **params: Any) -> dict[str, Any]:
        """Return the parameters of a stop on the whole position, or of a quantity."""
        whole = {} if "quantity" in params else {"closePosition": "true"}
        return {
            "algoType": "CONDITIONAL", "symbol": SYMBOL, "side": side, "type": "STOP_MARKET", "triggerPrice": trigger,
            "workingType": "MARK_PRICE", **whole, **params,
        }

    def place_stop(self, trigger: str = "95", side: str = "SELL", **params: Any) -> Any:
        """Place a stop that must be taken."""
        return self.ask("POST", "/fapi/v1/algoOrder", **self.stop(trigger, side, **params))

    def listen(self) -> str:
        """Open a private stream and return its key."""
        key: str = self.gateway.handle(
            Request(method="POST", path="/fapi/v1/listenKey", api_key=KEY), self.now).body["listenKey"]
        return key

    def heard(self, event: str = "") -> Iterator[dict[str, Any]]:
        """Yield the messages heard so far, of one type."""
        for message in self.said:
            if message.payload is not None and event in ("", message.payload["e"]):
                yield message.payload

    def words(self) -> list[str]:
        """Return what was heard as `TYPE:execution:status`."""
        told = []
        for payload in self.heard():
            body = payload.get("o", {})
            told.append(":".join(filter(None, (payload["e"], body.get("x"), body.get("X")))))
        return told

    def held(self) -> Decimal:
        """Return the position as the venue reports it."""
        rows = self.ask("GET", "/fapi/v2/positionRisk", symbol=SYMBOL)
        return Decimal(rows[0]["positionAmt"])


def holding(*requests: WireRule, **other: Any) -> Customer:
    """Return a customer who is long 1 at 100.1 and listens."""
    customer = Customer(*requests, **other)
    customer.listen()
    customer.place()
    customer.let(SECOND)
    customer.said.clear()
    return customer
