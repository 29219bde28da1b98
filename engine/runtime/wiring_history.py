"""The part of the wiring that knows where history is kept. The adapter, and what it needs, is loaded when asked for."""

from __future__ import annotations

from pathlib import Path

from engine.model.history import HistoryHeader
from engine.ports.history import ColumnarHistory, HistoryWriter

__all__ = ["history_writer", "open_history"]


def history_writer(path: Path, header: HistoryHeader) -> HistoryWriter:
    """Return what appends to the history in the directory `path`, or begins one that covers what `header` says.

    Its ends are worked out from what is added. HistoryError where it cannot be written, or
    the extra `history` is not installed.
    """
    from engine.adapters.history_parquet import ParquetHistoryWriter

    return ParquetHistoryWriter(path, header)


def open_history(path: Path) -> ColumnarHistory:
    """Return the history in the directory `path`; HistoryError where there is none, or it is damaged."""
    from engine.adapters.history_parquet import ParquetHistory

    return ParquetHistory(path)
