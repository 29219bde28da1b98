"""Who misbehaves: symbols that were costly, lost their stops or stood like painted, on too many days.

A day is symptomatic for a symbol when our taker fills slipped more than
DENYLIST_SLIPPAGE_BPS on average (with at least DENYLIST_MIN_FILLS of them), when its stops had to be
repaired DENYLIST_REPAIRS times, or when its minutes said less than DENYLIST_ENTROPY_BITS
(see `entropy`). With DENYLIST_DAYS symptomatic days of the last DENYLIST_OF_DAYS a symbol is not
entered for DENYLIST_TTL_HOURS. A day is the trading day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from engine.model.codec import Data
from engine.model.flags import FlagValue
from engine.model.nightly import Offence
from engine.model.samples import Derived
from engine.model.time import HOUR
from engine.risk.entropy import Words
from engine.risk.wanted import wanted

SLIPPAGE, REPAIRED = "fill_slippage_bps", "stop_validator_repaired_total"
TAKER = "taker"
_SCALE = 10**6


@dataclass(slots=True)
class Record:
    """What one symbol did."""

    fills: int = 0
    """Taker fills of today."""
    slippage: int = 0
    """Their slippage in millionths of a basis point, summed up."""
    repairs: int = 0
    """Stops that were placed again today."""
    repaired: dict[str, int] = field(default_factory=dict)
    """How many repairs each venue's validator had told of."""
    days: dict[int, str] = field(default_factory=dict)
    """Symptomatic days (ordinals of local dates) and what was wrong."""


class Offenders:
    """Counts by day; part of the state, so that a restart forgets nothing."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def on_fill(self, symbol: str, derived: Iterable[Derived]) -> None:
        """Take in the samples of one fill of `symbol`; only a taker's count."""
        for sample in derived:
            if sample.name == SLIPPAGE and TAKER in sample.labels:
                record = self._of(symbol)
                record.fills += 1
                record.slippage += round(float(sample.value) * _SCALE)

    def hear(self, derived: Iterable[Derived]) -> None:
        """Take in what the stop validator told."""
        for sample in derived:
            if sample.name == REPAIRED:
                venue, symbol = sample.labels
                record, total = self._of(symbol), round(float(sample.value))
                record.repairs += max(0, total - record.repaired.get(venue, 0))
                record.repaired[venue] = total

    def end_day(
        self, at: int, day: str, words: Sequence[tuple[tuple[str, str], Words]], flags: Mapping[str, FlagValue]
    ) -> tuple[Offence, ...]:
        """Judge the day that ended when `day` (a local date such as 2026-03-29) began at `at` (ns), and count anew."""
        ordinal = date.fromisoformat(day).toordinal() - 1
        said = _said_little(words, flags)
        for symbol in said:
            self._of(symbol)
        for symbol, record in self._records.items():
            found = [one for one in (*_symptoms(record, flags), said.get(symbol, "")) if one]
            if found:
                record.days[ordinal] = " and ".join(found)
            record.fills = record.slippage = record.repairs = 0
        for _, spoken in words:
            spoken.begin_day()
        return self.judge(at, ordinal, flags)

    def judge(self, at: int, ordinal: int, flags: Mapping[str, FlagValue]) -> tuple[Offence, ...]:
        """Return who offends as of the day `ordinal`, by symbol; days too long ago are forgotten."""
        within, needed = int(wanted(flags, "DENYLIST_OF_DAYS")), int(wanted(flags, "DENYLIST_DAYS"))
        until = at + round(float(wanted(flags, "DENYLIST_TTL_HOURS")) * HOUR)
        offences: list[Offence] = []
        for symbol in sorted(self._records):
            record = self._records[symbol]
            record.days = {one: why for one, why in record.days.items() if one > ordinal - within}
            if len(record.days) >= needed:
                why = f"{len(record.days)} bad days of {within}, last: {record.days[max(record.days)]}"
                offences.append(Offence(symbol=symbol, until=until, reason=why))
        return tuple(offences)

    def _of(self, symbol: str) -> Record:
        return self._records.setdefault(symbol, Record())

    def dump(self) -> Data:
        """Return everything as JSON data, by symbol."""
        return [
            [
                symbol, one.fills, one.slippage, one.repairs, dict(sorted(one.repaired.items())),
                [[day, why] for day, why in sorted(one.days.items())],
            ]
            for symbol, one in sorted(self._records.items())
        ]

    def load(self, data: Data) -> None:
        """Become what `dump` wrote."""
        self._records = {
            symbol: Record(fills, slippage, repairs, dict(repaired), dict(days))
            for symbol, fills, slippage, repairs, repaired, days in data
        }


def _symptoms(record: Record, flags: Mapping[str, FlagValue]) -> list[str]:
    found: list[str] = []
    limit = round(float(wanted(flags, "DENYLIST_SLIPPAGE_BPS")) * _SCALE)
    # The whole sum against the limit of so many fills: an average would be rounded.
    if record.fills >= int(wanted(flags, "DENYLIST_MIN_FILLS")) and record.slippage > limit * record.fills:
        found.append(f"slippage {record.slippage / record.fills / _SCALE:.1f} bps over {record.fills} fills")
    if record.repairs >= int(wanted(flags, "DENYLIST_REPAIRS")):
        found.append(f"stops repaired {record.repairs} times")
    return found


def _said_little(
    words: Sequence[tuple[tuple[str, str], Words]], flags: Mapping[str, FlagValue]
) -> dict[str, str]:
    """Return what is wrong with the symbols whose minutes say too little, on any venue."""
    least, limit = int(wanted(flags, "DENYLIST_ENTROPY_MINUTES")), float(wanted(flags, "DENYLIST_ENTROPY_BITS"))
    found: dict[str, str] = {}
    for (_, symbol), spoken in words:
        count = spoken.count()
        if count >= least and (bits := spoken.bits_a_minute()) < limit:
            found.setdefault(symbol, f"entropy {bits:.2f} bits a minute over {count} minutes")
    return found
