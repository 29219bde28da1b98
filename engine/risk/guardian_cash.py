"""What lies on a real account, from what the venue says itself and what happened since.

A venue's answer about the whole account is the anchor; fills, funding and transfers that it
cannot contain yet are counted on top. A later answer becomes the anchor only once the
movements of the balance were asked for after it, so that money somebody put in or took out
is known as such and is never mistaken for a profit or a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from engine.model.answers import AccountReported, IncomeReported
from engine.model.codec import Data
from engine.model.reports import BalanceReport, IncomeKind
from engine.model.time import SECOND

DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "BFUSD"})
"""Assets that are taken at par. What else an account holds is not traded with here: it is named, and not counted."""
RACE = SECOND
"""What happened within this of a report may be missing from it, or be in it already."""
TRANSFERS = 256
"""Transfers of one venue whose ids are kept."""
_TOLD_BY_FILLS = frozenset({IncomeKind.FEE, IncomeKind.REALIZED})


@dataclass(frozen=True, slots=True)
class Report:
    """A venue's answer that waits to become the anchor. Money in USD, instants in ns."""

    ask: int
    as_of: int
    total: float


@dataclass(slots=True)
class Movement:
    """A change of the balance behind the anchor. `name` is empty for a fill."""

    venue_at: int
    amount: float
    name: str = ""


@dataclass(slots=True)
class Cash:
    """The cash of one real venue. `amount` is None before its account was read."""

    venue: str
    anchor: float | None = None
    as_of: int = 0
    """Our instant at which the anchor's question was sent: what happened before it is in it."""
    moved: list[Movement] = field(default_factory=list)
    """Behind the anchor, in the order they were heard."""
    pending: Report | None = None
    filled_at: int = 0
    """When the last fill was heard."""
    transfers: dict[str, int] = field(default_factory=dict)
    uncounted: tuple[str, ...] = ()
    """Assets of the last answer that have no value here."""
    at_baseline: int = 0
    """`as_of` of the anchor from which the day's baseline was taken."""

    @property
    def amount(self) -> float | None:
        """Return the cash in USD, without open profit; None while unknown."""
        return None if self.anchor is None else self.anchor + sum(one.amount for one in self.moved)

    def on_account(self, event: AccountReported, at: int) -> None:
        """Take an answer about the whole account: at once where there is none yet, else as soon as it is safe."""
        if self.filled_at and self.filled_at >= event.as_of - RACE:
            return
        total, self.uncounted = _dollars(event.balances)
        if self.anchor is None:
            self._anchor(Report(event.ask, event.as_of, total))
        else:
            self.pending = Report(event.ask, event.as_of, total)

    def on_fill(self, amount: float, venue_at: int, at: int) -> None:
        """Count realised profit less fee (on spot: what was paid or received); not what the anchor contains."""
        self.filled_at = at
        if self.pending is not None and venue_at <= self.pending.as_of + RACE:
            # Whether it is in that answer cannot be told: the next one will do.
            self.pending = None
        if self.anchor is not None and venue_at > self.as_of:
            self.moved.append(Movement(venue_at, amount))

    def on_income(self, event: IncomeReported, baseline_at: int) -> float:
        """Count funding and transfers once each; fees and realised profit came with the fills.

        Returns by how much (USD) the day's baseline, taken at `baseline_at`, moves with it: what was
        put in or taken out, and what was earned before it and heard of only now.
        """
        moves = 0.0
        known = {one.name for one in self.moved if one.name}
        for entry in event.entries:
            name = f"{entry.kind.value}/{entry.transfer_id}"
            if entry.kind in _TOLD_BY_FILLS or entry.asset not in DOLLARS or name in known:
                continue
            amount, later = float(entry.amount), self.anchor is not None and entry.venue_at > self.as_of
            if entry.kind is IncomeKind.TRANSFER:
                if name in self.transfers:
                    continue
                self._remember(name, entry.venue_at)
                moves += amount if later or entry.venue_at > self.at_baseline > 0 else 0.0
            elif later and entry.venue_at < baseline_at:
                moves += amount
            if later:
                known.add(name)
                self.moved.append(Movement(entry.venue_at, amount, name))
        if self.pending is not None and event.ask > self.pending.ask:
            self._anchor(self.pending)
        return moves

    def _anchor(self, report: Report) -> None:
        self.anchor, self.as_of, self.pending = report.total, report.as_of, None
        self.moved = [one for one in self.moved if one.venue_at > report.as_of]

    def _remember(self, name: str, venue_at: int) -> None:
        self.transfers[name] = venue_at
        if len(self.transfers) > TRANSFERS:
            self.transfers.pop(next(iter(self.transfers)))

    def dump(self) -> Data:
        """Return everything as JSON data."""
        pending = self.pending
        return {
            "venue": self.venue, "anchor": self.anchor, "as_of": self.as_of,
            "moved": [[one.venue_at, one.amount, one.name] for one in self.moved],
            "pending": None if pending is None else [pending.ask, pending.as_of, pending.total],
            "filled_at": self.filled_at, "transfers": [[name, at] for name, at in self.transfers.items()],
            "uncounted": list(self.uncounted), "at_baseline": self.at_baseline,
        }

    @classmethod
    def load(cls, data: Data) -> Cash:
        """Return what `dump` wrote."""
        return cls(
            venue=data["venue"], anchor=data["anchor"], as_of=data["as_of"],
            moved=[Movement(at, float(amount), name) for at, amount, name in data["moved"]],
            pending=None if data["pending"] is None else Report(*data["pending"]), filled_at=data["filled_at"],
            transfers=dict(map(tuple, data["transfers"])), uncounted=tuple(data["uncounted"]),
            at_baseline=data["at_baseline"],
        )


def _dollars(balances: Sequence[BalanceReport]) -> tuple[float, tuple[str, ...]]:
    """Return the sum of what is worth a dollar, and which assets are not, sorted."""
    total = sum((one.total for one in balances if one.asset in DOLLARS), start=Decimal(0))
    return float(total), tuple(sorted(one.asset for one in balances if one.asset not in DOLLARS and one.total))
