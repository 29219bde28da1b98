"""The part of the wiring that knows who tells of changed files."""

from __future__ import annotations

from engine.adapters.hints_watchfiles import file_hints

__all__ = ["file_hints"]
