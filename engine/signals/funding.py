"""What perpetuals pay for being held: the rate that is predicted, the one that was paid, and for how long it was.

Rates are comparable only over the same time, so both are told for eight hours. How often a
perpetual pays changes while it trades: a venue in trouble goes from eight hours to four and
to one, and the same number then costs eight times as much.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from engine.model.codec import Data
from engine.model.market import FundingRate
from engine.model.samples import Status
from engine.model.time import HOUR, MINUTE
from engine.signals.snapshot import Snapshot

PREDICTED, PAID = "funding_rate_pct", "funding_paid_pct"
PER = 8 * HOUR
"""What every rate is told for."""
LONGEST = 8 * HOUR
"""Two payments farther apart than this are not neighbours: what lies between was not told."""
LAST_WORD = 10 * MINUTE
"""A prediction not older than this when it was due is what was paid."""

Key = tuple[str, str]
"""(venue, symbol)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one perpetual. Rates are fractions per interval, positive where longs pay; times are ns."""

    rate: float | None = None
    """Predicted."""
    interval: int = 0
    next_at: int = 0
    told_at: int = 0
    """By the venue's clock."""
    heard_at: int = 0
    """By ours."""
    paid: float | None = None
    paid_interval: int = 0
    """0 while that cannot be told."""
    paid_at: int = 0
    """By the venue's clock."""

    def predicted_pct(self) -> float | None:
        """Return the predicted rate in per cent of the position for eight hours, None where it is not known."""
        return _pct(self.rate, self.interval)

    def paid_pct(self) -> float | None:
        """Return what was paid last, likewise."""
        return _pct(self.paid, self.paid_interval)


def _pct(rate: float | None, interval: int) -> float | None:
    return None if rate is None or interval <= 0 else rate * PER / interval * 100.0


def follow(known: Known, event: FundingRate, at: int) -> Known:
    """Return what is known after `event`, received at `at` (ns); what is older than what is known changes nothing."""
    if event.paid:
        return _paid(known, event.rate, event.interval, event.venue_at)
    if event.venue_at < known.told_at:
        return known
    due = known.next_at
    settled = 0 < due <= event.venue_at and event.next_at > due and due - known.told_at <= LAST_WORD
    if settled and known.rate is not None:
        known = _paid(known, known.rate, known.interval, due)
    return replace(
        known, rate=event.rate, interval=event.interval or known.paid_interval, next_at=event.next_at,
        told_at=event.venue_at, heard_at=at,
    )


def _paid(known: Known, rate: float, interval: int, paid_at: int) -> Known:
    since = _whole_minutes(paid_at - known.paid_at) if known.paid is not None else 0
    if paid_at < known.paid_at:
        return known
    if not interval:
        # A payment told twice, by its last prediction and by the venue, is no interval of nothing.
        interval = since if 0 < since <= LONGEST else known.paid_interval or known.interval
    return replace(known, paid=rate, paid_interval=interval, paid_at=paid_at)


def _whole_minutes(span: int) -> int:
    """Return `span` to the minute: payments are stamped some milliseconds late."""
    return (span + MINUTE // 2) // MINUTE * MINUTE


class Funding:
    """The funding of every perpetual that was told of, and its signals."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        names = snapshot.catalogue.specs
        self._told = tuple(name for name in (PREDICTED, PAID) if name in names)
        self._known: dict[Key, Known] = {}

    @property
    def produces(self) -> frozenset[str]:
        """Names of the signals made here."""
        return frozenset(self._told)

    def of(self, venue: str, symbol: str) -> Known | None:
        """Return what is known, or None before the first word."""
        return self._known.get((venue, symbol))

    def fold(self, event: FundingRate, at: int) -> None:
        """Take one rate in. One that cannot be makes the signal invalid and is forgotten."""
        key = (event.venue, event.symbol)
        # Written so that NaN fails too.
        if not (abs(event.rate) < 1.0 and event.interval >= 0):
            self._degrade(key, PAID if event.paid else PREDICTED, Status.INVALID, at)
            return
        known = self._known.get(key, Known())
        after = self._known[key] = follow(known, event, at)
        for name in self._told:
            if name == PREDICTED and after.heard_at != known.heard_at:
                self._put(key, name, after.predicted_pct(), after.told_at, at)
            elif name == PAID and after.paid_at != known.paid_at:
                self._put(key, name, after.paid_pct(), after.paid_at, at)

    def dropped(self, venue: str, symbol: str, at: int) -> None:
        """Rates of `symbol`, or of all where it is empty, were lost: predictions are missing until the next."""
        for key in self._known:
            if key[0] == venue and symbol in ("", key[1]):
                self._degrade(key, PREDICTED, Status.MISSING, at)

    def _put(self, key: Key, name: str, value: float | None, event_at: int, at: int) -> None:
        if value is not None:
            self._snapshot.put_named(name, key, value, event_at, at)

    def _degrade(self, key: Key, name: str, status: Status, at: int) -> None:
        if name in self._told:
            self._snapshot.degrade(self._snapshot.base(name, key), status, at)

    def dump(self) -> Data:
        """Return everything as JSON data; the snapshot is dumped by itself."""
        return [[*key, asdict(known)] for key, known in self._known.items()]

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._known = {(venue, symbol): Known(**known) for venue, symbol, known in data}
