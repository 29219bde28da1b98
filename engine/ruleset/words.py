"""How rules speak to people: inputs as text, restraints in words, messages from templates.

Messages substitute and do nothing else: no attribute, no call, no nested template. What
comes from outside cannot move a terminal's cursor, and what is not known is `?`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.model.codec import decimal_text
from engine.model.restraints import Level, Restraint
from engine.model.samples import Status
from engine.ruleset.kleene import Unknown, Value

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}")
_NUMBER_FORMAT = re.compile(r"[,+]?(?:\.\d{1,2})?[fg%]?")


def value_text(value: Value) -> str:
    """Return a value as a person reads it: six digits at most, `true`, `?` for unknown."""
    if isinstance(value, Unknown):
        return "?"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return printable(value)
    return f"{value:.6g}"


def input_text(value: float | bool | str, status: int, *, heard: bool) -> str:
    """Return an input as a person reads it: `0.9712`, `0.9712 (stale)`, `missing`."""
    if status == Status.OK:
        return value_text(value)
    word = Status(status).name.lower()
    return f"{value_text(value)} ({word})" if heard and status == Status.STALE else word


def printable(text: str) -> str:
    """Return `text` with everything that is not printable written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def fill_in(template: str, values: Mapping[str, Value]) -> str:
    """Return `template` with each `{name}` and `{name:.4f}` replaced by its value; unknown ones by `?`."""

    def replaced(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None or isinstance(value, Unknown):
            return "?"
        wanted = match[2]
        if isinstance(value, bool | str) or not wanted or not _NUMBER_FORMAT.fullmatch(wanted):
            return value_text(value)
        return format(float(value), wanted)

    return printable(_FIELD.sub(replaced, template))


def restraint_words(restraint: Restraint) -> str:
    """Return a restraint as a short phrase such as `level halted, size x0.5`; empty when it forbids nothing."""
    parts: list[str] = []
    if restraint.level is not Level.NORMAL:
        parts.append(f"level {restraint.level.word}")
    if restraint.size_mult < 1:
        parts.append(f"size x{restraint.size_mult:g}")
    if restraint.max_notional_usd is not None:
        parts.append(f"at most {decimal_text(restraint.max_notional_usd)} USD")
    for what, names in (("mute", restraint.mute), ("deny", restraint.deny), ("deny quotes", restraint.deny_quotes)):
        if names:
            parts.append(f"{what} {', '.join(sorted(names))}")
    return ", ".join(parts)


def inputs_text(inputs: tuple[tuple[str, str], ...]) -> str:
    """Return inputs as one phrase: `peg_usdt_usd=0.9712, age(feed_messages)=3`."""
    return ", ".join(f"{name}={text}" for name, text in inputs) or "no inputs"
