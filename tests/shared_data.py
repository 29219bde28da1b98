"""Where the recordings are that a clone alone does not have, and the mark of tests that need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
MARKET_DATA = SHARED / "data" / "market_data"
DEPEG = SHARED / "data" / "depeg"

_skip_without = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the recordings are not at {SHARED}")

Test = TypeVar("Test", bound=Callable[..., None])


def needs_shared(test: Test) -> Test:
    """Mark `test` as needing the recordings; it is skipped, with the reason, where they are not."""
    marked: Test = pytest.mark.needs_shared(_skip_without(test))
    return marked
