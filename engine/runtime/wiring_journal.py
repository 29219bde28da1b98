"""The part of the wiring that opens journals: to look without disturbing, or to write under the lock."""

from __future__ import annotations

from pathlib import Path

from engine.adapters.journal_sqlite import SqliteJournal
from engine.adapters.journal_sqlite_read import SqliteReader
from engine.ports.journal import Journal, JournalReader
from engine.runtime.statedir import JOURNAL

__all__ = ["open_journal", "read_journal"]


def open_journal(state_dir: Path) -> Journal:
    """Return the journal in `state_dir` for writing, made if it is missing; whoever asks holds the lock."""
    return SqliteJournal.open(state_dir / JOURNAL)


def read_journal(state_dir: Path) -> JournalReader:
    """Return the journal in `state_dir`, also while an engine writes to it; JournalError if there is none."""
    return SqliteReader.open(state_dir / JOURNAL)
