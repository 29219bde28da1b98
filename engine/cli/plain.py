"""Text of others as it may be shown to programs and people: nothing in it that cannot be seen."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return `text` with every character that cannot be printed, but line feeds, made visible as U+FFFD."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def one_line(text: str) -> str:
    """Return `text` on one line, so that nothing in it can pass for a line of ours."""
    return plain(text).replace("\n", "\N{REPLACEMENT CHARACTER}")
