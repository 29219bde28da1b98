"""The night's lines in conf/event_denylist.txt: what a person wrote stays, what the night wrote comes and goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.nightly import Offence
from engine.model.time import DAY, HOUR, parse_instant
from engine.runtime.denylist import read_denylist
from engine.runtime.denylist_refresh import RefreshError, refresh_file, refreshed

NAME = "event_denylist.txt"
NOW = parse_instant("2026-03-03T00:00:00Z")
HEADING = "# refreshed 2026-03-03: lines below whose reason begins with `refreshed:` come and go by themselves"


def offence(symbol: str, hours: int = 72, reason: str = "2 bad days of 5") -> Offence:
    """Return an offence that ends so many hours from now."""
    return Offence(symbol=symbol, until=NOW + hours * HOUR, reason=reason)


def text(before: str, *offences: Offence, now: int = NOW) -> str:
    """Return the file as it is after a refresh."""
    return refreshed(before.encode(), NAME, offences, "2026-03-03", now).data.decode()


def test_a_first_refresh_adds_a_heading_and_its_lines_below_what_is_there() -> None:
    before = "# mine\nOAKUSDT reason=the book is empty on Sundays\n"
    assert text(before, offence("PINEUSDT"), offence("ASHUSDT", 24)) == (
        f"{before}{HEADING}\n"
        "ASHUSDT until=2026-03-04T00:00:00Z reason=refreshed: 2 bad days of 5\n"
        "PINEUSDT until=2026-03-06T00:00:00Z reason=refreshed: 2 bad days of 5\n"
    )


@pytest.mark.parametrize("before", ["", "# mine", "# mine\n", "OAKUSDT", "OAKUSDT\r\n# x\r\n", "OAKUSDT\r\n# x"])
def test_nobody_offends_and_nothing_is_touched(before: str) -> None:
    made = refreshed(before.encode(), NAME, (), "2026-03-03", NOW)
    assert (made.data.decode(), made.changed) == (before, False)


def test_the_same_night_again_changes_nothing() -> None:
    once = text("# mine\n", offence("PINEUSDT"))
    made = refreshed(once.encode(), NAME, (offence("PINEUSDT"),), "2026-03-04", NOW)
    assert not made.changed
    # Nor is a heading written anew where no line changes: every night would be an edit.
    assert made.data.decode() == once


def test_a_line_goes_when_it_has_ended_and_ends_later_for_who_still_offends() -> None:
    before = text("OAKUSDT\n", offence("PINEUSDT", 24), offence("ASHUSDT", 24))
    later = NOW + DAY
    assert "PINEUSDT until=2026-03-04" in text(before, now=later - 1)
    made = refreshed(before.encode(), NAME, (offence("ASHUSDT", 48, "still"),), "2026-03-04", later)
    assert made.data.decode() == (
        f"OAKUSDT\n{HEADING.replace('03-03', '03-04')}\nASHUSDT until=2026-03-05T00:00:00Z reason=refreshed: still\n"
    )
    assert (made.added, made.extended, made.ended) == ((), ("ASHUSDT",), ("PINEUSDT",))


def test_no_line_ever_ends_sooner_than_it_said() -> None:
    before = text("", offence("PINEUSDT", 72))
    assert not refreshed(before.encode(), NAME, (offence("PINEUSDT", 24),), "2026-03-03", NOW).changed


def test_a_persons_line_stands_whatever_the_night_thinks() -> None:
    before = (
        "PINEUSDT until=2026-03-03T01:00:00Z reason=refreshed: by hand, above\n"
        f"{HEADING}\n"
        "ASHUSDT until=2026-03-05T00:00:00Z reason=refreshed: 2 bad days\n"
        "OAKUSDT reason=mine, though it stands below\n"
        "\n# note to self\nELMUSDT until=2026-03-01T00:00:00Z reason=ended\n"
    )
    made = refreshed(
        before.encode(), NAME, [offence(one) for one in ("ELMUSDT", "OAKUSDT", "PINEUSDT")], "2026-03-03", NOW
    )
    assert not made.changed
    assert made.notes == (
        "ELMUSDT offends (2 bad days of 5), and line 7 of event_denylist.txt has ended: edit it",
    )
    after = refreshed(before.encode(), NAME, (offence("BIRCHUSDT"),), "2026-03-03", NOW).data.decode()
    assert [line for line in after.split("\n") if "BIRCH" not in line] == before.split("\n")


def test_a_symbol_that_cannot_be_written_is_told_and_the_others_are_written() -> None:
    made = refreshed(b"", NAME, (offence("币安USDT"), offence("PINEUSDT")), "2026-03-03", NOW)
    assert made.added == ("PINEUSDT",)
    assert made.notes == (
        "币安USDT offends (2 bad days of 5) and cannot be written into event_denylist.txt: `engine deny` it",
    )


def test_a_file_with_a_mistake_is_left_alone() -> None:
    with pytest.raises(RefreshError, match="event_denylist.txt:2"):
        refreshed(b"OAKUSDT\nwhat is this\n", NAME, (offence("PINEUSDT"),), "2026-03-03", NOW)


def test_the_line_ends_of_the_file_are_kept() -> None:
    assert text("OAKUSDT\r\n", offence("PINEUSDT")).split("\r\n")[1:] == [
        HEADING, "PINEUSDT until=2026-03-06T00:00:00Z reason=refreshed: 2 bad days of 5", "",
    ]
    assert text("OAKUSDT", offence("PINEUSDT")).startswith("OAKUSDT\n# refreshed")


symbols = st.sampled_from(["AUSDT", "BUSDT", "CUSDT", "DUSDT"])
theirs = st.lists(
    st.sampled_from(["# a note", "", "  ", "EUSDT reason=mine", "AUSDT", "BUSDT until=2026-03-02T00:00:00Z"]),
    max_size=5, unique_by=lambda line: line.split(" ")[0] if line.strip() and line[0] != "#" else object(),
)
nights = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.lists(st.tuples(symbols, st.integers(1, 90)), max_size=4, unique_by=lambda pair: pair[0]),
    ),
    max_size=6,
)


@given(theirs, nights)
@settings(max_examples=150, deadline=None)
def test_over_many_nights(lines: list[str], told: list[tuple[int, list[tuple[str, int]]]]) -> None:
    """What a person wrote stays, line by line; who is denied is exactly who offended and has not ended."""
    data, now = "\n".join([*lines, ""]).encode(), NOW
    denied: dict[str, int] = {}
    mine = {line.split(" ")[0] for line in lines if line.strip() and line[0] != "#"}
    for hours, offences in told:
        now += hours * HOUR
        found = [Offence(symbol=symbol, until=now + left * HOUR, reason="x") for symbol, left in offences]
        data = refreshed(data, NAME, found, "2026-03-09", now).data
        denied = {symbol: until for symbol, until in denied.items() if until > now}
        for one in found:
            if one.symbol not in mine:
                denied[one.symbol] = max(one.until, denied.get(one.symbol, 0))
        read, findings = read_denylist(data, NAME)
        assert not findings
        assert {one.symbol: one.until for one in read if one.symbol not in mine} == denied
        kept = [line for line in data.decode().split("\n") if "refreshed" not in line]
        assert kept == [*lines, ""]


# -- the file -------------------------------------------------------------------------------


def test_the_file_is_swapped_whole_with_its_rights_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("OAKUSDT\n")
    path.chmod(0o640)
    before = path.stat().st_ino
    assert refresh_file(path, (offence("PINEUSDT"),), "2026-03-03", NOW).added == ("PINEUSDT",)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == [NAME]
    unchanged = path.stat().st_mtime_ns
    assert not refresh_file(path, (offence("PINEUSDT"),), "2026-03-03", NOW).changed
    assert path.stat().st_mtime_ns == unchanged


def test_a_link_stays_one_and_a_file_that_is_missing_is_made(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / NAME
    link.symlink_to(real)
    refresh_file(link, (offence("PINEUSDT"),), "2026-03-03", NOW)
    assert link.is_symlink()
    assert "PINEUSDT" in real.read_text()


def test_a_file_with_a_mistake_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("what is this\n")
    with pytest.raises(RefreshError):
        refresh_file(path, (offence("PINEUSDT"),), "2026-03-03", NOW)
    assert path.read_text() == "what is this\n"
