"""A history as lines of JSON, one a flush: the plainest writer there can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from engine.model.codec import from_data, to_data
from engine.model.history import HistoryHeader, Mark, MarkKind, Record, Row


class LinesWriter:
    """Keeps a history in `path`/lines; `cut_at` is the flush behind which it fails, counted from 1."""

    def __init__(self, path: Path, header: HistoryHeader, *, cut_at: int = 0) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._file = path / "lines"
        (path / "header").write_text(json.dumps(to_data(header)))
        self._added: list[Record] = []
        self._cut_at, self._flushes = cut_at, 0

    def add(self, record: Record) -> None:
        """Keep `record` until the next flush."""
        self._added.append(record)

    def flush(self, seq: int) -> None:
        """Write what was added as one line."""
        with self._file.open("a") as file:
            file.write(json.dumps({"seq": seq, "records": [_data(record) for record in self._added]}) + "\n")
        self._added = []
        self._flushes += 1
        if self._flushes == self._cut_at:
            raise RuntimeError("cut behind a flush")

    def forget_after(self, seq: int) -> None:
        """Drop the lines of inputs after `seq`, and what was not written."""
        self._added = []
        if self._file.exists():
            kept = [line for line in self._file.read_text().splitlines() if json.loads(line)["seq"] <= seq]
            self._file.write_text("".join(f"{line}\n" for line in kept))

    def close(self) -> None:
        """Assert that a run in order leaves nothing unwritten."""
        assert not self._added


class Lines:
    """The history that a `LinesWriter` wrote to `path`."""

    def __init__(self, path: Path) -> None:
        self._file = path / "lines"
        self.header: HistoryHeader = from_data(HistoryHeader, json.loads((path / "header").read_text()))

    def records(self) -> Iterator[Record]:
        """Yield every record in order."""
        for line in self._file.read_text().splitlines():
            yield from (_record(data) for data in json.loads(line)["records"])


def _data(record: Record) -> list[object]:
    return [record.__class__.__name__, *record]


def _record(data: list[object]) -> Record:
    if data[0] == "Row":
        at, batch, signal, labels, value, status, event_at = data[1:]
        return Row(at, batch, signal, tuple(labels), value, status, event_at)  # type: ignore[arg-type]
    at, batch, kind, found = data[1:]
    return Mark(at, batch, MarkKind(kind), found)  # type: ignore[arg-type]
