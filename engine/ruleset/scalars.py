"""What an unquoted word means in YAML 1.2 core, and the words that other readers would take otherwise."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache

from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node

LARGEST_INTEGER = 2**53
"""Beyond this a float, which is what every JSON reader holds, no longer tells neighbours apart."""

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NULL = ("", "~", "null", "Null", "NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_YES = ("yes", "on", "y")
_NO = ("no", "off", "n")
_LONGEST_YES = 3
_SIGNS_OF_A_NUMBER = frozenset("0123456789+-.")
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_PREFIXED = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F_]+")
_GROUPED = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?", re.DOTALL)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_KNOWN = 4096
"""Words that are remembered: files say the same few hundred again and again."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)


def quoted(text: str) -> str:
    """Return `text` as a message shows it: short, printable, between back quotes."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:60])
    return f"`{shown}{'...' if len(text) > 60 else ''}`"


def named(char: str) -> str:
    """Return a character that cannot be shown, by code and name."""
    name = unicodedata.name(char, "")
    if not name:
        name = {"\x00": "NUL", "\x1b": "ESCAPE", "\x7f": "DELETE", "\x85": "NEXT LINE"}.get(char, "a control character")
    return f"U+{ord(char):04X} ({name})"


def resolve(node: Node, findings: list[Finding], *, is_key: bool, tagged: bool) -> None:
    """Give a scalar its kind and value; one that cannot be trusted stays `broken` and gets a finding."""
    if node.style or tagged:
        node.kind, node.scalar = "str", node.text
        if node.style == '"':
            _check_escapes(node, findings)
        return
    text = node.text
    trap = _trap(text)
    if is_key:
        _resolve_key(node, findings, is_trap=trap is not None)
        return
    _note_comment(node)
    if trap is not None:
        findings.append(node.finding(*trap))
    elif text in _NULL:
        node.kind = "null"
    elif text in _BOOL:
        node.kind, node.scalar = "bool", _BOOL[text]
    elif text[0] not in _SIGNS_OF_A_NUMBER:
        node.kind, node.scalar = "str", text
    elif _INT.fullmatch(text):
        node.kind, node.scalar = "int", int(text)
    elif _FLOAT.fullmatch(text):
        node.kind, node.scalar = "float", float(text) + 0.0
    else:
        node.kind, node.scalar = "str", text


def _resolve_key(node: Node, findings: list[Finding], *, is_trap: bool) -> None:
    text = node.text
    node.kind, node.scalar = "str", text
    if text == "<<":
        node.kind = "broken"
        findings.append(
            node.finding("yaml-merge", "the merge key << copies keys that are not seen here", "write the keys out"),
        )
    elif is_trap or _is_no_text(text):
        node.kind = "broken"
        shown = quoted(text) if text else "nothing"
        findings.append(node.finding("yaml-key", f"{shown} is not text, and keys are", f'quote it: "{text}"'))


@lru_cache(maxsize=_MOST_KNOWN)
def _is_no_text(text: str) -> bool:
    """Whether YAML makes something else than text of an unquoted word."""
    return text in _NULL or text in _BOOL or _FLOAT.fullmatch(text) is not None


@lru_cache(maxsize=_MOST_KNOWN)
def _trap(text: str) -> tuple[str, str, str] | None:
    """Return (code, message, fix) for a plain scalar that must not be guessed at."""
    if text[:1] not in _SIGNS_OF_A_NUMBER and len(text) > _LONGEST_YES:
        return None
    lowered = text.lower()
    if lowered in _YES or lowered in _NO:
        value = "true" if lowered in _YES else "false"
        return (
            "yaml-boolean", f"`{text}` is a truth value to some readers of YAML and text to others",
            f'write {value}, or quote it: "{text}"',
        )
    if _PREFIXED.fullmatch(text):
        return "yaml-number", f"`{text}` is a number in another base", "write it in decimal digits"
    if _OCTAL.fullmatch(text):
        return (
            "yaml-number", f"`{text}` begins with a zero: octal to some readers, decimal to others",
            f'write {text.replace("_", "").lstrip("-+0") or "0"}, or quote it if it is text',
        )
    if "_" in text and _GROUPED.fullmatch(text):
        return "yaml-number", f"`{text}` has an underscore: a number or text?", f"write {text.replace('_', '')}"
    if _SEXAGESIMAL.fullmatch(text):
        return (
            "yaml-number", f"`{text}` is a number to base 60 to some readers of YAML", f'quote it: "{text}"',
        )
    if _DATE.fullmatch(text):
        return "yaml-date", f"`{text}` is a date to some readers of YAML and text to others", f'quote it: "{text}"'
    return _number_trap(text)


def _number_trap(text: str) -> tuple[str, str, str] | None:
    if _NOT_FINITE.fullmatch(text):
        return "yaml-number", f"`{text}` is not a finite number", "write a number"
    digits = text.lstrip("+-")
    if _INT.fullmatch(text) and (len(digits) > 16 or int(text) > LARGEST_INTEGER or int(text) < -LARGEST_INTEGER):
        return "yaml-number", f"{quoted(text)} is larger than 2^53, too large to be exact", "write a smaller number"
    if _FLOAT.fullmatch(text) and not math.isfinite(float(text)):
        return "yaml-number", f"{quoted(text)} is too large for a number", "write a smaller number"
    return None


def _check_escapes(node: Node, findings: list[Finding]) -> None:
    found = _UNSEEN.search(node.text)
    if found is not None:
        findings.append(node.finding(
            "yaml-escape", f"the escape makes {named(found[0])}", "write characters that can be seen",
            offset=found.start(),
        ))
        node.kind = "broken"


def _note_comment(node: Node) -> None:
    text, end = node.source.text, node.end
    start = end
    while end < len(text) and text[end] in " \t":
        end += 1
    if end > start and text[end:end + 1] == "#":
        line_start = max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1
        node.comment_col = end - line_start + 1
