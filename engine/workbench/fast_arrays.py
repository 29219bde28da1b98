"""numpy, when it is first needed: the workbench runs without it, and only fast replay asks for it."""

from __future__ import annotations

from typing import Any

from engine.ports.history import HistoryError

Array = Any
"""A numpy array; rooms that may run without numpy do not name its types."""

_loaded: list[Any] = []


def numpy() -> Any:
    """Return the module numpy; HistoryError with the fix where it is not installed."""
    if not _loaded:
        try:
            import numpy as np
        except ImportError as error:
            raise HistoryError(
                f"fast replay needs numpy, which is not installed ({error})",
                "install the extra: pip install 'runbook-engine[history]'",
            ) from None
        _loaded.append(np)
    return _loaded[0]
