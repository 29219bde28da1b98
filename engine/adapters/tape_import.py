"""Recordings of others to one tape: finds out what each file is, merges, and accounts for every line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import IO

from engine.adapters.tape_file import STREAM_ERRORS, broken_stream, open_stream, read_so_far
from engine.adapters.tape_format import MAGIC
from engine.adapters.tape_import_account import Account, Fineness, Imported, ImportOptions
from engine.adapters.tape_import_binance import HFT_LINE, HftFile
from engine.adapters.tape_import_cryptofeed import CryptofeedFile, is_cryptofeed
from engine.adapters.tape_import_parquet import PARQUET, ParquetFile, received_at
from engine.adapters.tape_writer import TapeWriter
from engine.model.codec import decimal_text
from engine.model.instruments import Instrument
from engine.model.market import FeedState
from engine.ports.feed import TapeError, TapeEvent

FORMS = "hftbacktest lines (`ns JSON`), cryptofeed ws and http files, and parquet tables"
LONGEST_LINE = 1 << 24
Progress = Callable[[float, int], None]
"""Takes the share of the files that has been read (0 to 1) and the lines so far."""
NO_EVENTS = ("connection", "exchangeInfo")
"""What is used and yet is no market: a tape of these alone would be empty."""


def import_tape(
    files: Sequence[Path], out: Path, options: ImportOptions, progress: Progress | None = None
) -> Imported:
    """Write the events of `files`, merged by receive time, as the tape `out` and return the account.

    `progress` is told now and then how far it is. TapeError when a file is
    unreadable, unknown, cut short, or holds nothing that can be used; `out` is then not made.
    """
    if out in files:
        raise TapeError(str(out), "the tape would overwrite what it is made from", "name another file with -o")
    account, fineness = Account(), Fineness()
    with ExitStack() as stack:
        streams = [stack.enter_context(open_stream(path)) for path in files]
        size = sum(path.stat().st_size for path in files)
        sources = [_source(*each, options, account, fineness) for each in zip(files, streams, strict=True)]
        writer = TapeWriter(out, source="imported from " + ", ".join(path.name for path in files))
        stack.callback(writer.discard)
        merged = merge(*(events for events, _ in sources), key=received_at)
        for written, event in enumerate(_one_opening(merged, account), start=1):
            writer.write(event)
            if progress is not None and written % 5_000 == 0:
                progress(sum(read_so_far(stream) for stream in streams) / size, account.lines)
        if not any(count for what, count in account.used.items() if what not in NO_EVENTS):
            raise TapeError(str(files[0]), _nothing(account), f"name a file with market data; this reads {FORMS}")
        known: dict[tuple[str, str], Instrument] = {}
        for _, instruments in sources:
            known.update(instruments)
        for default in fineness.instruments():
            instrument = known.get((default.venue, default.symbol), default)
            if instrument is default:
                account.note(
                    f"{default.venue} {default.symbol}: no metadata, so tick {decimal_text(default.tick)} and step "
                    f"{decimal_text(default.step)} are the finest in the data, minimum notional {default.min_notional}"
                )
            writer.define(instrument)
            account.added["InstrumentDefined"] += 1
        return Imported(header=writer.close(), account=account)


def _source(
    path: Path, stream: IO[bytes], options: ImportOptions, account: Account, fineness: Fineness
) -> tuple[Iterator[TapeEvent], dict[tuple[str, str], Instrument]]:
    try:
        start = stream.readline(LONGEST_LINE)
    except STREAM_ERRORS as error:
        raise TapeError(f"{path}:1", broken_stream(error), "copy the file again") from None
    if start.startswith(PARQUET):
        return ParquetFile(path, options, account, fineness).events(), {}
    if start.startswith(MAGIC.encode()):
        raise TapeError(str(path), "this is a tape already", f"run it: engine run --tape {path}")
    stream.seek(0)
    if HFT_LINE.match(start):
        return HftFile(str(path), options, account, fineness).events(stream), {}
    if is_cryptofeed(start):
        recording = CryptofeedFile(str(path), options, account, fineness)
        return recording.events(stream), recording.instruments
    raise TapeError(f"{path}:1", "the first line is of no form this importer knows", f"this reads {FORMS}")


def _one_opening(events: Iterator[TapeEvent], account: Account) -> Iterator[TapeEvent]:
    """Keep one opening of each venue's feed of those that were only added, as several files may add it."""
    opened: set[str] = set()
    for event in events:
        if isinstance(event, FeedState):
            if event.venue in opened and event.reason == "the recording starts":
                account.added["FeedState"] -= 1
                continue
            opened.add(event.venue)
        yield event


def _nothing(account: Account) -> str:
    reasons = [f"{count} x {reason}" for reason, count in account.skipped.most_common(3)]
    damage = [f"{account.damaged} damaged, the first {account.damage[0]}"] if account.damage else []
    return "it holds nothing that can be used: " + ("; ".join(reasons + damage) or "no lines")
