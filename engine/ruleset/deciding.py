"""What a rule decides, spelled one way: a digest of it is the same however the file is laid out."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable

from engine.model.codec import Data, canonical
from engine.ruleset.nodes import Node

_EXPRESSIONS = ("expr", "clear_expr", "allow_expr")
_NOT_DECIDING = ("tests",)


def deciding(node: Node) -> dict[str, Data]:
    """Return what the rule at `node`, in which there is no error, says: neither layout nor file nor tests."""
    said = node.plain()
    data: dict[str, Data] = {key: _numbers(value) for key, value in said.items() if key not in _NOT_DECIDING}
    for key in _EXPRESSIONS:
        if isinstance(data.get(key), str):
            data[key] = _respelled(str(data[key]))
    return data


def digest_of(said: Iterable[dict[str, Data]]) -> str:
    """Return the SHA-256 (hex) of what rules decide, whatever their order."""
    ordered = sorted(said, key=lambda rule: str(rule["id"]))
    return hashlib.sha256(canonical(ordered)).hexdigest()


def _respelled(text: str) -> str:
    """Return an expression that was accepted in its one spelling: layout and quotes gone, numbers as floats."""
    tree = ast.parse(f"({text}\n)", mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            node.value = float(node.value)
    return ast.unparse(tree)


def _numbers(value: Data) -> Data:
    """Return `value` with every number as a float: 1 and 1.0 say the same."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
