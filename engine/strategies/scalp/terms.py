"""The scalp's section of `conf/strategies.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from engine.model.time import MINUTE, SECOND, parse_duration
from engine.ruleset.suggest import fix_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms it trades. Durations in ns, distances in bps."""

    symbols: tuple[str, ...] = ()
    average: int = 60 * SECOND
    """Over how long the microprice is averaged."""
    warm_up: int = 2 * MINUTE
    """How long a symbol is watched before its average counts."""
    entry_bps: float = 12.0
    """How far below the average the price must be."""
    target_bps: float = 20.0
    adverse_bps: float = 25.0
    stop_bps: float = 60.0
    """Where the stop at the venue stands below the price paid."""
    hold: int = 3 * MINUTE
    pause: int = 30 * SECOND
    """How long a symbol is left alone after a trade."""


_DURATIONS = ("average", "warm_up", "hold", "pause")


def make_terms(section: dict[str, Any]) -> Terms:
    """Return the terms of `section`; ValueError says what is wrong with it."""
    known = [field.name for field in fields(Terms)]
    given: dict[str, Any] = {}
    for word, value in section.items():
        if word not in known:
            raise ValueError(f"there is no parameter {word}; {fix_for(word, known)}")
        if word == "symbols":
            given[word] = tuple(str(symbol) for symbol in value)
        else:
            given[word] = parse_duration(value) if word in _DURATIONS else float(value)
    terms = Terms(**given)
    for word in known:
        if word != "symbols" and not getattr(terms, word) > 0:
            raise ValueError(f"{word} must be above zero")
    if terms.stop_bps <= terms.adverse_bps:
        raise ValueError("stop_bps must be larger than adverse_bps: the stop is for when we are not there")
    return terms
