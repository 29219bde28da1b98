"""Where market events come from in a run on the real world.

A feed is never over: it connects, tells, loses its connection, says so, and connects
again. Silence is told by the signals' ages; a feed only says what it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from engine.model.market import MarketEvent

TellMarket = Callable[[MarketEvent], None]
"""Takes what a feed heard, stamped with `received_at`; never blocks and never fails."""


class LiveFeed(Protocol):
    """One live source of market events, made with its settings, a `Clock` and a `TellMarket`."""

    @property
    def name(self) -> str:
        """The feed's name, for messages to people."""

    @property
    def producers(self) -> frozenset[str]:
        """Which producers of the catalogue it stands for: `feed.market`, `feed.oracle`, `feed.announcements`."""

    async def run(self) -> None:
        """Tell until cancelled. Reconnects by itself, each time later up to half a minute; no network fault ends it."""
