"""YAML as data that remembers where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from engine.model.codec import Data
from engine.ruleset.diagnostics import Finding, Severity
from engine.ruleset.places import Spot, first_spot, spots_of
from engine.ruleset.spec import Place

Kind = Literal["map", "seq", "str", "int", "float", "bool", "null", "broken"]
"""`broken` is a key, scalar or alias about which a finding was made already: nobody says more of it."""

_BREAK = re.compile(r"\r\n|\n|\r")


class Source:
    """One file's text. Lines count from 1."""

    def __init__(self, file: str, text: str, shown: str | None = None) -> None:
        """`text` is what was parsed; `shown` is the file's own text where cleaning made them differ."""
        self.file = file
        self.text = text
        self._lines = _BREAK.split(text if shown is None else shown)

    def line(self, number: int) -> str:
        """Return a line without its break; an empty string where there is none."""
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else ""


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A mapping, a sequence or a scalar. `line` and `col` count from 1; `index` and `end` are offsets in the text."""

    kind: Kind
    source: Source
    line: int
    col: int
    index: int = 0
    end: int = 0
    style: str = ""
    scalar: str | int | float | bool | None = None
    text: str = ""
    """Of a scalar: what YAML made of it before it got a type."""
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    """Of a mapping: key text -> (key, value), in the order of the file."""
    items: list[Node] = field(default_factory=list)
    """Of a sequence."""
    comment_col: int = 0
    """Of an unquoted scalar: the column of a comment right behind it, else 0."""
    _spots: tuple[Spot, ...] | None = None

    @property
    def place(self) -> Place:
        """Where the node begins."""
        return Place(self.source.file, self.line, self.col)

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None when there is none or this is no mapping."""
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def key(self, key: str) -> Node:
        """Return the key itself, or this node where it has no such key."""
        entry = self.entries.get(key)
        return entry[0] if entry else self

    def pairs(self) -> Iterator[tuple[str, Node, Node]]:
        """Yield (key text, key, value) in the order of the file."""
        for name, (key, value) in self.entries.items():
            yield name, key, value

    def plain(self) -> Data:
        """Return the data alone; of a broken scalar its text."""
        if self.kind == "map":
            return {name: value.plain() for name, (_, value) in self.entries.items()}
        if self.kind == "seq":
            return [item.plain() for item in self.items]
        return self.text if self.kind == "broken" else self.scalar

    def spot(self, offset: int) -> tuple[int, int]:
        """Return the line and column in the file of the character at `offset` of a scalar's text, both from 1."""
        if offset <= 0 and not self.style:
            return self.line, self.col
        if self._spots is None:
            raw = self.source.text[self.index:self.end]
            if offset <= 0:
                first = first_spot(self.text, raw, (self.line - 1, self.col - 1), self.style)
                if first is not None:
                    return first[0] + 1, first[1] + 1
            found = spots_of(self.text, raw, (self.line - 1, self.col - 1), self.style)
            self._spots = found if found is not None and self.text else ((self.line - 1, self.col - 1),)
        line, column = self._spots[min(max(offset, 0), len(self._spots) - 1)]
        return line + 1, column + 1

    def finding(
        self, code: str, message: str, fix: str, *, severity: Severity = Severity.ERROR, offset: int | None = None
    ) -> Finding:
        """Return a finding at this node, or at a character of its text."""
        line, column = (self.line, self.col) if offset is None else self.spot(offset)
        return Finding(
            file=self.source.file, line=line, column=column, code=code, severity=severity, message=message, fix=fix,
            source_line=self.source.line(line),
        )
