"""How healthy what the engine hears is: 0 fine, 1 degraded, 2 halted; the worse of the market and the account.

Measured by what is said, not by whether sockets are open. The market: a feed that had
connected and has been silent, or closed, for too long is the fault. The account, only where
real orders go: the last answer that could be read from the venue about it, or the last word
of its stream. Before any feed had connected there is nothing to measure and no sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.model.codec import Data
from engine.signals.feeds import Feeds
from engine.signals.snapshot import Snapshot

SIGNAL, MARKET, ACCOUNT = "health_measured", "health_market", "health_account"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """Silences (ns) from which on a part is degraded, and halted."""

    degraded: int
    halted: int
    account_degraded: int
    account_halted: int


class Health:
    """Puts `health_measured` and its parts each period, and at the very instant at which one of them changes."""

    def __init__(self, snapshot: Snapshot, feeds: Feeds, limits: HealthLimits) -> None:
        self._snapshot = snapshot
        self._feeds = feeds
        self._limits = limits
        spec = snapshot.catalogue.get(SIGNAL)
        self._period = spec.period if spec is not None else 0
        known = snapshot.catalogue.specs
        self._slot, self._market_slot, self._account_slot = (
            snapshot.base(name, ()) if name in known else -1 for name in (SIGNAL, MARKET, ACCOUNT)
        )
        self._accounts: dict[str, int] = {}
        """Venue with real orders -> when its account was last heard of, or first expected (ns)."""
        self._late = False
        """An account is called silent: its next word is told at once."""
        self._due: int | None = None
        self.level: int | None = None
        """As last measured; None before there was anything to measure."""
        self.parts: tuple[tuple[str, int], ...] = ()
        """What is worse than fine, as (market data or account, with its venue; level)."""

    def begin(self, at: int, venues: Sequence[str]) -> None:
        """A process begins to listen at `at`: what was silent while nobody listened is nobody's fault."""
        self._accounts = dict.fromkeys(sorted(venues), at)
        for feed in self._feeds.known.values():
            feed.last_at = at
        if self._due is not None or self._accounts:
            self._due = at

    def next_due(self) -> int | None:
        """Return when to look again, or None."""
        return self._due

    def fire(self, at: int) -> None:
        """Look again if that is due."""
        if self._due is not None and self._due <= at:
            self.look(at)

    def met(self, at: int) -> None:
        """Begin to measure, once there is a feed."""
        if self._due is None:
            self.look(at)

    def answered(self, venue: str, at: int) -> None:
        """Something was read from the account at `venue`."""
        if venue in self._accounts:
            self._accounts[venue] = at
            if self._late:
                self.look(at)

    def look(self, at: int) -> None:
        """Measure, put the samples, and set the next look."""
        if self._slot < 0 or not (self._feeds.known or self._accounts):
            return
        limits, dues, parts = self._limits, [at + self._period] if self._period else [], list[tuple[str, int]]()
        market = account = 0
        for feed in self._feeds.known.values():
            level = _level(at, feed.last_at, limits.degraded, limits.halted, dues)
            feed.late = level > 0
            market = max(market, level)
            parts += [(f"market data of {feed.venue}", level)] if level else []
        for venue, last_at in self._accounts.items():
            level = _level(at, last_at, limits.account_degraded, limits.account_halted, dues)
            account = max(account, level)
            parts += [(f"account at {venue}", level)] if level else []
        self._late, self.parts = account > 0, tuple(parts)
        self._put(self._market_slot if self._feeds.known else -1, market, at)
        self._put(self._account_slot if self._accounts else -1, account, at)
        if self._feeds.known:
            self.level = max(market, account)
            self._put(self._slot, self.level, at)
        self._due = min(dues) if dues else None

    def _put(self, slot: int, level: int, at: int) -> None:
        if slot >= 0:
            self._snapshot.put(slot, float(level), at, at)

    def set_limits(self, limits: HealthLimits, at: int) -> None:
        """Measure by other limits from now on."""
        if limits != self._limits:
            self._limits = limits
            self.look(at)

    def dump(self) -> Data:
        """Return the state as JSON data; the limits are the flags'."""
        return {
            "due": self._due, "level": self.level, "parts": [list(part) for part in self.parts], "late": self._late,
            "accounts": [list(one) for one in self._accounts.items()],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._due, self.level, self._late = data["due"], data["level"], data["late"]
        self.parts = tuple((name, level) for name, level in data["parts"])
        self._accounts = dict(data["accounts"])


def _level(at: int, last_at: int, degraded: int, halted: int, dues: list[int]) -> int:
    """Return how bad a silence since `last_at` is, and add when it gets worse to `dues`."""
    silent = at - last_at
    dues += [last_at + limit for limit in (degraded, halted) if limit > silent]
    return 2 if silent >= halted else 1 if silent >= degraded else 0
