"""Events into samples: one small reducer a family, chosen by the event's type.

The path of a quote is the hot one: one look-up for everything known of its market, then a
plain `put` a signal. A broken payload is an invalid sample and never an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.model.answers import (
    AccountReported,
    AccountStream,
    IncomeReported,
    OrderFound,
    ProbeAnswered,
    TradesReported,
)
from engine.model.codec import Data, from_data, to_data
from engine.model.events import Input, OrderFilled
from engine.model.flags import FlagValue
from engine.model.market import (
    Announcement,
    Bar,
    DepthDelta,
    DepthSnapshot,
    FeedDropped,
    FeedState,
    FundingRate,
    Heartbeat,
    Levels,
    OraclePrice,
    Quote,
    Trade,
)
from engine.model.samples import Status
from engine.signals.depth import DepthCopy
from engine.signals.feeds import Feed, Feeds
from engine.signals.funding import Funding
from engine.signals.health import Health
from engine.signals.pegs import Pegs
from engine.signals.reducer_settings import ReducerSettings as ReducerSettings
from engine.signals.snapshot import Snapshot
from engine.signals.streams import BOOK, MARKET, Stream, Streams

_PEG = "peg_{asset}_usd"
_INF = float("inf")
OWN = ("health_measured", "health_market", "health_account", "stream_silent_s", "venue_silent_s", "venue_back_s")
"""Of the engine's own health, which have no feed of their own."""
_UNREAD = ("trade", "bar")
"""Streams of a market of which no signal keeps anything but that they came."""


Answer = AccountReported | TradesReported | IncomeReported | ProbeAnswered | OrderFound | OrderFilled
ANSWERS = (AccountReported, TradesReported, IncomeReported, ProbeAnswered, OrderFound, OrderFilled)
"""What can only be told by a venue whose account can be read."""


@dataclass(slots=True)
class Market:
    """All that is known of one (venue, symbol). Slots are -1 where the catalogue has no such signal."""

    feed: Feed
    book: Stream
    mid: int
    spread: int
    quote: Quote | None = None
    """The last sound quote."""
    depth: DepthCopy | None = None


