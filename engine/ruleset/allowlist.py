"""Which texts may be expressions at all: checked on the raw text, before Python's parser sees any of it.

Python's parser folds look-alike letters, recurses, and accepts far more than a rule may say.
So the characters, the tokens and the nesting are checked first, and `ast.parse` is asked
only about short, shallow, plain ASCII.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 2000
MOST_TOKENS = 500
DEEPEST_PARENTHESES = 30
DEEPEST_TREE = 64
EXACT = 2**53


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an expression, at an offset of its text."""

    offset: int
    code: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, string or sign of an expression."""

    kind: str
    text: str
    offset: int


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]\w*(?:\.\w*)?|\.[0-9]\w*)(?:(?<=[eE])[+-][0-9]+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<string>'[^'\\\r\n]*'|\"[^\"\\\r\n]*\")"
    r"|(?P<bad>&&|\|\||=<|=>|<>|\*\*|//|:=|<<|>>)"
    r"|(?P<sign><=|>=|==|!=|[-+*/<>(),=])"
    r"|(?P<other>.)",
    re.ASCII | re.DOTALL,
)
_NUMBER = re.compile(r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WITH_UNIT = re.compile(r"([0-9.]+)([A-Za-z]+)", re.ASCII)
_INSTEAD = {
    "&&": "write `and`", "||": "write `or`", "&": "write `and`", "|": "write `or`", "!": "write `not`",
    "=<": "write <=",
    "=>": "write >=", "<>": "write !=", "**": "write the product out", "//": "divide with /", ":=": "write ==",
    "%": "give the number alone: its unit comes from the signal or flag it is compared with",
    ".": "a rule cannot look inside things; name a signal of the catalogue",
    "[": "write a function such as avg_over(signal, \"5m\")", "]": "write a function such as avg_over(signal, \"5m\")",
    "{": "labels are arguments: avg_over(signal, \"5m\", venue=\"paper\")",
    "}": "labels are arguments: venue=\"paper\"",
    "#": "put the comment on a line of its own outside the expression",
    "\\": "remove it", ";": "write one condition; join two with `and`", "^": "write the product out",
}
_WORDS = {
    "is": "write ==", "in": "write two comparisons joined with `or`", "lambda": "write the condition itself",
    "AND": "write `and`", "OR": "write `or`", "NOT": "write `not`", "True": "write the condition itself",
    "False": "write the condition itself", "None": "ask with absent(signal)", "true": "write the condition itself",
    "false": "write the condition itself", "null": "ask with absent(signal)", "then": "write `x if condition else y`",
    "for": "write a window function such as avg_over(signal, \"5m\")", "await": "remove it", "yield": "remove it",
    "between": "write low <= signal <= high", "unknown": "doubt is handled by `on_unknown`; ask with absent(signal)",
}
_JOINING = frozenset({"and", "or", "not", "if", "else"})
RESERVED = _JOINING | _WORDS.keys()
"""Words that can name nothing."""


def parse(text: str) -> tuple[ast.expr | None, list[Problem]]:
    """Return the tree of `text`, or None and why there is none. Never raises.

    Positions in the tree are those of `text`: `offset_of` turns them into offsets.
    """
    problems = list(_check_text(text))
    if problems:
        return None, problems
    try:
        # In parentheses a line break means nothing; the one before the last keeps them on a line of their own.
        tree = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        return None, [_syntax(text, error)]
    except (RecursionError, MemoryError, ValueError):
        return None, [Problem(0, "expr-too-large", "the expression cannot be parsed", "split the rule in two")]
    if _moved(tree) > DEEPEST_TREE:
        return None, [_too_deep(0)]
    return tree, []


def offset_of(text: str, node: ast.expr | ast.keyword) -> int:
    """Return where `node` begins in `text`."""
    return _offset(text, node.lineno, node.col_offset)


def segment(text: str, node: ast.expr) -> str:
    """Return what `text` says where `node` stands."""
    start = offset_of(text, node)
    if node.end_lineno is None or node.end_col_offset is None:
        return text[start:]
    return text[start:_offset(text, node.end_lineno, node.end_col_offset)]


def bare(text: str) -> str:
    """Return `text` without one pair of parentheses around all of it."""
    inner = text.strip()
    if not (inner.startswith("(") and inner.endswith(")")):
        return inner
    depth = 0
    for index, char in enumerate(inner):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0 and index < len(inner) - 1:
            return inner
    return inner[1:-1]


def _offset(text: str, line: int, column: int) -> int:
    offset = 0
    for _ in range(line - 1):
        found = text.find("\n", offset)
        if found < 0:
            break
        offset = found + 1
    return min(offset + column, len(text))


def _moved(tree: ast.expr) -> int:
    """Take the parenthesis in front of the first line out of all positions; return how deep the tree is."""
    deepest = 0
    todo: list[tuple[ast.AST, int]] = [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(node, ast.expr | ast.keyword):
            if node.lineno == 1:
                node.col_offset -= 1
            if node.end_lineno == 1 and node.end_col_offset is not None:
                node.end_col_offset -= 1
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, ast.expr | ast.keyword):
                todo.append((value, depth + 1))
            elif isinstance(value, list):
                todo.extend((item, depth + 1) for item in value if isinstance(item, ast.expr | ast.keyword))
    return deepest


def _too_deep(offset: int) -> Problem:
    return Problem(offset, "expr-too-large", "the expression is nested too deeply", "split the rule in two")


def _syntax(text: str, error: SyntaxError) -> Problem:
    line, column = error.lineno or 1, (error.offset or 1) - 1
    offset = _offset(text, line, column - (1 if line == 1 else 0))
    if offset >= len(text.rstrip()):
        return Problem(
            max(len(text.rstrip()) - 1, 0), "expr-syntax", "the expression ends too early", "write what is missing",
        )
    found = _TOKEN.match(text, offset)
    shown = found[0].strip() if found else ""
    message = f"`{shown}` does not fit here" if shown else "this is no expression"
    return Problem(offset, "expr-syntax", message, "join conditions with `and` or `or`, and values with + - * /")


def _check_text(text: str) -> Iterator[Problem]:
    if not text.strip():
        yield Problem(0, "expr-syntax", "the expression is empty", "write a condition, such as spread_bps > 50")
        return
    if len(text) > LONGEST:
        yield Problem(
            0, "expr-too-large", f"the expression has more than {LONGEST} characters", "split the rule in two",
        )
        return
    foreign = next(
        (offset for offset, char in enumerate(text) if char not in "\n\r\t" and not " " <= char <= "~"), None
    )
    if foreign is not None:
        yield Problem(
            foreign, "expr-character", f"U+{ord(text[foreign]):04X} is not plain ASCII",
            "retype the word on this keyboard",
        )
        return
    tokens = [Token(match.lastgroup or "", match[0], match.start()) for match in _TOKEN.finditer(text)]
    tokens = [token for token in tokens if token.kind != "space"]
    if len(tokens) > MOST_TOKENS:
        yield Problem(
            tokens[MOST_TOKENS].offset, "expr-too-large", f"the expression has more than {MOST_TOKENS} words and signs",
            "split the rule in two",
        )
        return
    quote = next((token for token in tokens if token.kind == "other" and token.text in "'\""), None)
    if quote is not None:
        fix = "close it; a word has no backslash"
        yield Problem(quote.offset, "expr-syntax", "this quote begins no plain word", fix)
        return
    problems = [problem for token in tokens for problem in _check_token(token)]
    if not any(token.text in ("{", "[") for token in tokens):
        problems += _check_parentheses(tokens)
    yield from problems
    if not problems:
        yield from _check_order(tokens)


def _check_token(token: Token) -> Iterator[Problem]:
    text, offset = token.text, token.offset
    if token.kind in ("bad", "other"):
        fix = _INSTEAD.get(text, "remove it")
        yield Problem(offset, "expr-sign", f"there is no `{text}` in rules", fix)
    elif token.kind == "name" and text in _WORDS:
        yield Problem(offset, "expr-word", f"there is no `{text}` in rules", _WORDS[text])
    elif token.kind == "number":
        yield from _check_number(text, offset)


def _check_number(text: str, offset: int) -> Iterator[Problem]:
    unit = _WITH_UNIT.fullmatch(text)
    if _NUMBER.fullmatch(text):
        value = float(text)
        if value > EXACT:
            yield Problem(offset, "expr-number", f"`{text[:40]}` is larger than 2^53", "write a smaller number")
    elif unit is not None and not _NUMBER.fullmatch(unit[1] + "e1" if unit[2] == "e" else text):
        yield Problem(
            offset, "expr-number", f"`{text[:40]}` is a number with a unit",
            f"write {unit[1]}: its unit comes from what it is compared with; durations are quoted arguments",
        )
    else:
        yield Problem(offset, "expr-number", f"`{text[:40]}` is not a plain decimal number", "write digits and one dot")


def _check_order(tokens: list[Token]) -> Iterator[Problem]:
    """Check that values and what joins them take turns: Python's parser points anywhere but there."""
    before: Token | None = None
    value_before = False
    for token in tokens:
        text = token.text
        is_value = token.kind in ("number", "string") or token.kind == "name" and text not in _JOINING
        calls = text == "(" and before is not None and before.kind == "name" and before.text not in _JOINING
        if is_value or text == "not" or text == "(" and not calls:
            if value_before:
                yield Problem(
                    token.offset, "expr-syntax", f"nothing joins `{text}` to what is before it",
                    "join conditions with `and` or `or`, values with + - * / or a comparison",
                )
                return
            value_before = is_value
        elif not calls and not value_before and text not in "+-" and not (before and before.text + text == "()"):
            message = f"a value is missing before `{text}`"
            yield Problem(token.offset, "expr-syntax", message, "write it, or remove the sign")
            return
        else:
            value_before = text == ")"
        before = token
    if not value_before and before is not None:
        yield Problem(before.offset, "expr-syntax", f"nothing follows `{before.text}`", "write what is missing")


def _check_parentheses(tokens: list[Token]) -> Iterator[Problem]:
    """Check that parentheses pair and are few, and that `=` stands only before a label or option of a function."""
    opened: list[tuple[Token, bool]] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        if token.text == "(":
            is_call = before is not None and before.kind == "name" and before.text not in _JOINING
            opened.append((token, is_call))
            if len(opened) == DEEPEST_PARENTHESES + 1:
                yield _too_deep(token.offset)
        elif token.text == ")":
            if not opened:
                yield Problem(token.offset, "expr-syntax", "this parenthesis was never opened", "remove it")
                return
            opened.pop()
        elif token.text == "=":
            named = before is not None and before.kind == "name" and index >= 2 and tokens[index - 2].text in ("(", ",")
            if not (named and opened and opened[-1][1]):
                yield Problem(token.offset, "expr-sign", "`=` does not compare", "write ==")
    if opened:
        yield Problem(opened[-1][0].offset, "expr-syntax", "this parenthesis is never closed", "close it with )")
