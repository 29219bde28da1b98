"""Recorded history on the disk gives back what it was given, in order, whole or not at all."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.history import HistoryHeader, Mark, MarkKind, Record, Row
from engine.model.time import DAY, HOUR, SECOND, parse_instant
from engine.ports.history import HistoryError
from engine.runtime.wiring_history import history_writer, open_history

BEGIN = parse_instant("2026-01-04T22:00:00Z")
HEADER = HistoryHeader(
    name="test", first_at=BEGIN, last_at=BEGIN, producers=("feed.market",), complete=("mid",), decimated=(),
    catalogue_digest="c", rules_digest="r", has_rearms=False,
)
LABELS = [("paper", "A'B"), ("paper", 'NOVA"X'), ("other, one", "NOVAUSDT")]


def records(seed: int, count: int) -> list[Record]:
    """Return a made history over three days: numbers, words, switches, doubt, marks, several rows a batch."""
    draw = random.Random(seed)
    found: list[Record] = []
    at, batch = BEGIN, 0
    while len(found) < count:
        at += draw.choice((0, 1, SECOND, 7 * SECOND, HOUR))
        batch += draw.choice((1, 1, 5))
        if draw.random() < 0.2:
            found.append(Mark(at, batch, MarkKind.WOKEN, {}))
        for _ in range(draw.choice((1, 1, 2, 4))):
            labels, status = draw.choice(LABELS), draw.choice((0, 0, 0, 1, 3))
            found.append(draw.choice((
                Row(at, batch, "mid", labels, draw.choice((0.1, 1e15, -0.0, 5e-324)), status, at - 5),
                Row(at, batch, "phase", labels[:1], draw.choice(("calm", "wild", "")), status, -1),
                Row(at, batch, "open", (), draw.random() < 0.5, status, at),
                Mark(at, batch, MarkKind.REARM, {"latch": "guard.x/1", "actor": "Jörg"}),
            )))
    return found


def write(path: Path, given: list[Record], flushes: int) -> None:
    writer = history_writer(path, HEADER)
    size = len(given) // flushes + 1
    for turn in range(flushes):
        for record in given[turn * size:(turn + 1) * size]:
            writer.add(record)
        writer.flush(10 * turn)
    writer.close()


@pytest.mark.parametrize(("seed", "flushes"), [(1, 1), (2, 3), (3, 7)])
def test_every_record_comes_back_in_order_and_typed(tmp_path: Path, seed: int, flushes: int) -> None:
    given = records(seed, 400)
    write(tmp_path / "history", given, flushes)
    history = open_history(tmp_path / "history")
    found = list(history.records())
    assert [repr(one) for one in found] == [repr(one) for one in given]
    assert list(history.marks()) == [one for one in given if isinstance(one, Mark)]
    assert history.header.has_rearms
    assert (history.header.first_at, history.header.last_at) == (BEGIN, given[-1].at)
    assert history.days() == tuple(sorted({one.at - one.at % DAY for one in given if isinstance(one, Row)}))


@pytest.mark.parametrize("seed", [4, 5])
def test_columns_hold_the_same_rows(tmp_path: Path, seed: int) -> None:
    given = records(seed, 600)
    write(tmp_path / "history", given, 4)
    history = open_history(tmp_path / "history").opener()()
    rows = [one for one in given if isinstance(one, Row)]
    assert [(one.signal, one.labels) for one in history.series()] == sorted({(row.signal, row.labels) for row in rows})
    last = given[-1].at
    draw = random.Random(seed)
    for name, labels, first_at, first_batch in history.series():
        own = [row for row in rows if (row.signal, row.labels) == (name, labels)]
        assert (own[0].at, own[0].batch) == (first_at, first_batch)
        for _ in range(8):
            begin, end = sorted(draw.randrange(BEGIN, last + HOUR) for _ in range(2))
            column = history.column(name, labels, begin, end)
            wanted = [row for row in own if begin <= row.at < end]
            values = [
                column.words[int(value)] if column.words else bool(value) if column.switch else value
                for value in column.value.tolist()
            ]
            assert [
                Row(*one) for one in zip(
                    column.at.tolist(), column.batch.tolist(), [name] * len(column), [labels] * len(column), values,
                    column.status.tolist(), column.event_at.tolist(), strict=True,
                )
            ] == wanted
            earlier = [row for row in own if row.at < begin]
            good = [row for row in earlier if not row.status]
            assert history.before(name, labels, begin) == (
                earlier[-1] if earlier else None, good[-1] if good else None,
            )
    for until in (None, BEGIN, last, draw.randrange(BEGIN, last)):
        assert history.count(until) == sum(1 for one in given if until is None or one.at < until)
    assert len(history.column("nobody", (), BEGIN, last)) == 0


def test_what_was_flushed_after_a_checkpoint_can_be_forgotten_and_recorded_again(tmp_path: Path) -> None:
    given = records(6, 300)
    path = tmp_path / "history"
    writer = history_writer(path, HEADER)
    for seq, part in ((5, given[:100]), (9, given[100:200]), (12, given[200:])):
        for record in part:
            writer.add(record)
        writer.flush(seq)
    again = history_writer(path, HEADER)
    again.forget_after(9)
    assert list(open_history(path).records()) == given[:200]
    for record in given[200:]:
        again.add(record)
    again.close()
    assert list(open_history(path).records()) == given


def test_what_was_not_flushed_is_not_there(tmp_path: Path) -> None:
    given = records(7, 50)
    writer = history_writer(tmp_path, HEADER)
    for record in given:
        writer.add(record)
    assert list(open_history(tmp_path).records()) == []
    writer.flush(1)
    assert list(open_history(tmp_path).records()) == given


def test_a_process_killed_between_its_files_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    """The record of the flush is written last: without it the new files are swept away and nothing is lost."""
    given = records(8, 200)
    write(tmp_path, given[:100], 1)
    stale = tmp_path / "marks" / "marks-000000000077-000.parquet"
    stale.write_bytes(b"PAR1")
    (tmp_path / "flush-000000000077-000.json.part").write_text("{")
    with pytest.raises(HistoryError, match="half written"):
        open_history(tmp_path)
    writer = history_writer(tmp_path, HEADER)
    for record in given[100:]:
        writer.add(record)
    writer.close()
    assert list(open_history(tmp_path).records()) == given
    assert not stale.exists()


def damaged(path: Path) -> dict[str, str]:
    """Damage a copy in every way there is; return what is said of each."""
    rows = next(path.glob("day=*/*.parquet"))
    whole, said = rows.read_bytes(), {}

    def ask(name: str) -> None:
        try:
            list(open_history(path).records())
        except HistoryError as error:
            said[name] = f"{error.what} | {error.fix}"
        else:
            said[name] = "fine"

    rows.write_bytes(whole[:-20])
    ask("cut short")
    rows.write_bytes(b"x" * len(whole))
    ask("other bytes")
    rows.unlink()
    ask("missing")
    rows.write_bytes(whole)
    (path / "marks" / "holiday.jpg").write_bytes(b"jpeg")
    ask("foreign")
    (path / "marks" / "holiday.jpg").unlink()
    flush = next(path.glob("flush-*.json"))
    text = flush.read_text()
    flush.write_text(text[:50])
    ask("half a record")
    flush.write_text(json.dumps({"hello": 1}))
    ask("another record")
    flush.write_text(text)
    header = path / "history.json"
    text = header.read_text()
    header.write_text(text.replace('"format":1', '"format":2'))
    ask("newer format")
    header.unlink()
    ask("no header")
    header.write_text(text)
    ask("restored")
    return said


def test_a_damaged_or_foreign_history_is_refused_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, records(9, 200), 1)
    said = damaged(tmp_path)
    assert said.pop("restored") == "fine"
    for name, text in said.items():
        assert text != "fine", name
        what, fix = text.split(" | ")
        assert what and fix, name
        assert str(tmp_path) in what, name


def test_a_history_of_other_signals_and_a_directory_of_other_things_are_not_written_to(tmp_path: Path) -> None:
    write(tmp_path / "history", records(10, 20), 1)
    other = HistoryHeader(**{**{name: getattr(HEADER, name) for name in HEADER.__slots__}, "catalogue_digest": "d"})
    with pytest.raises(HistoryError, match="other signals"):
        history_writer(tmp_path / "history", other)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(HistoryError, match="not empty"):
        history_writer(tmp_path / "mine", HEADER)


def test_nothing_of_it_is_needed_until_history_is_asked_for() -> None:
    """The engine runs without the extra: no module of it is loaded by importing what names the adapter."""
    code = (
        "import sys, engine.cli.main, engine.runtime.wiring_history, engine.ports.history\n"
        "sys.exit(bool({'numpy', 'duckdb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ}).returncode == 0
