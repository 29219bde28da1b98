"""The trading day ends exactly once a local day, on short and long days too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.boundary import boundary_after, boundary_of, next_boundary, zone
from engine.model.flags import FlagValue
from engine.model.time import DAY, HOUR, SECOND, format_instant, parse_instant

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "America/Nuuk",
    "America/Havana", "Australia/Lord_Howe", "Asia/Tehran", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati",
    "Africa/Casablanca", "Asia/Beirut",
)
instants = st.integers(
    min_value=parse_instant("1995-01-01T00:00:00Z") // SECOND, max_value=parse_instant("2037-01-01T00:00:00Z") // SECOND
).map(lambda seconds: seconds * SECOND)
hours = st.integers(min_value=0, max_value=23)
zones = st.sampled_from(ZONES)


def shown(at: int, name: str) -> datetime:
    """What the clocks of a zone show at an instant."""
    return datetime.fromtimestamp(at // SECOND, tz=UTC).astimezone(zone(name)).replace(tzinfo=None)


@given(instants, hours, zones)
@settings(max_examples=400, deadline=None)
def test_the_day_holds_its_instant_and_the_next_follows_at_once(at: int, hour: int, name: str) -> None:
    """The end of one day is the beginning of the next, and no day is empty or longer than two."""
    tz = zone(name)
    day, ends = next_boundary(at, hour=hour, tz=tz)
    begins = boundary_of(day, hour=hour, tz=tz)
    assert begins is not None and begins <= at < ends
    following, later = next_boundary(ends, hour=hour, tz=tz)
    assert boundary_of(following, hour=hour, tz=tz) == ends < later
    assert following > day
    assert ends - begins <= 2 * DAY
    assert next_boundary(ends - SECOND, hour=hour, tz=tz) == (day, ends)


@given(st.integers(min_value=1996, max_value=2035), hours, zones)
@settings(max_examples=60, deadline=None)
def test_each_local_date_of_a_year_begins_once(year: int, hour: int, name: str) -> None:
    """Walking from boundary to boundary meets every date that the zone had, in order and once."""
    tz = zone(name)
    day, at = next_boundary(parse_instant(f"{year}-01-01T12:00:00Z"), hour=hour, tz=tz)
    met: list[date] = []
    while len(met) < 366:
        day, at = next_boundary(at, hour=hour, tz=tz)
        met.append(day)
    assert met == sorted(set(met))
    missing = {met[0] + timedelta(days=number) for number in range((met[-1] - met[0]).days + 1)} - set(met)
    assert missing <= {date(2011, 12, 30), date(1995, 1, 1), date(1994, 12, 31)}


@given(instants, hours, zones)
@settings(max_examples=300, deadline=None)
def test_a_boundary_is_the_first_instant_at_which_the_clocks_show_the_hour(at: int, hour: int, name: str) -> None:
    """One second before it they show less, unless they had shown more before and went back."""
    tz = zone(name)
    day, _ = next_boundary(at, hour=hour, tz=tz)
    begins = boundary_of(day, hour=hour, tz=tz)
    assert begins is not None
    wanted = datetime.combine(day, time(hour))
    assert shown(begins, name) >= wanted
    assert shown(begins - SECOND, name) < wanted
    assert all(shown(begins - back * HOUR // 2, name) < wanted for back in range(1, 12))


@pytest.mark.parametrize(
    ("name", "hour", "day", "begins", "lasts"),
    [
        ("UTC", 0, "2026-03-29", "2026-03-29T00:00:00Z", 24),
        ("Europe/Berlin", 0, "2026-03-29", "2026-03-28T23:00:00Z", 23),
        ("Europe/Berlin", 0, "2026-10-25", "2026-10-24T22:00:00Z", 25),
        ("Europe/Berlin", 2, "2026-03-29", "2026-03-29T01:00:00Z", 23),  # 02:00 does not come: 03:00 is the first after
        ("Europe/Berlin", 2, "2026-10-25", "2026-10-25T00:00:00Z", 25),  # 02:00 comes twice: the first counts
        ("America/New_York", 0, "2026-03-08", "2026-03-08T05:00:00Z", 23),
        ("America/New_York", 1, "2026-11-01", "2026-11-01T05:00:00Z", 25),
        ("America/St_Johns", 0, "2010-11-07", "2010-11-07T02:30:00Z", 25),  # clocks go back over midnight
        ("America/Sao_Paulo", 0, "2018-11-04", "2018-11-04T03:00:00Z", 23),  # midnight does not come
        ("America/Nuuk", 23, "2024-03-30", "2024-03-31T01:00:00Z", 23),  # 23:00 does not come: the next midnight
        ("Australia/Lord_Howe", 2, "2026-04-05", "2026-04-04T15:30:00Z", 24),
    ],
)
def test_days_that_are_not_24_hours(name: str, hour: int, day: str, begins: str, lasts: int) -> None:
    """The days on which a naive timer fires twice or not at all."""
    tz = zone(name)
    at = boundary_of(date.fromisoformat(day), hour=hour, tz=tz)
    assert at is not None and format_instant(at) == begins
    found, ends = next_boundary(at, hour=hour, tz=tz)
    assert found.isoformat() == day
    assert round((ends - at) / HOUR, 1) in (lasts, lasts + 0.5)


def test_a_date_that_a_zone_skipped_has_no_boundary() -> None:
    """Samoa went from 29 to 31 December 2011."""
    tz = zone("Pacific/Apia")
    assert boundary_of(date(2011, 12, 30), hour=0, tz=tz) is None
    day, ends = next_boundary(parse_instant("2011-12-30T09:59:59Z"), hour=5, tz=tz)
    assert (day.isoformat(), format_instant(ends)) == ("2011-12-29", "2011-12-30T15:00:00Z")
    assert next_boundary(ends, hour=5, tz=tz)[0].isoformat() == "2011-12-31"


def test_the_flags_say_where_the_day_ends() -> None:
    """A number comes as a float, and nanoseconds before the boundary are still the day before."""
    flags: dict[str, FlagValue] = {"DAILY_RESET_TZ": "Asia/Tokyo", "DAILY_RESET_HOUR": 9.0}
    midnight = parse_instant("2026-05-05T00:00:00Z")
    assert boundary_after(midnight, flags) == ("2026-05-05", midnight + DAY)
    assert boundary_after(midnight - 1, flags) == ("2026-05-04", midnight)


@pytest.mark.parametrize("name", ["Mars", "", "../../etc/passwd", "Europe", "utc\x00"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """Whatever zoneinfo thinks of the name, the answer is one sentence."""
    with pytest.raises(ValueError, match="is not a time zone"):
        zone(name)
