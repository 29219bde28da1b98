"""What all tests share: where the recordings are, and that none of them is skipped by mistake."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# The same examples on every machine: a red run must be red again when somebody looks at it.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

_skipped: list[str] = []
LONGEST = ("simulation", "contract", "workbench")
"""Folders whose tests are long: begun first, so that no worker ends alone with them."""
WAITING = "live"
"""The folder whose tests mostly wait for a clock."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first, mixed with what waits; skip what needs the recordings where there are none."""
    items.sort(key=_place)
    items[:] = _mixed(items)
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("needs_shared"):
            item.add_marker(pytest.mark.skip(reason="a clone alone has no ../shared"))


def _place(item: pytest.Item) -> int:
    folder = _folder(item)
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


def _mixed(items: list[pytest.Item]) -> list[pytest.Item]:
    """Put one test that waits behind each module of the others: while it waits, the other workers use the cores."""
    waiting = deque(item for item in items if _folder(item) == WAITING)
    found: list[pytest.Item] = []
    for _, module in groupby((item for item in items if _folder(item) != WAITING), key=lambda item: item.path):
        found += module
        if waiting:
            found.append(waiting.popleft())
    return [*found, *waiting]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a test that needs the recordings and was skipped although they are there."""
    if report.skipped and "needs_shared" in report.keywords and SHARED.is_dir():
        _skipped.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that should have run."""
    for nodeid in _skipped:
        terminalreporter.write_line(f"must not be skipped while ../shared is there: {nodeid}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for such a test: a green run must mean that the recordings were read."""
    if _skipped and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings; ask for it only in tests marked `needs_shared`."""
    if not SHARED.is_dir():
        pytest.skip("a clone alone has no ../shared")
    return SHARED
