"""cryptofeed's raw recordings: websocket lines, REST depth snapshots and exchangeInfo.

The kinds of file belong together; given in one import they make one tape, ordered by
receive time, with the venue's own instrument metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO

from engine.adapters.tape_format import instant
from engine.adapters.tape_import_account import Account, Fineness, ImportOptions
from engine.adapters.tape_import_binance import UNREADABLE, BinanceReader, exchange_instruments, numbered, reason_of
from engine.model.instruments import Instrument
from engine.model.market import FeedState
from engine.ports.feed import TapeError, TapeEvent

CONNECTION = re.compile(rb"(wss?://\S+) <-> (\d+(?:\.\d+)?)\s*$")
"""The first line of a websocket file: address and the time it was opened, in s."""
ANSWER = re.compile(rb"(https?://\S+) -> (\d+(?:\.\d+)?): ")
"""How a line of a REST file begins."""
MESSAGE = re.compile(rb"(\d+(?:\.\d+)?): ")
_SYMBOL = re.compile(r"[?&]symbol=([A-Z0-9_]+)")
_HOSTS = (
    ("fapi.", "binanceusdm"), ("fstream.", "binanceusdm"), (".binance.us", "binanceus"), (".binance.com", "binance"),
)


def is_cryptofeed(start: bytes) -> bool:
    """Whether a file that begins with the line `start` is one of these recordings."""
    return CONNECTION.match(start) is not None or ANSWER.match(start) is not None


class CryptofeedFile:
    """One recorded file; `instruments` fills while its events are read."""

    def __init__(self, path: str, options: ImportOptions, account: Account, fineness: Fineness) -> None:
        """`account` and `fineness` are shared by the files of one import."""
        self._path, self._options, self._account, self._fineness = path, options, account, fineness
        self._reader: BinanceReader | None = None
        self.instruments: dict[tuple[str, str], Instrument] = {}

    def events(self, stream: IO[bytes]) -> Iterator[TapeEvent]:
        """Yield the events of the file; TapeError when its compression breaks or its venue is unknown."""
        for place, line in numbered(self._path, stream, self._account):
            try:
                event = self._line(line)
            except UNREADABLE as error:
                self._account.damaged_at(place, reason_of(error))
                continue
            if event is not None:
                yield event

    def _line(self, line: bytes) -> TapeEvent | None:
        if opened := CONNECTION.match(line):
            self._account.used["connection"] += 1
            return FeedState(self._at(opened[1]).venue, True, "connected", _ns(opened[2]))
        if answer := ANSWER.match(line):
            return self._answer(answer[1].decode(), _ns(answer[2]), line[answer.end():])
        if not line.strip() or line.startswith(b"configuration:"):
            self._account.skipped["the recorder's configuration" if line.strip() else "empty line"] += 1
            return None
        message = MESSAGE.match(line)
        if message is None:
            raise ValueError("it begins with neither a time nor an address")
        if self._reader is None:
            raise ValueError("no connection line before it says which venue it is of")
        return self._reader.read(_ns(message[1]), json.loads(line[message.end():]))

    def _answer(self, url: str, received: int, text: bytes) -> TapeEvent | None:
        reader, body = self._at(url.encode()), json.loads(text)
        if "/exchangeInfo" in url:
            found = exchange_instruments(reader.venue, body)
            self.instruments.update({(reader.venue, symbol): each for symbol, each in found.items()})
            self._account.used["exchangeInfo"] += 1
            return None
        if "/depth" in url and (symbol := _SYMBOL.search(url)):
            return reader.read(received, body, symbol[1])
        self._account.skipped[f"answer of {url.split('?')[0]} is not used"] += 1
        return None

    def _at(self, url: bytes) -> BinanceReader:
        text = url.decode()
        host = text.split("/")[2]
        venue = self._options.venue or next((name for part, name in _HOSTS if part in host), None)
        if venue is None:
            raise TapeError(self._path, f"the recording is of {host}, which is not known here", "add --venue NAME")
        if self._reader is None or self._reader.venue != venue:
            self._reader = BinanceReader(venue, self._account, self._fineness)
        return self._reader


def _ns(seconds: bytes) -> int:
    return instant(int(Decimal(seconds.decode()) * 1_000_000_000))
