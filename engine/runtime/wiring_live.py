"""The part of the wiring that meets the real world: which adapter is the venue, which are the feeds.

What they need beside the engine itself (ccxt, websockets, aiohttp) is an extra, so they are
imported when a live run asks for them and not before.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.adapters.bus_local import LocalBus
from engine.adapters.notifier_print import JournalledNotifier
from engine.model.time import SECOND
from engine.ports.bus import Bus
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE
from engine.ports.live_feed import LiveFeed
from engine.ports.notifier import Notifier
from engine.ports.venue import LiveVenue, VenueRefused
from engine.runtime.settings_live import LiveSettings
from engine.runtime.world import Ears, World

if TYPE_CHECKING:
    from engine.adapters.feed_announcement_stream import StreamSettings
    from engine.adapters.feed_binance import BinanceFeedSettings
    from engine.adapters.venue_ccxt_keys import Keys

_DEMO, _DEMO_REST = "wss://fstream.binancefuture.com", "https://demo-fapi.binance.com"


def producers_of(live: LiveSettings) -> frozenset[str]:
    """Return which producers of the catalogue speak in a run with these settings."""
    spoken = {MARKET}
    if live.peg_pairs:
        spoken.add(ORACLE)
    if live.announcements:
        spoken.add(ANNOUNCEMENTS)
    return frozenset(spoken)


def local_bus() -> Bus:
    """Return a bus inside this process."""
    return LocalBus()


def told_notifier() -> Notifier:
    """Return what takes notices to people while nothing but the terminal and the journal does."""
    return JournalledNotifier()


def build_world(live: LiveSettings, ears: Ears) -> World:
    """Return the venue and the feeds of `live`; VenueRefused where an extra or a key is missing."""
    try:
        return _built(live, ears)
    except ImportError as missing:
        raise VenueRefused(
            f"this installation cannot reach a venue: {missing.name} is missing", "make live, or pip install '.[live]'"
        ) from missing


def _built(live: LiveSettings, ears: Ears) -> World:
    from engine.adapters.feed_announcements import AnnouncementFeed, AnnouncementSettings
    from engine.adapters.feed_binance import BinanceFeed, BinanceFeedSettings
    from engine.adapters.feed_outside import Outside
    from engine.adapters.feed_peg import PegFeed, PegFeedSettings

    # First, because it says what is wrong with an endpoint.
    venue = _venue(live, ears)
    outside = Outside(clock=ears.clock, tell=ears.tell_market)
    own = live.own_endpoint
    # Demo money is traded on a market of its own; what a coin is worth and what is announced is told in production.
    stream = "ws" + live.endpoint.removeprefix("http") if own else ""
    market = BinanceFeed(_market(live, ears, stream, BinanceFeedSettings), outside)
    feeds: list[LiveFeed] = [market]
    if live.peg_pairs:
        feeds.append(PegFeed(
            PegFeedSettings.at(stream, pairs=live.peg_pairs, period=SECOND) if own
            else PegFeedSettings(pairs=live.peg_pairs), outside,
        ))
    if live.announcements:
        settings = (
            AnnouncementSettings(base=live.endpoint, poll=SECOND) if own
            else AnnouncementSettings(stream=_pushed(live, ears))
        )
        feeds.append(AnnouncementFeed(settings, outside))
    return World(venue=venue, feeds=tuple(feeds), watch=market.watch, resync=market.resync)


def _market(live: LiveSettings, ears: Ears, stream: str, settings: type[BinanceFeedSettings]) -> BinanceFeedSettings:
    if stream:
        # A venue of one's own has no history: bars are made of its quotes.
        return settings.at(stream, live.symbols)
    if live.endpoint == "demo":
        return settings(
            symbols=live.symbols, bars=ears.bars, public=f"{_DEMO}/public/ws", market=f"{_DEMO}/market/ws",
            rest=_DEMO_REST,
        )
    return settings(symbols=live.symbols, bars=ears.bars)


def _pushed(live: LiveSettings, ears: Ears) -> StreamSettings | None:
    """Return how the venue's push is listened to: only where it is asked for and the key is one of production."""
    from engine.adapters.feed_announcement_stream import StreamSettings

    if not live.announcement_stream or live.endpoint != "production" or not ears.trades:
        return None
    key, secret = _keys(live, ears).reveal()
    return StreamSettings(key=key, secret=secret)


def _keys(live: LiveSettings, ears: Ears) -> Keys:
    from engine.adapters.venue_ccxt_keys import keys_from_environment, keys_from_file

    if live.key_file:
        return keys_from_file(Path(live.key_file))
    return keys_from_environment(ears.environment, live.key_env, live.secret_env)


def _venue(live: LiveSettings, ears: Ears) -> LiveVenue:
    from engine.adapters.venue_ccxt import CcxtVenue
    from engine.adapters.venue_ccxt_public import PublicVenue
    from engine.adapters.venue_ccxt_terms import CcxtTerms

    terms = CcxtTerms(
        venue=live.venue, exchange=live.exchange, endpoint=live.endpoint, listen=ears.listen,
    )
    if not terms.binance_futures or (ears.checks and not live.own_endpoint):
        # A run on futures may trade what is listed tomorrow; a checklist looks at what it watches today, and at an
        # address of one's own that is whatever its tape has. Elsewhere each symbol is asked for by itself.
        terms = replace(terms, symbols=live.symbols)
    if not ears.trades:
        return PublicVenue(terms, ears.clock, ears.tell)
    keys = _keys(live, ears)
    return CcxtVenue(terms, keys, ears.clock, ears.tell, ears.gate)
