"""What is told of a fill once it is counted, and how those are fetched that no stream told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.model.codec import Data, from_data, to_data
from engine.model.effects import AskVenue, FillBooked
from engine.model.fills import Fill
from engine.model.ledger import OrderRecord
from engine.model.reports import Query
from engine.model.terms import ExecutionTerms
from engine.model.time import MINUTE, SECOND

OVERLAP = MINUTE
"""Fills and income are asked for from this long before the last that was seen: venues tell out of order."""
UNANSWERED = 30 * SECOND


def enriched(fill: Fill, record: OrderRecord | None) -> Fill:
    """Return `fill` with what the venue does not know of it and our record does."""
    if record is None:
        return fill
    return replace(
        fill, reference_price=fill.reference_price if fill.reference_price > 0 else record.reference_price,
        sent_at=fill.sent_at or record.sent_at, intent=record.intent,
    )


def booked(fill: Fill, record: OrderRecord | None, at: int, position: Decimal) -> FillBooked:
    """Return the effect that tells of a counted `fill`; `position` is what it left, in base."""
    decided = Decimal(0) if record is None else record.reference_price
    # Against what was decided on, and not against the market that the order met.
    slippage = replace(fill, reference_price=decided).slippage_bps() + 0.0
    return FillBooked(
        at=at, fill=fill, purpose="" if record is None else record.purpose, decided_price=decided,
        slippage_bps=slippage, position=position,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One stretch of trades or income that is to be asked for. Instants in ns; `asked` is 0 while nothing is asked."""

    query: Query
    venue: str
    symbol: str
    since: int
    due_at: int
    wait: int
    asked: int = 0
    asked_at: int = 0
    again: bool = False
    """Wanted once more while the question was under way: its answer may be older than the wish."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is kept by."""
        return (self.query.value, self.venue, self.symbol)


class Gaps:
    """The questions for what the streams may have missed, asked until they are answered."""

    def __init__(self, terms: ExecutionTerms, number: Callable[[AskVenue], AskVenue]) -> None:
        self._terms, self._number = terms, number
        self._gaps: dict[tuple[str, str, str], Gap] = {}
        self._whole: dict[tuple[str, str], int] = {}
        """(venue, symbol) -> until when all its trades are known to have been told (ns)."""
        self._soonest: int | None = None

    def want(self, query: Query, venue: str, symbol: str, *, since: int, at: int) -> None:
        """Have all of `query` since `since` told, beginning now."""
        gap = Gap(
            query=query, venue=venue, symbol=symbol, since=max(since, 0), due_at=at, wait=self._terms.first_lookup
        )
        known = self._gaps.get(gap.key)
        if known is not None:
            since = min(known.since, gap.since)
            gap = replace(known, since=since, again=True) if known.asked else replace(gap, since=since)
        self._put(gap)

    def wanted(self, query: Query, venue: str, symbol: str) -> bool:
        """Whether an answer is still to come."""
        return (query.value, venue, symbol) in self._gaps

    def whole_until(self, venue: str, symbol: str) -> int:
        """Return until when every trade of the symbol was told (ns), 0 where it was never asked."""
        return self._whole.get((venue, symbol), 0)

    def due(self, at: int) -> list[AskVenue]:
        """Return the questions that are due."""
        if self._soonest is None or self._soonest > at:
            return []
        asks: list[AskVenue] = []
        for gap in sorted(self._gaps.values(), key=lambda gap: (gap.due_at, gap.key)):
            if gap.due_at <= at:
                asks.append(self._ask(gap, at))
        return asks

    def _ask(self, gap: Gap, at: int) -> AskVenue:
        ask = self._number(AskVenue(
            at=at, ask=0, query=gap.query, venue=gap.venue, symbol=gap.symbol, since=gap.since,
            why="what the stream may have missed",
        ))
        self._put(replace(gap, asked=ask.ask, asked_at=at, due_at=at + UNANSWERED, again=False))
        return ask

    def on_answer(self, ask: int, at: int) -> None:
        """A question was answered whole."""
        gap = self._asked(ask)
        if gap is None:
            return
        if gap.query is Query.TRADES:
            self._whole[gap.venue, gap.symbol] = gap.asked_at
        if gap.again:
            self._put(replace(gap, asked=0, again=False, due_at=at))
            return
        del self._gaps[gap.key]
        self._measure()

    def on_failed(self, ask: int, at: int) -> None:
        """A question got no answer: it is asked again, later."""
        gap = self._asked(ask)
        if gap is not None:
            wait = min(2 * gap.wait, self._terms.longest_lookup)
            self._put(replace(gap, asked=0, due_at=at + gap.wait, wait=wait))

    def ask_anew(self, at: int) -> None:
        """The process that asked is gone, and the answers with it."""
        for gap in list(self._gaps.values()):
            self._put(replace(gap, asked=0, due_at=at))

    def next_due(self) -> int | None:
        """Return when something is due (ns), or None."""
        return self._soonest

    def _asked(self, ask: int) -> Gap | None:
        return next((gap for gap in self._gaps.values() if ask and gap.asked == ask), None)

    def _put(self, gap: Gap) -> None:
        self._gaps[gap.key] = gap
        self._measure()

    def _measure(self) -> None:
        self._soonest = min((gap.due_at for gap in self._gaps.values()), default=None)

    def dump(self) -> Data:
        """Return every gap, and until when there are none."""
        return {
            "gaps": [to_data(gap) for gap in self._gaps.values()],
            "whole": [[*key, at] for key, at in sorted(self._whole.items())],
        }

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        gaps: list[Gap] = [from_data(Gap, item) for item in data["gaps"]]
        self._whole = {(venue, symbol): at for venue, symbol, at in data["whole"]}
        self._gaps = {gap.key: gap for gap in gaps}
        self._measure()
