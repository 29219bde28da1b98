"""A tape file: whole or not at all, read past its damage, and the same from the middle."""

from __future__ import annotations

import gzip
import os
import resource
from pathlib import Path

import pytest

from engine.adapters.tape_file import open_tape
from engine.adapters.tape_writer import TapeWriter
from engine.model.events import InstrumentDefined
from engine.model.market import FeedState, Quote, Trade
from engine.ports.feed import MARKET, ORACLE, Chapter, Tape, TapeError, TapeEvent
from tests.adapters.test_tape_format import AT, NOVA, ONE_OF_EACH


def _quotes(count: int) -> list[TapeEvent]:
    return [Quote("paper", f"C{i % 3}", 1.0 + i, 2.0, 1.5 + i, 3.0, AT + i, AT + i * 10) for i in range(count)]


def _write(path: Path, events: list[TapeEvent]) -> Path:
    with TapeWriter(path, source="made by a test") as writer:
        for event in events:
            writer.write(event)
    return path


def _read(tape: Tape, from_index: int = 0) -> list[tuple[int, TapeEvent]]:
    return list(tape.events(from_index))


@pytest.mark.parametrize("name", ["a.tape", "a.tape.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    tape = open_tape(_write(tmp_path / name, list(ONE_OF_EACH)))

    assert [event for _, event in _read(tape)] == list(ONE_OF_EACH)
    assert (tape.index, tape.damaged, tape.clamped) == (len(ONE_OF_EACH), [], 0)


def test_the_header_tells_what_is_on_the_tape(tmp_path: Path) -> None:
    chapters = (Chapter(name="all", start=AT, end=AT + 1),)
    with TapeWriter(tmp_path / "a.tape", source="a test", chapters=chapters, seed=7) as writer:
        writer.define(NOVA)
        for event in ONE_OF_EACH:
            writer.write(event)
    header = open_tape(tmp_path / "a.tape").header

    assert (header.name, header.source, header.events, header.seed) == ("a.tape", "a test", len(ONE_OF_EACH) + 1, 7)
    assert (header.first_at, header.last_at, header.chapters) == (AT, AT, chapters)
    assert (header.venues, header.symbols, header.instruments) == (("paper",), ("BTCUSDT",), (NOVA,))
    assert {MARKET, ORACLE} <= header.producers
    assert dict(header.streams)["Trade"] == 2


def test_metadata_that_is_learnt_late_stands_before_every_event(tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "a.tape.gz", source="a test") as writer:
        for event in _quotes(3):
            writer.write(event)
        writer.define(NOVA)
    first = _read(open_tape(tmp_path / "a.tape.gz"))[0]

    assert first == (AT, InstrumentDefined(instrument=NOVA, venue_at=AT))


@pytest.mark.parametrize("name", ["a.tape", "a.tape.gz"])
def test_the_same_events_make_the_same_bytes(tmp_path: Path, name: str) -> None:
    one = _write(tmp_path / name, _quotes(50)).read_bytes()
    assert _write(tmp_path / name, _quotes(50)).read_bytes() == one


def test_one_damaged_line_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tape", _quotes(20))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[7] = lines[7].replace(b"\t", b"\t9", 1)
    path.write_bytes(b"".join(lines))
    tape = open_tape(path)

    assert [at for at, _ in _read(tape)] == [AT + i * 10 for i in range(20) if i != 6]
    assert [(damage.line, damage.ends_tape) for damage in tape.damaged] == [(8, False)]
    assert tape.index == 20


def test_a_damaged_line_keeps_its_index(tmp_path: Path) -> None:
    """Else a checkpoint taken behind it would resume one event off."""
    path = _write(tmp_path / "a.tape", _quotes(20))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"nonsense\n"
    path.write_bytes(b"".join(lines))
    tape = open_tape(path)

    assert _read(tape, 10) == _read(tape)[9:]
    assert _read(tape, 10)[0][0] == AT + 100


@pytest.mark.parametrize("name", ["a.tape", "a.tape.gz"])
@pytest.mark.parametrize("index", [0, 1, 99, 250, 299, 300, 1000])
def test_a_resumed_reading_is_the_tail_of_the_whole(tmp_path: Path, name: str, index: int) -> None:
    tape = open_tape(_write(tmp_path / name, _quotes(300)))
    whole = _read(tape)

    assert _read(tape, index) == whole[index:]
    assert tape.index == 300


def test_index_points_at_the_next_event_while_reading(tmp_path: Path) -> None:
    tape = open_tape(_write(tmp_path / "a.tape", _quotes(5)))
    seen = [tape.index for _ in tape.events(2)]
    assert seen == [3, 4, 5]


def test_time_never_goes_back(tmp_path: Path) -> None:
    """The late event keeps when it really arrived; what the loop is told does not decrease, resumed or not."""
    late = Trade("paper", "C0", 1.0, 1.0, True, "1", AT, AT + 5)
    tape = open_tape(_write(tmp_path / "a.tape", [*_quotes(3), late, *_quotes(4)[3:]]))
    read = _read(tape)

    assert [at - AT for at, _ in read] == [0, 10, 20, 20, 30]
    assert read[3][1] == late
    assert tape.clamped == 1
    assert _read(tape, 3) == read[3:]


def test_a_tape_that_lost_its_end_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tape", _quotes(20))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-5]))
    tape = open_tape(path)

    assert len(_read(tape)) == 15
    assert tape.damaged[-1].ends_tape
    assert "promises 20 events, the file holds 15" in tape.damaged[-1].what


def test_a_cut_gzip_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tape.gz", _quotes(40_000))
    path.write_bytes(path.read_bytes()[:-2_000])
    tape = open_tape(path)

    assert 0 < len(_read(tape)) < 40_000
    assert [damage.ends_tape for damage in tape.damaged] == [True]
    assert "cut short" in tape.damaged[0].what


def test_broken_gzip_data_is_damage_and_no_crash(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tape.gz", _quotes(40_000))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 64] = bytes(64)
    path.write_bytes(raw)
    tape = open_tape(path)
    _read(tape)

    assert tape.damaged


def test_the_last_line_may_lack_its_line_end(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tape", _quotes(3))
    path.write_bytes(path.read_bytes()[:-1])
    tape = open_tape(path)

    assert len(_read(tape)) == 3
    assert tape.damaged == []


def test_what_is_no_tape_is_refused_with_place_and_fix(tmp_path: Path) -> None:
    cases: dict[str, tuple[bytes, str]] = {
        "empty.tape": (b"", "empty"), "csv.tape": (b"time,price\n1,2\n", "does not begin"),
        "plain.tape.gz": (b"time,price\n", "not gzip"), "cut.tape.gz": (gzip.compress(b"x" * 999)[:15], "cut short"),
        "binary.tape": (bytes(range(256)), "does not begin"),
    }
    for name, (content, what) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TapeError, match=what) as caught:
            open_tape(tmp_path / name)
        assert name in caught.value.place
        assert caught.value.fix
    for path, what in ((tmp_path, "directory"), (tmp_path / "none", "no such file")):
        with pytest.raises(TapeError, match=what):
            open_tape(path)


def test_a_header_with_a_missing_field_is_refused(tmp_path: Path) -> None:
    from engine.adapters.tape_format import header_line

    (tmp_path / "a.tape").write_bytes(header_line({"names": []}))
    with pytest.raises(TapeError, match="it has no"):
        open_tape(tmp_path / "a.tape")


@pytest.mark.parametrize(("first", "last"), [(-5, 7), (9, 7), (7, 10**30)])
def test_a_header_of_no_time_is_refused(tmp_path: Path, first: int, last: int) -> None:
    """A run would go on for centuries of timers, or end in an error of the calendar."""
    from engine.adapters.tape_format import header_line

    data = {
        "source": "a test", "events": 1, "first_at": first, "last_at": last, "names": [], "venues": [], "streams": [],
        "producers": [], "instruments": [], "chapters": [], "seed": None,
    }
    (tmp_path / "a.tape").write_bytes(header_line(data))
    with pytest.raises(TapeError, match="no instant|ends before"):
        open_tape(tmp_path / "a.tape")


def test_a_writing_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    _write(tmp_path / "a.tape", _quotes(3))
    before = (tmp_path / "a.tape").read_bytes()
    with pytest.raises(ValueError, match="finite"), TapeWriter(tmp_path / "a.tape", source="a test") as writer:
        writer.write(Quote("paper", "C0", float("nan"), 1.0, 1.0, 1.0, 0, 0))

    assert [path.name for path in tmp_path.iterdir()] == ["a.tape"]
    assert (tmp_path / "a.tape").read_bytes() == before


def test_nothing_to_write_is_an_error_and_no_empty_tape(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="no event"), TapeWriter(tmp_path / "a.tape", source="a test"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="cannot be written"):
        TapeWriter(tmp_path / "none" / "a.tape", source="a test")


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """The tape takes the place of what is there: a device of that name would be gone."""
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(TapeError, match="is no file"):
            TapeWriter(place, source="a test")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("name", ["a.tape", "a.tape.gz"])
def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """A limit on the size of files stands for the full disk: the same calls fail with an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(TapeError, match="cannot be written"):
            _write(tmp_path / name, _quotes(60_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_feed_state_alone_names_its_venue(tmp_path: Path) -> None:
    header = open_tape(_write(tmp_path / "a.tape", [FeedState("paper", True, "", AT)])).header
    assert (header.venues, header.symbols, header.producers) == (("paper",), (), frozenset({MARKET}))
