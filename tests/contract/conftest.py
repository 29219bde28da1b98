"""One version of ccxt is pinned; on any other every contract test says so instead of telling lies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import ccxt
import pytest

from tests.contract.recording import Contract

PINNED = "4.5.90"


@pytest.fixture(scope="module", autouse=True)
def _pinned() -> None:
    if ccxt.__version__ != PINNED:
        pytest.fail(f"pinned to {PINNED}: re-verify and move the pin (installed is ccxt {ccxt.__version__})")


@pytest.fixture(scope="module")
def contract() -> Iterator[Contract]:
    """A recording server and an unmodified client that points at it, on one event loop for the whole file."""
    with asyncio.Runner() as runner:
        made = Contract(runner)
        runner.run(made.open())
        try:
            yield made
        finally:
            runner.run(made.close())
