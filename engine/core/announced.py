"""What the operator has announced, as a signal that rules may read."""

from __future__ import annotations

from engine.core.state import State

MAINTENANCE = "maintenance_active"


def tell_maintenance(state: State, at: int, *, active: bool) -> None:
    """Let rules know whether a maintenance lasts from `at` (ns) on; nothing where the catalogue has no such signal."""
    if state.snapshot.catalogue.get(MAINTENANCE) is not None:
        state.snapshot.put_named(MAINTENANCE, (), float(active), at, at)
