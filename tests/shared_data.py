"""Where the recordings are that a clone alone does not have, and the mark of tests that need them."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
MARKET_DATA = SHARED / "data" / "market_data"
DEPEG = SHARED / "data" / "depeg"

skip_without_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the recordings are not at {SHARED}")


def needs_shared(test):  # type: ignore[no-untyped-def]
    """Mark `test` as needing the recordings; it is skipped, with the reason, where they are not."""
    return pytest.mark.needs_shared(skip_without_shared(test))
