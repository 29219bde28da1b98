"""Amounts as prose writes them, and the flags and rule fields they may stand for.

`0.5 %`, `30 s`, `5,000 USD`, `ten seconds`, `half`: a number, in digits or a small one in
words, and perhaps a unit. All times come to nanoseconds, so that `15 min` is `900 s`.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.model.flags import FlagKind, FlagSpec, FlagValue
from engine.model.samples import SignalSpec, Unit
from engine.model.time import DAY, HOUR, MINUTE, MS, SECOND, format_duration, parse_duration
from engine.ruleset.durations import flag_worth
from engine.ruleset.numbers import under
from engine.ruleset.spec import RuleSpec

_WORDS = {
    "half": 0.5, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20,
    "thirty": 30, "sixty": 60,
}
_TIMES = {
    "ms": MS, "milliseconds": MS, "s": SECOND, "sec": SECOND, "second": SECOND, "seconds": SECOND, "m": MINUTE,
    "min": MINUTE, "minute": MINUTE, "minutes": MINUTE, "h": HOUR, "hour": HOUR, "hours": HOUR, "d": DAY, "day": DAY,
    "days": DAY,
}
_OTHERS = {"%": "pct", "percent": "pct", "per cent": "pct", "bps": "bps", "pp": "pp", "usd": "usd"}
_UNIT = "|".join(sorted((re.escape(word) for word in (*_TIMES, *_OTHERS)), key=len, reverse=True))
_DIGITS = r"-?\d+(?:,\d{3})*(?:\.\d+)?"
_NUMBER = rf"(?:{_DIGITS}|\b(?:{'|'.join(_WORDS)})\b)"
AMOUNT = re.compile(rf"(?P<number>{_NUMBER})(?:\s*(?P<unit>{_UNIT})(?![A-Za-z]))?", re.IGNORECASE)
"""A number and, where there is one, its unit."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of something: `unit` is `time` (then in ns), `pct`, `bps`, `pp`, `usd`, or empty for a bare number."""

    number: float
    unit: str = ""

    def same(self, other: Amount) -> bool:
        """Whether both say the same."""
        return self.unit == other.unit and math.isclose(self.number, other.number, rel_tol=1e-9, abs_tol=1e-12)

    def __str__(self) -> str:
        if self.unit == "time":
            return format_duration(round(self.number))
        return f"{self.number:,.10g} {SIGNS.get(self.unit, self.unit)}".rstrip()


SIGNS = {"pct": "%", "usd": "USD", "bps": "bps", "pp": "pp"}


def amount_of(match: re.Match[str]) -> Amount:
    """Return the amount that a match of AMOUNT says."""
    word = match["number"].lower()
    number = _WORDS[word] if word in _WORDS else float(word.replace(",", ""))
    unit = re.sub(r"\s+", " ", (match["unit"] or "").lower())
    if unit in _TIMES:
        return Amount(number * _TIMES[unit], "time")
    return Amount(number, _OTHERS.get(unit, ""))


def flag_amount(spec: FlagSpec, value: FlagValue) -> Amount | None:
    """Return what a flag's value is worth as prose would say it; None for words and switches."""
    if spec.kind is not FlagKind.NUMBER or isinstance(value, bool | str):
        return None
    # An hour of the day is no duration; and a count of windows is a count to whoever reads it.
    worth = None if spec.name.endswith(("_HOUR", "_DAY")) else flag_worth(spec, 0)
    if worth:
        return Amount(float(value) * worth, "time")
    known = {Unit.PCT: "pct", Unit.BPS: "bps", Unit.PP: "pp", Unit.USD: "usd"}
    return Amount(float(value), known.get(spec.unit, ""))


def flag_text(spec: FlagSpec, value: FlagValue) -> str:
    """Return a flag's value as a person reads it: `0.5 %`, `30s`, `true`."""
    found = flag_amount(spec, value)
    return str(found) if found is not None else str(value).lower() if isinstance(value, bool) else str(value)


def rule_amounts(spec: RuleSpec, flags: Mapping[str, FlagValue]) -> dict[str, Amount]:
    """Return every number of a rule by the words that name it: `for`, `ttl`, `size_mult`, `expr[0]`, ..."""
    found: dict[str, Amount] = {}
    for name, value, worth in (
        ("for", spec.hold_for, spec.hold_for_unit),
        ("keep_firing_for", spec.keep_firing_for, spec.keep_firing_for_unit),
        ("cooldown", spec.cooldown, spec.cooldown_unit),
        ("unknown_grace", spec.unknown_grace, spec.unknown_grace_unit),
        ("min_clear", spec.min_clear, 1), ("ttl", spec.ttl, spec.ttl_unit), ("valid_for", spec.valid_for, 1),
    ):
        number = flags.get(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool):
            found[name] = Amount(float(number) * worth, "time")
    given = under(spec, flags)
    if given.restrain.size_mult < 1:
        found["size_mult"] = Amount(given.restrain.size_mult)
    if given.restrain.max_notional_usd is not None:
        found["max_notional_usd"] = Amount(float(given.restrain.max_notional_usd), "usd")
    if given.action is not None:
        for name, share in (("trim_pct", given.action.trim_pct), ("hedge_ratio", given.action.hedge_ratio)):
            if share is not None:
                found[name] = Amount(share, "pct" if name == "trim_pct" else "")
    for name, expression in (("expr", spec.expr), ("clear_expr", spec.clear_expr)):
        if expression is not None:
            found |= {f"{name}[{place}]": one for place, one in enumerate(_constants(expression.text))}
    return found


def _constants(text: str) -> Iterator[Amount]:
    """Yield the numbers and durations that an expression writes out, in the order of writing."""
    nodes = [node for node in ast.walk(ast.parse(f"({text}\n)", mode="eval")) if isinstance(node, ast.Constant)]
    for node in sorted(nodes, key=lambda one: (one.lineno, one.col_offset)):
        if isinstance(node.value, str):
            try:
                yield Amount(float(parse_duration(node.value)), "time")
            except ValueError:
                continue
        elif isinstance(node.value, int | float) and not isinstance(node.value, bool):
            yield Amount(float(node.value))


def signal_amounts(spec: SignalSpec) -> dict[str, Amount]:
    """Return the times of a signal by their words in the catalogue."""
    return {"period": Amount(float(spec.period), "time"), "max_age": Amount(float(spec.max_age), "time")}
