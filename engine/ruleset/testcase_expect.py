"""What a test expects: claims about single instants, and the full list of state changes."""

from __future__ import annotations

import re

from engine.model.time import parse_duration
from engine.ruleset.diagnostics import Finding
from engine.ruleset.nodes import Node
from engine.ruleset.restraint import read_restraint
from engine.ruleset.spec import Action
from engine.ruleset.testcase_spec import Expectation, Labels, WantedMove

_COMPACT = re.compile(r"(\S+) ([a-z]+)", re.ASCII)
_CLAIMS = "state, truth, restrain, why, latched, granted, refused, evaluated, scope or action"


def read_expectation(node: Node, findings: list[Finding]) -> Expectation:
    """Return the item of `expect` at `node`; one that claims nothing is a finding."""
    restrain, scope = node.get("restrain"), node.get("scope")
    truth = node.get("truth")
    found = Expectation(
        at=read_at(node.get("at")), place=node.place, labels=read_labels(node.get("labels")),
        state=_text(node.get("state")), truth=truth.text.lower() if truth is not None else None,
        restrain=read_restraint(restrain, findings) if restrain is not None else None,
        restrain_fields=tuple(restrain.entries) if restrain is not None else (),
        why=read_words(node.get("why")), latched=_flag(node.get("latched")), granted=_flag(node.get("granted")),
        refused=_flag(node.get("refused")), evaluated=_flag(node.get("evaluated")),
        scope=read_labels(scope) if scope is not None else None, action=_action(node.get("action")),
    )
    if "at" in node.entries and len(node.entries) > 1 and not found.claims() and not set(node.entries) - {
        "at", "labels",
    }:
        findings.append(node.finding(
            "test-no-expectation", "this says when, and expects nothing", f"add {_CLAIMS}",
        ))
    return found


def read_transitions(node: Node, findings: list[Finding]) -> tuple[WantedMove, ...]:
    """Return the full list of state changes at `node`: `4m pending`, or {at: 4m, to: pending, why: ...}."""
    moves: list[WantedMove] = []
    for item in node.items:
        compact = _COMPACT.fullmatch(item.text) if item.kind == "str" else None
        if item.kind == "map":
            move = WantedMove(
                at=read_at(item.get("at")), to=_text(item.get("to")) or "", place=item.place,
                labels=read_labels(item.get("labels")), why=read_words(item.get("why")),
            )
        elif compact is not None and _ns(compact[1], -1) >= 0:
            move = WantedMove(at=_ns(compact[1]), to=compact[2], place=item.place)
        else:
            # The schema has said what is wrong with it.
            continue
        if moves and move.at < moves[-1].at:
            findings.append(item.finding(
                "test-transitions", "this comes before the one above it", "list the changes in order of time",
            ))
        moves.append(move)
    return tuple(moves)


def read_at(node: Node | None, default: int = 0) -> int:
    """Return a time of a test in ns; the schema has said what is wrong with it."""
    return _ns(node.text, default) if node is not None and node.kind == "str" else default


def _ns(text: str, default: int = 0) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        return default


def read_labels(node: Node | None) -> Labels:
    """Return the labels that a mapping at `node` writes."""
    return tuple((key, value.text) for key, _, value in node.pairs()) if node is not None else ()


def read_words(node: Node | None) -> tuple[str, ...]:
    """Return one word or a list of them."""
    if node is None:
        return ()
    return tuple(item.text for item in node.items) if node.kind == "seq" else (node.text,)


def _text(node: Node | None) -> str | None:
    return node.text if node is not None else None


def _flag(node: Node | None) -> bool | None:
    return node.scalar if node is not None and isinstance(node.scalar, bool) else None


def _action(node: Node | None) -> Action | None:
    if node is None:
        return None
    word = node.get("exit_risk")
    return Action(
        exit_risk=word.text.lower() if word is not None else "", trim_pct=_number(node.get("trim_pct")),
        hedge_ratio=_number(node.get("hedge_ratio")),
    )


def _number(node: Node | None) -> float | None:
    if node is None or isinstance(node.scalar, bool) or not isinstance(node.scalar, int | float):
        return None
    return float(node.scalar)
