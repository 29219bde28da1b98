"""What a tape holds that is no market of the venue, in the shapes in which Binance tells it.

Announcements are a list over HTTP, newest first; what a reference says of a stablecoin is
seen, as on the real venue, in the spot pairs of other stablecoins against it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from decimal import Decimal

from engine.model.codec import Data
from engine.model.instruments import Instrument, MarketKind
from engine.model.market import Announcement, OraclePrice, Quote
from engine.model.time import MS

PATH = "/bapi/composite/v1/public/cms/article/list/query"
CATALOGUES = {
    "listing": (48, "New Cryptocurrency Listing"), "futures_launch": (48, "New Cryptocurrency Listing"),
    "trading_start": (48, "New Cryptocurrency Listing"), "delisting": (161, "Delisting"),
    "other": (49, "Latest Binance News"),
}
"""By kind of announcement: id and name of the catalogue it appears in."""
FIRST_ID = 300_001
MOST_ARTICLES = 1000
MOST_PAGE = 50
SPOT_VENUE = "binance"
SPOT_PAIRS = ("USDCUSDT", "FDUSDUSDT")
"""Where the peg of USDT is seen: what one of their base, taken for a dollar, costs in USDT."""
SPOT_TICK = Decimal("0.0001")
SPOT_SIZE = 50_000.0
"""What stands at the touch of such a pair, in units of its base."""


def title_of(news: Announcement) -> str:
    """Return the title under which Binance would have announced this; the tape's own where it has no words for it."""
    # Tapes that do not say the market say listing of what can be traded here, which is futures.
    if news.kind not in ("listing", "futures_launch") or news.market == "spot" or not news.symbols:
        return news.title
    *first, last = news.symbols
    names = f"{', '.join(first)} and {last}" if first else last
    return f"Binance Futures Will Launch USDⓈ-Margined {names} Perpetual Contract{'s' if first else ''}"


class Announcements:
    """The announcement list, as far as the tape has got."""

    def __init__(self) -> None:
        self._articles: deque[tuple[int, Data]] = deque(maxlen=MOST_ARTICLES)
        self._count = 0

    def add(self, news: Announcement) -> None:
        """Publish `news`: its `venue_at` becomes the release date. Each telling of it is an article of its own."""
        catalogue, _ = CATALOGUES.get(news.kind, CATALOGUES["other"])
        number = FIRST_ID + self._count
        self._count += 1
        # The page's address is built from the code: 32 hex digits, never the same twice.
        code = hashlib.sha256(f"{number} {news.announcement_id}".encode()).hexdigest()[:32]
        self._articles.appendleft((catalogue, {
            "id": number, "code": code, "title": title_of(news), "type": 1, "releaseDate": news.venue_at // MS,
        }))

    def page(self, params: Mapping[str, str]) -> tuple[int, Data]:
        """Return (status, body) of a query with catalogId (else all), pageNo (from 1) and pageSize."""
        try:
            wanted = int(params["catalogId"]) if params.get("catalogId") else None
            number, size = int(params.get("pageNo", "1")), int(params.get("pageSize", "20"))
        except ValueError:
            return _refused("illegal parameter")
        if number < 1 or not 1 <= size <= MOST_PAGE:
            return _refused("illegal parameter")
        found = [
            self._catalogue(one, name, (number - 1) * size, size)
            for one, name in sorted(set(CATALOGUES.values())) if wanted in (None, one)
        ]
        return 200, {
            "code": "000000", "message": None, "messageDetail": None, "data": {"catalogs": found}, "success": True,
        }

    def _catalogue(self, catalogue: int, name: str, skip: int, size: int) -> Data:
        articles = [article for one, article in self._articles if one == catalogue]
        return {
            "catalogId": catalogue, "parentCatalogId": None, "icon": "", "catalogName": name, "description": None,
            "catalogType": 1, "total": len(articles), "articles": articles[skip:skip + size], "catalogs": [],
        }


def _refused(why: str) -> tuple[int, Data]:
    return 200, {"code": "000002", "message": why, "messageDetail": None, "data": None, "success": False}


def spot_instruments() -> tuple[Instrument, ...]:
    """Return what is known of those pairs; nobody can trade them here."""
    return tuple(
        Instrument(
            venue=SPOT_VENUE, symbol=pair, base=pair.removesuffix("USDT"), quote="USDT", kind=MarketKind.SPOT,
            tick=SPOT_TICK, step=Decimal(1), min_quantity=Decimal(1), max_quantity=Decimal(10_000_000),
            min_notional=Decimal(5),
        )
        for pair in SPOT_PAIRS
    )


def peg_quotes(price: OraclePrice) -> tuple[Quote, ...]:
    """Return the spot quotes in which `price` is seen: one tick wide around 1/price; none if it is not USDT in USD."""
    if (price.asset, price.quote) != ("USDT", "USD") or not 0 < price.price < float("inf"):
        return ()
    middle = 1 / Decimal(repr(price.price))
    ticks = ((middle / SPOT_TICK) - Decimal("0.5")).to_integral_value()
    bid, ask = ticks * SPOT_TICK, (ticks + 1) * SPOT_TICK
    return tuple(
        Quote(SPOT_VENUE, pair, float(bid), SPOT_SIZE, float(ask), SPOT_SIZE, price.venue_at, price.received_at)
        for pair in SPOT_PAIRS
    )
