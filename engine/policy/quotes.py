"""Which quote currency is left where some are denied."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def quote_left(preference: Sequence[str], denied: Collection[str]) -> str | None:
    """Return the first of `preference` (conf/engine.yaml, quote_preference) that is not denied, or None."""
    return next((quote for quote in preference if quote not in denied), None)
