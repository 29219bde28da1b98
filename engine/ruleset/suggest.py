"""Did you mean: the nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_LISTED = 12


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` that `word` may have meant, or an empty string."""
    choices = sorted(words)
    folded: dict[str, str] = {}
    for choice in choices:
        folded.setdefault(choice.lower(), choice)
    found = get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def fix_for(word: str, words: Iterable[str], *, otherwise: str = "") -> str:
    """Return the fix for a word that is none of `words`: the nearest, else `otherwise`, else all of them."""
    choices = sorted(words)
    near = nearest(word, choices)
    if near:
        return f"did you mean {near}?"
    if otherwise:
        return otherwise
    if not choices:
        return "remove it"
    listed = ", ".join(choices[:MOST_LISTED])
    return f"write one of {listed}" + (", ..." if len(choices) > MOST_LISTED else "")
