"""What became of the tests that stand beside a rule: a change that needs other expectations says so here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import unified_diff
from enum import Enum
from itertools import groupby
from typing import Any

from engine.model.restraints import Restraint
from engine.model.time import format_duration
from engine.ruleset.spec import Place, RuleSpec
from engine.ruleset.words import printable, restraint_words

_TIMES = ("at", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestChange:
    """One test that is not the same on both sides. `lines` begin with a blank, `-` (base) or `+` (head)."""

    __test__ = False
    name: str
    became: str
    """added, removed or changed."""
    place: Place
    lines: tuple[str, ...]


def changed_tests(base: RuleSpec | None, head: RuleSpec | None) -> tuple[TestChange, ...]:
    """Return which tests of a rule differ, by name; layout and order make no difference."""
    ours, theirs = (_by_name(() if side is None else side.tests) for side in (base, head))
    found: list[TestChange] = []
    for name in dict.fromkeys((*ours, *theirs)):
        mine, other = ours.get(name), theirs.get(name)
        before, after = (list(_lines(one)) if one is not None else [] for one in (mine, other))
        if before == after:
            continue
        became = "added" if mine is None else "removed" if other is None else "changed"
        shown = other or mine
        assert shown is not None
        lines = tuple(line for line in unified_diff(before, after, n=99, lineterm="") if _is_content(line))
        found.append(TestChange(name=printable(name), became=became, place=shown.place, lines=lines))
    return tuple(found)




def _is_content(line: str) -> bool:
    return not line.startswith(("---", "+++", "@@"))


def _by_name(tests: Sequence[Any]) -> dict[str, Any]:
    """Return tests by name; of two with the same name the second is called so."""
    found: dict[str, Any] = {}
    for test in tests:
        name, count = test.name, 1
        while name in found:
            count += 1
            name = f"{test.name} ({count})"
        found[name] = test
    return found


def _lines(test: Any) -> Iterator[str]:
    """Yield a test line by line, each of its parts as a person would write it."""
    for field in fields(test):
        if field.name in ("name", "place"):
            continue
        value = getattr(test, field.name)
        if isinstance(value, tuple) and value and is_dataclass(value[0]):
            for one in value:
                yield f"{field.name}: {_said(one)}"
        elif value not in (None, ()):
            yield f"{field.name}: {_word(field.name, value)}"


def _said(one: Any) -> str:
    parts: list[str] = []
    for field in fields(one):
        value = getattr(one, field.name)
        default = None if field.default is MISSING else field.default
        if field.name not in ("place", "restrain_fields") and (value != default or field.name == "at"):
            parts.append(f"{field.name} {_word(field.name, value)}")
    return printable(", ".join(parts))


def _word(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int):
        return format_duration(value)
    if name == "samples":
        return " ".join(_counted(value))
    if isinstance(value, Restraint):
        return restraint_words(value) or "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | frozenset | list):
        items = sorted(value) if isinstance(value, frozenset) else value
        return "[" + ", ".join(_word("", item) for item in items) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(samples: Sequence[Any]) -> Iterator[str]:
    for word, same in groupby(_word("", sample) for sample in samples):
        count = sum(1 for _ in same)
        yield word if count == 1 else f"{word}*{count}"
