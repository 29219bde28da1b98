"""How recorded history lies on the disk, and what may be wrong with it.

    history.json                        what the history covers
    flush-000000000123-000.json         one flush: its files with their bytes, and each series' first and last row
    day=2026-01-05/rows-000000000123-000.parquet
    marks/marks-000000000123-000.parquet

A file is written under another name, synced and renamed; a flush counts once its .json is
there, which is written last. The number in a name is the input it was flushed for. In a
file rows stand by series, so that reading one series of a day touches one stretch of it;
`n` numbers all records of the history, so that their order can be restored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.model.codec import Data, from_data, to_data
from engine.model.history import HistoryHeader
from engine.model.time import DAY, SECOND
from engine.ports.history import HistoryError

FORMAT = 1
HEADER = "history.json"
UNFINISHED = ".part"
NUMBERS, WORDS, SWITCHES = "numbers", "words", "switches"

RowData = tuple[int, int, float | str | bool, int, int]
"""(at, batch, value, status, event_at)."""


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """One series in one file: what its values are, its first row's place, its last row and its last believed one."""

    signal: str
    labels: tuple[str, ...]
    kind: str
    rows: int
    first_at: int
    first_batch: int
    last: RowData
    good: RowData | None


@dataclass(frozen=True, slots=True)
class RowFile:
    """One Parquet file of rows, all of the UTC day that begins at `day` (ns). `name` is relative to the history."""

    name: str
    size: int
    day: int
    rows: int
    series: tuple[SeriesPart, ...]


@dataclass(frozen=True, slots=True)
class Flush:
    """One flush: everything between two checkpoints. `records` counts all records up to its end."""

    seq: int
    part: int
    records: int
    first_at: int
    last_at: int
    files: tuple[RowFile, ...]
    marks: tuple[str, int] | None
    """(name, bytes) of the file of marks, or None where there are none."""
    rearms: bool

    @property
    def stem(self) -> str:
        """Return what its files are named by."""
        return f"{self.seq:012d}-{self.part:03d}"


def needed(module: str) -> ModuleType:
    """Return the package `module`; HistoryError with the fix where it is not installed."""
    try:
        return __import__(module)
    except ImportError as error:
        raise HistoryError(
            f"recorded history needs {module}, which is not installed ({error})",
            "install the extra: pip install 'runbook-engine[history]'",
        ) from None


def connection() -> Any:
    """Return a DuckDB connection of one thread, in memory, that fetches nothing from anywhere."""
    duckdb = needed("duckdb")
    needed("numpy")
    return duckdb.connect(config={"threads": 1, "memory_limit": "512MB", "autoinstall_known_extensions": False})


@contextmanager
def said_plainly(place: Path) -> Iterator[None]:
    """Turn what DuckDB or the file system raises about the history at `place` into a HistoryError."""
    duckdb = needed("duckdb")
    try:
        yield
    except (duckdb.Error, OSError) as error:
        said = str(error).splitlines()[0]
        raise HistoryError(
            f"the history {place} cannot be used: {said}",
            "free some disk and look at its permissions; move a damaged history away, a new one begins by itself",
        ) from error


def day_of(at: int) -> int:
    """Return the beginning (ns) of the UTC day of `at`."""
    return at - at % DAY


def day_folder(day: int) -> str:
    """Return the folder of the day that begins at `day`: `day=2026-01-05`."""
    return f"day={datetime.fromtimestamp(day // SECOND, tz=UTC):%Y-%m-%d}"


def write_text(path: Path, data: Data) -> None:
    """Write `data` as JSON under another name, sync it, and rename it to `path`."""
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(data, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    settle(unfinished, path)


def settle(unfinished: Path, path: Path) -> None:
    """Give a finished file its name, for good."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_header(root: Path, header: HistoryHeader) -> None:
    """Write what the history covers; its ends come from the flushes."""
    write_text(root / HEADER, {"format": FORMAT, **to_data(header)})


def read_header(root: Path) -> HistoryHeader:
    """Return what the history at `root` covers; HistoryError where there is none, or not one of ours."""
    path = root / HEADER
    if not path.is_file():
        raise HistoryError(
            f"{root} holds no recorded history: there is no {HEADER}", "name the directory that a run recorded into",
        )
    data = _read(path)
    if data.pop("format", None) != FORMAT:
        raise HistoryError(
            f"{path} was written in another format than {FORMAT}",
            "read it with the version of the engine that wrote it",
        )
    try:
        header: HistoryHeader = from_data(HistoryHeader, data)
    except (TypeError, ValueError) as error:
        raise _foreign(path, f"it does not say what a history covers ({error})") from None
    return header


def write_flush(root: Path, flush: Flush) -> None:
    """Make `flush` count."""
    write_text(root / f"flush-{flush.stem}.json", asdict(flush))


def read_flushes(root: Path) -> list[Flush]:
    """Return all flushes in order; HistoryError for one that cannot be read."""
    return [_flush(path) for path in sorted(root.glob("flush-*.json"))]


def _flush(path: Path) -> Flush:
    data = _read(path)
    try:
        files = tuple(
            RowFile(**{**item, "series": tuple(_part(one) for one in item["series"])}) for item in data["files"]
        )
        marks = None if data["marks"] is None else (str(data["marks"][0]), int(data["marks"][1]))
        return Flush(**{**data, "files": files, "marks": marks})
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise _foreign(path, f"it is no record of a flush ({error})") from None


def _part(data: Data) -> SeriesPart:
    good = None if data["good"] is None else tuple(data["good"])
    return SeriesPart(**{**data, "labels": tuple(data["labels"]), "last": tuple(data["last"]), "good": good})


def _read(path: Path) -> Data:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _foreign(path, f"it cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise _foreign(path, "it is no JSON object")
    return data


def _foreign(path: Path, why: str) -> HistoryError:
    return HistoryError(f"{path} is no part of a recorded history: {why}", "move it out of the history's directory")


def check_files(root: Path, flushes: list[Flush]) -> None:
    """Raise HistoryError for a file that a flush names and that is not there whole, and for one that none names.

    What bears the name of an unfinished file was never part of the history and is passed over.
    """
    named = {name: size for flush in flushes for name, size in _names(flush)}
    for name, size in named.items():
        path = root / name
        have = path.stat().st_size if path.is_file() else -1
        if have != size:
            what = "is missing" if have < 0 else f"has {have:,} bytes instead of {size:,}"
            raise HistoryError(
                f"{path} {what}: the history is damaged",
                "restore it from a copy, or move the whole history away; a new one begins by itself",
            )
    for path in sorted(root.glob("*/*")):
        if str(path.relative_to(root)) not in named and path.suffix != UNFINISHED:
            raise HistoryError(
                f"{path} is in no flush of this history: it was half written, or is not of this history",
                "resume the run that recorded here, or move the file away",
            )


def _names(flush: Flush) -> list[tuple[str, int]]:
    return [*((file.name, file.size) for file in flush.files), *([flush.marks] if flush.marks else [])]


def remove(root: Path, flush: Flush) -> None:
    """Take `flush` out of the history: its record first, so that it counts no more."""
    (root / f"flush-{flush.stem}.json").unlink()
    for name, _ in _names(flush):
        (root / name).unlink(missing_ok=True)


def sweep(root: Path, flushes: list[Flush]) -> None:
    """Remove what flushes that never came to count left behind."""
    named = {name for flush in flushes for name, _ in _names(flush)}
    for path in [*root.glob(f"*{UNFINISHED}"), *root.glob("day=*/*"), *root.glob("marks/*")]:
        if str(path.relative_to(root)) not in named:
            path.unlink()
