"""Durations as rules write them: `90s`, `3 windows` of the signal, or a flag that gives either.

What a flag's number is worth follows from its name, then from its unit: `_MIN`, `_MINUTES`,
`_SEC`, `_SECONDS`, `_MS`, `_HOURS` and `_DAYS` say it themselves; unit s or ms says it; unit
count means windows, one period of the first signal that the expression reads. Anything
else is no duration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.samples import Unit
from engine.model.time import DAY, HOUR, LONGEST, MINUTE, MS, SECOND, format_duration, parse_duration
from engine.ruleset.binding import World
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.spec import FLAG_NAME, Expression
from engine.ruleset.suggest import fix_for
from engine.signals.catalogue import Catalogue

_COUNTED = re.compile(r"([1-9][0-9]{0,3}) (?:windows?|periods?)", re.ASCII)
_SUFFIXES = (
    ("_MINUTES", MINUTE), ("_MIN", MINUTE), ("_MINS", MINUTE), ("_SECONDS", SECOND), (
        "_SECS", SECOND,
    ), ("_SEC", SECOND),
    ("_MS", MS), ("_HOURS", HOUR), ("_HOUR", HOUR), ("_DAYS", DAY), ("_DAY", DAY),
)


def periods_of(expressions: Sequence[Expression | None], catalogue: Catalogue) -> tuple[int, ...]:
    """Return the period (ns) of each signal that is read, in the order of first reading, held conditions last."""
    found: list[int] = []
    for expression in expressions:
        if expression is None:
            continue
        for ref in expression.inputs:
            spec = catalogue.get(ref.signal)
            found.append(spec.period if spec is not None else 0)
        found.extend(periods_of([held.condition for held in expression.held], catalogue))
    return tuple(found)


def read_duration(node: Node | None, period: int, findings: list[Finding], *, default: int = 0) -> int:
    """Return a duration in ns; `period` is what one window is worth. What is wrong goes to `findings`."""
    if node is None or node.kind != "str":
        return default
    counted = _COUNTED.fullmatch(node.text)
    if counted is not None:
        if not period:
            findings.append(_no_period(node, node.text))
        return int(counted[1]) * period
    if FLAG_NAME.fullmatch(node.text):
        return default
    try:
        return parse_duration(node.text)
    except ValueError as error:
        if "longer" in str(error):
            findings.append(
                node.finding("rule-duration", f"{node.text} is longer than {format_duration(LONGEST)}", "write less"),
            )
        return default


def read_flagged(
    node: Node | None, world: World, period: int, findings: list[Finding], *, default: int = 0
) -> tuple[int | str, int]:
    """Return (ns, 1), or (a flag's name, what one of it is worth in ns)."""
    if node is None or node.kind != "str" or not FLAG_NAME.fullmatch(node.text):
        return read_duration(node, period, findings, default=default), 1
    spec = world.flags.get(node.text)
    if spec is None:
        findings.append(node.finding(
            "rule-unknown-flag", f"there is no flag {node.text}",
            fix_for(node.text, world.flags, otherwise="declare it in conf/flags.yaml"),
        ))
        return 0, 1
    worth = flag_worth(spec, period)
    if worth is None:
        findings.append(node.finding(
            "rule-duration", f"{spec.name} is in {spec.unit.value}, which is no duration",
            "name a flag in s, ms or count, or one whose name ends with _SEC, _MIN or _MINUTES",
        ))
        return 0, 1
    if not worth:
        findings.append(_no_period(node, spec.name))
    return spec.name, worth or 1


def check_end(node: Node | None, world: World, findings: list[Finding]) -> None:
    """Add a finding where the flag at `node` may be 0 or less: a `ttl` of nothing is no end at all."""
    spec = world.flags.get(node.text) if node is not None and node.kind == "str" else None
    if node is not None and spec is not None and spec.kind is FlagKind.NUMBER and (spec.low is None or spec.low <= 0):
        findings.append(node.finding(
            "rule-flag-range", f"{spec.name} may be 0 or less, and a `ttl` of 0 is no end at all",
            f"give {spec.name} a range in conf/flags.yaml that begins above 0",
        ))


def duration_under(value: int | str, unit: int, flags: Mapping[str, FlagValue]) -> int:
    """Return a duration in ns with its flag resolved; KeyError or ValueError for a flag that gives none."""
    if not isinstance(value, str):
        return value
    number = flags[value]
    if isinstance(number, bool | str):
        raise ValueError(f"{value} is {number!r}, not a number of time rules")
    return round(number * unit)


def flag_worth(spec: FlagSpec, period: int) -> int | None:
    """Return what one of a flag is worth in ns, 0 for windows of a signal without a period, None for no duration."""
    if spec.kind is not FlagKind.NUMBER:
        return None
    for suffix, worth in _SUFFIXES:
        if spec.name.endswith(suffix):
            return worth
    return {Unit.S: SECOND, Unit.MS: MS, Unit.COUNT: period}.get(spec.unit)


def _no_period(node: Node, what: str) -> Finding:
    return node.finding(
        "rule-duration", f"{what} counts windows, but the first signal of `expr` has no period",
        "write a duration such as 90s",
    )
