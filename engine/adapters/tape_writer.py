"""Makes a tape file: events in, one file out, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from engine.adapters.tape_encode import encode
from engine.adapters.tape_file import BLOCK, header_of
from engine.adapters.tape_format import header_line, seal
from engine.model.codec import to_data
from engine.model.events import InstrumentDefined
from engine.model.instruments import Instrument
from engine.model.market import Announcement, FeedState, Heartbeat, OraclePrice
from engine.ports.feed import ANNOUNCEMENTS, MARKET, ORACLE, Chapter, TapeError, TapeEvent, TapeHeader


class TapeWriter:
    """Writes a tape; the file appears under its name when `close` has the header, whole or not at all.

    Use as a context manager: an exception inside leaves nothing behind. Every method raises
    TapeError when the disk refuses, and ValueError for an event that has no finite form.
    """

    def __init__(
        self, path: Path | str, *, source: str, chapters: tuple[Chapter, ...] = (), seed: int | None = None
    ) -> None:
        """`source` says in words where the events come from; nothing is at `path` before `close`."""
        self._path = Path(path)
        self._part = self._path.with_name(self._path.name + ".part")
        self._whole = self._path.with_name(self._path.name + ".new")
        self._source, self._chapters, self._seed = source, chapters, seed
        self._names: dict[tuple[str, str], int] = {}
        self._venues: dict[str, None] = {}
        self._streams: Counter[str] = Counter()
        self._producers: set[str] = set()
        self._defined: dict[tuple[str, str], Instrument] = {}
        self._on_tape: dict[tuple[str, str], Instrument] = {}
        self._first_at = -1
        self._last_at = 0
        if self._path.exists() and not self._path.is_file():
            # A finished tape takes the place of what is there: of a file it may, of a device or a folder never.
            raise TapeError(str(self._path), "is there and is no file", "name another place with -o")
        try:
            self._file: IO[bytes] = open(self._part, "wb")  # noqa: SIM115 (closed by close or discard)
        except OSError as error:
            raise self._refused(error) from None
        self._body = self._packed(self._file)

    def define(self, instrument: Instrument) -> None:
        """Put `instrument` before every event of the tape, at the instant of the first: metadata is learnt late."""
        self._defined[(instrument.venue, instrument.symbol)] = instrument
        self._venues.setdefault(instrument.venue)

    def write(self, event: TapeEvent, at: int | None = None) -> None:
        """Append `event`. `at` is needed only for an InstrumentDefined: when it arrived, in ns."""
        if isinstance(event, InstrumentDefined):
            at = event.venue_at if at is None else at
            self._on_tape[(event.instrument.venue, event.instrument.symbol)] = event.instrument
        else:
            at = event.received_at
        line = seal(encode(event, at, self._name))
        self._count(event)
        if self._first_at < 0:
            self._first_at = at
        self._last_at = max(self._last_at, at)
        try:
            self._body.write(line)
        except OSError as error:
            raise self._refused(error) from None

    def close(self) -> TapeHeader:
        """Finish the file and return its header; TapeError if nothing was written."""
        try:
            return self._finish()
        except OSError as error:
            raise self._refused(error) from None
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave nothing behind but what `close` has finished."""
        for file in (self._body, self._file):
            with suppress(OSError):  # a full disk refuses the last bytes once more
                file.close()
        self._part.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or leave nothing behind after an exception."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def _name(self, venue: str, symbol: str) -> int:
        self._venues.setdefault(venue)
        return self._names.setdefault((venue, symbol), len(self._names))

    def _count(self, event: TapeEvent) -> None:
        self._streams[type(event).__name__] += 1
        if isinstance(event, OraclePrice):
            self._producers.add(ORACLE)
        elif isinstance(event, Announcement):
            self._producers.add(ANNOUNCEMENTS)
        elif isinstance(event, Heartbeat):
            self._producers.add(event.producer)
        elif not isinstance(event, InstrumentDefined):
            self._producers.add(MARKET)
        if isinstance(event, FeedState):
            self._venues.setdefault(event.venue)

    def _packed(self, file: IO[bytes]) -> IO[bytes]:
        if self._path.suffix != ".gz":
            return file
        # No name and no time inside: the same events make the same bytes.
        return gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6)  # type: ignore[return-value]

    def _finish(self) -> TapeHeader:
        self._body.close()
        self._file.close()
        if self._first_at < 0:
            raise TapeError(str(self._path), "there is no event to write", "check what the source holds")
        defined = [InstrumentDefined(instrument=each, venue_at=self._first_at) for each in self._defined.values()]
        for event in defined:
            self._count(event)
        data = self._header_data()
        with open(self._whole, "wb") as file:
            # The header is known last and read first. Gzip files add up: header, then body.
            head = self._packed(file)
            head.write(header_line(data))
            for event in defined:
                head.write(seal(encode(event, self._first_at, self._name)))
            if head is not file:
                head.close()
            with open(self._part, "rb") as body:
                shutil.copyfileobj(body, file, BLOCK)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._whole, self._path)
        return header_of(self._path.name, json.loads(json.dumps(data)))

    def _header_data(self) -> dict[str, Any]:
        instruments = {**self._defined, **self._on_tape}
        return {
            "source": self._source, "events": self._streams.total(), "first_at": self._first_at,
            "last_at": self._last_at, "names": [list(pair) for pair in self._names], "venues": list(self._venues),
            "streams": sorted([kind, count] for kind, count in self._streams.items()),
            "producers": sorted(self._producers), "instruments": to_data(list(instruments.values())),
            "chapters": to_data(self._chapters), "seed": self._seed,
        }

    def _refused(self, error: OSError) -> TapeError:
        fix = "free space, or name another place with -o"
        return TapeError(str(self._path), f"cannot be written: {error.strerror}", fix)