class Reducers:
    """Folds events into a snapshot. `at` never goes back."""

    def __init__(self, snapshot: Snapshot, settings: ReducerSettings) -> None:
        self._snapshot = snapshot
        self._put = snapshot.put
        self._markets: dict[tuple[str, str], Market] = {}
        self._feeds = Feeds(snapshot)
        self.funding = Funding(snapshot)
        self._health = Health(snapshot, self._feeds, settings.health)
        self._streams = Streams(snapshot, self._feeds, settings.stream_alert)
        self._pegs = Pegs(settings.pegs)
        self._producers = snapshot.catalogue.producers()
        self._folds: dict[type, Callable[[Any, int], None]] = {
            Quote: self._on_quote, Trade: self._on_content, Bar: self._on_content, FundingRate: self._on_funding,
            DepthDelta: self._on_delta, DepthSnapshot: self._on_depth, OraclePrice: self._on_oracle,
            Announcement: self._on_announcement, Heartbeat: self._on_heartbeat, FeedState: self._on_feed_state,
            FeedDropped: self._on_dropped, AccountStream: self._on_account_stream,
            **dict.fromkeys(ANSWERS, self._on_answer),
        }

    @property
    def produces(self) -> frozenset[str]:
        """Names of the signals made here; each still needs its feed, which the signal's producer names."""
        made = {"mid_price", "spread_bps", "feed_messages", "announcements", *OWN}
        names = self._snapshot.catalogue.specs
        made |= self.funding.produces
        return frozenset(name for name in names if name in made or names[name].producer == "feed.oracle")

    def fold(self, item: Input) -> None:
        """Take one event in; a kind that carries no signal does nothing."""
        fold = self._folds.get(type(item.event))
        if fold is not None:
            fold(item.event, item.at)

    def next_due(self) -> int | None:
        """Return when something here changes without an event, or None."""
        due, health = self._streams.due, self._health.next_due()
        return health if due is None or (health is not None and health < due) else due

    def fire(self, at: int) -> None:
        """Do what is due at or before `at`."""
        self._health.fire(at)
        self._streams.fire(at)

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A process begins to listen at `at`; `venues` take real orders, so that their account is part of health."""
        self._health.begin(at, venues)
        self._streams.begin(at)

    def health(self) -> tuple[int | None, tuple[tuple[str, int], ...]]:
        """Return the measured health, None before there is any, and what is worse than fine: (what, level)."""
        return self._health.level, self._health.parts

    def on_flags(self, at: int, flags: Mapping[str, FlagValue]) -> None:
        """Take the flags' new values over."""
        settings = ReducerSettings.from_flags(flags)
        self._health.set_limits(settings.health, at)
        self._streams.set_alert(settings.stream_alert, at)
        self._pegs.set_terms(settings.pegs)

    def quote(self, venue: str, symbol: str) -> Quote | None:
        """Return the last sound quote, however old, or None before the first."""
        market = self._markets.get((venue, symbol))
        return None if market is None else market.quote

    def depth(self, venue: str, symbol: str) -> tuple[Levels, Levels]:
        """Return (bids, asks), best first: the book where a valid one is known, else the quote alone."""
        market = self._markets.get((venue, symbol))
        if market is None:
            return (), ()
        levels = None if market.depth is None else market.depth.levels()
        if levels is not None:
            return levels
        quote = market.quote
        if quote is None:
            return (), ()
        return ((quote.bid, quote.bid_size),), ((quote.ask, quote.ask_size),)

    def _market(self, venue: str, symbol: str, at: int) -> Market:
        key = (venue, symbol)
        market = self._markets.get(key)
        if market is None:
            known = self._snapshot.catalogue.specs
            mid, spread = (
                self._snapshot.base(name, key) if name in known else -1 for name in ("mid_price", "spread_bps")
            )
            book = self._streams.of(venue, BOOK, at)
            market = self._markets[key] = Market(self._feeds.of(venue, at), book, mid, spread)
        return market

    def _on_quote(self, quote: Quote, at: int) -> None:
        market = self._markets.get((quote.venue, quote.symbol))
        if market is None:
            market = self._market(quote.venue, quote.symbol, at)
        bid, ask = quote.bid, quote.ask
        if 0.0 < bid <= ask < _INF and 0.0 <= quote.bid_size < _INF and 0.0 <= quote.ask_size < _INF:
            market.quote = quote
            mid = (bid + ask) * 0.5
            if market.mid >= 0:
                self._put(market.mid, mid, quote.venue_at, at)
            if market.spread >= 0:
                self._put(market.spread, (ask - bid) / mid * 10_000.0, quote.venue_at, at)
        else:
            self._degrade((market.mid, market.spread), Status.INVALID, at)
        market.book.last_at = at
        self._alive(market.feed, quote.venue_at, at)

    def _alive(self, feed: Feed, venue_at: int, at: int) -> None:
        late = feed.late or feed.gone
        self._feeds.heard(feed, venue_at, at)
        if late or feed.count == 1:
            self._health.look(at)
            self._streams.venue(feed.venue)
            self._streams.look(at)

    def _degrade(self, slots: tuple[int, ...], status: Status, at: int) -> None:
        for slot in slots:
            if slot >= 0:
                self._snapshot.degrade(slot, status, at)

    def _on_content(self, event: Trade | Bar, at: int) -> None:
        self._streams.of(event.venue, MARKET, at).last_at = at
        self._alive(self._feeds.of(event.venue, at), event.venue_at, at)

    def _on_funding(self, event: FundingRate, at: int) -> None:
        self.funding.fold(event, at)
        stream = self._streams.of(event.venue, MARKET, at)
        self._streams.pulse(event.venue, stream, at)
        stream.last_at = at
        self._alive(self._feeds.of(event.venue, at), event.venue_at, at)

    def _on_delta(self, event: DepthDelta, at: int) -> None:
        market = self._market(event.venue, event.symbol, at)
        if market.depth is None:
            market.depth = DepthCopy()
        market.depth.on_delta(event)
        market.book.last_at = at
        self._alive(market.feed, event.venue_at, at)

    def _on_depth(self, event: DepthSnapshot, at: int) -> None:
        market = self._market(event.venue, event.symbol, at)
        if market.depth is None:
            market.depth = DepthCopy()
        market.depth.on_snapshot(event)
        market.book.last_at = at
        self._alive(market.feed, event.venue_at, at)

    def _on_oracle(self, event: OraclePrice, at: int) -> None:
        for asset, worth, event_at in self._pegs.on_price(event, at):
            name = _PEG.format(asset=asset.lower())
            if name not in self._snapshot.catalogue.specs:
                continue
            if worth is None:
                self._degrade((self._snapshot.base(name, ()),), Status.INVALID, at)
            else:
                self._snapshot.put_named(name, (), worth, event_at, at)

    def _on_announcement(self, event: Announcement, at: int) -> None:
        if "announcements" in self._snapshot.catalogue.specs:
            self._snapshot.put_named("announcements", (), 1.0, event.venue_at, at)

    def _on_heartbeat(self, event: Heartbeat, at: int) -> None:
        self._snapshot.set_producer(event.producer, True, at)

    def _on_feed_state(self, event: FeedState, at: int) -> None:
        if event.venue in self._producers:
            self._snapshot.set_producer(event.venue, event.connected, at)
            return
        if event.connected or event.venue in self._feeds.known:
            self._feeds.on_state(event, at)
            self._health.met(at)
            self._streams.venue(event.venue)
            self._streams.met(at)

    def _on_account_stream(self, event: AccountStream, at: int) -> None:
        self._streams.user(event.venue, event.alive, at)
        if event.alive:
            self._health.answered(event.venue, at)

    def _on_answer(self, event: Answer, at: int) -> None:
        """Something was read from the account: which sort of answer it is does not matter."""
        if isinstance(event, OrderFilled):
            self._health.answered(event.fill.venue, at)
        else:
            self._health.answered(event.report.venue if isinstance(event, OrderFound) else event.venue, at)

    def _on_dropped(self, event: FeedDropped, at: int) -> None:
        """What a lost event may have said is missing until the next of its stream says something newer."""
        catalogue, stream = self._snapshot.catalogue.specs, event.stream.lower()
        if stream.startswith("oracle"):
            lost = [name for name, spec in catalogue.items() if spec.producer == "feed.oracle"]
            self._pegs.forget()
        elif stream.startswith("announcement"):
            lost = ["announcements"] if "announcements" in catalogue else []
        else:
            self._market_dropped(event, stream, at)
            return
        self._degrade(tuple(self._snapshot.base(name, ()) for name in lost), Status.MISSING, at)

    def _market_dropped(self, event: FeedDropped, stream: str, at: int) -> None:
        if stream == "fundingrate":
            self.funding.dropped(event.venue, event.symbol, at)
            return
        for (venue, symbol), market in self._markets.items():
            if venue != event.venue or event.symbol not in ("", symbol) or stream in _UNREAD:
                continue
            if not stream.startswith("depth"):
                self._degrade((market.mid, market.spread), Status.MISSING, at)
            elif market.depth is not None:
                market.depth.invalidate()

    def dump(self) -> Data:
        """Return everything as JSON data; the snapshot is dumped by itself."""
        return {
            "markets": [
                [
                    venue, symbol, None if market.quote is None else to_data(market.quote),
                    None if market.depth is None else market.depth.dump(),
                ]
                for (venue, symbol), market in self._markets.items()
            ],
            "feeds": self._feeds.dump(),
            "health": self._health.dump(), "streams": self._streams.dump(),
            "funding": self.funding.dump(),
            "pegs": self._pegs.dump(),
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw; the snapshot must be loaded already."""
        self._feeds.load(data["feeds"])
        self._health.load(data["health"])
        self._streams.load(data["streams"])
        self.funding.load(data.get("funding", []))
        self._pegs.load(data["pegs"])
        self._markets.clear()
        for venue, symbol, quote, depth in data["markets"]:
            market = self._market(venue, symbol, 0)
            market.quote = None if quote is None else from_data(Quote, quote)
            if depth is not None:
                market.depth = DepthCopy()
                market.depth.load(depth)
