"""Durations and instants: what is written is read back, and what makes no sense is said."""

from __future__ import annotations

import pytest

from engine.model.time import DAY, HOUR, MINUTE, MS, SECOND, format_duration, parse_duration, parse_instant


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("250ms", 250 * MS), ("90s", 90 * SECOND), ("1.5h", 90 * MINUTE), ("1h30m", 90 * MINUTE), ("0s", 0),
        ("1d12h", 36 * HOUR), ("59m57s", 59 * MINUTE + 57 * SECOND), ("1h1m1s1ms", HOUR + MINUTE + SECOND + MS),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize("ns", [0, 7 * MS, 45 * SECOND, 95 * SECOND, 90 * MINUTE, 26 * HOUR, 366 * DAY])
def test_what_is_shown_can_be_typed(ns: int) -> None:
    assert parse_duration(format_duration(ns)) == ns


@pytest.mark.parametrize(
    "text",
    ["", "5", "h", "-1h", "30m1h", "1h1h", "1h 30m", "1h30", "1h-30m", "nan", "1H", "1,5h", "1e3s", "٣s", "1h\n"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write a number"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["367d", "366d1s", "999999999h"])
def test_a_duration_beyond_a_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longer than 366d"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "said"), [("yesterday", "is no instant"), ("25:00", "is no instant"),
                                            ("2026-03-02T18:00:00", "has no time zone")])
def test_what_is_no_instant_is_refused_in_our_words(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_instant(text)
