"""Every flag as an operator is shown it: what it is, where from, what that hides, who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.model.flag_values import bounds_text, flag_text, planned_note, unit_text, with_unit
from engine.model.flags import FlagSpec, FlagValue, Layer
from engine.runtime.config import Config
from engine.runtime.flag_readers import READERS, read_by_rules

Row = dict[str, Any]
"""One flag as JSON data."""


def flag_table(config: Config, by_hand: Mapping[str, Mapping[str, Any]], now: int) -> list[Row]:
    """Return a row for every flag of `config`, group by group in the order of the file.

    `by_hand` are the operator's values by name, as a status lists its overrides; `now` (ns) is
    when that status was, for the time that is left.
    """
    rules = read_by_rules(() if config.rules is None else config.rules.rules)
    book = config.flag_book()
    specs = sorted(book.specs.values(), key=_place)
    first: dict[str, int] = {}
    for spec in specs:
        first.setdefault(spec.group, spec.line)
    rows = []
    for spec in sorted(specs, key=lambda one: (first[one.group], one.line)):
        layers = list(book.layers(spec.name))
        override = by_hand.get(spec.name)
        if override is not None:
            layers.insert(0, (Layer.OPERATOR, override["value"]))
        rows.append(_row(spec, layers, override, now) | {"rules": list(rules.get(spec.name, ())), **_engine(spec)})
    return rows


def _row(
    spec: FlagSpec, layers: list[tuple[Layer, FlagValue]], override: Mapping[str, Any] | None, now: int
) -> Row:
    layer, value = layers[0]
    until = 0 if override is None else override.get("until") or 0
    shown = [{"layer": one.value, "value": flag_text(its)} for one, its in layers]
    return {
        "name": spec.name, "group": spec.group, "kind": spec.kind.value, "value": value, "unit": unit_text(spec),
        "shown": with_unit(spec, value), "layer": layer.value,
        "below": shown if override is None else shown[1:], "masks": shown[1:],
        "left_ns": max(0, until - now) if until else None,
        "waits_ns": (0 if override is None else override.get("waits") or 0) or None,
        "reason": "" if override is None else str(override.get("reason", "")),
        "actor": "" if override is None else str(override.get("actor", "")),
        "bounds": bounds_text(spec) or ", ".join(spec.words), "summary": spec.summary, "tightens": spec.tightens,
        "planned": spec.planned, "note": planned_note(spec, value),
    }


def _engine(spec: FlagSpec) -> Row:
    reader = READERS.get(spec.name)
    return {"engine": "" if reader is None else reader.part}


def _place(spec: FlagSpec) -> int:
    return spec.line
