"""Text of others as it may be shown to programs and people: nothing in it that cannot be seen."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return `text` with every character that cannot be printed, but line feeds, made visible as U+FFFD."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
