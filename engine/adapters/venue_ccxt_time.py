"""The venue's instants as our clock would have shown them.

What we did and what the venue did are held against each other by time: whether a fill is in a
position that was read, how long it took. Two clocks that are seconds apart would tell it wrong.
"""

from __future__ import annotations

from dataclasses import replace

from engine.model.answers import IncomeReported
from engine.model.events import OrderFilled, VenueEvent


def in_our_time(event: VenueEvent, offset: int) -> VenueEvent:
    """Return `event` with the instants of fills and income as our clock showed them; `offset` is ours minus theirs."""
    if not offset:
        return event
    if isinstance(event, OrderFilled):
        return replace(event, fill=replace(event.fill, venue_at=event.fill.venue_at + offset))
    if isinstance(event, IncomeReported):
        entries = tuple(replace(entry, venue_at=entry.venue_at + offset) for entry in event.entries)
        return replace(event, entries=entries)
    return event
