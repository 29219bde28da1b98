"""What a stablecoin is worth in USD, from what several sources say of it: the majority near the median, or nothing.

A source tells one of two things. `USDC in USD` (an oracle) is direct. `USDC in USDT` (a spot pair) is a
ratio: of n coins it gives n - 1 numbers, so that from ratios alone no coin's worth can be told. What
settles it is that coins break one at a time: each issuer promises a dollar, and the fewest broken
promises that explain the ratios are believed. For USDT, in which the ratios are quoted, these vote:

- each direct quote of USDT, with its price;
- each pair C/USDT, with (what C is worth) / (the ratio): C by its direct quotes, else by its promise, 1;
- USDT's own promise, 1, where pairs vote and no direct quote does.

So with USDC and FDUSD both at 1.0152 in USDT two votes say 0.985 against one promise: USDT moved. With USDC
at 0.88 and FDUSD at 1 two votes say 1 against one that says 1.136: USDC moved, and is worth 0.88. With one
pair alone and that one off, it is one against one: nobody knows, which is doubt, and doubt restrains. Two
coins that break together by as much look as if USDT had risen: that halts too, and a direct quote of
any of the three settles it.

For any other coin its direct quotes vote, and each of its ratios times what USDT is worth, if that is known.

A vote counts within `agree` of the median of all; if no majority does, the coin is worth nobody knows what. A
source alone is its own majority. Quotes are believed for `fresh_for`; an absurd one takes back what its source said
before. Only the coins of which an event speaks are told anew: an old quote never makes a sample look young.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.model.market import OraclePrice
from engine.model.time import SECOND

DOLLAR, ANCHOR = "USD", "USDT"
"""What a coin's worth is counted in, and the coin in which the ratios of spot pairs are quoted."""
PROMISED = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PegTerms:
    """When a quote is believed."""

    fresh_for: int
    """ns after it came."""
    agree: float
    """How far from the median of the votes a vote may be, as a part of the median."""
    lowest: float
    highest: float
    """Of a price or a ratio; anything else is absurd."""

    @classmethod
    def from_flags(cls, flags: Mapping[str, FlagValue]) -> PegTerms:
        """Return the terms that the flags PEG_* give."""
        return cls(
            fresh_for=round(float(flags["PEG_QUOTE_MAX_AGE_SEC"]) * SECOND),
            agree=float(flags["PEG_AGREE_PCT"]) / 100.0,
            lowest=float(flags["PEG_LOWEST"]), highest=float(flags["PEG_HIGHEST"]),
        )


class Peg(NamedTuple):
    """What is known of a coin after an event; `worth` is None where no majority agrees."""

    asset: str
    worth: float | None
    event_at: int
    """The oldest of the quotes that counted, by its own stamp (ns)."""


@dataclass(frozen=True, slots=True)
class Said:
    """The last price of one source, when it came (ns) and its own stamp (ns)."""

    price: float
    at: int
    venue_at: int


Vote = tuple[float, int]
"""(what the coin would be worth, the stamp of the quote that says so)"""


class Pegs:
    """The last quote of each source, and what they make of a coin together."""

    def __init__(self, terms: PegTerms) -> None:
        self._terms = terms
        self._said: dict[tuple[str, str], dict[str, Said]] = {}
        """By (asset, quote), then by source."""

    def set_terms(self, terms: PegTerms) -> None:
        """Believe by other terms from now on."""
        self._terms = terms

    def on_price(self, event: OraclePrice, at: int) -> list[Peg]:
        """Take in a quote at `at` (ns); return what is now known of the coins it speaks of.

        A quote in anything but USD and USDT says nothing here.
        """
        asset, quote = event.asset.upper(), event.quote.upper()
        if quote not in (DOLLAR, ANCHOR) or asset in (DOLLAR, quote):
            return []
        sources = self._said.setdefault((asset, quote), {})
        if self._terms.lowest <= event.price <= self._terms.highest:
            sources[event.source] = Said(event.price, at, event.venue_at)
        else:
            sources.pop(event.source, None)
        spoken = (asset,) if quote == DOLLAR else (asset, ANCHOR)
        return [self._peg(one, at, event.venue_at) for one in spoken]

    def forget(self) -> None:
        """Believe nothing that was said: some of it was lost on the way."""
        self._said.clear()

    def _peg(self, asset: str, at: int, told_at: int) -> Peg:
        counted = _majority(self._votes(asset, at), self._terms.agree)
        if not counted:
            return Peg(asset, None, told_at)
        return Peg(asset, median(worth for worth, _ in counted), min(stamp for _, stamp in counted))

    def _votes(self, asset: str, at: int) -> list[Vote]:
        if asset == ANCHOR:
            return self._votes_of_anchor(at)
        votes = self._direct(asset, at)
        ratios = self._fresh(asset, ANCHOR, at)
        anchor = _majority(self._votes_of_anchor(at), self._terms.agree) if ratios else []
        if anchor:
            worth, oldest = median(one for one, _ in anchor), min(stamp for _, stamp in anchor)
            votes += [(said.price * worth, min(said.venue_at, oldest)) for said in ratios]
        return votes

    def _votes_of_anchor(self, at: int) -> list[Vote]:
        votes = self._direct(ANCHOR, at)
        settled = bool(votes)
        newest = 0
        for asset, quote in sorted(self._said):
            if quote != ANCHOR:
                continue
            direct = _majority(self._direct(asset, at), self._terms.agree)
            worth = median(one for one, _ in direct) if direct else PROMISED
            for said in self._fresh(asset, ANCHOR, at):
                votes.append((worth / said.price, said.venue_at))
                newest = max(newest, said.venue_at)
        if votes and not settled:
            votes.append((PROMISED, newest))
        return votes

    def _direct(self, asset: str, at: int) -> list[Vote]:
        return [(said.price, said.venue_at) for said in self._fresh(asset, DOLLAR, at)]

    def _fresh(self, asset: str, quote: str, at: int) -> list[Said]:
        sources = self._said.get((asset, quote), {})
        return [said for _, said in sorted(sources.items()) if at - said.at <= self._terms.fresh_for]

    def dump(self) -> Data:
        """Return every quote as JSON data, sorted: a resumed run may have met them in another order."""
        return [
            [asset, quote, source, said.price, said.at, said.venue_at]
            for (asset, quote), sources in sorted(self._said.items()) for source, said in sorted(sources.items())
        ]

    def load(self, data: Data) -> None:
        """Become what `dump` saw."""
        self._said.clear()
        for asset, quote, source, price, at, venue_at in data:
            self._said.setdefault((asset, quote), {})[source] = Said(price, at, venue_at)


def _majority(votes: Iterable[Vote], agree: float) -> list[Vote]:
    """Return the votes near the median of all, if they are more than half of them; else none."""
    votes = list(votes)
    if not votes:
        return []
    middle = median(worth for worth, _ in votes)
    near = [vote for vote in votes if abs(vote[0] - middle) <= agree * middle]
    return near if 2 * len(near) > len(votes) else []
