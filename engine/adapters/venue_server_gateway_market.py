"""What the venue tells everybody: what can be traded and how finely, the book, the touch, marks and funding."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import islice

from engine.adapters.venue_server_gateway_codes import Refused
from engine.adapters.venue_server_gateway_door import Request
from engine.adapters.venue_server_gateway_office import Office
from engine.adapters.venue_server_gateway_payloads import money, number
from engine.adapters.venue_server_gateway_trading import places
from engine.exchange.book import exact
from engine.exchange.desk import Desk
from engine.model.codec import Data
from engine.model.instruments import Instrument, MarketKind
from engine.model.time import HOUR, MS

_BPS = Decimal(10_000)
_DEPTHS = (5, 10, 20, 50, 100, 500, 1000, 5000)
_USUAL_INTERVAL = 8 * HOUR


class Market:
    """The public side of the gateway."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def _desks(self, venue: str) -> list[tuple[Desk, Instrument]]:
        offered = self._office.terms.symbols
        return [
            (desk, desk.instrument) for desk in self._office.exchange.desks()
            if desk.instrument is not None and desk.venue == venue and (not offered or desk.symbol in offered)
        ]

    def exchange_info(self, at: int) -> Data:
        """Return every futures symbol with the filters that are enforced."""
        terms = self._office.terms
        desks = self._desks(terms.venue)
        limits = [("REQUEST_WEIGHT", "MINUTE", 1, terms.weight_limit), ("ORDERS", "MINUTE", 1, terms.order_limit_1m),
                  ("ORDERS", "SECOND", 10, terms.order_limit_10s)]
        return {
            "timezone": "UTC", "serverTime": at // MS, "futuresType": "U_MARGINED", "rateLimits": [
                {"rateLimitType": kind, "interval": unit, "intervalNum": count, "limit": limit}
                for kind, unit, count, limit in limits
            ],
            "exchangeFilters": [],
            "assets": [
                {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
                for asset in sorted({instrument.quote for _, instrument in desks})
            ],
            "symbols": [self._symbol(instrument) for _, instrument in desks],
        }

    def _symbol(self, instrument: Instrument) -> Data:
        settings, terms = self._office.exchange.settings, self._office.terms
        band = settings.price_band_bps / _BPS
        lot = {
            "minQty": number(instrument.min_quantity), "maxQty": number(instrument.max_quantity),
            "stepSize": number(instrument.step),
        }
        return {
            "symbol": instrument.symbol, "pair": instrument.symbol, "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "status": "TRADING",
            "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000", "baseAsset": instrument.base,
            "quoteAsset": instrument.quote, "marginAsset": instrument.quote,
            "pricePrecision": places(instrument.tick), "quantityPrecision": places(instrument.step),
            "baseAssetPrecision": 8, "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": [],
            "triggerProtect": "0.0500", "liquidationFee": "0.012500", "marketTakeBound": number(band),
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": number(instrument.tick), "maxPrice": "1000000000",
                 "tickSize": number(instrument.tick)},
                {"filterType": "LOT_SIZE", **lot}, {"filterType": "MARKET_LOT_SIZE", **lot},
                {"filterType": "MAX_NUM_ORDERS", "limit": terms.max_orders},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": settings.max_conditional},
                {"filterType": "MIN_NOTIONAL", "notional": number(instrument.min_notional)},
                {"filterType": "PERCENT_PRICE", "multiplierUp": number(1 + band), "multiplierDown": number(1 - band),
                 "multiplierDecimal": "4"},
            ],
            # The other types a real venue lists are not taken here, and are not said to be.
            "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET", "TAKE_PROFIT_MARKET"],
            "timeInForce": ["GTC", "IOC", "GTX", "GTD"],
        }

    def spot_info(self, at: int) -> Data:
        """Return every spot symbol."""
        found = [one for _, one in self._desks(self._office.terms.spot_venue) if one.kind is MarketKind.SPOT]
        return {
            "timezone": "UTC", "serverTime": at // MS, "rateLimits": [], "exchangeFilters": [], "symbols": [
                {
                    "symbol": one.symbol, "status": "TRADING", "baseAsset": one.base, "baseAssetPrecision": 8,
                    "quoteAsset": one.quote, "quotePrecision": 8, "quoteAssetPrecision": 8,
                    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "icebergAllowed": False, "ocoAllowed": False,
                    "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": ["SPOT"],
                    "filters": [
                        {"filterType": "PRICE_FILTER", "minPrice": number(one.tick), "maxPrice": "1000000000",
                         "tickSize": number(one.tick)},
                        {"filterType": "LOT_SIZE", "minQty": number(one.min_quantity),
                         "maxQty": number(one.max_quantity), "stepSize": number(one.step)},
                        {"filterType": "NOTIONAL", "minNotional": number(one.min_notional), "applyMinToMarket": True},
                    ],
                }
                for one in found
            ],
        }

    def _asked(self, request: Request) -> Desk:
        spot = request.path.startswith("/api/")
        venue = self._office.terms.spot_venue if spot else self._office.terms.venue
        symbol = request.need("symbol")
        for desk, instrument in self._desks(venue):
            if instrument.symbol == symbol:
                return desk
        raise Refused(-1121)

    def _each(self, request: Request) -> list[Desk]:
        if request.get("symbol"):
            return [self._asked(request)]
        spot = request.path.startswith("/api/")
        return [desk for desk, _ in self._desks(self._office.terms.spot_venue if spot else self._office.terms.venue)]

    def depth(self, request: Request, at: int) -> Data:
        """Return the levels of a book, best first."""
        text = request.get("limit", "500")
        limit = int(text) if text.isdigit() and len(text) < 5 else 0
        if limit not in _DEPTHS:
            raise Refused(-4021, text=f"Depth limit {text} is not valid.")
        desk = self._asked(request)
        sides = {
            name: [
                [number(exact(price)), number(exact(size))]
                for price, size in islice(desk.book.ladder(bids=bids), limit)
            ]
            for name, bids in (("bids", True), ("asks", False))
        }
        stamp = at // MS
        return {"lastUpdateId": max(desk.book.depth.last_id, 0), "E": stamp, "T": stamp, **sides}

    def tickers(self, request: Request, at: int) -> Data:
        """Return the touch of one symbol or of all."""
        return self._one_or_all(request, lambda desk: self._touch(desk, at))

    def _touch(self, desk: Desk, at: int) -> Data:
        bid, ask = desk.book.best(bids=True) or (0.0, 0.0), desk.book.best(bids=False) or (0.0, 0.0)
        return {
            "symbol": desk.symbol, "bidPrice": number(exact(bid[0])), "bidQty": number(exact(bid[1])),
            "askPrice": number(exact(ask[0])), "askQty": number(exact(ask[1])), "time": at // MS,
        }

    def prices(self, request: Request, at: int) -> Data:
        """Return the last price of one symbol or of all."""
        return self._one_or_all(request, lambda desk: {
            "symbol": desk.symbol, "price": number(desk.book.contract_price() or Decimal(0)), "time": at // MS})

    def days(self, request: Request, at: int) -> Data:
        """Return the last price of one symbol or of all in the shape of a day's summary; a tape knows no day before."""
        def told(desk: Desk) -> Data:
            last, stamp = number(desk.book.contract_price() or Decimal(0)), at // MS
            same = dict.fromkeys(("lastPrice", "openPrice", "highPrice", "lowPrice", "weightedAvgPrice"), last)
            none = dict.fromkeys(("priceChange", "priceChangePercent", "volume", "quoteVolume", "lastQty"), "0")
            return {"symbol": desk.symbol, **same, **none, "openTime": stamp, "closeTime": stamp, "firstId": 0,
                    "lastId": 0, "count": 0}
        return self._one_or_all(request, told)

    def trades(self, request: Request) -> Data:
        """Return the last public trade, as far as one is known."""
        trade = self._asked(request).book.trade
        if trade is None:
            return []
        price, size = exact(trade.price), exact(trade.size)
        made = trade.trade_id if trade.trade_id.isdigit() else "1"
        return [{
            "id": int(made), "price": number(price), "qty": number(size), "quoteQty": number(price * size),
            "time": trade.venue_at // MS, "isBuyerMaker": not trade.aggressor_buys,
        }]

    def premium(self, request: Request, at: int) -> Data:
        """Return mark price and funding of one symbol or of all."""
        return self._one_or_all(request, lambda desk: self._mark(desk, at))

    def _mark(self, desk: Desk, at: int) -> Data:
        mark, funding = money(desk.mark() or Decimal(0)), desk.funding
        interval = funding.interval if funding is not None and funding.interval > 0 else _USUAL_INTERVAL
        return {
            "symbol": desk.symbol, "markPrice": mark, "indexPrice": mark, "estimatedSettlePrice": mark,
            "lastFundingRate": self.rate(desk), "interestRate": "0.00010000",
            "nextFundingTime": (at // interval + 1) * interval // MS, "time": at // MS,
        }

    @staticmethod
    def rate(desk: Desk) -> str:
        """Return the funding rate as text, 0 while none was told or it is no number."""
        funding = desk.funding
        known = funding is not None and abs(funding.rate) < 1
        return money(exact(funding.rate)) if funding is not None and known else "0.00000000"

    def funding_rates(self, request: Request) -> Data:
        """Return the last funding rate of one symbol or of all."""
        return [
            {"symbol": desk.symbol, "fundingTime": desk.funding.venue_at // MS, "fundingRate": self.rate(desk),
             "markPrice": money(desk.mark() or Decimal(0))}
            for desk in self._each(request) if desk.funding is not None
        ]

    def _one_or_all(self, request: Request, told: Callable[[Desk], Data]) -> Data:
        found = [told(desk) for desk in self._each(request)]
        return found[0] if request.get("symbol") else found
