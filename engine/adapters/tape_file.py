"""The engine's own tape in a file, plain or gzip; `tape_writer` makes one.

One damaged line is named and counted and the reading goes on. The order of the lines is
the order of the events: one that arrived before its predecessor keeps its own
`received_at` and gets its predecessor's `at`, because time does not go back.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from engine.adapters.tape_decode import READERS, UNREADABLE
from engine.adapters.tape_format import instant, read_header_line
from engine.model.codec import from_data
from engine.model.instruments import Instrument
from engine.ports.feed import Chapter, Damage, TapeError, TapeEvent, TapeHeader

GZIP = b"\x1f\x8b"
BLOCK = 1 << 20
LONGEST_HEADER = 1 << 26
IMPORT_FIRST = "make a tape of it first: engine tape import {} -o TAPE"


def open_stream(path: Path) -> IO[bytes]:
    """Return `path` opened for reading and unpacked if it is gzip, whatever its name; TapeError if it cannot be."""
    try:
        raw = open(path, "rb", buffering=BLOCK)  # noqa: SIM115 (the caller closes it)
        start = raw.read(2)
        raw.seek(0)
    except FileNotFoundError:
        raise TapeError(str(path), "there is no such file", "check the path") from None
    except IsADirectoryError:
        raise TapeError(str(path), "this is a directory", "name one file in it") from None
    except OSError as error:
        raise TapeError(str(path), f"cannot be read: {error.strerror}", "check its permissions") from None
    if start == b"":
        raw.close()
        raise TapeError(str(path), "the file is empty", "copy or record it again")
    if start != GZIP and path.suffix == ".gz":
        raw.close()
        raise TapeError(str(path), "is named .gz but is not gzip", "rename it without .gz, or copy it again")
    if start == GZIP:
        raw.close()
        return io.BufferedReader(gzip.GzipFile(path), BLOCK)
    return raw


def read_so_far(stream: IO[bytes]) -> int:
    """Return how many bytes of its file `stream` (of `open_stream`) has read, packed ones if it is packed."""
    raw = getattr(stream, "raw", None)
    if isinstance(raw, gzip.GzipFile):
        packed: Any = raw.fileobj
        return int(packed.tell()) if packed is not None else 0
    return stream.tell()


def broken_stream(error: Exception) -> str:
    """Return in words why unpacking or reading failed: `error` is one of STREAM_ERRORS."""
    if isinstance(error, EOFError):
        return "the gzip data ends in the middle: the file was cut short"
    if isinstance(error, OSError) and error.strerror:
        return f"reading failed: {error.strerror}"
    return f"the gzip data is broken ({error})"


STREAM_ERRORS = (EOFError, OSError, zlib.error)


def open_tape(path: Path | str) -> FileTape:
    """Return the tape in the file `path`; TapeError if it is none."""
    path = Path(path)
    with open_stream(path) as stream:
        try:
            line = stream.readline(LONGEST_HEADER)
        except STREAM_ERRORS as error:
            raise TapeError(f"{path}:1", broken_stream(error), "copy the file again") from None
    try:
        data = read_header_line(line)
        names = {b"%d" % i: (str(venue), str(symbol)) for i, (venue, symbol) in enumerate(data["names"])}
        header = header_of(path.name, data)
    except UNREADABLE as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else error
        raise TapeError(f"{path}:1", f"this is not a readable tape: {what}", IMPORT_FIRST.format(path)) from None
    return FileTape(path, header, names)


def header_of(name: str, data: dict[str, Any]) -> TapeHeader:
    """Return the header that `data`, a tape's first line, describes; one of UNREADABLE if it does not."""
    first_at, last_at = instant(int(data["first_at"])), instant(int(data["last_at"]))
    if first_at > last_at:
        raise ValueError("it ends before it begins")
    return TapeHeader(
        name=name, source=str(data["source"]), events=int(data["events"]), first_at=first_at,
        last_at=last_at, instruments=from_data(tuple[Instrument, ...], data["instruments"]),
        venues=tuple(data["venues"]), symbols=tuple(dict.fromkeys(symbol for _, symbol in data["names"])),
        streams=tuple((str(kind), int(count)) for kind, count in data["streams"]),
        producers=frozenset(data["producers"]), chapters=from_data(tuple[Chapter, ...], data["chapters"]),
        seed=data["seed"],
    )


class FileTape:
    """A tape in a file; see `ports.feed.Tape`. One reading at a time."""

    def __init__(self, path: Path, header: TapeHeader, names: dict[bytes, tuple[str, str]]) -> None:
        """`names` are the digits that a line writes for an instrument -> (venue, symbol)."""
        self._path, self._header, self._names = path, header, names
        self._damaged: list[Damage] = []
        self._clamped = self._index = 0

    @property
    def header(self) -> TapeHeader:
        """Return what the first line says."""
        return self._header

    @property
    def damaged(self) -> list[Damage]:
        """Return what this reading could not read, so far."""
        return self._damaged

    @property
    def clamped(self) -> int:
        """Return how many events of this reading were moved to their predecessor's instant."""
        return self._clamped

    @property
    def index(self) -> int:
        """Return the index of the next event."""
        return self._index

    def events(self, from_index: int = 0) -> Iterator[tuple[int, TapeEvent]]:
        """Yield (at, event) from `from_index` on. Lines before it are checked, but not decoded."""
        self._damaged, self._clamped, self._index = [], 0, 0
        return self._read(from_index)

    def _read(self, from_index: int) -> Iterator[tuple[int, TapeEvent]]:
        with open_stream(self._path) as stream:
            try:
                stream.readline()
                yield from self._decode(stream, from_index)
            except STREAM_ERRORS as error:
                self._damage(self._index, broken_stream(error), ends_tape=True)
                return
        if self._index != self._header.events:
            what = f"the header promises {self._header.events} events, the file holds {self._index}"
            self._damage(self._index, what, ends_tape=True)

    def _decode(self, stream: IO[bytes], from_index: int) -> Iterator[tuple[int, TapeEvent]]:
        # The hot path: locals, one split, and nothing that is not needed for every line.
        at, index, names, readers, crc = 0, 0, self._names, READERS, crc32
        try:
            for line in stream:
                body = line[:-10]
                if line[-10:] != b"\t%08x\n" % crc(body):
                    # Only the last line may lack its line end; a cut one fails here again.
                    body = line[:-9]
                    if line[-9:] != b"\t%08x" % crc(body):
                        self._damage(index, "the checksum does not fit: the line was changed or cut")
                        index += 1
                        continue
                index += 1
                fields = body.split(b"\t")
                try:
                    received = int(fields[1])
                    if received < at:
                        self._clamped += 1
                    else:
                        at = received
                    if index <= from_index:
                        continue
                    event = readers[fields[0]](fields, names)
                except (*UNREADABLE, IndexError) as error:
                    self._damage(index - 1, f"the line makes no event ({type(error).__name__}: {error})")
                    continue
                self._index = index
                yield at, event
        except STREAM_ERRORS:
            self._index = index  # so that the break is named at its line
            raise
        self._index = index

    def _damage(self, index: int, what: str, *, ends_tape: bool = False) -> None:
        self._damaged.append(Damage(line=index + 2, what=what, ends_tape=ends_tape))
