"""Hostile files that are too large to keep, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.ruleset.rules_text import file_of, rule

LARGE = 1_000_000
"""Bytes that a file may have."""


def _up_to(limit: int, head: str, part: str, tail: str = "") -> bytes:
    """Return a file of at most `limit` bytes that repeats `part`."""
    return (head + part * ((limit - len(head) - len(tail)) // len(part)) + tail).encode()


def _distinct(count: int) -> bytes:
    text = "".join(f"  - {{id: a{number}, kind: cutback}}\n" for number in range(count))
    return ("version: 1\nrules:\n" + text).encode()


OVERSIZED: Mapping[str, Callable[[], bytes]] = {
    "huge_file": lambda: _up_to(LARGE + 40, file_of(rule()), "# nothing here\n"),
    "huge_text": lambda: file_of(rule(summary='"' + "x" * 10_000_000 + '"')).encode(),
    "huge_line": lambda: file_of(rule(summary='"' + "x" * 990_000 + '"')).encode(),
    "huge_block": lambda: _up_to(LARGE, file_of(rule(expr="|")).split("    restrain")[0], "      health_measured\n"),
    "huge_comment": lambda: _up_to(LARGE, "version: 1\n", "#" * 1000),
    "huge_binary": lambda: bytes(range(256)) * 3900,
    "huge_controls": lambda: _up_to(LARGE, "version: 1\nrules: '", "\x01\x02"),
    "huge_key": lambda: ("version: 1\n" + "k" * 900_000 + ": 1\n").encode(),
    "huge_number": lambda: file_of(rule(restrain="{max_notional_usd: 0x" + "f" * 200_000 + "}")).encode(),
    "huge_digits": lambda: file_of(rule(restrain="{max_notional_usd: " + "9" * 900_000 + "}")).encode(),
    "huge_expression": lambda: file_of(rule(expr='"' + "-" * 900_000 + 'health_measured > 1"')).encode(),
    "many_rules": lambda: _distinct(5_900),
    "more_rules": lambda: _distinct(25_000),
    "many_empty_rules": lambda: _up_to(LARGE, "version: 1\nrules:\n", "  - {}\n"),
    "many_values": lambda: _up_to(LARGE, "version: 1\nrules: [", "a,", "]\n"),
    "many_keys_almost": lambda: ("version: 1\n" + "".join(f"k{n}: 1\n" for n in range(14_000))).encode(),
    "many_values_almost": lambda: ("version: 1\nrules: [" + "a," * 29_000 + "]\n").encode(),
    "many_empty_almost": lambda: ("version: 1\nrules:\n" + "  - {}\n" * 29_000).encode(),
    "many_labels_almost": lambda: file_of(rule(by="[" + "venue," * 29_000 + "]")).encode(),
    "many_anchors_almost": lambda: ("version: 1\nrules: [" + "&a x," * 29_000 + "]\n").encode(),
    "many_same_keys_almost": lambda: ("version: 1\n" + "k: 1\n" * 14_000).encode(),
    "many_keys": lambda: ("version: 1\n" + "".join(f"k{n}: 1\n" for n in range(90_000))).encode(),
    "many_same_keys": lambda: _up_to(LARGE, "version: 1\n", "k: 1\n"),
    "many_labels": lambda: file_of(rule(by="[" + "venue," * 90_000 + "]")).encode(),
    "many_anchors": lambda: _up_to(LARGE, "version: 1\nrules: [", "&a x,", "]\n"),
    "many_aliases": lambda: _up_to(LARGE, "version: 1\nx: &a 1\nrules: [", "*a,", "]\n"),
    "many_documents": lambda: _up_to(LARGE, "version: 1\n", "---\n"),
    "many_brackets": lambda: _up_to(LARGE, "version: 1\nrules: ", "["),
    "many_braces": lambda: _up_to(LARGE, "version: 1\nrules: ", "{a: "),
    "many_dashes": lambda: _up_to(LARGE, "version: 1\nrules:\n  ", "- "),
    "many_questions": lambda: _up_to(LARGE, "version: 1\nrules:\n  ", "? "),
    "many_tags": lambda: _up_to(LARGE, "version: 1\nrules: [", "!!str x,", "]\n"),
    "many_samples": lambda: file_of(rule(tests="\n      - {name: a, series: {health_measured: \"" + "1 " * 450_000
                                         + '"}, expect: [{at: 0s, state: held}]}')).encode(),
    "many_tests": lambda: file_of(rule(tests="\n" + "      - {name: a, series: {}, expect: []}\n" * 4_000)).encode(),
}
