"""When the trading day ends: HH:00 on the clock of one zone, exactly once a local day.

The day is keyed by its local date. Where HH:00 comes twice (clocks go back) the first
counts; where it does not come at all (clocks go forward) the first instant behind the
gap does; a date that a zone skipped whole has no boundary. So a day may last 23 or 25
hours, and no loss limit is ever reset twice or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.model.flags import FlagValue
from engine.model.time import SECOND

ZONE_FLAG, HOUR_FLAG = "DAILY_RESET_TZ", "DAILY_RESET_HOUR"
_DAY = timedelta(days=1)
_LONGEST_STANDSTILL = 4
"""Days to look back for a boundary; no zone ever skipped more than one date in a row."""


def zone(name: str) -> ZoneInfo:
    """Return the IANA zone `name`, such as `Europe/Berlin`; ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: write one such as UTC or Europe/Berlin") from None


def boundary_of(day: date, *, hour: int, tz: ZoneInfo) -> int | None:
    """Return the instant (ns) at which the trading day `day` begins; None if the zone skipped that date."""
    if _first_at_or_after(day, 0, tz).astimezone(tz).date() != day:
        return None
    return int(_first_at_or_after(day, hour, tz).timestamp()) * SECOND


def next_boundary(at: int, *, hour: int, tz: ZoneInfo) -> tuple[date, int]:
    """Return the local date of the trading day that `at` (ns) is in, and the boundary (ns) that ends it."""
    today = datetime.fromtimestamp(at // SECOND, tz=tz).date()
    # Where clocks go back over midnight, tomorrow may have begun already; the day behind it never has.
    ends = _begin(today + 2 * _DAY, hour, tz)
    for back in range(1, -_LONGEST_STANDSTILL, -1):
        day = today + back * _DAY
        begins = boundary_of(day, hour=hour, tz=tz)
        if begins is not None:
            if begins <= at:
                return day, ends
            ends = begins
    raise ValueError(f"the clocks of {tz.key} cannot be understood around {today}")


def boundary_after(at: int, flags: Mapping[str, FlagValue]) -> tuple[str, int]:
    """Return (local date as 2026-03-29, next boundary in ns) under the reset flags in `flags`."""
    day, ends = next_boundary(at, hour=int(flags[HOUR_FLAG]), tz=zone(str(flags[ZONE_FLAG])))
    return day.isoformat(), ends


def day_began(at: int, flags: Mapping[str, FlagValue]) -> int:
    """Return the boundary (ns) at which the trading day that `at` is in began, under the reset flags in `flags`."""
    hour, tz = int(flags[HOUR_FLAG]), zone(str(flags[ZONE_FLAG]))
    day, _ = next_boundary(at, hour=hour, tz=tz)
    return _begin(day, hour, tz)


def _begin(day: date, hour: int, tz: ZoneInfo) -> int:
    begins = boundary_of(day, hour=hour, tz=tz)
    while begins is None:
        day += _DAY
        begins = boundary_of(day, hour=hour, tz=tz)
    return begins


def _first_at_or_after(day: date, hour: int, tz: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which the clocks of `tz` show `hour`:00 of `day` or later."""
    # Naive on purpose: what the clocks show, wherever they stand in the order of instants.
    wanted = datetime.combine(day, time(hour))
    moment = wanted.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if moment.astimezone(tz).replace(tzinfo=None) == wanted:
        return moment
    # In a gap fold 0 reads the clock as it was before, so `moment` lies behind the gap's end; search for that end.
    late, early = moment, wanted.replace(tzinfo=tz, fold=1).astimezone(UTC) - timedelta(seconds=1)
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=1) // 2)
        if middle.astimezone(tz).replace(tzinfo=None) >= wanted:
            late = middle
        else:
            early = middle
    return late
