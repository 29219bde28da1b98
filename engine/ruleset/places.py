"""Where each character of a YAML scalar stands in its file.

A mistake inside an expression gets the line and column of that very character, also in a
quoted or block scalar, where escapes and folding make the text differ from the file.
Each style is read again from the raw text; whoever calls compares the result with what
the YAML parser made of it and believes it only when both are equal.
"""

from __future__ import annotations

from collections.abc import Iterator

Spot = tuple[int, int]
"""(line, column), both from 0."""
Placed = list[tuple[str, Spot]]
"""The characters of a scalar with their spots."""

_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}
_HEX = {"x": 2, "u": 4, "U": 8}
_DEEPEST_INDENT = 100
_LONGEST = 20_000
"""Characters of a scalar in which places are told apart: no expression is a tenth as long."""


def spots_of(value: str, raw: str, start: Spot, style: str) -> tuple[Spot, ...] | None:
    """Return the spot of each character of `value` and of its end, or None when `raw` does not spell it.

    `raw` is the scalar as it stands in the file, quotes and block header included, from `start`.
    """
    if len(raw) > _LONGEST:
        return None
    if style in ("|", ">"):
        lines = raw.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for indent in _indents(lines, value):
            found = _matching(value, _block(lines, start[0], indent, style))
            if found is not None:
                return found
        return None
    chars = list(_flow(raw, start))
    if style in ("'", '"'):
        chars = chars[1:-1]
    return _matching(value, _unfold(chars, style))


def first_spot(value: str, raw: str, start: Spot, style: str) -> Spot | None:
    """Return the spot of the first character of `value`, or None where it takes `spots_of` to know."""
    if style in ("'", '"'):
        plain = value[:1] not in ("", " ") and raw[1:2] == value[:1] and raw[1:2] not in ("\\", "'", "\n", "\r", "\t")
        return (start[0], start[1] + 1) if plain else None
    if style not in ("|", ">") or value[:1] in ("", " ", "\t", "\n"):
        return None
    begin = raw.find("\n") + 1
    line = raw[begin:].partition("\n")[0]
    if begin == 0 or "\r" in raw[:begin] or line.lstrip(" ")[:1] != value[:1]:
        return None
    return start[0] + 1, len(line) - len(line.lstrip(" "))


def _indents(lines: list[str], value: str) -> Iterator[int]:
    """Yield by how much a block may be indented, the likeliest first: what its first line has more than its text."""
    first = next((line for line in lines[1:] if line.strip(" ")), "")
    text = next((line for line in value.split("\n") if line.strip(" ")), "")
    likely = (len(first) - len(first.lstrip(" "))) - (len(text) - len(text.lstrip(" ")))
    if 0 <= likely < _DEEPEST_INDENT:
        yield likely
    yield from (indent for indent in range(_DEEPEST_INDENT) if indent != likely)


def _matching(value: str, placed: Placed) -> tuple[Spot, ...] | None:
    if "".join(char for char, _ in placed[:len(value)]) != value:
        return None
    spots = [spot for _, spot in placed[:len(value)]]
    end = (spots[-1][0], spots[-1][1] + 1) if spots else (0, 0)
    return (*spots, end)


def _flow(raw: str, start: Spot) -> Iterator[tuple[str, Spot]]:
    line, column = start
    skip = False
    for index, char in enumerate(raw):
        if skip:
            skip = False
            continue
        if char in "\r\n":
            skip = raw[index:index + 2] == "\r\n"
            yield "\n", (line, column)
            line, column = line + 1, 0
        else:
            yield char, (line, column)
            column += 1


def _unfold(chars: Placed, style: str) -> Placed:
    """Return plain or quoted characters with line breaks folded and escapes resolved."""
    out: Placed = []
    index = 0
    while index < len(chars):
        char, spot = chars[index]
        if char in " \t\n":
            index = _fold_blanks(chars, index, out)
        elif style == "'" and char == "'":
            out.append(("'", spot))
            index += 2
        elif style == '"' and char == "\\":
            index = _escape(chars, index, out)
        else:
            out.append((char, spot))
            index += 1
    return out


def _fold_blanks(chars: Placed, index: int, out: Placed) -> int:
    """Copy blanks, or fold them when they hold line breaks; return where they end."""
    end = index
    while end < len(chars) and chars[end][0] in " \t\n":
        end += 1
    breaks = [placed for placed in chars[index:end] if placed[0] == "\n"]
    if not breaks:
        out.extend(chars[index:end])
    elif len(breaks) == 1:
        out.append((" ", breaks[0][1]))
    else:
        out.extend(breaks[1:])
    return end


def _escape(chars: Placed, index: int, out: Placed) -> int:
    if index + 1 >= len(chars):
        return index + 1
    spot = chars[index][1]
    kind = chars[index + 1][0]
    if kind == "\n":
        index += 2
        while index < len(chars) and chars[index][0] in " \t":
            index += 1
        return index
    if kind in _HEX:
        digits = "".join(char for char, _ in chars[index + 2:index + 2 + _HEX[kind]])
        out.append((_from_hex(digits), spot))
        return index + 2 + _HEX[kind]
    out.append((_ESCAPES.get(kind, kind), spot))
    return index + 2


def _from_hex(digits: str) -> str:
    try:
        return chr(int(digits, 16))
    except (ValueError, OverflowError):
        return "\N{REPLACEMENT CHARACTER}"


def _block(lines: list[str], first_line: int, indent: int, style: str) -> Placed:
    """Return a literal or folded block whose content is indented by `indent` columns.

    Between two lines of a folded block one break becomes a blank, unless a line is
    indented further: the rule of libyaml, which is the parser's.
    """
    out: Placed = []
    after_break: Placed = []
    blank_lines: Placed = []
    indented_before = False
    for number, line in enumerate(lines[1:], start=first_line + 1):
        body = line[indent:]
        if not body and not line.strip(" "):
            blank_lines.append(("\n", (number, len(line))))
            continue
        if line[:indent].strip(" "):
            break
        indented = body[0] in " \t"
        if style == ">" and after_break and not indented_before and not indented:
            if not blank_lines:
                out.append((" ", after_break[0][1]))
        else:
            out.extend(after_break)
        out.extend(blank_lines)
        out.extend((char, (number, indent + offset)) for offset, char in enumerate(body))
        after_break, blank_lines, indented_before = [("\n", (number, len(line)))], [], indented
    out.extend(after_break)
    out.extend(blank_lines)
    return out
