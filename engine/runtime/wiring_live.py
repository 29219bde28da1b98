"""The part of the wiring that meets the real world: which adapter is the venue, which are the feeds.

What they need beside the engine itself (ccxt, websockets, aiohttp) is an extra, so they are
imported when a live run asks for them and not before.
"""

from __future__ import annotations

from engine.adapters.notifier_print import JournalledNotifier
from engine.ports.bus import Bus
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE
from engine.ports.notifier import Notifier
from engine.ports.venue import VenueRefused
from engine.runtime.settings_live import LiveSettings
from engine.runtime.world import Ears, World


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
    from engine.adapters.bus_local import LocalBus

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
            f"this installation cannot reach a venue: {missing.name} is missing", "pip install '.[live]'"
        ) from missing


def _built(live: LiveSettings, ears: Ears) -> World:
    from engine.adapters.venue_ccxt import CcxtVenue

    raise NotImplementedError(CcxtVenue)
