"""What a candidate rule set in shadow would have made of a run, for reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.cli.text import columns, span

_WORDS = {
    "same": "as the live rules", "stricter": "stricter", "looser": "looser", "otherwise": "stricter here, looser there",
}


def shadow_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what `candidate` of a status says: time, moves, and orders that it would have judged otherwise."""
    now = f", now {found['restraint']}" if found["restraint"] else ""
    lines = [f"set {str(found['ruling'])[:12]}, {found['rules']} rules: restrains nothing{now}"]
    spent = found["spent"]
    rows = [(_WORDS[word], span(spent[word])) for word in _WORDS if spent.get(word)]
    rows += [(f"{rule} would have fired", _times(count)) for rule, count in found["opened"].items()]
    rows += [(f"{_orders(count)} refused by it alone", reason) for reason, count in found["refused_more"].items()]
    rows += [(f"{_orders(count)} let through by it alone", reason) for reason, count in found["let_more"].items()]
    if found["latches"]:
        rows.append(("it would be latched by", ", ".join(found["latches"])))
    return lines + columns(rows, indent="    ")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _orders(count: int) -> str:
    return "one order" if count == 1 else f"{count} orders"
